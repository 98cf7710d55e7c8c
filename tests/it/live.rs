//! The live channel over real sockets: who hears what, in which order, and how often.

use crate::support::live::Closed;
use crate::support::sight::{cursor_in, messages_in, plain, seqs_in};
use crate::support::{Person, RoomId, Shown, Town};

fn seqs(seen: &[Shown]) -> Vec<u64> {
    seen.iter().map(|message| message.seq).collect()
}

/// Ada and Ben and a room of theirs.
async fn two_in_a_room() -> (Town, Person, Person, RoomId) {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    (town, ada, ben, room)
}

#[tokio::test]
async fn two_readers_see_the_posts_of_two_writers_in_one_order() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    let (mut hers, mut his) = (ada.listens(room, 0).await, ben.listens(room, 0).await);
    let writers = [ada, ben].map(|writer| {
        tokio::spawn(async move {
            for n in 1..=25 {
                writer
                    .posts(room, &format!("{} says {n}", writer.name()))
                    .await;
            }
        })
    });
    let (at_ada, at_ben) = tokio::join!(
        hers.sees_until(|message| message.seq == 50),
        his.sees_until(|message| message.seq == 50)
    );
    for writer in writers {
        writer.await.expect("both can post");
    }
    assert_eq!(seqs(&at_ada), (1..=50).collect::<Vec<_>>());
    let bare = |seen: &[Shown]| {
        seen.iter()
            .map(|m| (m.seq, m.rev, m.text.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(bare(&at_ada), bare(&at_ben));
    assert!(
        at_ada
            .iter()
            .zip(&at_ben)
            .all(|(hers, his)| hers.mine != his.mine)
    );
}

#[tokio::test]
async fn edits_and_deletions_reach_who_is_listening() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    let mut his = ben.listens(room, 0).await;
    ada.posts(room, "helo").await;
    assert_eq!(his.sees(1).await.text, "helo");

    ada.edits(room, 1, "hello").await;
    let edited = his.sees(1).await;
    assert_eq!(
        (edited.text.as_str(), edited.rev, edited.edited),
        ("hello", 2, true)
    );

    ada.deletes(room, 1).await;
    let deleted = his.sees(1).await;
    assert!(deleted.deleted && deleted.rev == 3);
    assert!(!his.frames().last().expect("it came").contains("hello"));
}

#[tokio::test]
async fn ben_comes_back_after_a_cut_and_misses_nothing() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    let mut his = ben.listens(room, 0).await;
    for n in 1..=3 {
        ada.posts(room, &format!("before {n}")).await;
    }
    his.sees(3).await;
    let cursor = cursor_in(his.frames().last().expect("a frame")).expect("frames carry the cursor");
    assert_eq!(cursor, 3);
    drop(his);

    ada.edits(room, 2, "edited while he was away").await;
    ada.edits(room, 2, "edited twice while he was away").await;
    ada.deletes(room, 3).await;
    ada.posts(room, "after").await;
    ada.posts(room, "written and deleted while he was away")
        .await;
    ada.deletes(room, 5).await;

    let mut his = ben.listens(room, cursor).await;
    let frame = his.hears("message-4").await;
    assert_eq!(
        frame,
        his.frames()[0],
        "what was missed comes first, as one frame"
    );
    let mut missed = messages_in(&frame);
    missed.sort_by_key(|message| message.seq);
    assert_eq!(
        seqs(&missed),
        [2, 3, 4, 5],
        "each in its present state, once; nothing that he knows"
    );
    assert_eq!(missed[0].text, "edited twice while he was away");
    assert!(missed[1].deleted && missed[3].deleted);
    assert_eq!(cursor_in(&frame), Some(9));

    ada.posts(room, "and on it goes").await;
    assert_eq!(his.sees(6).await.rev, 10);
}

