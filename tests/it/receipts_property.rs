//! Receipts whatever the order of things: random posts, reads, deliveries, first visits, marks, switches of what
//! others see, reconnects and restarts against a model.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use tertulia::app::App;
use tertulia::domain::accounts::Admission;
use tertulia::domain::body::MessageBody;
use tertulia::domain::messages::Key;
use tertulia::ids::{Seq, UserId};
use tertulia::records::{Person, Privacy, Ticks};

use crate::receipts_model::Told;
use crate::support::actor::new_key;
use crate::support::dice::Dice;
use crate::support::{PASSWORD, databases};

const RUNS: u64 = 40;
const STEPS: usize = 60;

/// One node on a file of SQLite's; two on a PostgreSQL server, between which people go to and fro.
async fn open(data: &Path) -> Vec<App> {
    let url = match databases::are_postgres() {
        true => databases::url(data).await,
        false => format!("sqlite://{}", data.join("tertulia.db").display()),
    };
    let mut nodes = vec![databases::node(data, &url).await];
    if databases::are_postgres() {
        nodes.push(databases::node(data, &url).await);
    }
    nodes
}

async fn close(nodes: Vec<App>) {
    for node in nodes {
        node.close().await;
    }
}

/// Ten people: enough pairs for every run to have a chat of two of its own.
async fn town(app: &App) -> Vec<Person> {
    let mut people = Vec::new();
    for n in 0..10 {
        let user = app
            .chat
            .sign_up(&format!("person{n}"), PASSWORD, &Admission::FREE)
            .await;
        people.push(user.expect("the name is free").person);
    }
    people
}

/// Four of the town, two rooms for all, and a chat of the first two.
async fn set_out(app: &App, seed: u64, town: &[Person]) -> (Vec<Person>, Vec<Told>) {
    let size = town.len();
    let mut pairs = (0..size).flat_map(|one| (one + 1..size).map(move |other| (one, other)));
    let pair = pairs.nth(seed as usize);
    let (one, other) = pair.expect("there are as many pairs as runs");
    let mut people: Vec<_> = [one, other].map(|who| town[who].clone()).into();
    let others = (0..size).filter(|who| ![one, other].contains(who)).take(2);
    people.extend(others.map(|who| town[who].clone()));
    let first = people[0].id;
    let mut ids = Vec::new();
    for n in 0..2 {
        let id = app.chat.create_room(&format!("Room {seed} {n}")).await;
        ids.push(id.expect("a name that can be"));
    }
    let chat = app.chat.open_direct(first, &people[1].name).await;
    ids.push(chat.expect("both are there"));
    let mut rooms = Vec::new();
    for (n, id) in ids.into_iter().enumerate() {
        let room = app.chat.room_for(first, id).await;
        let room = room.expect("it is there");
        rooms.push(match n {
            2 => Told::new(room, vec![0, 1], &[0, 1]),
            _ => Told::new(room, vec![0, 1, 2, 3], &[]),
        });
    }
    for person in &people {
        send_receipts(app, person, true).await;
    }
    (people, rooms)
}

/// Posts of several people who do not wait for each other.
async fn post_at_once(app: &App, told: &mut Told, people: &[Person], authors: &[usize]) {
    let posts = authors.iter().map(|who| {
        let body = MessageBody::parse("hello").expect("a text");
        let key = Key::parse(&new_key()).expect("a key");
        app.chat
            .post(told.room.clone(), people[*who].clone(), body, key)
    });
    let posted = futures_util::future::join_all(posts).await;
    let mut places: Vec<_> = posted
        .into_iter()
        .map(|message| message.expect("it is stored"))
        .map(|message| (message.seq, message.author.id, message.audience))
        .collect();
    places.sort_by_key(|(seq, ..)| *seq);
    for (seq, author, audience) in places {
        let who = people.iter().position(|person| person.id == author);
        told.posts(who.expect("one of them"));
        assert_eq!(seq.0, told.last(), "no hole");
        assert_eq!(audience, told.audience_of(seq.0), "{seq}");
    }
}

async fn send_receipts(app: &App, person: &Person, receipts: bool) {
    let privacy = Privacy {
        receipts,
        ..Privacy::default()
    };
    let changed = app.chat.set_privacy(person.id, privacy).await;
    changed.expect("it is stored");
}

