//! Who is counted, parked, told, and forgotten.

use super::*;

fn opening(user: i64, session: i128, transport: Transport) -> Opening {
    let person = Person {
        id: UserId(user),
        name: "Ada".into(),
    };
    let from = IpAddr::from([127, 0, 0, 1]);
    Opening {
        person,
        session: Id(session),
        room: None,
        transport,
        from,
        since: UnixMillis(1),
    }
}

#[tokio::test]
async fn the_oldest_stream_of_a_session_is_parked_and_no_other() {
    let all = Connections::default();
    let open = |session| {
        all.open(opening(1, session, Transport::Sse), 50)
            .expect("there is room")
    };
    let socket = all
        .open(opening(1, 7, Transport::WebSocket), 50)
        .expect("there is room");
    let (first, elsewhere, second, third) = (open(7), open(8), open(7), open(7));
    let parked = |it: &Connection| it.facts.parked.load(Relaxed);
    assert!(!parked(&first), "three may stay");
    let fourth = open(7);
    assert_eq!(first.signal().await, Signal::Parked);
    let others = [&socket, &elsewhere, &second, &third, &fourth];
    assert!(!others.into_iter().any(parked));
}

#[tokio::test]
async fn an_answer_reaches_the_connection_it_is_for_and_only_from_its_person() {
    let all = Connections::default();
    let hers = all
        .open(opening(1, 7, Transport::Sse), 50)
        .expect("there is room");
    all.received(UserId(2), hers.id(), 5);
    all.received(UserId(1), hers.id() + 1, 5);
    all.received(UserId(1), hers.id(), 6);
    assert_eq!(hers.signal().await, Signal::Received(6));
}

#[tokio::test]
async fn nobody_has_more_than_their_share_and_who_leaves_makes_room() {
    let all = Connections::default();
    let one = all
        .open(opening(1, 7, Transport::WebSocket), 1)
        .expect("the first");
    assert!(all.open(opening(1, 7, Transport::WebSocket), 1).is_none());
    assert!(all.open(opening(2, 8, Transport::WebSocket), 1).is_some());
    one.ends("too slow");
    drop(one);
    all.gone().await;
    let (open, totals) = all.survey();
    assert!(open.is_empty());
    assert_eq!(totals.of(Transport::WebSocket).opened, 2);
    assert_eq!(totals.ended["too slow"], 1);
}

#[test]
fn few_connections_close_quickly_and_many_one_after_the_other() {
    let all = Connections::default();
    let open = |_| all.open(opening(1, 7, Transport::WebSocket), usize::MAX);
    let some: Vec<_> = (0..100).map(open).collect();
    assert_eq!(all.spread(), Duration::from_millis(500));
    let more: Vec<_> = (0..4_000).map(open).collect();
    assert_eq!(all.spread(), Duration::from_secs(10));
    drop((some, more));
}
