//! Somebody who listens where no WebSocket gets through: the live channel as a stream of events.

use reqwest::{Method, Response};
use tokio::time::timeout;

use super::actor::{Person, RoomId};
use super::sight::messages_in;
use super::{PATIENCE, Shown};

/// An event of the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Empty for those that carry a fragment.
    pub name: String,
    pub data: String,
    pub id: Option<String>,
}

/// An open stream and what came through it.
pub struct Stream {
    answer: Response,
    waiting: Vec<u8>,
    events: Vec<Event>,
    last_id: String,
}

impl Person {
    /// Follows a room (and the lobby) from this cursor on.
    pub async fn follows(&self, room: RoomId, rev: u64) -> Stream {
        let query = format!("?room={room}&rev={rev}");
        let opened = self.tries_to_follow(&query, "").await;
        opened.expect("the stream opens")
    }

    /// Opens `/live/events` with this query, going on after an id, or brings back the status of the refusal.
    pub async fn tries_to_follow(&self, query: &str, last_id: &str) -> Result<Stream, u16> {
        let url = format!("{}/live/events{query}", self.url());
        let mut ask = self.client().request(Method::GET, url);
        ask = ask
            .header("accept", "text/event-stream")
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "cors")
            .header("cookie", self.cookies());
        if !last_id.is_empty() {
            ask = ask.header("last-event-id", last_id);
        }
        let answer = ask.send().await.expect("the server is there");
        match answer.status().as_u16() {
            200 => {
                let kind = answer.headers()["content-type"].to_str();
                assert_eq!(kind.expect("ASCII"), "text/event-stream");
                Ok(Stream {
                    answer,
                    waiting: Vec::new(),
                    events: Vec::new(),
                    last_id: last_id.to_owned(),
                })
            }
            status => Err(status),
        }
    }

    /// Tells the server that the question has been reached, as the page's script does.
    pub async fn answers(&self, ask: &Event) {
        assert_eq!(ask.name, "ask");
        let (connection, number) = ask.data.split_once('&').expect("two fields");
        let form = [connection, number].map(|field| field.split_once('=').expect("a value"));
        self.sends(Method::POST, "/live/received", &form)
            .await
            .is(204);
    }
}

impl Stream {
    /// The next event, or nothing when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read())
            .await
            .unwrap_or_else(|_| panic!("nothing came any more after {:#?}", self.events))
    }

    /// Listens until a fragment has this text in it.
    pub async fn hears(&mut self, text: &str) -> Event {
        self.finds(|event| event.name.is_empty() && event.data.contains(text))
            .await
    }

    /// Listens until an event of this name comes.
    pub async fn is_told(&mut self, name: &str) -> Event {
        self.finds(|event| event.name == name).await
    }

    /// Listens until a fragment shows this message of the room.
    pub async fn sees(&mut self, seq: u64) -> Shown {
        let event = self
            .finds(|event| messages_in(&event.data).iter().any(|it| it.seq == seq))
            .await;
        let mut shown = messages_in(&event.data).into_iter();
        shown.find(|it| it.seq == seq).expect("it was found by it")
    }

    /// The fragments so far.
    pub fn fragments(&self) -> Vec<&str> {
        let all = self.events.iter().filter(|event| event.name.is_empty());
        all.map(|event| event.data.as_str()).collect()
    }

    /// Where a browser would go on after a break.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    async fn finds(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.next().await {
                Some(event) if wanted(&event) => return event,
                Some(_) => {}
                None => panic!("the stream ended after {:#?}", self.events),
            }
        }
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.waiting.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.waiting.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("UTF-8");
                if let Some(event) = self.event(&block) {
                    self.events.push(event.clone());
                    return Some(event);
                }
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self.waiting.extend(chunk),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// What a block of lines is; nothing for one without data.
    fn event(&mut self, block: &str) -> Option<Event> {
        let mut event = Event::default();
        let mut data = Vec::new();
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("data", text)) => data.push(text),
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => {
                    id.clone_into(&mut self.last_id);
                    event.id = Some(id.to_owned());
                }
                Some(("retry" | "", _)) | None => {}
                Some(other) => panic!("a line that nobody knows: {other:?}"),
            }
        }
        event.data = data.join("\n");
        let is_fragment = event.name.is_empty() && !data.is_empty();
        assert!(!is_fragment || event.data.starts_with('<'), "{event:?}");
        (!data.is_empty()).then_some(event)
    }
}
