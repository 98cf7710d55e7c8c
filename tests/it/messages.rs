//! Messages: posting, editing, deleting, reading back.

use reqwest::Method;

use crate::support::actor::{new_key, seq_of};
use crate::support::{Answer, Person, RoomId, Town};

/// A town with a room and Ada in it.
async fn ada_in_a_room() -> (Town, Person, RoomId) {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    (town, ada, room)
}

fn text_of(page: &Answer, seq: u64) -> String {
    let messages = page.messages();
    messages
        .into_iter()
        .find(|message| message.seq == seq)
        .expect("the message is on the page")
        .text
}

#[tokio::test]
async fn what_ada_posts_ben_reads() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let one = ada.posts(room, "hello, is there anybody?").await;
    let two = ben.posts(room, "I am").await;
    assert_eq!((one, two), (1, 2));

    let (hers, his) = (
        ada.room(room).await.messages(),
        ben.room(room).await.messages(),
    );
    let texts = |messages: &[crate::support::Shown]| {
        messages.iter().map(|m| m.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&hers), ["hello, is there anybody?", "I am"]);
    assert_eq!(texts(&hers), texts(&his));
    assert_eq!((hers[0].mine, hers[1].mine), (true, false));
    assert_eq!((his[0].mine, his[1].mine), (false, true));
    assert_eq!(hers[0].author, his[0].author);
}

#[tokio::test]
async fn a_form_without_script_posts_and_comes_back_to_the_room() {
    let (_town, ada, room) = ada_in_a_room().await;
    let page = ada.room(room).await;
    let form = "#composer form, form#composer";
    assert_eq!(
        page.attrs(form, "action"),
        [format!("/rooms/{room}/messages")]
    );
    assert_eq!(page.attrs(form, "method"), ["post"]);
    let key = page.attrs("input[name=key]", "value");
    assert_eq!(key.len(), 1);
    assert_eq!(key[0].len(), 32, "a key made by the server: {key:?}");

    let path = format!("/rooms/{room}/messages");
    let answer = ada
        .submits(&path, &[("body", "by hand"), ("key", &key[0])])
        .await
        .is(303);
    assert!(
        answer.location().starts_with(&format!("/rooms/{room}")),
        "{}",
        answer.location()
    );
    ada.submits(&path, &[("body", "by hand"), ("key", &key[0])])
        .await
        .is(303);
    let messages = ada.room(room).await.messages();
    assert_eq!(messages.len(), 1, "the form sent twice is one message");

    ada.submits(&format!("{path}/1/edit"), &[("body", "by pen")])
        .await
        .is(303);
    assert_eq!(text_of(&ada.room(room).await, 1), "by pen");
    ada.submits(&format!("{path}/1/delete"), &[]).await.is(303);
    assert!(ada.room(room).await.messages()[0].deleted);
}

#[tokio::test]
async fn the_answer_to_a_post_is_the_message() {
    let (_town, ada, room) = ada_in_a_room().await;
    let answer = ada.tries_to_post(room, "hello").await.is(200);
    assert_eq!((answer.header("x-seq"), answer.header("x-rev")), ("1", "1"));
    let messages = answer.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].seq, messages[0].rev, messages[0].mine),
        (1, 1, true)
    );
    assert_eq!(messages[0].text, "hello");
}

#[tokio::test]
async fn ada_edits_her_message_and_it_says_so() {
    let (_town, ada, room) = ada_in_a_room().await;
    ada.posts(room, "helo").await;
    ada.posts(room, "another").await;
    let form = ada
        .fetches(&format!("/rooms/{room}/messages/1/edit"), "li#message-1")
        .await
        .is(200);
    assert_eq!(form.texts("textarea[name=body]"), ["helo"]);

    let answer = ada.edits(room, 1, "hello").await;
    assert_eq!((answer.header("x-seq"), answer.header("x-rev")), ("1", "3"));
    let messages = ada.room(room).await.messages();
    assert_eq!(
        messages.iter().map(|m| m.seq).collect::<Vec<_>>(),
        [1, 2],
        "it keeps its place"
    );
    assert_eq!(
        (
            messages[0].text.as_str(),
            messages[0].edited,
            messages[0].rev
        ),
        ("hello", true, 3)
    );
    assert!(!messages[1].edited);
}

#[tokio::test]
async fn the_edit_form_holds_the_text_as_it_was_typed() {
    let (_town, ada, room) = ada_in_a_room().await;
    let typed = "*bold* <b>& \"quotes\"\n\n  two lines </textarea> `code`";
    ada.posts(room, typed).await;
    for page in [
        ada.fetches(&format!("/rooms/{room}/messages/1/edit"), "li#message-1")
            .await
            .is(200),
        ada.gets(&format!("/rooms/{room}/messages/1/edit"))
            .await
            .is(200),
    ] {
        let html = page.html();
        let area = html
            .select(&crate::support::ask::selector("textarea[name=body]"))
            .next()
            .expect("a field");
        assert_eq!(
            area.text().collect::<String>(),
            typed,
            "page: {}",
            page.is_a_page()
        );
    }
}

