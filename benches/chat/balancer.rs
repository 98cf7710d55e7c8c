//! A small balancer: takes connections at one address and passes each on to the next node that is ready.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::{interval, timeout},
};

use super::{Result, client::Client};

/// How often nodes are asked whether they are ready, and how long they have to say so.
const PACE: Duration = Duration::from_millis(500);

/// The nodes, and which of them are ready.
pub struct Balancer {
    nodes: Vec<Node>,
    next: AtomicUsize,
}

struct Node {
    address: String,
    is_ready: AtomicBool,
}

impl Balancer {
    /// A balancer before the nodes at these addresses.
    pub fn new(addresses: impl Iterator<Item = String>) -> Arc<Self> {
        let node = |address| Node {
            address,
            is_ready: AtomicBool::new(true),
        };
        Arc::new(Self {
            nodes: addresses.map(node).collect(),
            next: AtomicUsize::new(0),
        })
    }

    /// Passes on what comes to `door`, for as long as it is not dropped.
    pub async fn serve(self: Arc<Self>, door: TcpListener) -> Result<()> {
        tokio::spawn(self.clone().watch());
        loop {
            let (visitor, _) = door.accept().await?;
            let balancer = self.clone();
            tokio::spawn(async move {
                // Either side ends it when it likes.
                let _ = balancer.pass_on(visitor).await;
            });
        }
    }

    async fn pass_on(&self, mut visitor: TcpStream) -> Result<()> {
        visitor.set_nodelay(true)?;
        let first = self.next.fetch_add(1, Relaxed);
        let nodes = self.nodes.iter().cycle().skip(first % self.nodes.len());
        let ready = nodes
            .take(self.nodes.len())
            .filter(|it| it.is_ready.load(Relaxed));
        for node in ready {
            if let Ok(mut line) = TcpStream::connect(&node.address).await {
                line.set_nodelay(true)?;
                copy_bidirectional(&mut visitor, &mut line).await?;
                return Ok(());
            }
        }
        Err("no node is ready".into())
    }

    /// Asks every node again and again whether it is ready.
    async fn watch(self: Arc<Self>) {
        let mut ticks = interval(PACE);
        loop {
            ticks.tick().await;
            for node in &self.nodes {
                let ready = timeout(PACE, is_ready(&node.address)).await;
                let ready = matches!(ready, Ok(Ok(true)));
                if node.is_ready.swap(ready, Relaxed) != ready {
                    let now = if ready { "ready" } else { "not ready" };
                    println!("{} is {now}", node.address);
                }
            }
        }
    }
}

async fn is_ready(address: &str) -> Result<bool> {
    let mut client = Client::connect(address).await?;
    Ok(client.get("/readyz", "").await?.status == 200)
}
