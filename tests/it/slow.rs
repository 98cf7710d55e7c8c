//! The slow reader, who is cut off and delays nobody.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::support::{PATIENCE, Town};

/// More than the operating system and the server's queue hold together.
const POSTS: u64 = 1_200;

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_cut_off_and_the_others_hear_everything() {
    let town = Town::start().await;
    let (ada, ben) = town.ada_and_ben().await;
    let room = ada.creates_room("General").await;
    let mut sleeper = ben.opens_a_channel_and_sleeps(room, 0).await;
    let mut awake = ben.listens(room, 0).await;

    let writers: Vec<_> = (0..12)
        .map(|_| {
            let ada = ada.clone();
            tokio::spawn(async move {
                for _ in 0..POSTS / 12 {
                    ada.posts(room, &"long ".repeat(1_999)).await;
                }
            })
        })
        .collect();
    let seen = awake.sees_until(|message| message.seq == POSTS).await;
    assert_eq!(
        seen.iter().map(|message| message.seq).collect::<Vec<_>>(),
        (1..=POSTS).collect::<Vec<_>>()
    );
    for writer in writers {
        writer.await.expect("nobody waited for the sleeper");
    }

    let mut left_over = Vec::new();
    let end = timeout(
        PATIENCE + Duration::from_secs(10),
        sleeper.read_to_end(&mut left_over),
    )
    .await;
    assert!(end.is_ok(), "the sleeper's line is still open");
    let got = left_over
        .windows(12)
        .filter(|bytes| bytes == b"id=\"message-")
        .count() as u64;
    assert!(
        got < POSTS,
        "the sleeper was cut off before the end, not after {got}"
    );
    if let Some(code) = close_code(&left_over) {
        assert_eq!(code, 1013, "try again later");
    }
}

/// The code of a close frame at the end of a stream, if one was still written.
fn close_code(bytes: &[u8]) -> Option<u16> {
    let tail = &bytes[bytes.len().saturating_sub(128)..];
    let start = tail
        .windows(2)
        .rposition(|pair| pair[0] == 0x88 && (2..126).contains(&pair[1]))?;
    let length = usize::from(tail[start + 1]);
    let close = tail.get(start + 2..)?;
    (close.len() == length).then(|| u16::from_be_bytes([close[0], close[1]]))
}
