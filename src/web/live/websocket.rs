//! The live channel over WebSocket: all checks before the upgrade, then one task per connection.
//!
//! The task drains its queue, feeds every frame, flushes once. It never waits for anyone else, and nobody for it.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use poem::{
    OnUpgrade, Request, Response, Upgraded, handler,
    http::{HeaderMap, HeaderName, StatusCode, header},
    web::Data,
};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message as Frame, Utf8Bytes,
        error::CapacityError,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{Connection, Reader, asked::Asked};
use crate::{
    clock::UnixMillis,
    error::Error,
    ids::{Rev, RoomId},
    realtime::Wake,
    web::{
        Site,
        error::Problem,
        extract::{CurrentUser, Look},
        forms::Query,
        guard::is_origin_of,
    },
};

/// Nothing that a browser sends here is larger; a larger frame is refused from its head.
const MOST_INBOUND: usize = 64 * 1024;
/// How many bytes are put into a reader's buffer before they have to go out.
const MOST_OUTBOUND: usize = 256 * 1024;
/// Small, because it is allocated per connection (128 KiB otherwise) and readers send next to nothing.
const READ_BUFFER: usize = 1024;
/// How long a reader may leave a full socket unread.
const FLUSH: Duration = Duration::from_secs(10);
/// How often a ping goes out; whoever has not answered when the second next is due is gone.
const PING: Duration = Duration::from_secs(25);

/// Which room, and how far the page has seen it and the lobby.
#[derive(Deserialize)]
pub struct Position {
    room: Option<String>,
    rev: Option<String>,
    at: Option<String>,
}

#[handler]
pub async fn live(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Query(position): Query<Position>,
) -> Result<Response, Problem> {
    let key = handshake(req.headers())?;
    let room = match position.room.as_deref() {
        Some(id) => {
            let id = RoomId::parse(id).map_err(|_| Error::NotFound)?;
            Some(site.app.chat.room_for(user.id(), id).await?)
        }
        None => None,
    };
    let rev = Rev(number(position.rev.as_deref())?);
    // A page that does not say when it was made gets no lobby lines but those that change from now on.
    let at = position
        .at
        .as_deref()
        .map_or(Ok(site.app.clock.now().0), |at| number(Some(at)))?;
    site.limits.connect(user.id())?;
    let too_many = Error::TooMany {
        retry_after: Duration::from_secs(30),
    };
    let connection = site
        .connections
        .open(user.id(), site.limits.most_connections())
        .ok_or(too_many)?;
    let upgrade = req.take_upgrade().map_err(|_| Problem::Malformed)?;
    let reader = Reader::new(
        site.clone(),
        (user.user(), user.session()),
        look.zone,
        room,
        rev,
    );
    site.app
        .tasks
        .spawn(serve(upgrade, reader, UnixMillis(at), connection));
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let answer = answer
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket");
    Ok(answer.header(header::SEC_WEBSOCKET_ACCEPT, key).finish())
}

/// The answer to the browser's key, if this is a WebSocket's handshake and comes from a page of ours.
fn handshake(headers: &HeaderMap) -> Result<String, Problem> {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if !is_origin_of(text(header::ORIGIN), text(header::HOST)) {
        return Err(Problem::CrossSite);
    }
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

fn number(text: Option<&str>) -> Result<i64, Problem> {
    match text {
        None | Some("0") => Ok(0),
        Some(text) => Rev::parse(text)
            .map(|rev| rev.0)
            .map_err(|_| Problem::Malformed),
    }
}

type Socket = WebSocketStream<Upgraded>;

/// How a connection ended on our side: what to tell the browser, or that the socket is gone.
enum End {
    Close(CloseCode, &'static str),
    Gone,
}

const TOO_SLOW: End = End::Close(CloseCode::Again, "too slow");

/// The page's script goes to the sign-in page at this code; htmx does not come back after it.
const SIGNED_OUT: End = End::Close(CloseCode::Policy, "signed out");

impl From<WsError> for End {
    fn from(err: WsError) -> Self {
        match err {
            WsError::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Close(CloseCode::Size, "too large")
            }
            WsError::Utf8(_) => Self::Close(CloseCode::Invalid, "not UTF-8"),
            WsError::Protocol(_) => Self::Close(CloseCode::Protocol, "protocol error"),
            WsError::WriteBufferFull(_) => TOO_SLOW,
            _ => Self::Gone,
        }
    }
}

impl From<Error> for End {
    fn from(err: Error) -> Self {
        tracing::warn!(error = %err, "a live connection could not be brought up to date");
        Self::Close(CloseCode::Again, "try again")
    }
}

/// Ends with the socket, or when the site stops.
async fn serve(upgrade: OnUpgrade, reader: Reader, at: UnixMillis, connection: Connection) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MOST_INBOUND))
        .max_frame_size(Some(MOST_INBOUND));
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    if let Err(End::Close(code, reason)) = Box::pin(talk(&mut socket, reader, at)).await {
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        // Whoever does not take the close frame in time notices the lost connection instead.
        let _ = timeout(Duration::from_secs(1), async {
            if socket.send(Frame::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        })
        .await;
    }
    drop(connection);
}

