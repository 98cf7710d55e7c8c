//! The live channel by either transport, for clients that take whatever comes and whatever does not.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Person, RoomId};

/// How long a channel may be silent before it is taken for lost, as in the browser.
const SILENCE: Duration = Duration::from_secs(45);

/// An open channel.
pub enum Channel {
    Socket(Box<WebSocketStream<TcpStream>>),
    Stream(Box<Events>),
}

/// Something that came through a channel.
pub enum Heard {
    Fragment(String),
    /// The server asks whether everything up to here was received: connection and number.
    Ask(String, String),
}

/// A stream of events, and what of it was not taken yet.
pub struct Events {
    answer: Response,
    bytes: Vec<u8>,
    heard: VecDeque<Heard>,
}

/// Why a channel did not open: the status of the refusal, or nothing when no answer came.
pub struct Closed(pub Option<u16>);

impl Channel {
    /// Opens a WebSocket to the room from this cursor on.
    pub async fn socket(person: &Person, room: RoomId, rev: u64) -> Result<Channel, Closed> {
        let query = format!("?room={room}&rev={rev}");
        let host = person.url().trim_start_matches("http://");
        let line = TcpStream::connect(host).await.map_err(|_| Closed(None))?;
        match client_async(person.upgrade(&query), line).await {
            Ok((socket, _)) => Ok(Channel::Socket(Box::new(socket))),
            Err(Error::Http(answer)) => Err(Closed(Some(answer.status().as_u16()))),
            Err(_) => Err(Closed(None)),
        }
    }

    /// Opens a stream of events. The cursor is told by the id that the last event had, as browsers do, and the query is
    /// that of a page which was loaded long ago.
    pub async fn stream(person: &Person, room: RoomId, rev: u64) -> Result<Channel, Closed> {
        let url = format!("{}/live/events?room={room}&rev=0", person.url());
        let ask = person.client().request(Method::GET, url);
        let ask = ask
            .header("accept", "text/event-stream")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", person.cookies())
            .header("last-event-id", format!("{room}:{rev}"));
        let answer = ask.send().await.map_err(|_| Closed(None))?;
        match answer.status().as_u16() {
            200 => Ok(Channel::Stream(Box::new(Events {
                answer,
                bytes: Vec::new(),
                heard: VecDeque::new(),
            }))),
            status => Err(Closed(Some(status))),
        }
    }

    /// How it gets here.
    pub fn transport(&self) -> &'static str {
        match self {
            Channel::Socket(_) => "websocket",
            Channel::Stream(_) => "sse",
        }
    }

    /// What comes next; nothing when the channel has ended or was silent for too long.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            // Anything at all ends the silence; what says nothing else is passed over.
            if let Some(heard) = timeout(SILENCE, self.reads()).await.ok()?? {
                return Some(heard);
            }
        }
    }

    /// What comes next, if it says something; nothing at all when the channel has ended.
    async fn reads(&mut self) -> Option<Option<Heard>> {
        match self {
            Channel::Stream(events) => events.reads().await,
            Channel::Socket(socket) => match socket.next().await {
                Some(Ok(Message::Text(frame))) => Some(Some(Heard::Fragment(frame.to_string()))),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(None),
                _ => None,
            },
        }
    }
}

impl Events {
    async fn reads(&mut self) -> Option<Option<Heard>> {
        if let Some(heard) = self.heard.pop_front() {
            return Some(Some(heard));
        }
        self.bytes.extend(self.answer.chunk().await.ok()??);
        while let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("UTF-8");
            self.heard.extend(event(&block));
        }
        Some(self.heard.pop_front())
    }
}

/// What a block of lines says; nothing for one that only keeps the line open or tells how the stream ends.
fn event(block: &str) -> Option<Heard> {
    let (mut name, mut data) = ("", Vec::new());
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", text)) => name = text,
            Some(("data", text)) => data.push(text),
            _ => {}
        }
    }
    match name {
        "" if !data.is_empty() => Some(Heard::Fragment(data.join("\n"))),
        "ask" => {
            let data = data.concat();
            let mut fields = form_urlencoded::parse(data.as_bytes());
            let mut field = || fields.next().expect("two fields").1.into_owned();
            Some(Heard::Ask(field(), field()))
        }
        _ => None,
    }
}
