//! The promise behind every tick: one order without holes, and a retry is the same message.

use std::collections::HashSet;

use crate::support::actor::{new_key, seq_of};
use crate::support::{Person, Town};

/// Several people of the town, the first of whom is the administrator.
async fn crowd(town: &Town, size: usize) -> Vec<Person> {
    let mut people = Vec::new();
    for n in 0..size {
        people.push(town.person(&format!("person{n}")).await);
    }
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_posters_at_once_leave_no_hole() {
    let town = Town::start().await;
    let people = crowd(&town, 8).await;
    let room = people[0].creates_room("General").await;
    let posters: Vec<_> = (0..200)
        .map(|tab| {
            let poster = people[tab % people.len()].clone();
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for n in 0..5 {
                    seqs.push((
                        poster.posts(room, &format!("tab {tab} post {n}")).await,
                        format!("tab {tab} post {n}"),
                    ));
                }
                assert!(
                    seqs.windows(2).all(|pair| pair[0].0 < pair[1].0),
                    "a poster's own posts keep their order"
                );
                seqs
            })
        })
        .collect();
    let mut posted = Vec::new();
    for poster in posters {
        posted.extend(poster.await.expect("every post is answered"));
    }
    posted.sort();
    assert_eq!(
        posted.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        (1..=1000).collect::<Vec<_>>()
    );

    let stored = people[1].reads_back(room).await;
    let stored: Vec<_> = stored
        .into_iter()
        .map(|message| (message.seq, message.text))
        .collect();
    assert_eq!(stored, posted, "what was answered is what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_twenty_times_at_once_is_one_message() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut bens = ben.listens(room, 0).await;
    let key = new_key();
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (ada, key) = (ada.clone(), key.clone());
            tokio::spawn(async move { ada.posts_with_key(room, "only once", &key).await.is(200) })
        })
        .collect();
    let mut answers = HashSet::new();
    for answer in tries {
        let answer = answer.await.expect("every try is answered");
        assert_eq!((seq_of(&answer), answer.header("x-rev")), (1, "1"));
        answers.insert(answer.body);
    }
    assert_eq!(answers.len(), 1, "twenty equal answers: {answers:#?}");

    ada.posts(room, "the next one").await;
    let heard = bens.sees_until(|message| message.seq == 2).await;
    assert_eq!(heard.len(), 2, "and readers hear it once: {heard:#?}");
    assert_eq!(ada.reads_back(room).await.len(), 2);
}

#[tokio::test]
async fn a_retry_much_later_is_still_the_same_message() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let key = new_key();
    ada.posts_with_key(room, "first", &key).await.is(200);
    ada.posts(room, "second").await;
    town.clock()
        .advance(std::time::Duration::from_secs(30 * 24 * 60 * 60));
    let ada = ada.elsewhere();
    ada.signs_in().await;
    assert_eq!(
        seq_of(&ada.posts_with_key(room, "first", &key).await.is(200)),
        1
    );
    assert_eq!(ada.reads_back(room).await.len(), 2);
}

#[tokio::test]
async fn a_retry_after_an_edit_shows_the_edited_message() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let key = new_key();
    ada.posts_with_key(room, "first", &key).await.is(200);
    ada.edits(room, 1, "edited").await;
    let answer = ada.posts_with_key(room, "first", &key).await;
    assert!([200, 409].contains(&answer.status), "{}", answer.status);
    let messages = ada.reads_back(room).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].text, "edited");
}

#[tokio::test]
async fn a_key_with_another_text_or_room_is_a_conflict() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let (one, two) = (ada.creates_room("One").await, ada.creates_room("Two").await);
    let key = new_key();
    ada.posts_with_key(one, "this", &key).await.is(200);
    ada.posts_with_key(one, "that", &key).await.is(409);
    ada.posts_with_key(two, "this", &key).await.is(409);
    assert_eq!(ada.reads_back(one).await.len(), 1);
    assert_eq!(ada.reads_back(two).await.len(), 0);
    assert_eq!(
        ada.posts(two, "the first here").await,
        1,
        "no number was lost"
    );
}

#[tokio::test]
async fn the_same_key_by_another_person_is_their_own_message() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let key = new_key();
    assert_eq!(
        seq_of(&ada.posts_with_key(room, "mine", &key).await.is(200)),
        1
    );
    assert_eq!(
        seq_of(&ben.posts_with_key(room, "mine too", &key).await.is(200)),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_deletions_and_posts_at_once_share_one_row_of_changes() {
    let town = Town::start().await;
    let people = crowd(&town, 4).await;
    let room = people[0].creates_room("General").await;
    let mut ear = people[0].listens(room, 0).await;
    // It has caught up when it hears this: what changes from now on is told change by change.
    ear.hears("id=\"floors\"").await;
    let busy: Vec<_> = people
        .iter()
        .cloned()
        .map(|person| {
            tokio::spawn(async move {
                for n in 0..20 {
                    let seq = person.posts(room, &format!("post {n}")).await;
                    person.edits(room, seq, &format!("edited {n}")).await;
                    person.deletes(room, seq).await;
                }
            })
        })
        .collect();
    for person in busy {
        person.await.expect("every change is answered");
    }
    let mut revs: Vec<u64> = Vec::new();
    while revs.last().copied() != Some(240) {
        revs.extend(
            crate::support::messages_in(&ear.next().await)
                .iter()
                .map(|message| message.rev),
        );
    }
    assert_eq!(
        revs,
        (1..=240).collect::<Vec<_>>(),
        "every change is heard once, in its order"
    );
    let stored = people[0].reads_back(room).await;
    assert_eq!(stored.len(), 80);
    assert!(stored.iter().all(|message| message.deleted));
}
