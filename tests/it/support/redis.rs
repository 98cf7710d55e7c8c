//! A real Redis server that belongs to a test: its own directory, a free port, ended by its own process id.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::{PATIENCE, free_port};

/// Ends the server when the tests' process is gone, however it went: then its own input ends.
const KEEPER: &str = r#"
"$@" >/dev/null 2>&1 </dev/null &
server=$!
echo $server
read -r word
kill -CONT $server
kill -KILL $server
wait $server
"#;

/// A server that keeps nothing; dropping it ends it.
pub struct Redis {
    keeper: Option<Child>,
    server: String,
    flags: Vec<String>,
    folder: TempDir,
    port: u16,
}

impl Redis {
    /// A new server, which answers.
    pub fn start() -> Redis {
        Redis::with(&[])
    }

    /// A new server with these settings, which answers.
    pub fn with(flags: &[&str]) -> Redis {
        let mut redis = Redis::absent();
        redis.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        redis.starts();
        redis
    }

    /// A server that is not there yet, but has an address.
    pub fn absent() -> Redis {
        Redis {
            keeper: None,
            server: String::new(),
            flags: Vec::new(),
            folder: TempDir::new().expect("a directory"),
            port: free_port(),
        }
    }

    /// A cluster of one server, which has all slots.
    pub fn cluster() -> Redis {
        let port = free_port().to_string();
        let redis = Redis::with(&["--cluster-enabled", "yes", "--cluster-port", &port]);
        redis.does(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        let end = Instant::now() + PATIENCE;
        while !redis
            .does(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
        {
            assert!(Instant::now() < end, "the cluster never came to be");
        }
        redis
    }

    /// Starts it, empty, at its address; it answers then.
    pub fn starts(&mut self) {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", "redis-server"]);
        keeper.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        keeper.args(["--save", "", "--appendonly", "no", "--dir"]);
        keeper.arg(self.folder.path()).args(&self.flags);
        std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.stderr(Stdio::null()).spawn().expect("sh is there");
        let mut out = std::io::BufReader::new(keeper.stdout.as_mut().expect("a pipe"));
        self.server.clear();
        std::io::BufRead::read_line(&mut out, &mut self.server).expect("its process id");
        self.keeper = Some(keeper);
        let end = Instant::now() + PATIENCE;
        while !self.does(&["PING"]).contains("PONG") {
            assert!(Instant::now() < end, "Redis never answered");
        }
    }

    /// It is gone at once, with all it knew.
    pub fn is_killed(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("it is a child of ours");
        }
    }

    /// It stands still, or goes on.
    pub fn is_frozen(&self, on: bool) {
        let signal = if on { "-STOP" } else { "-CONT" };
        let mut told = Command::new("kill");
        told.args([signal, self.server.trim()]);
        assert!(told.status().expect("kill is there").success());
    }

    /// Cuts every line of one kind: `pubsub` for those over which somebody listens, `normal` for the others.
    pub fn cuts(&self, kind: &str) {
        self.does(&["CLIENT", "KILL", "TYPE", kind]);
    }

    /// Who is connected by a line of this kind, each by the number that Redis gave the line.
    pub fn lines(&self, kind: &str) -> Vec<String> {
        let all = self.does(&["CLIENT", "LIST", "TYPE", kind]);
        let ids = all.lines().filter_map(|line| line.split(' ').next());
        ids.map(str::to_owned).collect()
    }

    /// On which channels somebody listens, each without what all of them begin with.
    pub fn channels(&self) -> Vec<String> {
        let all = self.does(&["PUBSUB", "SHARDCHANNELS"]) + &self.does(&["PUBSUB", "CHANNELS"]);
        let names = all.lines().filter_map(|name| name.splitn(3, ':').nth(2));
        names.map(str::to_owned).collect()
    }

    /// The full name of the channel on which nodes tell of themselves.
    pub fn nodes_channel(&self) -> String {
        let all = self.does(&["PUBSUB", "SHARDCHANNELS"]);
        let found = all.lines().find(|name| name.ends_with(":nodes"));
        found.expect("nodes are there").to_owned()
    }

    /// What it answers to a command.
    pub fn does(&self, words: &[&str]) -> String {
        let mut asked = Command::new("timeout");
        asked.args(["2", "redis-cli", "-p", &self.port.to_string()]);
        asked.args(words);
        if let Some(password) = self.flag("--requirepass") {
            asked.env("REDISCLI_AUTH", password);
        }
        let answer = asked.output().expect("redis-cli is there");
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }

    /// Where it is, with its password, and said to be a cluster if it is one.
    pub fn url(&self) -> String {
        let password = self.flag("--requirepass").map(|it| format!(":{it}@"));
        let address = format!("{}127.0.0.1:{}", password.unwrap_or_default(), self.port);
        match self.flag("--cluster-enabled") {
            Some(_) => format!("redis://{address}?cluster"),
            None => format!("redis://{address}"),
        }
    }

    /// Where it is for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn flag(&self, name: &str) -> Option<&str> {
        let at = self.flags.iter().position(|flag| flag == name)?;
        Some(&self.flags[at + 1])
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.is_killed();
    }
}
