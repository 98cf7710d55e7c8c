//! Several nodes to try out: PostgreSQL, Redis, the nodes and a balancer, on free ports and in a temporary directory.

use std::path::Path;

use tokio::{net::TcpListener, signal::ctrl_c};

use super::{
    Result,
    balancer::Balancer,
    program::Program,
    servers::{Server, free_port},
};

/// What this runs as: `tertulia-bench cluster [NODES]`.
pub const COMMAND: &str = "cluster";

/// What nodes share.
pub struct Shared {
    /// Where their facts are.
    pub postgres: Server,
    /// What joins them.
    pub redis: Server,
}

impl Shared {
    /// New servers, with nothing in them.
    pub fn start(folder: &Path) -> Result<Self> {
        Ok(Self {
            postgres: Server::postgres(&folder.join("postgres"))?,
            redis: Server::redis()?,
        })
    }

    /// The flags of a node that shares them.
    pub fn flags(&self) -> Vec<String> {
        let (database, redis) = (self.postgres.database(), self.redis.redis_url());
        ["--database", &database, "--redis", &redis]
            .map(Into::into)
            .into()
    }
}

/// Starts everything, says where it is, and waits for Ctrl-C.
pub async fn run(program: &Path, nodes: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let shared = Shared::start(folder.path())?;
    let door = TcpListener::bind(("127.0.0.1", free_port()?)).await?;
    let url = format!("http://{}", door.local_addr()?);
    let mut running = Vec::new();
    for _ in 0..nodes {
        let mut arguments: Vec<String> = ["--listen", "127.0.0.1:0", "--public-url", &url]
            .map(Into::into)
            .into();
        // Where a node listens is not what people type: it says so in its log alone.
        let port = free_port()?;
        arguments[1] = format!("127.0.0.1:{port}");
        let data = folder.path().display().to_string();
        arguments.extend(["--data".into(), data]);
        arguments.extend(["--setup-code", "off"].map(Into::into));
        arguments.extend(shared.flags());
        let mut node = Program::start(program, &arguments).await?;
        node.address = format!("127.0.0.1:{port}");
        running.push(node);
    }
    println!("Tertulia is ready: {url}\n");
    for (number, node) in running.iter().enumerate() {
        let (number, process) = (number + 1, node.process.id());
        println!(
            "  node {number}      {:21}  process {process}",
            node.address
        );
    }
    println!(
        "  PostgreSQL  {:38}  process {}",
        shared.postgres.database(),
        shared.postgres.id()
    );
    println!(
        "  Redis       {:38}  process {}",
        shared.redis.redis_url(),
        shared.redis.id()
    );
    println!(
        "\nKill any of them and see what happens. Ctrl-C ends it all and deletes what was written."
    );
    let balancer = Balancer::new(running.iter().map(|node| node.address.clone()));
    tokio::select! {
        served = balancer.serve(door) => served,
        stopped = ctrl_c() => Ok(stopped?),
    }
}
