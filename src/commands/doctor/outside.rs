//! The address that people type, asked as a browser asks: does it lead here, do WebSockets and event streams get
//! through, and does the server know who asks.

use std::io;

use serde::Deserialize;

use super::{
    Report,
    http::{self, Answer},
};
use crate::{
    clock::Clock,
    commands::beside::Beside,
    config::{Config, DatabaseConfig, PublicUrl},
};

/// What a browser sends to open a WebSocket; any key will do.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What the server says of a request: see `web::doctor`.
#[derive(Deserialize)]
struct Seen {
    peer: String,
    host: String,
    forwarded: bool,
    trusted: bool,
    proto: Option<String>,
}

/// Asks from outside, if there is an outside address.
pub async fn look(config: &Config, serves: bool, report: &mut Report) {
    let Some(url) = &config.public_url else {
        return report.good(
            "public address",
            "none is set: people open the address above",
        );
    };
    if !url.https && !is_on_this_machine(url) {
        let words = format!("{url} is not encrypted: passwords can be read on their way");
        report.bad(
            "public address",
            words,
            "give it https: a proxy with a certificate in front",
        );
    }
    let pass = match pass(config).await {
        Ok(pass) => pass,
        Err(words) => {
            let words = format!("{url} was not asked: {words}");
            let remedy = "run this where the server can reach its database";
            return report.bad("public address", words, remedy);
        }
    };
    let path = format!("/doctor?code={pass}");
    match http::get(url, &path, "").await {
        Err(err) => not_reached(url, &err, report),
        Ok(answer) if answer.status == 200 => {
            seen(url, answer, report).await;
            websocket(url, &pass, report).await;
            events(url, &pass, report).await;
        }
        Ok(answer) => not_ours(url, answer.status, serves, report),
    }
}

/// Whether only this machine leads there.
fn is_on_this_machine(url: &PublicUrl) -> bool {
    let host = http::host(url);
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// A pass by which the server at the other end knows this doctor, and this doctor that server.
async fn pass(config: &Config) -> Result<String, String> {
    let database = DatabaseConfig {
        data: config.data.clone(),
        database: config.database.clone(),
    };
    let beside = Beside::open(&database).await.map_err(|err| err.0)?;
    let pass = beside.chat.make_pass().await;
    beside.close().await;
    match pass {
        Ok(pass) => Ok(pass.as_str().to_owned()),
        Err(err) => Err(err.to_string()),
    }
}

fn not_reached(url: &PublicUrl, err: &io::Error, report: &mut Report) {
    let words = format!("{url} cannot be reached from here: {err}");
    let remedy = match url.https {
        true => {
            "see whether its name leads to the proxy (DNS), the firewall lets it in, and its certificate is valid"
        }
        false => "see whether its name leads here (DNS), and the firewall lets it in",
    };
    report.bad("public address", words, remedy);
}

fn not_ours(url: &PublicUrl, status: u16, serves: bool, report: &mut Report) {
    let (words, remedy) = match status {
        421 => (
            "the server does not know the name under which it is asked".to_owned(),
            "let the proxy pass the Host header on (nginx: proxy_set_header Host $host), and give the server the same --public-url",
        ),
        502..=504 => (
            format!("the proxy does not reach the server (status {status})"),
            match serves {
                true => "see that the proxy passes requests on to the address above",
                false => "start the server",
            },
        ),
        404 => (
            "another server answers there, or another version of this one".to_owned(),
            "see where the proxy passes requests on to, and restart the server after an upgrade",
        ),
        301..=308 => (
            format!("it leads elsewhere (status {status})"),
            "give the server the address where that ends as --public-url",
        ),
        _ => (
            format!("it answers with status {status}"),
            "see the proxy's log and the server's",
        ),
    };
    report.bad("public address", format!("{url}: {words}"), remedy);
}

/// What arrived of the request.
async fn seen(url: &PublicUrl, answer: Answer, report: &mut Report) {
    let own = answer.from.to_string();
    let text = answer.text().await.unwrap_or_default();
    let json = text
        .find('{')
        .and_then(|start| text.rfind('}').map(|end| &text[start..=end]));
    let seen = json.and_then(|json| serde_json::from_str::<Seen>(json).ok());
    let Some(seen) = seen else {
        let words = format!("{url}: the answer makes no sense");
        return report.bad(
            "public address",
            words,
            "see what the proxy does to answers",
        );
    };
    report.good("public address", format!("{url} leads to this chat"));
    if seen.host != url.authority {
        report.bad(
            "proxy",
            format!(
                "passes on the name {:?} in place of {:?}",
                seen.host, url.authority
            ),
            "let it pass the Host header on (nginx: proxy_set_header Host $host)",
        );
    }
    let peer = &seen.peer;
    match (seen.forwarded, seen.trusted) {
        (true, true) => report.good("proxy", "says who asks, and is trusted"),
        (true, false) => report.bad(
            "proxy",
            format!("{peer} says who asks, and is not trusted: everybody counts as one address"),
            format!("set --trusted-proxies {}", peer.rsplit_once(':').map_or(&**peer, |(ip, _)| ip)),
        ),
        (false, _) if *peer == own => report.good("proxy", "there is none between"),
        (false, _) => report.bad(
            "proxy",
            format!("{peer} does not say who asks: everybody counts as one address"),
            "let it send X-Forwarded-For (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), and set \
             --trusted-proxies to its address",
        ),
    }
    if let Some(proto) = seen.proto.filter(|proto| (proto == "https") != url.https) {
        report.bad(
            "proxy",
            format!("says that people come by {proto}, and --public-url says {url}"),
            "let both say the same",
        );
    }
}

async fn websocket(url: &PublicUrl, pass: &str, report: &mut Report) {
    let path = format!("/doctor/live?code={pass}");
    let status = match http::get(url, &path, UPGRADE).await {
        Ok(mut answer) if answer.status == 101 && !answer.header("upgrade").is_empty() => {
            match answer.read_until("hello").await {
                Ok(Some(_)) => return report.good("WebSocket", "gets through"),
                _ => "no frame came".to_owned(),
            }
        }
        Ok(answer) => format!("status {}", answer.status),
        Err(err) => err.to_string(),
    };
    report.bad(
        "WebSocket",
        format!("does not get through ({status}): pages fall back to event streams"),
        "let the proxy pass it on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection \"upgrade\")",
    );
}

async fn events(url: &PublicUrl, pass: &str, report: &mut Report) {
    let path = format!("/doctor/events?code={pass}");
    let begun = Clock::system().now();
    let first = match http::get(url, &path, "").await {
        Ok(mut answer) => answer.read_until("first").await.ok().flatten(),
        Err(_) => None,
    };
    let took = Clock::system().now().since(begun);
    match first {
        // The second event is sent only later: with it came what was held back.
        Some(body) if !body.contains("second") => {
            report.good("event stream", format!("gets through, within {} ms", took.as_millis()));
        }
        Some(_) => report.bad(
            "event stream",
            "is held back by the proxy",
            "let it pass answers on as they come (nginx: proxy_buffering off)",
        ),
        None => report.bad(
            "event stream",
            "does not get through",
            "let the proxy pass on answers that do not end (nginx: proxy_buffering off; proxy_read_timeout 1h)",
        ),
    }
}
