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
        let (database, redis) = (databases::url(self.data.path()).await, self.redis.url());
        let shared = ["--database", &database, "--redis", &redis];
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

    /// Waits until every node hears the others, or until each knows that it does not.
    pub async fn is_heard(&self, heard: bool) {
        let wanted = if heard { "ok" } else { "degraded" };
        for node in &self.nodes {
            super::eventually(&format!("Redis is {wanted}"), async || {
                node.anon()
                    .gets("/readyz")
                    .await
                    .body
                    .contains(wanted_json(wanted).as_str())
            })
            .await;
        }
    }
}

fn wanted_json(state: &str) -> String {
    format!("\"redis\":\"{state}\"")
}

impl Index<usize> for Cluster {
    type Output = Town;

    fn index(&self, node: usize) -> &Town {
        &self.nodes[node]
    }
}
