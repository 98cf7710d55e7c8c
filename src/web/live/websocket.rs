//! The live channel over WebSocket: all checks before the upgrade, then one task per connection.
//!
//! The task takes what is due, feeds every frame, flushes once. It never waits for anyone else, and nobody for it.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use poem::{
    OnUpgrade, Request, Response, Upgraded, handler,
    http::{HeaderName, StatusCode, header},
    web::Data,
};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message, Utf8Bytes,
        error::{CapacityError, ProtocolError},
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    connections::{Connection, Transport},
    entrance::{self, Position},
    feed::{self, Feed, Frame, Visit},
};
use crate::web::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look},
    forms::Query,
    guard::from_our_page,
};

/// Nothing that a browser sends here is larger; a larger frame is refused from its head.
const MOST_INBOUND: usize = 64 * 1024;
/// How many bytes are put into a reader's buffer before they have to go out.
const MOST_OUTBOUND: usize = 256 * 1024;
/// Small, because it is allocated per connection (128 KiB otherwise) and readers send next to nothing.
const READ_BUFFER: usize = 1024;
/// How long a reader may leave a full socket unread.
const FLUSH: Duration = Duration::from_secs(10);
/// Behind how many beats in a row a ping may stay unanswered; then the browser is gone.
const MOST_UNANSWERED: u32 = 2;

#[handler]
pub async fn live(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Query(position): Query<Position>,
) -> Result<Response, Problem> {
    from_our_page(site, req)?;
    let key = handshake(req)?;
    let visit = entrance::admit(site, req, (&user, look), &position, Transport::WebSocket).await?;
    let upgrade = req.take_upgrade().map_err(|_| Problem::Malformed)?;
    site.app.tasks.spawn(serve(upgrade, visit));
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let answer = answer
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket");
    Ok(answer.header(header::SEC_WEBSOCKET_ACCEPT, key).finish())
}

/// The answer to the browser's key, if this is a WebSocket's handshake.
fn handshake(req: &Request) -> Result<String, Problem> {
    let text = |name: HeaderName| req.header(name).unwrap_or_default();
    let upgrades = text(header::CONNECTION)
        .split(',')
        .any(|it| it.trim().eq_ignore_ascii_case("upgrade"));
    let is_websocket = text(header::UPGRADE).eq_ignore_ascii_case("websocket")
        && text(header::SEC_WEBSOCKET_VERSION) == "13";
    match text(header::SEC_WEBSOCKET_KEY) {
        "" => Err(Problem::Malformed),
        key if upgrades && is_websocket => Ok(derive_accept_key(key.as_bytes())),
        _ => Err(Problem::Malformed),
    }
}

type Socket = WebSocketStream<Upgraded>;

/// How a connection ended on our side: what to tell the browser, or that the socket is gone.
enum End {
    Close(CloseCode, &'static str),
    Gone,
}

/// The page's script goes to the sign-in page at 1008; at the other codes it comes back.
impl From<feed::End> for End {
    fn from(end: feed::End) -> Self {
        let code = match end {
            feed::End::SignedOut => CloseCode::Policy,
            feed::End::Restart => CloseCode::Restart,
            feed::End::TooSlow | feed::End::TryAgain | feed::End::Parked => CloseCode::Again,
        };
        Self::Close(code, end.as_str())
    }
}

impl From<WsError> for End {
    fn from(err: WsError) -> Self {
        match err {
            WsError::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Close(CloseCode::Size, "too large")
            }
            WsError::Utf8(_) => Self::Close(CloseCode::Invalid, "not UTF-8"),
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            WsError::Protocol(_) => Self::Close(CloseCode::Protocol, "protocol error"),
            WsError::WriteBufferFull(_) => feed::End::TooSlow.into(),
            _ => Self::Gone,
        }
    }
}

/// Ends with the socket, or when the site stops.
async fn serve(upgrade: OnUpgrade, visit: Visit) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MOST_INBOUND))
        .max_frame_size(Some(MOST_INBOUND));
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    let (connection, end) = Box::pin(attend(&mut socket, visit)).await;
    if let Err(End::Close(code, reason)) = end {
        connection.ends(reason);
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        // Whoever does not take the close frame in time notices the lost connection instead.
        let _ = timeout(Duration::from_secs(1), async {
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        })
        .await;
    }
    drop(connection);
}

/// Brings everything over until the end; gives the connection back, still counted, with the reason.
async fn attend(socket: &mut Socket, visit: Visit) -> (Connection, Result<(), End>) {
    match Feed::open(visit).await {
        Ok((mut feed, first)) => {
            let end = talk(socket, &mut feed, first).await;
            (feed.connection, end)
        }
        Err((connection, end)) => (connection, Err(end.into())),
    }
}

async fn talk(socket: &mut Socket, feed: &mut Feed, first: Vec<Frame>) -> Result<(), End> {
    let mut unanswered = 0;
    send(socket, &feed.connection, first).await?;
    loop {
        tokio::select! {
            biased;
            due = feed.due() => {
                let frames = feed.take(due).await?;
                if frames.iter().any(|frame| matches!(frame, Frame::Beat(_))) {
                    if unanswered == MOST_UNANSWERED {
                        return Err(End::Gone);
                    }
                    unanswered += 1;
                }
                tokio::select! {
                    biased;
                    sent = send(socket, &feed.connection, frames) => sent?,
                    () = feed.cut() => return Err(feed::End::TooSlow.into()),
                }
            }
            inbound = socket.next() => match inbound {
                None | Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Ok(Message::Pong(payload))) => {
                    unanswered = 0;
                    match <[u8; 4]>::try_from(payload.as_ref()) {
                        Ok(number) => feed.received(u32::from_be_bytes(number)),
                        Err(_) => feed.heard(),
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {
                    unanswered = 0;
                    feed.heard();
                }
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    return Err(End::Close(CloseCode::Unsupported, "nothing is read here"));
                }
                Some(Err(err)) => return Err(err.into()),
            },
        }
    }
}

/// Frames in order, flushed each time that enough of them wait: so much, and one frame, is what a reader can cost.
async fn send(socket: &mut Socket, connection: &Connection, frames: Vec<Frame>) -> Result<(), End> {
    let mut waiting = 0;
    for frame in frames {
        let (message, and_ping) = match frame {
            Frame::Fragment(html, _) => (Message::Text(html), false),
            Frame::Ask(number) => (Message::Ping(number.to_be_bytes().to_vec().into()), false),
            Frame::Beat(html) => (Message::Text(html), true),
        };
        waiting += message.len();
        connection.sent(message.len());
        in_time(socket.feed(message)).await?;
        if and_ping {
            in_time(socket.feed(Message::Ping(Vec::new().into()))).await?;
        }
        if waiting > MOST_OUTBOUND {
            waiting = 0;
            in_time(socket.flush()).await?;
        }
    }
    in_time(socket.flush()).await
}

async fn in_time(sending: impl Future<Output = Result<(), WsError>>) -> Result<(), End> {
    match timeout(FLUSH, sending).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(feed::End::TooSlow.into()),
    }
}
