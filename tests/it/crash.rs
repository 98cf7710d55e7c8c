//! The program killed and stopped: what was answered is there when it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use tempfile::TempDir;

use crate::support::actor::{new_key, seq_of};
use crate::support::live::Closed;
use crate::support::{House, Person, RoomId, eventually};

/// What became of one post.
struct Posted {
    body: String,
    key: String,
    seq: Option<u64>,
}

/// Posts until the server is gone, and remembers what was answered.
async fn posts_until_the_end(
    person: Person,
    room: RoomId,
    tab: usize,
    answered: Arc<AtomicU64>,
) -> Vec<Posted> {
    let mut posted = Vec::new();
    for n in 0.. {
        let mut post = Posted {
            body: format!("tab {tab} post {n}"),
            key: new_key(),
            seq: None,
        };
        let path = format!("/rooms/{room}/messages");
        let ask = person.asks(Method::POST, &path).htmx("ol#messages");
        let answer = ask
            .form(&[("body", &post.body), ("key", &post.key)])
            .tries()
            .await;
        let gone = answer.is_err();
        if let Ok(answer) = answer {
            post.seq = Some(seq_of(&answer.is(200)));
            answered.fetch_add(1, Ordering::Relaxed);
        }
        posted.push(post);
        if gone {
            break;
        }
    }
    posted
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9_and_a_retry_is_the_same_message() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let listen = house.listen().to_owned();
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(house.person(&format!("person{n}")).await);
    }
    let room = people[0].creates_room("General").await;
    let answered = Arc::new(AtomicU64::new(0));
    let tabs: Vec<_> = (0..50)
        .map(|tab| {
            let person = people[tab % people.len()].clone();
            tokio::spawn(posts_until_the_end(
                person,
                room,
                tab,
                Arc::clone(&answered),
            ))
        })
        .collect();
    eventually("500 posts are answered", async || {
        answered.load(Ordering::Relaxed) >= 500
    })
    .await;
    house.dies().await;
    let mut posted = Vec::new();
    for (tab, posts) in tabs.into_iter().enumerate() {
        let posts = posts.await.expect("every answer was 200 or none");
        posted.extend(posts.into_iter().map(|post| (tab, post)));
    }

    let house = House::opens(&listen, data.path(), &["--limits", "off"]).await;
    let stored = people[0].reads_back(room).await;
    let count = stored.len() as u64;
    assert_eq!(
        stored.iter().map(|message| message.seq).collect::<Vec<_>>(),
        (1..=count).collect::<Vec<_>>()
    );
    let text = |seq: u64| {
        stored
            .get(seq as usize - 1)
            .map(|message| message.text.as_str())
    };
    for (_, post) in &posted {
        if let Some(seq) = post.seq {
            assert_eq!(
                text(seq),
                Some(post.body.as_str()),
                "an answered message is there, at its place"
            );
        }
    }

    for (tab, post) in posted.iter().filter(|(_, post)| post.seq.is_none()) {
        people[tab % people.len()]
            .posts_with_key(room, &post.body, &post.key)
            .await
            .is(200);
    }
    let mut bodies: Vec<_> = people[1]
        .reads_back(room)
        .await
        .into_iter()
        .map(|message| message.text)
        .collect();
    let mut expected: Vec<_> = posted.into_iter().map(|(_, post)| post.body).collect();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected, "everything once");
    house.dies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_answers_what_is_running_closes_the_channels_and_ends_well() {
    let data = TempDir::new().expect("a directory");
    let mut house = House::opens("127.0.0.1:0", data.path(), &["--limits", "off"]).await;
    let listen = house.listen().to_owned();
    let ada = house.person("ada").await;
    let room = ada.creates_room("General").await;
    let mut ear = ada.listens(room, 0).await;
    let answered = Arc::new(AtomicU64::new(0));
    let tabs: Vec<_> = (0..10)
        .map(|tab| {
            let (ada, answered) = (ada.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for n in 0.. {
                    let path = format!("/rooms/{room}/messages");
                    let (body, key) = (format!("tab {tab} post {n}"), new_key());
                    let ask = ada
                        .asks(Method::POST, &path)
                        .htmx("ol#messages")
                        .form(&[("body", &body), ("key", &key)]);
                    match ask.tries().await {
                        Ok(answer) if answer.status == 200 => seqs.push((seq_of(&answer), body)),
                        Ok(answer) => {
                            assert_eq!(answer.status, 503, "{answer:?}");
                            break;
                        }
                        Err(_) => break,
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                seqs
            })
        })
        .collect();
    eventually("100 posts are answered", async || {
        answered.load(Ordering::Relaxed) >= 100
    })
    .await;
    house.is_asked_to_stop();
    assert_eq!(ear.closes_with().await, Closed(Some(1012)));
    assert_eq!(house.ends().await, Some(0));
    let mut posted = Vec::new();
    for tab in tabs {
        posted.extend(tab.await.expect("every post was answered or not begun"));
    }

    let house = House::opens(&listen, data.path(), &["--limits", "off"]).await;
    let stored = ada.reads_back(room).await;
    for (seq, body) in posted {
        assert_eq!(stored[seq as usize - 1].text, body);
    }
    house.dies().await;
}
