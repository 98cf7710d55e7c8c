//! What ends a session ends at once what is live by it: another password, being shut out by the administrator.

use crate::support::actor::RoomId;
use crate::support::live::Closed;
use crate::support::{Ear, PASSWORD, Person, Town, eventually};

const NEW: &str = "another horse entirely";

/// Somebody with two browsers, a page live in each, and one over the second in the lobby.
async fn two_browsers(town: &Town, name: &str) -> (Person, Person, [Ear; 3], RoomId) {
    let here = town.person(name).await;
    let there = here.elsewhere();
    there.signs_in().await;
    let room = here.creates_room("General").await;
    let ears = [
        here.listens(room, 0).await.settled().await,
        there.listens(room, 0).await.settled().await,
        there.listens_in_the_lobby().await,
    ];
    (here, there, ears, room)
}

fn signed_out() -> Closed {
    Closed(Some(1008))
}

#[tokio::test]
async fn another_password_ends_every_other_browser_at_once_and_this_one_goes_on() {
    let town = Town::start().await;
    let (here, there, [mut kept, mut one, mut other], room) = two_browsers(&town, "ada").await;
    let form = [("current", PASSWORD), ("password", NEW)];
    let changed = here.submits("/settings/password", &form).await;
    changed.leads_to("/settings?saved=1");
    assert_eq!(one.closes_with().await, signed_out());
    assert_eq!(other.closes_with().await, signed_out());
    there.gets(&format!("/rooms/{room}")).await.is(303);
    there.tries_to_post(room, "too late").await.is(401);

    let seq = here.posts(room, "I am still here").await;
    kept.sees(seq).await;
    let sign_in = |password| [("username", "ada"), ("password", password)];
    let stranger = town.anon();
    stranger
        .submits("/signin", &sign_in(PASSWORD))
        .await
        .is(422);
    stranger
        .submits("/signin", &sign_in(NEW))
        .await
        .leads_to("/");
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_it_and_to_one_that_can_be() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    for (current, new, words) in [
        (
            "not the password",
            NEW,
            "Your current password is another one.",
        ),
        (PASSWORD, "short", "at least 8 characters"),
    ] {
        let form = [("current", current), ("password", new)];
        let refused = ada.submits("/settings/password", &form).await.is(422);
        assert!(
            refused.text("[role=alert]").contains(words),
            "{}",
            refused.body
        );
        assert!(!refused.body.contains(current) || current == PASSWORD);
    }
    ada.elsewhere().signs_in().await;
}

#[tokio::test]
async fn who_is_shut_out_is_out_at_once_everywhere_until_let_in_again() {
    let town = Town::start().await;
    let admin = town.person("ada").await;
    let (here, _, mut ears, room) = two_browsers(&town, "ben").await;
    let ban = |banned| [("banned", banned)];
    let out = admin.submits("/admin/people/2/ban", &ban("on")).await;
    out.leads_to("/admin/people");
    for ear in &mut ears {
        assert_eq!(ear.closes_with().await, signed_out());
    }
    here.tries_to_post(room, "let me in").await.is(401);
    let form = [("username", "ben"), ("password", PASSWORD)];
    let refused = town.anon().submits("/signin", &form).await.is(403);
    assert!(refused.body.contains("This account is closed"));
    let wrong = [("username", "ben"), ("password", "not the password")];
    town.anon().submits("/signin", &wrong).await.is(422);
    let people = admin.gets("/admin/people").await.is(200);
    assert!(people.text("main").contains("Shut out"));

    admin
        .submits("/admin/people/2/ban", &ban("off"))
        .await
        .is(303);
    here.signs_in().await;
    eventually("he can write again", async || {
        here.tries_to_post(room, "back").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn only_the_administrator_shuts_people_out_and_not_themselves() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let ban = [("banned", "on")];
    ben.submits("/admin/people/1/ban", &ban).await.is(404);
    ben.gets("/admin/people").await.is(404);
    ada.submits("/admin/people/1/ban", &ban).await.is(403);
    ada.submits("/admin/people/99/ban", &ban).await.is(404);
    ada.submits("/admin/people/2/ban", &[("banned", "maybe")])
        .await
        .is(400);
    ada.lobby().await;
    ben.lobby().await;
}
