//! Breaks at random what several nodes stand on, and the nodes, and mends each before it breaks the next.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::nemesis::{Deck, FLAGS, Plan, Tally, millis, out_of_files};
use crate::support::dice::Dice;
use crate::support::postgres::Postgres;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::{House, Person};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    RedisKilled,
    RedisFrozen,
    RedisCutsListeners,
    RedisCutsSpeakers,
    DatabaseCrashed,
    DatabaseRestarted,
    PrimaryLost,
    NodeKilled,
    NodeFrozen,
    NodeOutOfFiles,
    BothToldToStop,
}

const BLOWS: [Blow; 11] = [
    Blow::RedisKilled,
    Blow::RedisFrozen,
    Blow::RedisCutsListeners,
    Blow::RedisCutsSpeakers,
    Blow::DatabaseCrashed,
    Blow::DatabaseRestarted,
    Blow::PrimaryLost,
    Blow::NodeKilled,
    Blow::NodeFrozen,
    Blow::NodeOutOfFiles,
    Blow::BothToldToStop,
];

/// How many nodes there are.
const NODES: usize = 2;

/// The hand on all of it.
pub struct Upheaval {
    nodes: Vec<Node>,
    redis: Redis,
    postgres: Postgres,
    /// What follows it synchronously.
    standby: Postgres,
    /// The address at which the nodes find the one that takes writes.
    way: Proxy,
    /// What the nodes printed and logged that are gone.
    logs: Vec<String>,
}

struct Node {
    data: TempDir,
    flags: Vec<String>,
    house: Option<House>,
    address: SocketAddr,
}

impl Node {
    async fn opens(&mut self) {
        let flags: Vec<_> = self.flags.iter().map(String::as_str).collect();
        let listen = self.address.to_string();
        let house = House::opens(&listen, self.data.path(), &flags).await;
        self.address = house.listen().parse().expect("an address");
        self.house = Some(house);
    }

    fn house(&mut self) -> &mut House {
        self.house.as_mut().expect("it runs between two blows")
    }
}

