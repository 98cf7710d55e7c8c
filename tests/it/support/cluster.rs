//! Several servers over one PostgreSQL database and one Redis: a town with several doors.

use std::ops::Index;

use tempfile::TempDir;

use super::{Person, Town, databases, redis::Redis};

/// The nodes, what joins them, and what they share.
pub struct Cluster {
    nodes: Vec<Town>,
    /// Dropped last: the database is gone with it.
    data: TempDir,
    /// What joins them.
    pub redis: Redis,
}

impl Cluster {
    /// So many nodes joined by a Redis of their own.
    pub async fn of(nodes: usize) -> Cluster {
        Cluster::over(Redis::start(), nodes, &[]).await
    }

    /// So many nodes joined by this Redis, with these flags.
    pub async fn over(redis: Redis, nodes: usize, flags: &[&str]) -> Cluster {
        let data = TempDir::new().expect("a directory");
        let mut cluster = Cluster {
            nodes: Vec::new(),
            data,
            redis,
        };
        for _ in 0..nodes {
            cluster.gets_a_node(flags).await;
        }
        cluster
    }

    /// One more node.
    pub async fn gets_a_node(&mut self, flags: &[&str]) {
        let redis = self.redis.url();
        self.gets_a_node_by(&redis, flags).await;
    }

    /// One more node, which reaches Redis at this address.
    pub async fn gets_a_node_by(&mut self, redis: &str, flags: &[&str]) {
        let database = databases::url(self.data.path()).await;
        let shared = ["--database", &database, "--redis", redis];
        self.nodes
            .push(Town::with(&[&shared, flags].concat()).await);
    }

    /// The last node stops as by SIGTERM.
    pub fn loses_a_node(&mut self) {
        drop(self.nodes.pop());
    }

    /// Somebody with an account, at the first node.
    pub async fn person(&self, name: &str) -> Person {
        self.nodes[0].person(name).await
    }

    /// The same person in a browser at another node, signed in.
    pub async fn at(&self, node: usize, person: &Person) -> Person {
        let there = self.nodes[node].anon_as(person.name());
        there.signs_in().await;
        there
    }

    /// The same browser, session and all, at another node: as when a balancer sends it there.
    pub fn moved(&self, node: usize, person: &Person) -> Person {
        let there = self.nodes[node].anon_as(person.name());
        let (_, session) = person.session().expect("they are signed in");
        let port = self.nodes[node].addr().port();
        there.has_cookie(&format!("tertulia_{port}"), &session);
        there
    }

    /// Waits until every node hears the others, or until each knows that it does not.
    pub async fn is_heard(&self, heard: bool) {
        for node in &self.nodes {
            is_heard(&node.anon(), heard).await;
        }
    }
}

/// Waits until the node that somebody is at says that it hears the others, or that it does not.
pub async fn is_heard(somebody: &Person, heard: bool) {
    let state = if heard { "ok" } else { "degraded" };
    let said = format!("\"redis\":\"{state}\"");
    super::eventually(&said, async || {
        somebody.gets("/readyz").await.body.contains(&said)
    })
    .await;
}

impl Index<usize> for Cluster {
    type Output = Town;

    fn index(&self, node: usize) -> &Town {
        &self.nodes[node]
    }
}
