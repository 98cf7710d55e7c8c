//! Several nodes on one PostgreSQL database: one order, one message for a key, floors that are true, one administrator.
//! Whatever database the other tests run on.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use tertulia::app::App;
use tertulia::config::DatabaseUrl;
use tertulia::domain::accounts::Admission;
use tertulia::domain::body::MessageBody;
use tertulia::domain::messages::Key;
use tertulia::error::Error;
use tertulia::ids::Seq;
use tertulia::records::{Message, Person, Role, Room};
use tertulia::store::Store;

use crate::support::actor::new_key;
use crate::support::postgres::Postgres;
use crate::support::{PASSWORD, databases, eventually, postgres};

/// Two nodes and the people of a town.
struct Nodes {
    nodes: [App; 2],
    people: Vec<Person>,
    data: TempDir,
}

impl Nodes {
    async fn start(people: usize) -> Nodes {
        let data = TempDir::new().expect("a directory");
        let url = databases::url(data.path()).await;
        let nodes = [
            databases::node(data.path(), &url).await,
            databases::node(data.path(), &url).await,
        ];
        let mut all = Vec::new();
        for n in 0..people {
            let name = format!("person{n}");
            let user = nodes[n % 2].chat.sign_up(&name, PASSWORD, &Admission::FREE);
            all.push(user.await.expect("the name is free").person);
        }
        Nodes {
            nodes,
            people: all,
            data,
        }
    }

    /// A public room, as each node knows it.
    async fn room(&self, name: &str) -> Arc<Room> {
        let [here, there] = &self.nodes;
        let id = here.chat.create_room(name).await.expect("a good name");
        let room = there.chat.room_for(self.people[0].id, id).await;
        room.expect("the other node finds it")
    }

    async fn posts(
        &self,
        node: usize,
        room: &Arc<Room>,
        who: usize,
        key: &str,
    ) -> Result<Arc<Message>, Error> {
        let (body, key) = (MessageBody::parse("hello"), Key::parse(key));
        let (body, key) = (body.expect("a text"), key.expect("a key"));
        let author = self.people[who].clone();
        let chat = &self.nodes[node].chat;
        chat.post(room.clone(), author, body, key).await
    }

    async fn reads(&self, node: usize, room: &Arc<Room>, who: usize) {
        let chat = &self.nodes[node].chat;
        let all = Seq(i64::MAX);
        let read = chat.mark_read(room.clone(), self.people[who].id, all);
        read.await.expect("it is stored");
    }

    /// The rows that a query finds, each as numbers.
    async fn numbers(&self, query: &str, columns: usize) -> Vec<Vec<i64>> {
        let database = databases::url(self.data.path()).await;
        let database = postgres::open(&database).await;
        let query = Statement::from_string(database.get_database_backend(), query);
        let rows = database.query_all_raw(query).await.expect("a good query");
        let number = |row: &sea_orm::QueryResult, at| row.try_get_by_index(at).expect("a number");
        let numbers = rows.iter();
        let numbers = numbers.map(|row| (0..columns).map(|at| number(row, at)).collect());
        let numbers = numbers.collect();
        database.close().await.expect("it was open");
        numbers
    }