async fn talk(socket: &mut Socket, mut reader: Reader, at: UnixMillis) -> Result<(), End> {
    let subscription = reader.subscribe();
    let stopping = reader.site.app.stopping.clone();
    if !reader.is_signed_in().await? {
        return Err(SIGNED_OUT);
    }
    let missed = reader.catch_up(at).await?;
    send(socket, missed).await?;
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    let mut asked = Asked::default();
    loop {
        let due = next_due(&reader, &asked);
        tokio::select! {
            biased;
            () = stopping.cancelled() => return Err(End::Close(CloseCode::Restart, "restarting")),
            wake = subscription.next() => {
                let mut frames = take_news(&mut reader, wake).await?;
                frames.extend(take_due(&mut reader, &mut asked));
                tokio::select! {
                    biased;
                    sent = send_frames(socket, frames) => sent?,
                    () = subscription.cut() => return Err(TOO_SLOW),
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                send_frames(socket, take_due(&mut reader, &mut asked)).await?;
            }
            inbound = socket.next() => match inbound {
                None | Some(Ok(Frame::Close(_))) => return Ok(()),
                Some(Ok(Frame::Pong(payload))) => {
                    unanswered = 0;
                    if let Some(received) = asked.answer(&payload) {
                        reader.received(received);
                    }
                }
                Some(Ok(Frame::Ping(_) | Frame::Frame(_))) => unanswered = 0,
                Some(Ok(Frame::Text(_) | Frame::Binary(_))) => {
                    return Err(End::Close(CloseCode::Unsupported, "nothing is read here"));
                }
                Some(Err(err)) => return Err(err.into()),
            },
            _ = pings.tick() => {
                if unanswered == 2 {
                    return Err(End::Gone);
                }
                unanswered += 1;
                let labels = reader.take_new_day().await?;
                send(socket, labels).await?;
                send_frames(socket, [Frame::Ping(Vec::new().into())]).await?;
            }
        }
    }
}

/// The frames of all news that waits, in order.
async fn take_news(reader: &mut Reader, wake: Wake) -> Result<Vec<Frame>, End> {
    let Wake::News(waiting) = wake else {
        return Err(TOO_SLOW);
    };
    let mut frames = Vec::with_capacity(waiting.len() + 2);
    for news in waiting {
        if reader.is_signed_out_by(&news) {
            return Err(SIGNED_OUT);
        }
        frames.extend(reader.take(&news).await?.map(Frame::Text));
    }
    Ok(frames)
}

/// When the next lobby frame or question is due.
fn next_due(reader: &Reader, asked: &Asked) -> Option<Instant> {
    let ask_due = asked.due().filter(|_| reader.awaits_receipt());
    reader.lobby_due().into_iter().chain(ask_due).min()
}

/// The lobby frame and the question that are due by now: they go out with whatever else does, in one flush.
fn take_due(reader: &mut Reader, asked: &mut Asked) -> Vec<Frame> {
    let now = Instant::now();
    let mut frames = Vec::new();
    if reader.lobby_due().is_some_and(|due| due <= now) {
        frames.push(Frame::Text(reader.take_lobby()));
    }
    if reader.awaits_receipt() && asked.due().is_some_and(|due| due <= now) {
        frames.push(asked.ask(reader.take_sent()));
    }
    frames
}

async fn send(socket: &mut Socket, frames: Vec<Utf8Bytes>) -> Result<(), End> {
    send_frames(socket, frames.into_iter().map(Frame::Text)).await
}

/// Frames in order, flushed each time that enough of them wait: so much, and one frame, is what a reader can cost.
async fn send_frames(
    socket: &mut Socket,
    frames: impl IntoIterator<Item = Frame>,
) -> Result<(), End> {
    let mut waiting = 0;
    for frame in frames {
        waiting += frame.len();
        in_time(socket.feed(frame)).await?;
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
        Err(_) => Err(TOO_SLOW),
    }
}
