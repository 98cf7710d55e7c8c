//! The end of the program: it takes leave of everyone, one after the other, and loses nothing.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::actor::new_key;
use crate::support::live::Closed;
use crate::support::{Ear, House, PATIENCE, Person, RoomId};

/// Enough live connections for a leave of a second.
const MANY: usize = 200;

/// A house on its own data, without rate limits, and Ada in a room.
async fn house_with_ada(data: &TempDir) -> (House, Person, RoomId) {
    let house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    (house, ada, room)
}

async fn many_ears(person: &Person, room: RoomId) -> Vec<Ear> {
    let mut ears = Vec::new();
    for _ in 0..MANY {
        ears.push(person.listens(room, 0).await);
    }
    ears
}

/// Sends a post up to the middle of its body.
async fn begins_to_post(person: &Person, room: RoomId) -> (TcpStream, String) {
    let (_, host) = person.url().split_once("//").expect("a URL with a scheme");
    let (cookies, origin) = (person.cookies(), person.url());
    let body = format!("body=the+last+word&key={}", new_key());
    let (first, rest) = body.split_at(10);
    let head = format!(
        "POST /rooms/{room}/messages HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: {cookies}\r\n\
         HX-Request: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    );
    let mut line = TcpStream::connect(host).await.expect("the server is there");
    line.write_all(head.as_bytes()).await.expect("it reads");
    (line, rest.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_that_it_stops_closes_one_after_the_other_and_answers_what_is_running() {
    let data = TempDir::new().expect("a directory");
    let (mut house, ada, room) = house_with_ada(&data).await;
    let ears = many_ears(&ada, room).await;
    let mut stream = ada.follows(room, 0).await;
    let (mut posting, rest) = begins_to_post(&ada, room).await;
    ada.gets("/readyz").await.is(200);

    let begun = Instant::now();
    house.is_asked_to_stop();
    let ready = async { while ada.gets("/readyz").await.status != 503 {} };
    timeout(PATIENCE, ready).await.expect("it says so");
    let late = ada.tries_to_listen(&format!("?room={room}&rev=0")).await;
    assert_eq!(late.err(), Some(503), "no new ones");
    let ends = ears
        .into_iter()
        .map(|mut ear| tokio::spawn(async move { (ear.closes_with().await, begun.elapsed()) }));
    let mut times = Vec::new();
    for end in ends.collect::<Vec<_>>() {
        let (code, time) = end.await.expect("it was closed");
        assert_eq!(code, Closed(Some(1012)));
        times.push(time);
    }
    times.sort();
    let (half, last) = (times[MANY / 2], times[MANY - 1]);
    assert!(
        half >= Duration::from_millis(200),
        "half of them left within {half:?}"
    );
    assert!(
        last <= Duration::from_secs(10),
        "the last one left after {last:?}"
    );
    stream.is_told("restart").await;

    posting
        .write_all(rest.as_bytes())
        .await
        .expect("it still reads");
    let mut answer = String::new();
    let read = posting.read_to_string(&mut answer);
    timeout(PATIENCE, read)
        .await
        .expect("it is answered")
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(house.ends().await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(30));

    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.anon("ada");
    ada.signs_in().await;
    assert_eq!(ada.room(room).await.messages()[0].text, "the last word");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let data = TempDir::new().expect("a directory");
    let (mut house, ada, room) = house_with_ada(&data).await;
    let (_posting, _) = begins_to_post(&ada, room).await;
    let _ears = many_ears(&ada, room).await;
    house.is_asked_to_stop();
    while ada.gets("/readyz").await.status != 503 {}
    let begun = Instant::now();
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_received_just_before_the_end_is_known_after_it() {
    let data = TempDir::new().expect("a directory");
    let (mut house, ada, _) = house_with_ada(&data).await;
    let ben = house.person("ben").await;
    let room = ada.opens_chat_with(&ben).await;
    let mut his = ben.listens(room, 0).await;
    ada.posts(room, "hello").await;
    his.sees(1).await;
    // The second answer comes after the server has read the pong that the first wait sent.
    let _his = his.settled().await.settled().await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));

    let house = House::opens("127.0.0.1:0", data.path(), &[]).await;
    let ada = house.anon("ada");
    ada.signs_in().await;
    assert_eq!(ada.tick(room, 1).await, "delivered");
}