impl Upheaval {
    /// Two nodes, and what they stand on.
    pub async fn is_set() -> Upheaval {
        let (redis, postgres) = (Redis::start(), Postgres::start().await);
        let standby = postgres.gets_a_standby().await;
        postgres.is_synchronous(true).await;
        let way = Proxy::start(postgres.address()).await;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let (database, bus) = (Postgres::url_by(&way, "postgres"), redis.url());
            let flags = [&["--database", &database, "--redis", &bus], FLAGS].concat();
            let mut node = Node {
                data: TempDir::new().expect("a directory"),
                flags: flags.into_iter().map(str::to_owned).collect(),
                house: None,
                address: "127.0.0.1:0".parse().expect("an address"),
            };
            node.opens().await;
            nodes.push(node);
        }
        Upheaval {
            nodes,
            redis,
            postgres,
            standby,
            way,
            logs: Vec::new(),
        }
    }

    /// The node that a line leads to when all is well.
    pub fn home(&self, line: usize) -> SocketAddr {
        self.nodes[line % NODES].address
    }

    /// Somebody at the first node who only looks.
    pub async fn host(&mut self) -> Person {
        self.nodes[0].house().person("host").await
    }

    /// Signs somebody in at every node by the session that they have: here each has an address of its own, and their
    /// cookies are named by it.
    pub fn lets_in(&self, person: &Person) {
        let (_, session) = person.session().expect("they are signed in");
        for node in &self.nodes {
            person.has_cookie(&format!("tertulia_{}", node.address.port()), &session);
        }
    }

    /// Strikes until the time has come; all is well then.
    pub async fn strikes(&mut self, lines: &[Proxy], plan: Plan) -> Tally {
        let (mut dice, mut deck, mut tally) = (Dice(plan.seed), Deck::new(&BLOWS), Tally::new());
        while !plan.is_over() {
            let (blow, node) = (deck.draw(&mut dice), dice.roll(NODES));
            let long = millis(200 + dice.roll(2300));
            plan.say(format_args!(
                "node {node} or its ground: {blow:?}, {long:?}"
            ));
            if self.strike(blow, (node, lines), long).await {
                *tally.entry(format!("{blow:?}")).or_default() += 1;
            }
            for node in &mut self.nodes {
                assert!(!node.house().has_ended(), "a node ended by itself");
            }
            sleep(millis(300 + dice.roll(1500))).await;
        }
        tally
    }

    /// Does one thing for about so long; tells whether it can be done here.
    async fn strike(&mut self, blow: Blow, at: (usize, &[Proxy]), long: Duration) -> bool {
        let (node, lines) = at;
        match blow {
            Blow::RedisKilled => {
                self.redis.is_killed();
                sleep(long * 2).await;
                self.redis.starts();
            }
            Blow::RedisFrozen => {
                self.redis.is_frozen(true);
                sleep(long * 2).await;
                self.redis.is_frozen(false);
            }
            Blow::RedisCutsListeners => self.redis.cuts("pubsub"),
            Blow::RedisCutsSpeakers => self.redis.cuts("normal"),
            Blow::DatabaseCrashed => {
                self.postgres.crashes();
                sleep(long).await;
                self.postgres.starts().await;
            }
            Blow::DatabaseRestarted => {
                self.postgres.is_stopped();
                sleep(long).await;
                self.postgres.starts().await;
            }
            Blow::PrimaryLost => {
                self.postgres.crashes();
                // For a while the address leads to a standby that only reads.
                self.way.set_target(self.standby.address());
                sleep(long / 2).await;
                self.standby.is_promoted().await;
                self.follows_the_standby().await;
            }
            Blow::NodeKilled => {
                self.moves_people_from(node, lines);
                let house = self.nodes[node].house.take();
                let house = house.expect("it runs between two blows");
                self.logs.push(house.dies().await);
                sleep(long / 2).await;
                self.nodes[node].opens().await;
                self.moves_people_home(lines);
            }
            Blow::NodeFrozen => {
                self.nodes[node].house().is_sent("-STOP");
                sleep(long * 2).await;
                self.nodes[node].house().is_sent("-CONT");
            }
            Blow::NodeOutOfFiles => return out_of_files(self.nodes[node].house().id(), long).await,
            Blow::BothToldToStop => {
                for node in 0..NODES {
                    self.restarts(node, lines).await;
                }
            }
        }
        true
    }

    /// The promoted standby is the primary from now on, and gets a standby of its own.
    async fn follows_the_standby(&mut self) {
        let next = self.standby.gets_a_standby().await;
        // The former primary ends here at the latest.
        self.postgres = std::mem::replace(&mut self.standby, next);
        self.postgres.is_synchronous(true).await;
    }

    async fn restarts(&mut self, node: usize, lines: &[Proxy]) {
        self.moves_people_from(node, lines);
        let house = self.nodes[node].house();
        house.is_asked_to_stop();
        let code = house.ends().await;
        let log = house.log().await;
        assert_eq!(code, Some(0), "told to stop: {log}");
        self.logs.push(log);
        self.nodes[node].opens().await;
        self.moves_people_home(lines);
    }

    /// Whoever connects from now on comes to the other node.
    fn moves_people_from(&self, node: usize, lines: &[Proxy]) {
        let other = self.home(node + 1);
        let homes = lines.iter().enumerate();
        let here = homes.filter(|(line, _)| line % NODES == node);
        here.for_each(|(_, line)| line.set_target(other));
    }

    fn moves_people_home(&self, lines: &[Proxy]) {
        let homes = lines.iter().enumerate();
        homes.for_each(|(n, line)| line.set_target(self.home(n)));
    }

    /// Ends the nodes; what all nodes of the run printed and logged.
    pub async fn finish(mut self) -> Vec<String> {
        for node in &mut self.nodes {
            let house = node.house.take().expect("it runs between two blows");
            self.logs.push(house.dies().await);
        }
        self.logs
    }
}
