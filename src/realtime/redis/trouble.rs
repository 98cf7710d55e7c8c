//! Why Redis cannot be used: looked into while this node does not hear itself, and told to the operator at once, again
//! only when the cause is another. What was tried is said, the password never.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{Redis, link::Place};

/// How long a look may take. A node that does not hear itself any more has an answer before it says so.
const LOOK: Duration = Duration::from_millis(1_400);
/// How often it is looked whether there is anything to look into, and how long after one look the next one comes.
const TICK: Duration = Duration::from_millis(200);
const AGAIN: Duration = Duration::from_secs(2);
/// After how long a silence of a Redis that answers something is wrong with what this node says.
const UNHEARD: Duration = Duration::from_secs(4);

/// What the operator is to look at when what was set is wrong.
const SETTING: &str = "--redis (TERTULIA_REDIS)";

impl Redis {
    /// Looks, while this node does not hear itself, for the cause of it, and tells it if Redis counts as gone.
    pub(super) async fn look_for_trouble(self) {
        let mut since = Instant::now();
        loop {
            if self.hears_itself() {
                since = Instant::now();
                (*self.lock_cause(), *self.lock_refused()) = (None, None);
                sleep(TICK).await;
                continue;
            }
            let found = trouble(&self.0.place).await;
            let is_refused = self.lock_refused().is_some();
            let is_certain = found.is_some() || is_refused || since.elapsed() >= UNHEARD;
            *self.lock_cause() = Some(found.unwrap_or_else(|| self.unheard()));
            if is_certain && !self.is_up() && !self.hears_itself() {
                self.tell_trouble();
            }
            sleep(if is_certain { AGAIN } else { TICK }).await;
        }
    }

    /// Says in the log why Redis cannot be used, unless that was said last.
    pub(super) fn tell_trouble(&self) {
        let found = self.lock_cause().clone();
        let words = found.unwrap_or_else(|| silent(&places(&self.0.place)));
        let mut told = self.lock_told();
        if told.as_deref() != Some(words.as_str()) {
            tracing::warn!("{words} Meanwhile other nodes are followed through the database.");
            *told = Some(words);
        }
    }

    /// Remembers what Redis said to what it did not take. That there is no answer is found out otherwise.
    pub(super) fn note_refusal(&self, err: RedisError) {
        let first = |err: RedisError| match err.clone().into_server_errors() {
            Some(all) => all.first().map(|(_, err)| err.to_string()),
            None => Some(err.to_string()),
        };
        if !err.is_io_error()
            && let Some(said) = first(err)
        {
            *self.lock_refused() = Some(said);
        }
    }

    /// It answers, but what this node says does not come back to it.
    fn unheard(&self) -> String {
        let refused = self.lock_refused().clone();
        let what = match refused {
            Some(said) => format!("it refuses what this node says ({said})"),
            None => "it answers, but what this node says does not come back".into(),
        };
        sentence(
            &places(&self.0.place),
            &what,
            "The user needs the rights to publish and to subscribe to the channels tertulia:* (ACL: &tertulia:*).",
        )
    }
}

/// What is wrong with the way to Redis, if a look finds anything.
pub(super) async fn trouble(place: &Place) -> Option<String> {
    let (addresses, is_cluster) = match place {
        Place::Server(address) => (std::slice::from_ref(&**address), false),
        Place::Cluster(addresses) => (&addresses[..], true),
    };
    let mut found = None;
    for address in addresses {
        match timeout(LOOK, look(address, is_cluster)).await {
            // One server of a cluster is enough to find the others.
            Ok(Ok(())) => return None,
            Ok(Err(err)) if err.is_timeout() && speaks_plainly(address).await => {
                found = Some(no_tls(&name(address)));
            }
            Ok(Err(err)) => found = Some(explain(address, &err)),
            Err(_) if speaks_plainly(address).await => found = Some(no_tls(&name(address))),
            Err(_) => found = Some(silent(&name(address))),
        }
    }
    found
}

async fn look(address: &ConnectionInfo, is_cluster: bool) -> redis::RedisResult<()> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(LOOK))
        .set_response_timeout(Some(LOOK));
    let client = Client::open(address.clone())?;
    let mut line = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let question = if is_cluster { "CLUSTER" } else { "PING" };
    let mut cmd = redis::cmd(question);
    if is_cluster {
        cmd.arg("SLOTS");
    }
    cmd.exec_async(&mut line).await
}

/// Whether Redis answers without TLS where TLS was wanted: it waits for the end of what it takes for a line then.
async fn speaks_plainly(address: &ConnectionInfo) -> bool {
    let ConnectionAddr::TcpTls { host, port, .. } = address.addr() else {
        return false;
    };
    let asked = async {
        let mut line = TcpStream::connect((host.as_str(), *port)).await?;
        line.write_all(b"PING\r\n").await?;
        line.read_u8().await
    };
    matches!(timeout(LOOK, asked).await, Ok(Ok(b'+' | b'-')))
}

