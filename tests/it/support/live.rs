//! Somebody who listens: the live channel over a real socket.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::actor::{Person, RoomId};
use super::sight::{cursor_in, messages_in};
use super::{PATIENCE, Shown};

/// An open live channel and all that came through it.
pub struct Ear {
    socket: WebSocketStream<TcpStream>,
    frames: Vec<String>,
    waiting: VecDeque<String>,
    pings: u64,
}

/// How a channel ended: the server's code, or nothing when the line was just cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed(pub Option<u16>);

impl Person {
    /// Listens to a room (and to the lobby) from this cursor on.
    pub async fn listens(&self, room: RoomId, rev: u64) -> Ear {
        self.tries_to_listen(&format!("?room={room}&rev={rev}"))
            .await
            .expect("the channel opens")
    }

    /// Listens to a room from now on: from the cursor that its page carries.
    pub async fn listens_from_now(&self, room: RoomId) -> Ear {
        let page = self.room(room).await;
        let rev = cursor_in(&page.body).expect("a room's page carries the cursor");
        self.listens(room, rev).await
    }

    /// Listens as the lobby page does.
    pub async fn listens_in_the_lobby(&self) -> Ear {
        self.tries_to_listen("").await.expect("the channel opens")
    }

    /// Opens `/live` with this query, or brings back the status of the refusal.
    pub async fn tries_to_listen(&self, query: &str) -> Result<Ear, u16> {
        let (_, host) = self.url().split_once("//").expect("a URL with a scheme");
        let line = TcpStream::connect(host).await.expect("the server is there");
        match client_async(self.upgrade(query), line).await {
            Ok((socket, _)) => Ok(Ear {
                socket,
                frames: Vec::new(),
                waiting: VecDeque::new(),
                pings: 0,
            }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("no answer to the upgrade: {error}"),
        }
    }

    /// Asks for the channel by plain HTTP, so that the refusal can be read in full.
    pub fn knocks(&self, query: &str) -> super::ask::Ask<'_> {
        self.asks(Method::GET, &format!("/live{query}"))
            .header("origin", self.url())
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-fetch-mode", "websocket")
    }

    /// Opens the channel and then never reads a byte; the operating system holds as little as it can.
    pub async fn opens_a_channel_and_sleeps(&self, room: RoomId, rev: u64) -> TcpStream {
        let (_, host) = self.url().split_once("//").expect("a URL with a scheme");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut line = socket
            .connect(host.parse().expect("an address"))
            .await
            .expect("the server is there");
        let head = format!(
            "GET /live?room={room}&rev={rev} HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nCookie: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.url(),
            self.cookies()
        );
        line.write_all(head.as_bytes())
            .await
            .expect("the server reads");
        let mut start = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut line, &mut start)
            .await
            .expect("the server answers");
        assert_eq!(&start, b"HTTP/1.1 101");
        line
    }

    /// The request that asks for the channel with this query.
    pub fn upgrade(&self, query: &str) -> Request<()> {
        let url = format!("{}/live{query}", self.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        let value = |text: &str| HeaderValue::from_str(text).expect("a header's value");
        request.headers_mut().insert("origin", value(self.url()));
        request
            .headers_mut()
            .insert("cookie", value(&self.cookies()));
        request
    }
}

impl Ear {
    /// The next frame.
    pub async fn next(&mut self) -> String {
        match self.next_or_end().await {
            Ok(frame) => frame,
            Err(closed) => panic!("the channel closed ({closed:?}) after {:#?}", self.frames),
        }
    }

    /// The next frame, or how the channel ended.
    pub async fn next_or_end(&mut self) -> Result<String, Closed> {
        match timeout(PATIENCE, self.read()).await {
            Ok(end) => end,
            Err(_) => panic!("nothing came any more after {:#?}", self.frames),
        }
    }

    /// Waits until the server listens to this channel too: what happens from then on comes as news.
    pub async fn settled(mut self) -> Ear {
        let ping = Message::Ping(b"settled?".to_vec().into());
        self.socket.send(ping).await.expect("the server listens");
        let answered = async {
            loop {
                match self
                    .socket
                    .next()
                    .await
                    .expect("the channel stays open")
                    .expect("a frame")
                {
                    Message::Pong(_) => return,
                    Message::Text(frame) => self.waiting.push_back(frame.to_string()),
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, answered)
            .await
            .expect("the server answers a ping");
        self
    }

    /// Listens until a frame has this text in it.
    pub async fn hears(&mut self, text: &str) -> String {
        loop {
            let frame = self.next().await;
            if frame.contains(text) {
                return frame;
            }
        }
    }

    /// Listens until a frame shows this message of the room.
    pub async fn sees(&mut self, seq: u64) -> Shown {
        self.sees_when(|message| message.seq == seq).await
    }

    /// Listens until a frame shows a message of which this is true.
    pub async fn sees_when(&mut self, wanted: impl Fn(&Shown) -> bool) -> Shown {
        loop {
            let frame = self.next().await;
            if let Some(found) = messages_in(&frame).into_iter().find(&wanted) {
                return found;
            }
        }
    }

    /// Every message in the order heard, until one of which this is true.
    pub async fn sees_until(&mut self, last: impl Fn(&Shown) -> bool) -> Vec<Shown> {
        let mut seen = Vec::new();
        loop {
            for message in messages_in(&self.next().await) {
                let end = last(&message);
                seen.push(message);
                if end {
                    return seen;
                }
            }
        }
    }

    /// Listens until the server closes, and tells with which code.
    pub async fn closes_with(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next_or_end().await {
                return closed;
            }
        }
    }

    /// All frames so far.
    pub fn frames(&self) -> &[String] {
        &self.frames
    }

    /// How often the server asked whether somebody is there.
    pub fn pings(&self) -> u64 {
        self.pings
    }

    /// Sends any frame to the server.
    pub async fn says(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server listens");
    }

    async fn read(&mut self) -> Result<String, Closed> {
        if let Some(frame) = self.waiting.pop_front() {
            self.frames.push(frame.clone());
            return Ok(frame);
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(frame))) => {
                    assert!(
                        frame.starts_with('<'),
                        "a frame that could be taken for JSON: {frame}"
                    );
                    self.frames.push(frame.to_string());
                    return Ok(frame.to_string());
                }
                Some(Ok(Message::Close(close))) => {
                    return Err(Closed(close.map(|close| code(close.code))));
                }
                Some(Ok(Message::Ping(_))) => self.pings += 1,
                Some(Ok(Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("not a text frame: {other:?}"),
                Some(Err(_)) | None => return Err(Closed(None)),
            }
        }
    }
}

fn code(code: CloseCode) -> u16 {
    code.into()
}
