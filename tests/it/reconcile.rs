//! What others wrote into the database is found by looking there: other nodes without Redis, commands beside a server
//! on SQLite; and clocks that are wrong hide none of it.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tertulia::clock::Clock;

use crate::support::live::Closed;
use crate::support::{NOON, Person, Town, databases, eventually};

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// Two nodes on one PostgreSQL database without Redis.
struct Pair {
    nodes: [Town; 2],
    /// Dropped last: the database is gone with it.
    _data: TempDir,
}

impl Pair {
    async fn by(clocks: [Clock; 2]) -> Pair {
        let data = TempDir::new().expect("a directory");
        let url = databases::url(data.path()).await;
        let [one, other] = clocks;
        let flags = ["--database", url.as_str()];
        let nodes = [Town::by(one, &flags).await, Town::by(other, &flags).await];
        Pair { nodes, _data: data }
    }

    /// The same browser at another node.
    fn moved(&self, node: usize, person: &Person) -> Person {
        let there = self.nodes[node].anon_as(person.name());
        let (_, session) = person.session().expect("they are signed in");
        let port = self.nodes[node].addr().port();
        there.has_cookie(&format!("tertulia_{port}"), &session);
        there
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_on_one_database_hear_of_each_other_without_redis() {
    let pair = Pair::by([Clock::fixed(NOON), Clock::fixed(NOON)]).await;
    let [here, there] = &pair.nodes;
    let (ada, ben) = (here.person("ada").await, there.person("ben").await);
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    for seq in 1..=3 {
        ada.posts(room, "hello over there").await;
        his.sees(seq).await;
    }
    ada.edits(room, 1, "hello").await;
    assert!(his.sees(1).await.edited);
    let hers = pair.moved(1, &ada);
    let mut page = hers.listens_in_the_lobby().await.settled().await;
    ben.creates_room("Developers").await;
    page.hears("Developers").await;
    here.person("carla").await;
    his.hears("carla").await;
    ada.submits("/signout", &[]).await.is(303);
    assert_eq!(page.closes_with().await, Closed(Some(1008)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lobby_shows_what_nodes_with_wrong_clocks_did_whichever_it_comes_back_to() {
    let clocks = [-MINUTE, MINUTE].map(Clock::system_off_by);
    let pair = Pair::by(clocks).await;
    let [slow, fast] = &pair.nodes;
    let ada = slow.person("ada").await;
    let ben = fast.person("ben").await;
    let rooms = [
        ada.creates_room("Slow").await,
        ben.creates_room("Fast").await,
    ];
    for from in [0, 1] {
        // A page of the one node, which then comes to the other.
        let (page_of, comes_to) = (pair.moved(from, &ada), pair.moved(1 - from, &ada));
        let page = page_of.lobby().await;
        let at = page.attrs("#lobby-cursor", "data-at").concat();
        let texts = [
            format!("said by the slow {from}"),
            format!("said by the fast {from}"),
        ];
        ben_says(&pair, &ben, rooms, &texts).await;
        let opened = comes_to.tries_to_listen(&format!("?at={at}")).await;
        let mut lobby = opened.expect("the channel opens");
        let frame = lobby.hears(&texts[0]).await;
        assert!(frame.contains(&texts[1]), "in one frame: {frame}");
    }
}

/// Ben speaks in one room at the slow node, and in the other at the fast one.
async fn ben_says(pair: &Pair, ben: &Person, rooms: [u64; 2], texts: &[String; 2]) {
    for (node, (room, text)) in rooms.iter().zip(texts).enumerate() {
        pair.moved(node, ben).posts(*room, text).await;
    }
}

#[tokio::test]
async fn a_page_that_comes_back_after_the_clock_was_set_back_misses_nothing() {
    let hour = Duration::from_secs(60 * 60);
    for quiet in [Duration::ZERO, hour * 3] {
        let town = Town::start().await;
        let (ada, _) = town.ada_and_ben().await;
        let room = ada.creates_room("General").await;
        ada.posts(room, "before").await;
        // Nothing happened for a while, or a moment ago.
        town.clock().advance(quiet);
        let page = ada.lobby().await;
        let at = page.attrs("#lobby-cursor", "data-at").concat();
        let set_back = town.clock().now().minus(hour);
        let town = town.restarts_by(Clock::fixed(set_back.0)).await;
        let (ada, ben) = (town.anon_as("ada"), town.anon_as("ben"));
        ada.signs_in().await;
        ben.signs_in().await;
        ben.posts(room, "after the clock was set back").await;
        let other = ben.creates_room("Made since").await;
        let opened = ada.tries_to_listen(&format!("?at={at}")).await;
        let mut lobby = opened.expect("the channel opens");
        let frame = lobby.hears("after the clock was set back").await;
        assert!(frame.contains(&format!("id=\"room-{other}\"")), "{frame}");
        let rows = ada.lobby().await.attrs("#rooms > li", "id");
        assert_eq!(rows, [format!("room-{other}"), format!("room-{room}")]);
    }
}

#[tokio::test]
async fn what_a_page_was_told_already_is_not_said_aloud_once_more() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ben.creates_room("General").await;
    let mut lobby = ada.listens_in_the_lobby().await.settled().await;
    ben.posts(room, "the kettle is on").await;
    let told = lobby.hears("data-title").await;
    let at = told
        .split("data-at=\"")
        .nth(1)
        .and_then(|it| it.split('"').next());
    let query = format!(
        "?at={}",
        at.expect("a frame of the lobby carries its cursor")
    );
    let mut again = ada
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    let frame = again.hears("the kettle is on").await;
    assert!(
        !frame.contains("data-title"),
        "it is shown, and not said: {frame}"
    );
    drop(again);
    ben.posts(room, "and the tea is ready").await;
    let mut again = ada
        .tries_to_listen(&query)
        .await
        .expect("the channel opens");
    let frame = again.hears("and the tea is ready").await;
    assert!(frame.contains("data-title"), "this one is news: {frame}");
}

/// As the commands of the program do: they open the database themselves, and no server is told.
#[tokio::test]
async fn a_server_finds_what_a_command_did_beside_it() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut kept = ada.listens(room, 0).await.settled().await;
    let mut his = ben.listens(room, 0).await.settled().await;
    let id = ada.id_of(&ben).await;
    let database = databases::open(town.data()).await;
    for sql in [
        format!("DELETE FROM sessions WHERE user_id = {id}"),
        format!("UPDATE users SET banned = TRUE WHERE id = {id}"),
        format!(
            "INSERT INTO users (name, name_folded, password, role, created) \
             VALUES ('carla', 'carla', '', 'member', {NOON})"
        ),
    ] {
        let done = database.execute_unprepared(&sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    database.close().await.expect("it was open");
    assert_eq!(his.closes_with().await, Closed(Some(1008)));
    ben.gets("/").await.is(303);
    kept.hears("carla").await;
    eventually("the others go on", async || {
        ada.gets("/").await.status == 200
    })
    .await;
    ada.posts(room, "still here").await;
    kept.sees(1).await;
}
