//! Accounts and sessions: who may come in, and as whom.

use std::time::Duration;

use crate::support::{PASSWORD, Town, eventually};

#[tokio::test]
async fn a_fresh_install_asks_for_its_first_account() {
    let town = Town::start().await;
    let nobody = town.anon();
    nobody.gets("/").await.leads_to("/signin");
    nobody.gets("/signin").await.leads_to("/signup");
    assert!(
        nobody
            .gets("/signup")
            .await
            .is(200)
            .body
            .contains("administrator")
    );

    town.person("ada").await;
    nobody.gets("/").await.leads_to("/signin");
}

#[tokio::test]
async fn ada_signs_up_and_is_in_the_lobby() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let lobby = ada.lobby().await;
    assert!(
        lobby.body.contains("ada"),
        "her own name is somewhere on her page"
    );
    assert!(lobby.has("form[action='/signout']"), "she can sign out");
}

#[tokio::test]
async fn ada_signs_out_and_her_pages_are_closed_to_her_old_cookie() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let thief = ada.copied();

    ada.submits("/signout", &[]).await.leads_to("/signin");
    assert_eq!(ada.session(), None, "the cookie is taken back");
    ada.gets("/").await.leads_to("/signin");

    thief.gets("/").await.leads_to("/signin");
    thief.tries_to_post(room, "hello?").await.is(401);
    assert_eq!(
        thief
            .tries_to_listen(&format!("?room={room}&rev=0"))
            .await
            .err(),
        Some(401)
    );
}

#[tokio::test]
async fn ada_signs_in_again_with_her_password_only() {
    let town = Town::start().await;
    let ada = town.person("ada").await.elsewhere();

    let wrong = ada
        .submits(
            "/signin",
            &[("username", "ada"), ("password", "not her password")],
        )
        .await;
    assert!(!wrong.has("form[action='/signout']"));
    assert_eq!(ada.session(), None);

    ada.signs_in().await;
    ada.lobby().await;
}

#[tokio::test]
async fn a_name_is_known_by_its_folded_form() {
    let town = Town::start().await;
    town.person("ada").await;
    let ada = town.anon();
    ada.submits("/signin", &[("username", "Ada"), ("password", PASSWORD)])
        .await
        .leads_to("/");
}

#[tokio::test]
async fn a_second_ada_must_take_another_name() {
    let town = Town::start().await;
    town.person("ada").await;
    let second = town.anon();
    let answer = second
        .submits("/signup", &[("username", "ada"), ("password", PASSWORD)])
        .await
        .is(409);
    assert_eq!(
        answer.attrs("input[name=username]", "value"),
        ["ada"],
        "what was typed is still there"
    );
    assert!(!answer.body.contains(PASSWORD), "but never the password");
    assert_eq!(second.session(), None);
}

#[tokio::test]
async fn a_short_password_is_refused_with_a_reason() {
    let town = Town::start().await;
    let ada = town.anon();
    let answer = ada
        .submits("/signup", &[("username", "ada"), ("password", "short")])
        .await
        .is(422);
    assert!(
        answer.has("form[action='/signup']"),
        "the form is there again"
    );
    ada.submits("/signup", &[("username", "ada"), ("password", "")])
        .await
        .is(422);
}

#[tokio::test]
async fn signing_in_leads_to_where_somebody_wanted_to_go() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;

    let later = ada.elsewhere();
    let sent = later.gets(&format!("/rooms/{room}")).await.is(303);
    assert!(
        sent.location().starts_with("/signin?next="),
        "{}",
        sent.location()
    );
    let form = later.gets(sent.location()).await.is(200);
    let next = form.attrs("input[name=next]", "value");
    assert_eq!(next, [format!("/rooms/{room}")]);

    let fields = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("next", &next[0]),
    ];
    later.submits("/signin", &fields).await.leads_to(&next[0]);
}

#[tokio::test]
async fn nobody_is_led_to_where_only_the_one_before_could_go() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let chat = ada.opens_chat_with(&ben).await;
    for (person, name, leads) in [(&carla, "carla", false), (&ben, "ben", true)] {
        for next in [format!("/rooms/{chat}"), format!("/rooms/{chat}?at=1")] {
            let fields = [
                ("username", name),
                ("password", PASSWORD),
                ("next", next.as_str()),
            ];
            let signed_in = person.elsewhere().submits("/signin", &fields).await;
            signed_in.leads_to(if leads { &next } else { "/" });
        }
    }
    let fields = [
        ("username", "ben"),
        ("password", PASSWORD),
        ("next", "/rooms/none"),
    ];
    ben.elsewhere()
        .submits("/signin", &fields)
        .await
        .leads_to("/");
}

#[tokio::test]
async fn a_closed_town_takes_its_first_person_and_nobody_else() {
    let town = Town::with(&["--signup", "closed"]).await;
    town.person("ada").await;
    let ben = town.anon();
    ben.submits("/signup", &[("username", "ben"), ("password", PASSWORD)])
        .await
        .is(403);
    assert_eq!(ben.session(), None);
    assert!(
        !ben.gets("/signup").await.has("input[name=password]"),
        "no form that leads nowhere"
    );
}

#[tokio::test]
async fn a_session_ends_when_it_was_not_used_for_a_long_time() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    town.clock()
        .advance(Duration::from_secs(400 * 24 * 60 * 60));
    eventually("the session has ended", async || {
        ada.gets("/").await.status == 303
    })
    .await;
    assert_eq!(ada.tries_to_listen("").await.err(), Some(401));
}

#[tokio::test]
async fn everybody_is_still_signed_up_after_a_restart() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "still here?").await;

    let town = town.restarts().await;
    let ada = town.anon();
    ada.submits("/signin", &[("username", "ada"), ("password", PASSWORD)])
        .await
        .leads_to("/");
    let messages = ada.room(room).await.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].text, "still here?");
}

#[tokio::test]
async fn an_expired_session_tells_htmx_to_go_to_the_sign_in_page() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let nobody = town.anon();
    let answer = nobody
        .fetches(&format!("/rooms/{room}"), "main#conversation")
        .await
        .is(401);
    assert!(
        answer.header("hx-redirect").starts_with("/signin"),
        "{:?}",
        answer.headers
    );
    let answer = nobody.tries_to_post(room, "hello?").await.is(401);
    assert!(
        answer.header("hx-redirect").starts_with("/signin"),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn the_chosen_theme_stays() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    for theme in ["dark", "light", "auto"] {
        ada.submits("/theme", &[("theme", theme)]).await.is(303);
        assert_eq!(ada.lobby().await.attrs("html", "data-theme"), [theme]);
    }
    let answer = ada.submits("/theme", &[("theme", "\"><script>")]).await;
    assert!(
        answer.status < 500 && !answer.body.contains("script>"),
        "{}",
        answer.status
    );
    assert_eq!(ada.lobby().await.attrs("html", "data-theme"), ["auto"]);
}
