//! Who hears what, in which order, and who is cut off.

use super::*;
use crate::{
    clock::UnixMillis,
    ids::{Seq, UserId},
    records::{Floors, Person, Room, RoomKind},
};

fn joined(id: i64) -> Event {
    Event::PersonJoined {
        person: Person {
            id: UserId(id),
            name: "Ada".into(),
        },
        joined: UnixMillis(0),
    }
}

fn who(news: &News) -> i64 {
    match &news.event {
        Event::PersonJoined { person, .. } => person.id.0,
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test]
async fn everyone_hears_everything_once_and_in_order() {
    let hub = Hub::default();
    let (ada, ben) = (
        hub.subscribe(vec![Topic::Lobby]),
        hub.subscribe(vec![Topic::Lobby, Topic::Room(RoomId(7))]),
    );
    (1..=3).for_each(|id| hub.deliver(joined(id)));
    for reader in [ada, ben] {
        let Wake::News(news) = reader.next().await else {
            panic!("was cut")
        };
        assert_eq!(
            news.iter().map(|news| who(news)).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_the_others_hear_on() {
    let hub = Hub::default();
    let (slow, quick) = (
        hub.subscribe(vec![Topic::Lobby]),
        hub.subscribe(vec![Topic::Lobby]),
    );
    for id in 0..300 {
        hub.deliver(joined(id));
        let Wake::News(news) = quick.next().await else {
            panic!("the quick one was cut")
        };
        assert_eq!(who(&news[0]), id);
    }
    assert!(matches!(slow.next().await, Wake::Cut));
}

#[tokio::test]
async fn who_has_gone_is_forgotten() {
    let hub = Hub::default();
    drop(hub.subscribe(vec![Topic::Lobby]));
    assert!(hub.lock().listeners.is_empty());
}

#[tokio::test]
async fn what_lives_for_a_moment_fills_nobodys_queue() {
    let hub = Hub::default();
    let slow = hub.subscribe(vec![
        Topic::Lobby,
        Topic::Room(RoomId(7)),
        Topic::User(UserId(1)),
    ]);
    let room = Arc::new(Room {
        id: RoomId(7),
        kind: RoomKind::Public {
            name: "General".into(),
        },
    });
    (0..40).for_each(|id| hub.deliver(joined(id)));
    for seq in 1..=1_000 {
        let person = Person {
            id: UserId(1 + seq % 3),
            name: "Ada".into(),
        };
        hub.deliver(Event::TypingStarted {
            room: room.clone(),
            person,
        });
        let floors = Floors {
            delivered: Seq(seq),
            read: Seq(seq),
        };
        hub.deliver(Event::FloorsMoved {
            room: room.id,
            floors,
            newest: None,
        });
        hub.deliver(Event::RoomRead {
            room: room.id,
            user: UserId(1),
            read_seq: Seq(seq),
        });
    }
    assert_eq!(slow.backlog().len(), 45, "three who type, one of each else");
    (0..211).for_each(|id| hub.deliver(joined(id)));
    let person = Person {
        id: UserId(9),
        name: "Zoe".into(),
    };
    hub.deliver(Event::TypingStarted { room, person });
    let Wake::News(news) = slow.next().await else {
        panic!("was cut for who types")
    };
    let last = |wanted: fn(&Event) -> bool| news.iter().rfind(|it| wanted(&it.event));
    let floors = last(|event| matches!(event, Event::FloorsMoved { .. })).expect("they are told");
    assert!(matches!(floors.event, Event::FloorsMoved { floors, .. } if floors.read == Seq(1_000)));
}
