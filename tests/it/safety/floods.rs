//! Too much at once: guesses, floods, hundreds of connections.

use crate::support::{PASSWORD, Person, Town};

/// A wrong password for this name; what the server says.
async fn guesses(person: &Person, name: &str, n: usize) -> crate::support::Answer {
    let wrong = format!("wrong password {n}");
    person
        .submits("/signin", &[("username", name), ("password", &wrong)])
        .await
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_look_the_same() {
    let town = Town::start().await;
    town.person("ada").await;
    let stranger = town.anon();
    let known = guesses(&stranger, "ada", 1).await;
    let unknown = guesses(&stranger, "bob", 1).await;
    assert_eq!(known.status, unknown.status);
    assert_eq!(
        known.body.replace("value=\"ada\"", ""),
        unknown.body.replace("value=\"bob\"", "")
    );
    assert_eq!(known.headers.len(), unknown.headers.len());
    assert!(
        !known.body.contains("wrong password 1"),
        "the password is not sent back"
    );
}

#[tokio::test]
async fn the_eleventh_guess_has_to_wait_and_the_owner_elsewhere_does_not() {
    let town = Town::with(&["--limits", "on"]).await;
    let ada = town.person("ada").await;
    let guesser = town.anon().calling_from("127.0.0.2");
    for n in 1..=10 {
        assert_ne!(guesses(&guesser, "ada", n).await.status, 429, "guess {n}");
    }
    let refused = guesses(&guesser, "ada", 11).await.is(429);
    let wait: u64 = refused
        .header("retry-after")
        .parse()
        .expect("seconds to wait");
    assert!((1..=3600).contains(&wait), "{wait}");

    for n in 12..15 {
        let form = [("username", "ada"), ("password", "wrong again")];
        let ask = guesser.asks(reqwest::Method::POST, "/signin").form(&form);
        let ask = ask
            .header("x-forwarded-for", &format!("198.51.100.{n}"))
            .header("forwarded", "for=198.51.100.1");
        ask.sends().await.is(429);
    }
    guesser
        .submits("/signin", &[("username", "ada"), ("password", PASSWORD)])
        .await
        .is(429);
    ada.elsewhere().signs_in().await;
}

#[tokio::test]
async fn guessing_through_many_names_is_guessing_too() {
    let town = Town::with(&["--limits", "on"]).await;
    let ada = town.person("ada").await;
    let guesser = town.anon().calling_from("127.0.0.3");
    let mut refused = 0;
    for n in 0..40 {
        refused += usize::from(guesses(&guesser, &format!("name{n}"), n).await.status == 429);
    }
    assert!(refused > 0, "an address that tries forty names is stopped");
    ada.lobby().await;
}

#[tokio::test]
async fn a_password_of_a_mebibyte_is_too_long() {
    let town = Town::start().await;
    town.person("ada").await;
    let long = "x".repeat(1024 * 1024);
    for path in ["/signin", "/signup"] {
        town.anon()
            .submits(path, &[("username", "ada"), ("password", &long)])
            .await
            .is(413);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sign_ins_at_once_do_not_stop_the_talk() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let storm: Vec<_> = (0..200)
        .map(|n| {
            let stranger = town.anon();
            tokio::spawn(async move { guesses(&stranger, "ben", n).await })
        })
        .collect();
    let mut ear = ben.listens(room, 0).await;
    for n in 1..=20 {
        assert_eq!(ada.posts(room, &format!("still here {n}")).await, n);
    }
    ear.sees(20).await;
    let wrong = guesses(&town.anon(), "nobody", 0).await.status;
    for answer in storm {
        let answer = answer.await.expect("every attempt is answered");
        assert!(
            [wrong, 503, 422, 401].contains(&answer.status),
            "{}",
            answer.status
        );
        if answer.status == 503 {
            assert_ne!(answer.header("retry-after"), "", "when to come back");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_posts_is_slowed_down_and_nobody_else_is() {
    let town = Town::with(&["--limits", "on"]).await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let flood: Vec<_> = (0..300)
        .map(|n| {
            let ada = ada.clone();
            tokio::spawn(async move { ada.tries_to_post(room, &format!("flood {n}")).await })
        })
        .collect();
    let mut refused = 0;
    for answer in flood {
        let answer = answer.await.expect("every post is answered");
        assert!([200, 429].contains(&answer.status), "{}", answer.status);
        if answer.status == 429 {
            refused += 1;
            assert!(
                answer.header("retry-after").parse::<u64>().is_ok(),
                "seconds to wait"
            );
            assert!(answer.has(".error"), "and words: {}", answer.body);
        }
    }
    assert!(refused > 0, "300 posts at once are a flood");
    ben.posts(room, "I am calm").await;
    let stored = ben.reads_back(room).await;
    assert_eq!(stored.len(), 300 - refused + 1);
    assert_eq!(stored.last().expect("it was stored").text, "I am calm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_receipts_is_slowed_down() {
    let town = Town::with(&["--limits", "on"]).await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "hello").await;
    let flood: Vec<_> = (0..1_000)
        .map(|_| {
            let ben = ben.clone();
            let path = format!("/rooms/{room}/read");
            tokio::spawn(async move {
                ben.sends(reqwest::Method::POST, &path, &[("seq", "1")])
                    .await
                    .status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for answer in flood {
        statuses.push(answer.await.expect("an answer"));
    }
    assert!(statuses.iter().all(|status| [204, 429].contains(status)));
    assert!(
        statuses.contains(&429),
        "1,000 receipts at once are a flood"
    );
    ada.posts(room, "still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifty_first_channel_of_one_person_is_refused() {
    let town = Town::with(&["--limits", "on"]).await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut ears = Vec::new();
    let mut refusal = None;
    for _ in 0..60 {
        match ada.tries_to_listen(&format!("?room={room}&rev=0")).await {
            Ok(ear) => ears.push(ear),
            Err(status) => refusal = refusal.or(Some(status)),
        }
    }
    assert!(ears.len() <= 50, "{} channels are open", ears.len());
    assert_eq!(refusal, Some(429));

    let mut bens = ben.listens(room, 0).await;
    ben.posts(room, "I am let in").await;
    bens.sees(1).await;
    let last = ears.last_mut().expect("the first ones are open");
    last.sees(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_channel_makes_room_for_another() {
    let town = Town::with(&["--limits", "off"]).await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    for n in 1..=60 {
        let mut ear = ada.listens(room, n - 1).await;
        ada.posts(room, "hello").await;
        ear.sees(n).await;
    }
}

#[tokio::test]
async fn who_comes_and_goes_all_the_time_is_told_when_to_come_back() {
    let town = Town::with(&["--limits", "on"]).await;
    let (ada, ben) = town.ada_and_ben().await;
    let mut refused = 0;
    for _ in 0..200 {
        let answer = ada.knocks("").sends().await;
        assert!([101, 429].contains(&answer.status), "{}", answer.status);
        if answer.status == 429 {
            assert_ne!(answer.header("retry-after"), "", "when to come back");
            refused += 1;
        }
    }
    assert!(refused > 0, "200 channels in a moment are a flood");
    ben.listens_in_the_lobby().await;
}