#[tokio::test]
async fn a_page_that_is_stale_when_it_opens_its_channel_is_brought_up_to_date() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    ada.posts(room, "on the page").await;
    let cursor = cursor_in(&ben.room(room).await.body).expect("the page carries the cursor");
    assert_eq!(cursor, 1);
    ada.posts(room, "between page and channel").await;
    let mut his = ben.listens(room, cursor).await;
    assert_eq!(seqs_in(&his.next().await), [2]);
}

#[tokio::test]
async fn a_cursor_from_a_lost_future_is_brought_back_to_the_present() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    ada.posts(room, "after the backup was restored").await;
    let mut his = ben.listens(room, 1_000).await;
    his.sees(1).await;
    ada.posts(room, "and it goes on").await;
    his.sees(2).await;
}

#[tokio::test]
async fn who_is_far_behind_gets_the_newest_page_afresh() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    for n in 1..=502 {
        ada.posts(room, &format!("message {n}")).await;
    }
    let mut near = ben.listens(room, 2).await;
    assert_eq!(
        seqs_in(&near.next().await),
        (3..=502).collect::<Vec<u64>>(),
        "500 behind is caught up"
    );

    let mut far = ben.listens(room, 1).await;
    let frame = far.next().await;
    assert_eq!(seqs_in(&frame), (453..=502).collect::<Vec<u64>>());
    assert!(
        frame.contains("hx-target=\"#messages\" hx-swap=\"innerHTML\""),
        "the whole list is replaced"
    );
    assert!(
        plain(&frame).contains(&format!("/rooms/{room}?before=453")),
        "and the rest is reachable above it"
    );
    assert_eq!(cursor_in(&frame), Some(502));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_in_while_others_talk_sees_everything_once() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    let last = 200;
    let talk = tokio::spawn(async move {
        for n in 1..=last {
            ada.posts(room, &format!("message {n}")).await;
        }
    });
    let mut readers = Vec::new();
    for start in (0..last).step_by(20) {
        let mut probe = ben.listens(room, start).await;
        probe.sees_when(|message| message.seq > start).await;
        let mut reader = ben.listens(room, start).await;
        readers.push(tokio::spawn(async move {
            (
                start,
                reader.sees_until(|message| message.seq == last).await,
            )
        }));
    }
    for reader in readers {
        let (start, seen) = reader.await.expect("it saw the last one");
        assert_eq!(seqs(&seen), (start + 1..=last).collect::<Vec<_>>());
    }
    talk.await.expect("all was said");
}

#[tokio::test]
async fn answer_and_frame_show_the_same_message() {
    let (_town, ada, _ben, room) = two_in_a_room().await;
    let mut hers = ada.listens(room, 0).await;
    for body in ["hello", "*second* <&> https://example.org"] {
        let answer = ada.tries_to_post(room, body).await.is(200);
        let (start, end) = (
            answer.body.rfind("<li").expect("an item"),
            answer.body.rfind("</li>").expect("its end"),
        );
        let item = &answer.body[start..end];
        let frame = hers.hears("id=\"message-").await;
        assert!(
            frame.contains(item),
            "the same bytes:\n{item}\n---\n{frame}"
        );
    }
}

#[tokio::test]
async fn who_opens_a_room_hears_only_what_comes_after_the_page() {
    let (_town, ada, ben, room) = two_in_a_room().await;
    ada.posts(room, "on the page").await;
    ada.edits(room, 1, "edited on the page").await;
    let mut his = ben.listens_from_now(room).await;
    ada.posts(room, "after the page").await;
    assert_eq!(his.sees_when(|_| true).await.text, "after the page");
}

#[tokio::test]
async fn a_room_is_not_heard_in_another_room() {
    let (_town, ada, ben, one) = two_in_a_room().await;
    let two = ada.creates_room("Two").await;
    let mut his = ben.listens(one, 0).await;
    for n in 1..=5 {
        ada.posts(two, &format!("elsewhere {n}")).await;
    }
    ada.posts(one, "here").await;
    assert_eq!(his.sees_when(|_| true).await.text, "here");
}

