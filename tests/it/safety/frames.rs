//! Frames that no browser sends.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::live::Closed;
use crate::support::{PATIENCE, Person, RoomId, Town};

const TEXT: u8 = 0x1;
const CONTINUATION: u8 = 0x0;
const END: u8 = 0x80;

/// A frame as a client sends it: masked, here with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Sends raw bytes over a new channel and reads until the server closes; the code, if it gave one.
async fn ends_after(person: &Person, room: RoomId, bytes: &[u8]) -> Option<u16> {
    let mut line = person.opens_a_channel_and_sleeps(room, 0).await;
    let _ = line.write_all(bytes).await;
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, line.read_to_end(&mut rest))
        .await
        .expect("the server closes the line");
    let head = rest
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map_or(0, |at| at + 4);
    code(&rest[head..])
}

/// The code of the close frame among a server's frames.
fn code(mut frames: &[u8]) -> Option<u16> {
    while frames.len() >= 2 {
        let (start, length) = match frames[1] {
            126 => (
                4,
                usize::from(u16::from_be_bytes([*frames.get(2)?, *frames.get(3)?])),
            ),
            length => (2, usize::from(length)),
        };
        let payload = frames.get(start..start + length)?;
        if frames[0] & 0x0f == 0x8 {
            return Some(u16::from_be_bytes([*payload.first()?, *payload.get(1)?]));
        }
        frames = &frames[start + length..];
    }
    None
}

/// A town in which Ada has a room, with words in it.
async fn ada_in_a_room() -> (Town, Person, RoomId) {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    (town, ada, room)
}

#[tokio::test]
async fn a_message_over_64_kib_is_too_big() {
    let (_town, ada, room) = ada_in_a_room().await;
    let big = vec![b'x'; 64 * 1024 + 1];
    assert_eq!(
        ends_after(&ada, room, &frame(END | TEXT, &big)).await,
        Some(1009)
    );
    let announced = [
        END | TEXT,
        0x80 | 127,
        0,
        0,
        0,
        0xff,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    assert_eq!(
        ends_after(&ada, room, &announced).await,
        Some(1009),
        "refused by its head alone"
    );
    let mut pieces = frame(TEXT, &big[..40_000]);
    pieces.extend(frame(END | CONTINUATION, &big[..40_000]));
    assert_eq!(ends_after(&ada, room, &pieces).await, Some(1009));
}

#[tokio::test]
async fn a_frame_that_breaks_the_protocol_ends_the_channel() {
    let (_town, ada, room) = ada_in_a_room().await;
    let mut unmasked = frame(END | TEXT, b"hello");
    unmasked[1] &= 0x7f;
    unmasked.drain(2..6);
    let mut long_ping = frame(END | 0x9, &[b'x'; 125]);
    long_ping[1] = 0x80 | 126;
    for (what, bytes) in [
        ("unmasked", unmasked),
        ("reserved bits", frame(END | 0x40 | TEXT, b"hello")),
        ("reserved kind", frame(END | 0x3, b"hello")),
        (
            "a continuation of nothing",
            frame(END | CONTINUATION, b"hello"),
        ),
        ("a ping in pieces", frame(0x9, b"hello")),
        ("a long ping", long_ping),
    ] {
        assert_eq!(ends_after(&ada, room, &bytes).await, Some(1002), "{what}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_channel() {
    let (_town, ada, room) = ada_in_a_room().await;
    assert_eq!(
        ends_after(&ada, room, &frame(END | TEXT, &[0xff, 0xfe, 0xfd])).await,
        Some(1007)
    );
}

#[tokio::test]
async fn binary_is_not_spoken_here() {
    let (_town, ada, room) = ada_in_a_room().await;
    let mut ear = ada.listens(room, 0).await;
    ear.says(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(ear.closes_with().await, Closed(Some(1003)));
}

#[tokio::test]
async fn nothing_that_a_client_says_changes_anything() {
    let (town, ada, room) = ada_in_a_room().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for words in [
        "",
        "hello",
        "{\"body\":\"hello\"}",
        "<p id=messages>",
        &deep,
        "\0",
    ] {
        let mut ear = ada.listens(room, 0).await;
        ear.says(Message::text(words.to_owned())).await;
    }
    let mut empty = frame(TEXT, b"");
    for _ in 0..10_000 {
        empty.extend(frame(CONTINUATION, b""));
    }
    empty.extend(frame(END | 0x8, &1000_u16.to_be_bytes()));
    ends_after(&ada, room, &empty).await;

    let mut ear = town.person("ben").await.listens(room, 0).await;
    assert_eq!(ada.posts(room, "the first").await, 1);
    ear.sees(1).await;
}

#[tokio::test]
async fn forty_lines_that_break_off_leave_nothing_behind() {
    let (_town, ada, room) = ada_in_a_room().await;
    let lines = join_all((0..40).map(|_| ada.opens_a_channel_and_sleeps(room, 0))).await;
    drop::<Vec<TcpStream>>(lines);
    let mut ear = ada.listens(room, 0).await;
    for n in 1..=5 {
        ada.posts(room, "hello").await;
        ear.sees(n).await;
    }
}
