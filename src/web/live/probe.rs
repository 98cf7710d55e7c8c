//! What the server says to `tertulia doctor`, which asks it from outside as a browser does: what reached it of the
//! request, one frame over a WebSocket, two events over a stream. Whoever has no pass finds nothing here.

use std::{io, sync::Arc, time::Duration};

use async_stream::stream;
use bytes::Bytes;
use futures_util::SinkExt as _;
use poem::{
    Body, OnUpgrade, Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, RemoteAddr},
};
use serde::Deserialize;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use crate::{
    domain::accounts::Token,
    error::Error,
    web::{Site, client_address::ClientAddress, error::Problem, forms::Query},
};

/// How long after the first event the second comes: a proxy that holds back answers sends both at once.
const PAUSE: Duration = Duration::from_millis(1_500);

/// The pass.
#[derive(Deserialize)]
pub struct Pass {
    #[serde(default)]
    code: String,
}

async fn admit(site: &Site, req: &Request, pass: &Pass) -> Result<(), Problem> {
    let address = ClientAddress::of(site, req);
    site.limits.code(address).await?;
    if site.app.chat.is_pass(&Token::given(&pass.code)).await? {
        return Ok(());
    }
    site.limits.wrong_code(address).await?;
    Err(Error::NotFound.into())
}

/// What reached the server of this request, as JSON.
#[handler]
pub async fn show(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    Query(pass): Query<Pass>,
) -> Result<Response, Problem> {
    admit(site, req, &pass).await?;
    let RemoteAddr(peer) = req.remote_addr();
    let ip = peer.as_socket_addr().map(|peer| peer.ip().to_canonical());
    let forwarded = ["x-forwarded-for", "forwarded"];
    let seen = serde_json::json!({
        "peer": peer.as_socket_addr().map_or_else(|| "unix".into(), ToString::to_string),
        "host": req.header(header::HOST).unwrap_or_default(),
        "forwarded": forwarded.iter().any(|name| req.headers().contains_key(*name)),
        "trusted": ip != Some(ClientAddress::exact(site, req)),
        "proto": req.header("x-forwarded-proto"),
    });
    Ok(Response::builder()
        .content_type("application/json")
        .body(seen.to_string()))
}

/// One frame, then the end.
#[handler]
pub async fn live(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    Query(pass): Query<Pass>,
) -> Result<Response, Problem> {
    admit(site, req, &pass).await?;
    let key = req.header(header::SEC_WEBSOCKET_KEY);
    let key = derive_accept_key(key.ok_or(Problem::Malformed)?.as_bytes());
    let upgrade = req.take_upgrade().map_err(|_| Problem::Malformed)?;
    site.app.tasks.spawn(greet(upgrade));
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket");
    Ok(answer.header(header::SEC_WEBSOCKET_ACCEPT, key).finish())
}

/// Ends within [`PAUSE`]; a doctor who is gone need not hear it.
async fn greet(upgrade: OnUpgrade) {
    let Ok(socket) = upgrade.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    let _ = tokio::time::timeout(PAUSE, async {
        socket.send(Message::text("<p>hello</p>")).await?;
        socket.close(None).await
    })
    .await;
}

/// Two events, one after the other, then the end.
#[handler]
pub async fn events(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    Query(pass): Query<Pass>,
) -> Result<Response, Problem> {
    admit(site, req, &pass).await?;
    let events = stream! {
        yield Ok::<_, io::Error>(Bytes::from_static(b"data: first\n\n"));
        tokio::time::sleep(PAUSE).await;
        yield Ok(Bytes::from_static(b"data: second\n\n"));
    };
    Ok(Response::builder()
        .content_type("text/event-stream")
        // As the pages' own streams have it.
        .header("x-accel-buffering", "no")
        .body(Body::from_bytes_stream(events)))
}
