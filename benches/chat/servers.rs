//! PostgreSQL and Redis for nodes to share: started from Debian's packages, on free ports, with their data in a
//! directory given, and ended by their own process ids. PostgreSQL writes as durably as it is shipped to.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Result, machine};

/// How long a server has until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that was started here; it ends when dropped.
pub struct Server {
    child: Child,
    stops_by: Signal,
    port: u16,
}

impl Server {
    /// A PostgreSQL server with its data in `folder`, which does not exist yet, and an empty database.
    pub fn postgres(folder: &Path) -> Result<Self> {
        fs::create_dir(folder)?;
        let is_root = fs::metadata(folder)?.uid() == 0;
        if is_root {
            run(Command::new("chown").arg("postgres").arg(folder))?;
        }
        let (cluster, port) = (folder.join("cluster"), free_port()?);
        let mut initdb = of_postgres("initdb", is_root);
        initdb.args(["--auth=trust", "--username=tertulia", "--encoding=UTF8"]);
        run(initdb.args(["--locale=C.UTF-8", "--pgdata"]).arg(&cluster))?;
        let mut server = of_postgres("postgres", is_root);
        server
            .arg("-D")
            .arg(&cluster)
            .args(["-c", "max_connections=100"]);
        server.args([
            "-c",
            &format!("port={port}"),
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        let sockets = format!("unix_socket_directories={}", folder.display());
        let server = Self::start(server.args(["-c", &sockets]), Signal::INT, port)?;
        // What it says is of no interest until it is ready.
        let place = ["-h", "127.0.0.1", "-p", &port.to_string()];
        let made = || {
            let mut createdb = of_postgres("createdb", is_root);
            createdb.args(place).args(["-U", "tertulia", "tertulia"]);
            Ok(run(&mut createdb).is_ok())
        };
        wait_until("PostgreSQL", made)?;
        Ok(server)
    }

    /// A Redis server that keeps nothing.
    pub fn redis() -> Result<Self> {
        let port = free_port()?;
        let mut server = Command::new("redis-server");
        server.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let server = Self::start(
            server.args(["--port", &port.to_string()]),
            Signal::KILL,
            port,
        )?;
        let answers = || {
            let mut ping = Command::new("redis-cli");
            let answer = ping.args(["-p", &port.to_string(), "ping"]).output()?;
            Ok(answer.stdout.starts_with(b"PONG"))
        };
        wait_until("Redis", answers)?;
        Ok(server)
    }

    fn start(command: &mut Command, stops_by: Signal, port: u16) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let child = machine::on_all_cores(|| command.spawn())?;
        let name = command.get_program().to_string_lossy().into_owned();
        let child = child.map_err(|err| format!("{name}: {err}"))?;
        Ok(Self {
            child,
            stops_by,
            port,
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where the nodes find the database, if it is PostgreSQL.
    pub fn database(&self) -> String {
        format!("postgres://tertulia@127.0.0.1:{}/tertulia", self.port)
    }

    /// Where the nodes find Redis, if it is that.
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), self.stops_by);
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// One of PostgreSQL's programs. As root it runs as its own user, for it refuses to run otherwise.
fn of_postgres(name: &str, is_root: bool) -> Command {
    let file = newest().join(name);
    if !is_root {
        return Command::new(file);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg(file).current_dir("/");
    command
}

/// Where Debian keeps the newest PostgreSQL; elsewhere its programs are found by their names.
fn newest() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|version| version.path());
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.max_by_key(number);
    newest.map_or_else(PathBuf::new, |folder| folder.join("bin"))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|err| format!("{name}: {err}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}

fn wait_until(what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{what} does not answer").into());
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}