fn explain(address: &ConnectionInfo, err: &RedisError) -> String {
    let place = name(address);
    let is_tls = matches!(address.addr(), ConnectionAddr::TcpTls { .. });
    let said = err.to_string();
    let lines = |what: &str, todo: &str| sentence(&place, what, todo);
    if let Some(err) = as_tls(err) {
        return mistrusted(&place, err);
    }
    if let Some(err) = as_io(err) {
        return unreachable(&place, is_tls, err);
    }
    let has = |sign: &str| said.contains(sign) || err.code() == Some(sign);
    if has("WRONGPASS") || has("invalid username-password") || has("authentication failed") {
        return lines(
            "it refuses the user or the password",
            &format!(
                "Write redis://USER:PASSWORD@HOST:PORT (USER may be left out) into {SETTING}."
            ),
        );
    }
    if has("NOAUTH") {
        return lines(
            "it wants a password, and none is set",
            &format!("Write redis://:PASSWORD@HOST:PORT into {SETTING}."),
        );
    }
    if has("DENIED") {
        return lines(
            "it takes nobody from another machine (protected mode)",
            "Give it a password (requirepass), and that password to the nodes.",
        );
    }
    if has("LOADING") {
        return lines("it is still loading its data", "That passes.");
    }
    if has("cluster support disabled") {
        return lines(
            "it is a single server, not a cluster",
            &format!("Leave ?cluster and all addresses but one out of {SETTING}."),
        );
    }
    match is_closed(err) {
        true => hung_up(&place, is_tls),
        false => lines(&format!("it says: {said}"), "Its log may say more."),
    }
}

fn unreachable(place: &str, is_tls: bool, err: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let said = err.to_string();
    match err.kind() {
        Kind::ConnectionRefused => sentence(
            place,
            "nobody listens there (connection refused)",
            &format!("Start it, or correct host and port in {SETTING}."),
        ),
        Kind::TimedOut => silent(place),
        Kind::UnexpectedEof
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe => hung_up(place, is_tls),
        _ => match said.strip_prefix("failed to lookup address information: ") {
            Some(said) => sentence(
                place,
                &format!("its name cannot be looked up ({said})"),
                &format!("Correct the host in {SETTING}, or look at the network."),
            ),
            None => sentence(place, &said, "Look at the network."),
        },
    }
}

fn mistrusted(place: &str, err: &rustls::Error) -> String {
    use rustls::{CertificateError as Certificate, Error};
    match err {
        Error::InvalidCertificate(Certificate::UnknownIssuer) => sentence(
            place,
            "its certificate is by nobody whom this machine trusts",
            "Add who signed it to the system's certificates, or name a file of them by SSL_CERT_FILE.",
        ),
        Error::InvalidCertificate(err) => sentence(
            place,
            &format!("its certificate cannot be trusted ({err})"),
            "Use the name that the certificate has, or renew it.",
        ),
        Error::InvalidMessage(_) => no_tls(place),
        err => sentence(
            place,
            &format!("TLS came to nothing ({err})"),
            "Look at its settings for TLS.",
        ),
    }
}

fn no_tls(place: &str) -> String {
    sentence(
        place,
        "what answers there does not speak TLS",
        &format!("Write redis:// instead of rediss:// into {SETTING}, or the port for TLS."),
    )
}

fn hung_up(place: &str, is_tls: bool) -> String {
    let todo = match is_tls {
        true => "Is that the port for TLS (rediss://)?",
        false => "Does it expect TLS there (rediss:// instead of redis://)?",
    };
    sentence(place, "it closes the connection at once", todo)
}

fn silent(place: &str) -> String {
    sentence(
        place,
        "there is no answer",
        "Is it up, and does no firewall stand in between?",
    )
}

fn sentence(place: &str, what: &str, todo: &str) -> String {
    format!("cannot use Redis at {place}: {what}. {todo}")
}

fn places(place: &Place) -> String {
    match place {
        Place::Server(address) => name(address),
        Place::Cluster(addresses) => addresses.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// Where it is, and as whom it is spoken to.
fn name(address: &ConnectionInfo) -> String {
    match address.redis_settings().username() {
        Some(user) => format!("{} (user {user})", address.addr()),
        None => address.addr().to_string(),
    }
}

fn as_io(err: &RedisError) -> Option<&io::Error> {
    let inner = err.source()?;
    inner
        .downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?
        .downcast_ref()
}

fn as_tls(err: &RedisError) -> Option<&rustls::Error> {
    as_io(err)?.get_ref()?.downcast_ref()
}

fn is_closed(err: &RedisError) -> bool {
    err.is_connection_dropped() || err.kind() == redis::ErrorKind::Parse
}
