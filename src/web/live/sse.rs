//! The live channel as a stream of server-sent events, for networks that let no WebSocket through: the same fragments.
//!
//! Events without a name carry fragments; their id `ROOM:REV` is where to go on after a break. Named ones are for the
//! page's script: `ask`, and at the end `signed-out`, `parked` or `restart`. The stream is made only as fast as it is
//! read: what waits for a slow reader is its queue, which is bounded, and what the connection has buffered.

use std::{io, sync::Arc};

use async_stream::stream;
use bytes::Bytes;
use futures_util::Stream;
use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use serde::Deserialize;

use super::{
    connections::{Signal, Transport},
    entrance::{self, Position},
    feed::{End, Feed, Frame, Visit},
};
use crate::web::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look},
    forms::{Fields, Form, Query},
    guard::from_here,
};

/// How long a browser waits before it comes back after a break, in milliseconds; the page's script has its own pace.
const RETRY: u32 = 2_000;
/// How many bytes are made before the reader has to take them.
const MOST_AT_ONCE: usize = 256 * 1024;

#[handler]
pub async fn events(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Query(position): Query<Position>,
) -> Result<Response, Problem> {
    from_here(site, req)?;
    let visit = entrance::admit(site, req, (&user, look), &position, Transport::Sse).await?;
    let answer = Response::builder().content_type("text/event-stream");
    // Proxies that gather answers before they pass them on are told not to.
    let answer = answer.header("x-accel-buffering", "no");
    Ok(answer.body(Body::from_bytes_stream(follow(visit))))
}

/// The answer of a page's script to `ask`.
#[derive(Debug, Deserialize)]
pub struct Received {
    connection: u64,
    number: u32,
}

impl Fields for Received {
    const LIMIT: usize = 256;
}

/// Everything before the question has been received. An answer to a question that nobody asks any more changes nothing.
#[handler]
pub async fn received(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<Received>,
) -> Result<StatusCode, Problem> {
    site.limits.receipt(user.id()).await?;
    let Received { connection, number } = form;
    if !site.connections.received(user.id(), connection, number) {
        // A balancer may have brought this to another node than the stream comes from.
        let chat = &site.app.chat;
        chat.pass_on_received(user.id(), connection, number);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody is signed in, and whether plain requests get through.
#[handler]
pub fn session(_: CurrentUser) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Everything that goes to one page, until the end. It is dropped with its connection.
fn follow(visit: Visit) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream! {
        yield Ok(Bytes::from(format!("retry: {RETRY}\n\n")));
        let (mut feed, mut frames) = match Feed::open(visit).await {
            Ok(opened) => opened,
            Err((connection, end)) => {
                connection.ends(end.as_str());
                yield Ok(last_words(end));
                return;
            }
        };
        let end = loop {
            for chunk in chunks(&feed, std::mem::take(&mut frames)) {
                feed.connection.sent(chunk.len());
                yield Ok(chunk);
            }
            let due = tokio::select! {
                due = feed.due() => due,
                signal = feed.connection.signal() => match signal {
                    Signal::Parked => break End::Parked,
                    Signal::Received(number) => {
                        feed.received(number);
                        continue;
                    }
                },
            };
            match feed.take(due).await {
                Ok(due) => frames = due,
                Err(end) => break end,
            }
        };
        feed.connection.ends(end.as_str());
        yield Ok(last_words(end));
    }
}

/// Frames as events, in pieces of about [`MOST_AT_ONCE`].
fn chunks(feed: &Feed, frames: Vec<Frame>) -> Vec<Bytes> {
    let (room, connection) = (feed.cursor().0, feed.connection.id());
    let (mut chunks, mut text) = (Vec::new(), String::new());
    for frame in frames {
        match frame {
            Frame::Fragment(html, None) | Frame::Beat(html) => event(&mut text, "", &html),
            Frame::Fragment(html, Some(rev)) => {
                event(&mut text, &format!("id: {room}:{rev}\n"), &html)
            }
            Frame::Ask(number) => {
                let form = format!("connection={connection}&number={number}");
                event(&mut text, "event: ask\n", &form);
            }
        }
        if text.len() > MOST_AT_ONCE {
            chunks.push(std::mem::take(&mut text).into());
        }
    }
    if !text.is_empty() {
        chunks.push(text.into());
    }
    chunks
}

/// One event. Whatever ends a line for any parser ends one here.
fn event(text: &mut String, head: &str, data: &str) {
    text.push_str(head);
    for line in data.trim_end().lines().flat_map(|line| line.split('\r')) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
}

/// What the page's script is told at the end; without a word it comes back by itself.
fn last_words(end: End) -> Bytes {
    Bytes::from_static(match end {
        End::SignedOut => b"event: signed-out\ndata: signed-out\n\n",
        End::Parked => b"event: parked\ndata: parked\n\n",
        End::Restart => b"event: restart\ndata: restart\n\n",
        End::TooSlow | End::TryAgain => b": come back\n\n",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_of_several_lines_is_one_event() {
        let mut text = String::new();
        event(&mut text, "id: 7:3\n", "<p>\r\none\rtwo\n\n</p>\n");
        assert_eq!(
            text,
            "id: 7:3\ndata: <p>\ndata: one\ndata: two\ndata: \ndata: </p>\n\n"
        );
    }
}