    async fn close(self) {
        for node in self.nodes {
            node.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_write_into_one_room_at_once_and_no_number_is_missing_or_given_twice() {
    let town = Nodes::start(6).await;
    let room = town.room("General").await;
    let busy = (0..6).map(|who| {
        let (town, room) = (&town, &room);
        async move {
            for n in 0..25 {
                let node = (who + n) % 2;
                let posted = town.posts(node, room, who, &new_key()).await;
                let (posted, chat) = (posted.expect("it is stored"), &town.nodes[1 - node].chat);
                let author = town.people[who].id;
                let body = MessageBody::parse("edited").expect("a text");
                let edited = chat.edit(room.clone(), author, posted.seq, body).await;
                assert!(edited.expect("the other node edits it").rev > posted.rev);
                if n % 5 == 0 {
                    let deleted = chat.delete(room.clone(), author, posted.seq).await;
                    deleted.expect("the other node deletes it");
                }
                town.reads(node, room, who).await;
                let received = BTreeMap::from([(room.id, posted.seq)]);
                chat.note_delivered(author, received);
                chat.commit_deliveries().await.expect("it is stored");
            }
        }
    });
    join_all(busy).await;

    let (posts, changes) = (6 * 25, 6 * (25 + 25 + 5));
    let seqs = "SELECT seq FROM messages ORDER BY seq";
    let seqs = town.numbers(seqs, 1).await.concat();
    assert_eq!(seqs, (1..=posts).collect::<Vec<_>>());
    let ends = "SELECT last_seq, last_rev FROM rooms";
    assert_eq!(town.numbers(ends, 2).await, [[posts, changes]]);
    let revs = "SELECT COUNT(DISTINCT rev), MAX(rev) FROM messages";
    assert_eq!(town.numbers(revs, 2).await, [[posts, changes]]);
    let missed = town.nodes[0].chat.newest(&room, Seq(0)).await;
    assert!(!missed.expect("it is read").messages.is_empty());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_read_at_once_at_two_nodes_the_floor_is_where_all_are() {
    let town = Nodes::start(6).await;
    let rooms = [town.room("One").await, town.room("Two").await];
    for who in 0..6 {
        for room in &rooms {
            town.reads(who % 2, room, who).await;
        }
    }
    for round in 1..=40 {
        for room in &rooms {
            let posted = town.posts(round % 2, room, 0, &new_key()).await;
            posted.expect("it is stored");
        }
        // In both orders of the rooms: nodes that waited for each other would be torn apart after a second.
        let readers = (0..6).map(|who| {
            let (one, other) = (&rooms[who % 2], &rooms[1 - who % 2]);
            let town = &town;
            async move {
                tokio::join!(
                    town.reads(who % 2, one, who),
                    town.reads(who % 2, other, who)
                )
            }
        });
        join_all(readers).await;
        for room in &rooms {
            let floors = town.nodes[round % 2].chat.floors(room).await;
            let floors = floors.expect("they are read");
            assert_eq!(floors.read, Seq(round as i64), "in round {round}");
        }
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_at_two_nodes_at_once_is_one_message() {
    let town = Nodes::start(3).await;
    let room = town.room("General").await;
    for round in 1..=30 {
        let key = new_key();
        let (here, there, other) = tokio::join!(
            town.posts(0, &room, 0, &key),
            town.posts(1, &room, 0, &key),
            town.posts(1, &room, 1, &key),
        );
        let [here, there, other] = [here, there, other].map(|it| it.expect("it is stored"));
        assert_eq!((here.seq, here.rev), (there.seq, there.rev));
        assert_ne!(here.seq, other.seq, "somebody else's is their own");
        assert!(here.seq.max(other.seq) == Seq(2 * round));
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_node_used_at_the_same_instant_in_another_room_disturbs_nobody_else() {
    let town = Nodes::start(3).await;
    let rooms = [town.room("One").await, town.room("Two").await];
    let mut conflicts = 0;
    for _ in 0..30 {
        let (key, town, rooms) = (new_key(), &town, &rooms);
        let same = |at: usize| town.posts(at, &rooms[at], 0, &key);
        let innocent = (0..8).map(|n| {
            let key = new_key();
            async move { town.posts(n % 2, &rooms[n % 2], 1 + n % 2, &key).await }
        });
        let (one, two, innocent) = tokio::join!(same(0), same(1), join_all(innocent));
        for posted in innocent {
            posted.expect("it is stored");
        }
        match (one, two) {
            (Ok(_), Err(Error::Conflict { .. })) | (Err(Error::Conflict { .. }), Ok(_)) => {
                conflicts += 1;
            }
            other => panic!("one of them is the message, not {other:?}"),
        }
    }
    assert_eq!(conflicts, 30);
    let holes = "SELECT COUNT(*) FROM rooms WHERE last_seq <> \
        (SELECT COUNT(*) FROM messages WHERE room_id = rooms.id) OR last_seq <> last_rev";
    assert_eq!(town.numbers(holes, 1).await, [[0]]);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_open_a_chat_at_two_nodes_at_once_are_in_the_same() {
    let town = Nodes::start(2).await;
    let [here, there] = &town.nodes;
    let [ada, ben] = &town.people[..] else {
        panic!("two people")
    };
    let (one, other) = tokio::join!(
        here.chat.open_direct(ada.id, &ben.name),
        there.chat.open_direct(ben.id, &ada.name),
    );
    assert_eq!(one.expect("it opens"), other.expect("it opens"));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_first_accounts_at_two_nodes_at_once_one_is_the_administrators() {
    for _ in 0..5 {
        let data = TempDir::new().expect("a directory");
        let url = DatabaseUrl::Postgres(databases::url(data.path()).await);
        let stores = [Store::open(&url).await, Store::open(&url).await];
        let stores = stores.map(|store| store.expect("it opens"));
        let names: Vec<_> = (0..8).map(|n| format!("person{n}")).collect();
        let users = names.iter().enumerate().map(|(n, name)| {
            // The last two want the same name.
            let folded = if n == 7 { &names[6] } else { name };
            stores[n % 2].insert_user((name, folded), "", &Admission::FREE)
        });
        let users = join_all(users).await;
        let taken = users
            .iter()
            .filter(|user| matches!(user, Err(Error::Conflict { .. })));
        assert_eq!(taken.count(), 1, "{users:?}");
        let users = users.iter().flatten();
        let administrators = users.filter(|user| user.role == Role::Administrator);
        assert_eq!(administrators.count(), 1);
        for store in stores {
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_the_tables_once_and_wait_for_each_other() {
    let server = databases::server().await;
    server.does(&["CREATE DATABASE bare"]).await;
    let url = DatabaseUrl::Postgres(server.url("bare"));
    let stores = join_all((0..4).map(|_| Store::open(&url))).await;
    for store in stores {
        store.expect("each node starts").close().await;
    }

    // One that is at it holds this lock.
    let busy = postgres::open(&server.url("bare")).await;
    let locked = "SELECT pg_advisory_lock(8387235725559228769)";
    busy.execute_unprepared(locked).await.expect("it is free");
    let starting = tokio::spawn(async move { Store::open(&url).await });
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = 'bare' \
        AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()";
    eventually("the node is there", async || {
        let asked = Statement::from_string(busy.get_database_backend(), waiting);
        let row = busy.query_one_raw(asked).await;
        row.expect("a good query").is_some()
    })
    .await;
    assert!(!starting.is_finished(), "it waits");
    busy.close().await.expect("it was open");
    let store = starting.await.expect("no panic");
    store.expect("it starts then").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_must_be_encrypted_is_or_there_is_none() {
    let plain = databases::server().await;
    let server = Postgres::start_encrypted().await;
    let open = async |server: &Postgres, how: &str| {
        let url = format!("{}?{how}", server.url("postgres"));
        Store::open(&DatabaseUrl::Postgres(url)).await
    };
    let refused = open(plain, "sslmode=require").await;
    let words = refused.expect_err("that server speaks no TLS");
    assert!(words.contains("TLS"), "{words}");

    let store = open(&server, "sslmode=require").await.expect("it opens");
    let database = postgres::open(&server.url("postgres")).await;
    let open_text = "SELECT COUNT(*) FILTER (WHERE ssl), COUNT(*) FILTER (WHERE NOT ssl) \
        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tertulia'";
    let asked = Statement::from_string(database.get_database_backend(), open_text);
    let row = database.query_one_raw(asked).await.expect("a good query");
    let row = row.expect("one row");
    let count = |at| row.try_get_by_index::<i64>(at).expect("a number");
    assert!(count(0) > 0, "its connections are encrypted");
    assert_eq!(count(1), 0, "all of them");
    store.close().await;

    let stranger = open(&server, "sslmode=verify-full").await;
    stranger.expect_err("nobody vouches for that certificate");
    let known = server.certificate();
    let known = format!("sslmode=verify-full&sslrootcert={}", known.display());
    let store = open(&server, &known).await;
    store.expect("the operator does").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_program_refuses_a_newer_database_with_a_sentence() {
    let data = TempDir::new().expect("a directory");
    let file = DatabaseUrl::Sqlite(data.path().join("tertulia.db"));
    let server = DatabaseUrl::Postgres(databases::url(data.path()).await);
    for url in [file, server] {
        let store = Store::open(&url).await.expect("it opens");
        store.close().await;
        let database = match &url {
            DatabaseUrl::Sqlite(file) => format!("sqlite://{}", file.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        };
        let database = postgres::open(&database).await;
        let step =
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_x', 1)";
        let taken = database.execute_unprepared(step).await;
        taken.expect("the table is there");
        database.close().await.expect("it was open");
        let words = Store::open(&url).await.expect_err("it is too new");
        assert!(words.contains("newer version of Tertulia"), "{words}");
        assert!(words.contains("m20990101_000001_x"), "{words}");
    }
}