/// One thing that somebody does, in words for whoever looks into a failing run.
async fn step(
    app: &App,
    dice: &mut Dice,
    people: &[Person],
    rooms: &mut [Told],
    at: usize,
) -> String {
    let told = &mut rooms[at];
    let who = told.admitted[dice.roll(told.admitted.len())];
    let user = people[who].id;
    match dice.roll(40) {
        0..12 => {
            let several = 1 + dice.roll(3);
            let authors: Vec<_> = (0..several)
                .map(|_| told.admitted[dice.roll(told.admitted.len())])
                .collect();
            post_at_once(app, told, people, &authors).await;
            format!("{authors:?} post at once")
        }
        12..22 => {
            // Sometimes further than the room goes.
            let seq = dice.place(told.last() + 2).max(1);
            let read = app.chat.mark_read(told.room.clone(), user, Seq(seq));
            read.await.expect("it is stored");
            told.reads(who, seq);
            format!("{who} reads up to {seq}")
        }
        22..26 => {
            let seq = dice.place(told.last()).max(1);
            let marked = app.chat.mark_unread(&told.room, user, Seq(seq));
            marked.await.expect("it is stored");
            told.marks(who, seq);
            format!("{who} marks as unread from {seq}")
        }
        26..28 => {
            let receipts = dice.roll(2) == 0;
            send_receipts(app, &people[who], receipts).await;
            rooms.iter_mut().for_each(|told| told.sends(who, receipts));
            format!("{who} sends receipts: {receipts}")
        }
        28..30 => {
            come_back(app, user).await;
            for told in rooms {
                told.receives(who, told.last());
            }
            format!("{who} comes back")
        }
        _ => {
            let mut received = Vec::new();
            for _ in 0..=dice.roll(3) {
                let who = told.admitted[dice.roll(told.admitted.len())];
                let seq = dice.place(told.last());
                let rooms = BTreeMap::from([(told.room.id, Seq(seq))]);
                app.chat.note_delivered(people[who].id, rooms);
                told.receives(who, seq);
                received.push((who, seq));
            }
            app.chat.commit_deliveries().await.expect("it is stored");
            format!("delivered: {received:?}")
        }
    }
}

/// A page that was away receives all that it missed, in every room.
async fn come_back(app: &App, user: UserId) {
    let positions = app.chat.positions(user).await.expect("they can be read");
    let missed = positions.iter().filter(|it| it.is_member);
    let missed = missed.map(|it| (it.room, it.last_seq)).collect();
    app.chat.note_delivered(user, missed);
    app.chat.commit_deliveries().await.expect("it is stored");
}

/// Holds what the app knows against what the model saw.
async fn compare(app: &App, people: &[Person], told: &mut Told) {
    for who in &told.admitted {
        let user: UserId = people[*who].id;
        let positions = app.chat.positions(user).await.expect("they can be read");
        let here = positions.iter().find(|it| it.room == told.room.id);
        let here = here.expect("the room is theirs");
        let member = told.members.get(who).copied();
        let seen = member.map(|_| (here.delivered_seq.0, here.seen_seq.0));
        let wanted = member.map(|member| (member.delivered, member.seen()));
        assert_eq!(seen, wanted, "delivered to and seen by {who}");
        assert_eq!(here.is_member, member.is_some());
        assert_eq!(here.last_seq.0, told.last());
        let seen = member.map_or(0, |member| member.seen());
        assert_eq!(here.unread(), told.last() - seen, "unread by {who}");
        assert!(here.seen_seq <= here.delivered_seq && here.delivered_seq <= here.last_seq);
    }
    let floors = app.chat.floors(&told.room).await;
    let floors = floors.expect("they can be read");
    assert!(
        floors.delivered >= told.floors.delivered && floors.read >= told.floors.read,
        "the floors fell from {:?} to {floors:?}",
        told.floors
    );
    told.floors = floors;
    for seq in 1..=told.last() {
        let floors = floors.seen_by(told.author_sees_reads(seq));
        let shown = Ticks::of(Seq(seq), told.audience_of(seq), floors);
        assert_eq!(shown, told.ticks(seq), "the ticks of {seq}");
    }
}

/// Whose receipts count for a message is stored with it.
async fn compare_stored(app: &App, told: &Told) {
    for seq in 1..=told.last() {
        let stored = app.chat.message(&told.room, Seq(seq)).await;
        let stored = stored.expect("it is there");
        assert_eq!(stored.audience, told.audience_of(seq));
    }
}

/// Says which run it was when one fails.
struct Run {
    seed: u64,
    steps: Vec<String>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, after:\n{}", self.seed, self.steps.join("\n"));
        }
    }
}

#[tokio::test]
async fn ticks_are_those_recounted_from_everybody_whatever_the_order_of_things() {
    let data = TempDir::new().expect("a directory for the data");
    let mut nodes = open(data.path()).await;
    let town = town(&nodes[0]).await;
    for seed in 0..RUNS {
        let (people, mut rooms) = set_out(&nodes[0], seed, &town).await;
        let mut dice = Dice(seed);
        let mut run = Run {
            seed,
            steps: Vec::new(),
        };
        for _ in 0..STEPS {
            let at = dice.roll(rooms.len());
            run.steps.push(format!("in room {at}, unfinished"));
            let node = dice.roll(nodes.len());
            let what = step(&nodes[node], &mut dice, &people, &mut rooms, at).await;
            *run.steps.last_mut().expect("this step") =
                format!("in room {at}, at node {node}: {what}");
            rooms.iter_mut().for_each(Told::notes_what_is_read);
            compare(&nodes[dice.roll(nodes.len())], &people, &mut rooms[at]).await;
            if dice.roll(STEPS * 4) == 0 {
                close(nodes).await;
                nodes = open(data.path()).await;
                run.steps.push("restart".into());
            }
        }
        for told in &mut rooms {
            compare(&nodes[0], &people, told).await;
            compare_stored(&nodes[0], told).await;
        }
    }
    close(nodes).await;
}
