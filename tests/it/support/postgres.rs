//! A real PostgreSQL server that belongs to the tests: its own directory, a free port, ended with this process.
//! Knows nothing of what is kept in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use super::{PATIENCE, eventually, free_port};

/// Runs the server ($@) beside itself until its own input ends, which it does when the tests' process is gone, however
/// it went. PostgreSQL's children live in sessions of their own, so they are woken by name of their parent.
/// `crash` ends the server as a loss of power does, `stop` as an operator does; both keep its directory ($0).
const KEEPER: &str = r#"
"$@" >>"$0/log" 2>&1 </dev/null &
server=$!
read -r word
for process in $(cat /proc/$server/task/$server/children 2>/dev/null) $server; do kill -CONT $process; done
if [ "$word" = crash ]; then kill -QUIT $server; wait $server; exit; fi
if [ "$word" = stop ]; then kill -INT $server; wait $server; exit; fi
kill -INT $server
wait $server
rm -rf "$0"
"#;

/// Quick, because nobody pulls the plug on the tests' machine; what is committed survives the server's own death.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=64MB",
    "autovacuum=off",
    "wal_retrieve_retry_interval=200ms",
    // Only a server that is told to recover asks for it.
    "restore_command=false",
];

/// A running server; dropping it ends it and deletes its directory.
pub struct Postgres {
    keeper: Option<Child>,
    folder: PathBuf,
    port: u16,
    is_encrypted: bool,
}

impl Postgres {
    /// A new server, which answers.
    pub async fn start() -> Postgres {
        let mut postgres = Postgres::make().await;
        postgres.starts().await;
        postgres
    }

