//! Whether the process lives, whether it can serve, and the files that every page needs.

use std::sync::Arc;

use poem::{
    Request, Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};

use super::{Site, assets, error::Problem, gzip};
use crate::{
    domain::{Cause, Condition},
    realtime::Redis,
};

#[handler]
pub fn healthz() -> &'static str {
    "ok"
}

/// 503 only while no page can be served from here: a balancer then sends people elsewhere, if there is an elsewhere.
/// That posts are refused is said in words, for reading goes on.
#[handler]
pub async fn readyz(Data(site): Data<&Arc<Site>>) -> Response {
    let draining = site.app.draining.is_cancelled();
    let condition = site.app.chat.condition().await;
    let is_ready = !draining && condition.reading.is_ok();
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut state = state(condition);
    state["ready"] = is_ready.into();
    state["draining"] = draining.into();
    if let Some(cause) = site.app.chat.database_cause() {
        // In the server's own words.
        state["database_cause"] = cause.into();
    }
    if let Some(is_up) = site.app.chat.redis().map(Redis::is_up) {
        // Without Redis everything works, a little later: it is no reason to send people elsewhere.
        state["redis"] = if is_up { "ok" } else { "degraded" }.into();
    }
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(state.to_string())
}

fn state(condition: Condition) -> Value {
    let word = |outcome: Result<(), Cause>| outcome.map_or_else(Cause::as_str, |()| "ok");
    let database = match condition.reading {
        Ok(()) => "ok",
        Err(Cause::Damaged) => "damaged",
        Err(Cause::Replaced) => "replaced",
        Err(_) => "down",
    };
    let mut state = json!({
        "database": database,
        "reading": word(condition.reading),
        "writing": word(condition.writing),
        "posts": if condition.writing.is_ok() { "accepted" } else { "refused" },
    });
    if let Err(cause) = condition.writing {
        state["cause"] = cause.as_str().into();
    }
    if let Some(disk) = condition.disk {
        let (left, free, size) = (disk.room().as_str(), disk.free, disk.size);
        state["disk"] = json!({ "left": left, "free_bytes": free, "size_bytes": size });
    }
    state
}

/// At the root, so that it may care for every page. It is asked for anew each time, so it has no fingerprint.
#[handler]
pub fn service_worker() -> Result<Response, Problem> {
    assets::answer("latest", "js/sw.js", false)
}

/// What a browser needs to install the chat as an app of its own.
#[handler]
pub fn manifest() -> Result<Response, Problem> {
    assets::answer("latest", "manifest.webmanifest", false)
}

#[handler]
pub fn asset(
    req: &Request,
    Path((fingerprint, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    assets::answer(&fingerprint, &path, gzip::is_welcome(req.headers()))
}