#[tokio::test]
async fn a_deleted_message_leaves_a_stone_without_its_text() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    ada.posts(room, "a secret said too early").await;
    let answer = ada.deletes(room, 1).await;
    assert_eq!(answer.header("x-rev"), "2");
    for page in [ada.room(room).await, ben.room(room).await] {
        let messages = page.messages();
        assert!(messages[0].deleted);
        assert_eq!(messages[0].seq, 1);
        assert!(!page.body.contains("secret"));
    }
    assert!(!ben.lobby().await.body.contains("secret"));
    ada.tries_to_edit(room, 1, "back again").await.is(404);
    ada.fetches(&format!("/rooms/{room}/messages/1/edit"), "li#message-1")
        .await
        .is(404);
}

#[tokio::test]
async fn deleting_twice_is_deleting_once() {
    let (_town, ada, room) = ada_in_a_room().await;
    ada.posts(room, "oops").await;
    ada.deletes(room, 1).await;
    let again = ada.tries_to_delete(room, 1).await;
    assert!([200, 404].contains(&again.status), "{}", again.status);
    assert_eq!(
        ada.room(room).await.messages()[0].rev,
        2,
        "nothing changed the second time"
    );
}

#[tokio::test]
async fn bold_italic_struck_and_code_are_seen_as_such() {
    let (_town, ada, room) = ada_in_a_room().await;
    for (typed, seen) in [
        ("*bold*", "<strong>bold</strong>"),
        ("_italic_", "<em>italic</em>"),
        ("~struck~", "<s>struck</s>"),
        ("`code`", "<code>code</code>"),
    ] {
        let seq = ada.posts(room, &format!("so {typed} it is")).await;
        let messages = ada.room(room).await.messages();
        let html = &messages
            .iter()
            .find(|m| m.seq == seq)
            .expect("it is there")
            .html;
        assert!(html.contains(seen), "{typed} became {html}");
    }
    ada.posts(room, "```\nlet a = *b*;\n```").await;
    let page = ada.room(room).await;
    assert_eq!(
        page.texts("#message-5 pre"),
        ["let a = *b*;"],
        "nothing is formatted inside code"
    );
}

#[tokio::test]
async fn links_are_links_and_nothing_more() {
    let (_town, ada, room) = ada_in_a_room().await;
    ada.posts(
        room,
        "see https://example.org/a?b=1&c=2 (and http://example.org/x_y_z).",
    )
    .await;
    let page = ada.room(room).await;
    let links = page.attrs("#message-1 .text a", "href");
    assert_eq!(
        links,
        ["https://example.org/a?b=1&c=2", "http://example.org/x_y_z"]
    );
    for rel in page.attrs("#message-1 .text a", "rel") {
        assert_eq!(rel, "noopener noreferrer nofollow");
    }
    assert_eq!(
        text_of(&page, 1),
        "see https://example.org/a?b=1&c=2 (and http://example.org/x_y_z)."
    );
}

#[tokio::test]
async fn the_texts_of_a_message_have_their_limits() {
    let (_town, ada, room) = ada_in_a_room().await;
    let full = "x".repeat(10_000);
    let seq = ada.posts(room, &full).await;
    assert_eq!(text_of(&ada.room(room).await, seq), full);
    ada.posts(room, &"é".repeat(10_000)).await;
    let answer = ada.tries_to_post(room, &"x".repeat(10_001)).await.is(422);
    assert!(
        answer.body.contains("10,000") || answer.body.contains("10000"),
        "a reason: {}",
        answer.body
    );
    ada.tries_to_edit(room, seq, &"x".repeat(10_001))
        .await
        .is(422);
    assert_eq!(text_of(&ada.room(room).await, seq), full);
}

#[tokio::test]
async fn a_key_is_needed_and_must_be_one() {
    let (_town, ada, room) = ada_in_a_room().await;
    let path = format!("/rooms/{room}/messages");
    for key in ["", "abc", &"0".repeat(500), "<img src=x onerror=alert(1)>"] {
        let answer = ada
            .sends(Method::POST, &path, &[("body", "hello"), ("key", key)])
            .await;
        assert!(
            [400, 422].contains(&answer.status),
            "{key:?} → {}",
            answer.status
        );
        assert!(!answer.body.contains("<img"));
    }
    let answer = ada.sends(Method::POST, &path, &[("key", &new_key())]).await;
    assert!(
        [400, 422].contains(&answer.status),
        "no body → {}",
        answer.status
    );
    assert_eq!(ada.room(room).await.messages(), []);
    assert_eq!(
        seq_of(&ada.tries_to_post(room, "hello").await.is(200)),
        1,
        "no number was lost"
    );
}