    /// A new server that speaks TLS too, with a certificate that it signed itself.
    pub async fn start_encrypted() -> Postgres {
        let mut postgres = Postgres::make().await;
        let mut made = tokio::process::Command::from(program("openssl"));
        made.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ]);
        made.args([
            "-subj",
            "/CN=tertulia",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ]);
        made.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        made.arg("-keyout")
            .arg(postgres.folder.join("cluster/server.key"));
        made.arg("-out")
            .arg(postgres.folder.join("cluster/server.crt"));
        let made = made.output().await.expect("openssl is there");
        assert!(made.status.success(), "{made:?}");
        postgres.is_encrypted = true;
        postgres.starts().await;
        postgres
    }

    /// A standby of this server, on a copy of it, which follows it and only reads until it is promoted.
    pub async fn gets_a_standby(&self) -> Postgres {
        let (folder, port) = place();
        let mut copied = tokio::process::Command::from(program("pg_basebackup"));
        let way = format!("host=127.0.0.1 port={} user=tertulia", self.port);
        copied.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf"]);
        copied.args(["--wal-method=stream", "--dbname", &way, "--pgdata"]);
        let copied = copied.arg(folder.join("cluster")).output();
        let copied = copied.await.expect("pg_basebackup is there");
        let said = String::from_utf8_lossy(&copied.stderr);
        assert!(copied.status.success(), "{said}");
        let mut standby = Postgres {
            keeper: None,
            folder,
            port,
            is_encrypted: false,
        };
        standby.starts().await;
        self.does_when_it_can(
            "SELECT 1 / COUNT(*) FROM pg_stat_replication WHERE state = 'streaming'",
        )
        .await;
        standby
    }

    /// From now on a commit is answered when a standby has it, or no longer so.
    pub async fn is_synchronous(&self, on: bool) {
        let names = if on { "*" } else { "" };
        let names = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        self.does(&[&names, "SELECT pg_reload_conf()"]).await;
        if on {
            self.does_when_it_can(
                "SELECT 1 / COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
            )
            .await;
        }
    }

    /// The standby becomes a server that takes writes, on a timeline of its own.
    pub async fn is_promoted(&self) {
        self.does(&["SELECT pg_promote()"]).await;
    }

    /// The file with the certificate of an encrypted server.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cluster/server.crt")
    }

    async fn make() -> Postgres {
        let (folder, port) = place();
        let mut made = tokio::process::Command::from(program("initdb"));
        let cluster = folder.join("cluster");
        made.args(["--no-sync", "--auth=trust", "--username=tertulia"]);
        made.args(["--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]);
        let made = made.arg(&cluster).output().await.expect("initdb is there");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        Postgres {
            keeper: None,
            folder,
            port,
            is_encrypted: false,
        }
    }

    /// Starts the server, on the same data and port, if it was stopped; it answers then.
    pub async fn starts(&mut self) {
        let server = program("postgres");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER]).arg(&self.folder);
        keeper.arg(server.get_program()).args(server.get_args());
        keeper.arg("-D").arg(self.folder.join("cluster"));
        let place = [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.folder.display()),
            format!("ssl={}", if self.is_encrypted { "on" } else { "off" }),
        ];
        for setting in SETTINGS.iter().map(|it| (*it).to_owned()).chain(place) {
            keeper.arg("-c").arg(setting);
        }
        // What the terminal tells the tests (Ctrl-C) is not for the keeper: it ends after them.
        std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null());
        let keeper = keeper.stderr(Stdio::null()).spawn();
        self.keeper = Some(keeper.expect("sh is there"));
        let answers = open(&self.url("postgres")).await;
        answers.close().await.expect("it was open");
    }

    /// The server is stopped, and begins a new timeline: as one that was a standby and is now promoted.
    pub async fn begins_a_new_timeline(&mut self) {
        self.is_stopped();
        let signal = self.folder.join("cluster/recovery.signal");
        std::fs::write(signal, "").expect("the directory is there");
        self.starts().await;
    }

    /// The server dies at once, as when its machine loses power.
    pub fn crashes(&mut self) {
        self.ends_by("crash");
    }

    /// The server is stopped: it ends all its connections and writes down what it knows.
    pub fn is_stopped(&mut self) {
        self.ends_by("stop");
    }

    fn ends_by(&mut self, word: &str) {
        if let Some(mut keeper) = self.keeper.take() {
            let mut input = keeper.stdin.take().expect("its input is a pipe");
            writeln!(input, "{word}").expect("it reads");
            keeper.wait().expect("it is a child of ours");
        }
    }

    /// The server and all its processes stand still, or go on.
    pub fn is_frozen(&self, on: bool) {
        let signal = if on { "-STOP" } else { "-CONT" };
        let processes = self.processes();
        let told = Command::new("kill").arg(signal).args(&processes).status();
        assert!(told.expect("kill is there").success(), "{processes:?}");
    }

    /// The server's own process, then those that serve its connections.
    fn processes(&self) -> Vec<String> {
        let file = self.folder.join("cluster/postmaster.pid");
        let lines = std::fs::read_to_string(file).expect("it runs");
        let server = lines.lines().next().expect("its process").to_owned();
        let children = format!("/proc/{server}/task/{server}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().map(str::to_owned);
        [server].into_iter().chain(children).collect()
    }

    /// Where a database of this name is.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://tertulia@127.0.0.1:{}/{name}", self.port)
    }

    /// Where it is for a proxy in front of it.
    pub fn address(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where a database of this name is for somebody who comes through this proxy.
    pub fn url_by(way: &super::proxy::Proxy, name: &str) -> String {
        let address = way.url().replace("http://", "");
        format!("postgres://tertulia@{address}/{name}")
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it lets people in by these lines of pg_hba.conf before all others.
    pub async fn lets_in_by(&self, lines: &str) {
        let file = self.folder.join("cluster/pg_hba.conf");
        let others = std::fs::read_to_string(&file).expect("it is there");
        std::fs::write(&file, format!("{lines}\n{others}")).expect("it can be written");
        self.does(&["SELECT pg_reload_conf()"]).await;
    }

    /// Runs a statement again and again until it succeeds.
    pub async fn does_when_it_can(&self, sql: &str) {
        let database = open(&self.url("postgres")).await;
        eventually(sql, async || database.execute_unprepared(sql).await.is_ok()).await;
        database.close().await.expect("it was open");
    }

    /// Runs statements that concern whole databases.
    pub async fn does(&self, statements: &[&str]) {
        let database = open(&self.url("postgres")).await;
        for sql in statements {
            let done = database.execute_unprepared(sql).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        database.close().await.expect("it was open");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its input ends, and it cleans up.
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A directory that a server may write in, and a free port.
fn place() -> (PathBuf, u16) {
    let folder = tempfile::TempDir::new().expect("a directory").keep();
    let owner = std::fs::metadata(&folder).expect("it is there");
    if std::os::unix::fs::MetadataExt::uid(&owner) == 0 {
        let given = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(given.expect("chown is there").success());
    }
    (folder, free_port())
}

/// A connection to the database at this URL, as soon as its server answers.
pub async fn open(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options.acquire_timeout(PATIENCE);
    let opened = Database::connect(options).await;
    opened.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// One of PostgreSQL's programs; it refuses to run as root, so it runs as its own user then.
fn program(name: &str) -> Command {
    let own = newest().join(name);
    let file = if own.exists() { own } else { name.into() };
    let is_root = Path::new("/root").read_dir().is_ok();
    if !is_root {
        return Command::new(file);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg(file);
    command
}

/// Where Debian keeps the programs of the newest PostgreSQL; elsewhere they are found by their names.
fn newest() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten().flatten();
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|it| it.path()).max_by_key(number);
    newest.map_or_else(PathBuf::new, |it| it.join("bin"))
}