#[tokio::test]
async fn the_lobby_hears_of_new_rooms_new_people_and_new_messages() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let mut lobby = ada.listens_in_the_lobby().await;

    let ben = town.person("ben").await;
    assert!(lobby.hears("ben").await.contains("id=\"person-"));

    let room = ben.creates_room("Tea House").await;
    let frame = lobby.hears("Tea House").await;
    assert!(
        frame.contains(&format!("id=\"room-{room}\""))
            && plain(&frame).contains(&format!("/rooms/{room}")),
        "{frame}"
    );

    ben.posts(room, "the kettle is on").await;
    let frame = lobby.hears("the kettle is on").await;
    assert!(frame.contains(&format!("id=\"room-{room}\"")), "{frame}");
    lobby_pill(&mut lobby, room, 1).await;
    ben.posts(room, "it boils").await;
    lobby_pill(&mut lobby, room, 2).await;

    ada.reads(room, 2).await;
    lobby_pill(&mut lobby, room, 0).await;
}

/// Waits until the pill of the room shows this count, in a frame that came or will come.
async fn lobby_pill(lobby: &mut crate::support::Ear, room: RoomId, count: u64) {
    let pill = crate::support::ask::selector(&format!("#unread-{room}"));
    let shown = |frame: &String| {
        let html = scraper::Html::parse_fragment(frame);
        html.select(&pill)
            .next()
            .and_then(|pill| pill.attr("data-count")?.parse::<u64>().ok())
    };
    while lobby.frames().iter().rev().find_map(shown) != Some(count) {
        lobby.next().await;
    }
}

#[tokio::test]
async fn a_first_message_brings_the_chat_into_the_others_lobby() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let mut his = ben.listens_in_the_lobby().await;
    let chat = ada.opens_chat_with(&ben).await;
    ada.posts(chat, "hello Ben").await;
    let frame = his.hears("hello Ben").await;
    assert!(frame.contains(&format!("id=\"room-{chat}\"")), "{frame}");
    assert!(
        frame.contains("#chats"),
        "it stands among his chats: {frame}"
    );
    lobby_pill(&mut his, chat, 1).await;
}

#[tokio::test]
async fn an_outsider_hears_nothing_of_a_chat() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let carla = town.person("carla").await;
    let general = ada.creates_room("General").await;
    let (mut in_lobby, mut in_room) = (
        carla.listens_in_the_lobby().await,
        carla.listens(general, 0).await,
    );

    let chat = ada.opens_chat_with(&ben).await;
    let mut bens = ben.listens(chat, 0).await;
    ada.posts(chat, "between us: seven").await;
    ben.posts(chat, "between us: eleven").await;
    ada.edits(chat, 1, "between us: thirteen").await;
    ben.deletes(chat, 2).await;
    bens.sees_when(|message| message.deleted).await;
    ben.reads(chat, 2).await;

    ada.posts(general, "for everybody").await;
    in_lobby.hears("for everybody").await;
    in_room.hears("message-1").await;
    for frame in in_lobby.frames().iter().chain(in_room.frames()) {
        for trace in [
            format!("room-{chat}"),
            format!("unread-{chat}"),
            format!("/rooms/{chat}"),
            "between us".into(),
        ] {
            assert!(!plain(frame).contains(&trace), "{trace} in {frame}");
        }
    }
    assert_eq!(
        in_room
            .frames()
            .iter()
            .filter(|frame| !messages_in(frame).is_empty())
            .count(),
        1
    );
}

#[tokio::test]
async fn a_server_that_closes_tells_everyone_to_come_back() {
    let (town, ada, ben, room) = two_in_a_room().await;
    let (mut hers, mut his) = (ada.listens(room, 0).await, ben.listens_in_the_lobby().await);
    town.closes();
    assert_eq!(hers.closes_with().await, Closed(Some(1012)));
    assert_eq!(his.closes_with().await, Closed(Some(1012)));
}
