//! Whether the process lives, whether it can serve, and the files that every page needs.

use std::sync::Arc;

use poem::{
    Request, Response, handler,
    http::StatusCode,
    web::{Data, Path},
};

use super::{Site, assets, error::Problem, gzip};
use crate::realtime::Redis;

#[handler]
pub fn healthz() -> &'static str {
    "ok"
}

#[handler]
pub async fn readyz(Data(site): Data<&Arc<Site>>) -> Response {
    let draining = site.app.draining.is_cancelled();
    let database = if site.app.chat.ping().await.is_ok() {
        "ok"
    } else {
        "down"
    };
    let ready = !draining && database == "ok";
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut state =
        serde_json::json!({ "ready": ready, "draining": draining, "database": database });
    if let Some(is_up) = site.app.chat.redis().map(Redis::is_up) {
        // Without Redis everything works, a little later: it is no reason to send people elsewhere.
        state["redis"] = if is_up { "ok" } else { "degraded" }.into();
    }
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(state.to_string())
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
