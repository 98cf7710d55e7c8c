//! Where the server listens, and what follows from it: the addresses to open, and the name of the cookie.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use sha2::{Digest, Sha256};

use crate::{
    app::StartError,
    clock::Clock,
    config::{Config, ListenAddress, PublicUrl, TlsSource},
    listener::{Https, Listener, LocalAddress, Protocol, Socket},
    systemd::InheritedSockets,
};

/// What the server listens on.
pub struct Listening {
    /// All sockets.
    pub listener: Listener,
    /// What serving by HTTPS takes, where the server does that itself.
    pub https: Option<Https>,
}

/// Takes the configured addresses. Beside sockets that are open already it takes only those that were set.
///
/// # Errors
/// A sentence for the operator when an address, or what TLS takes, cannot be had.
pub async fn listen(
    config: &Config,
    clock: &Clock,
    open: InheritedSockets,
) -> Result<Listening, StartError> {
    let InheritedSockets { mut chat, mut http } = open;
    let mode = config.listener.socket_mode;
    let Some(source) = &config.tls.tls else {
        if chat.is_empty() || !config.listener.listen.is_empty() {
            bind(&mut chat, &config.listener.addresses(), mode).await?;
        }
        chat.append(&mut http);
        let sockets = chat.into_iter().map(|socket| (socket, Protocol::Http));
        return Ok(Listening {
            listener: Listener::new(sockets.collect()),
            https: None,
        });
    };
    match config.listener.listen.as_slice() {
        [] if chat.is_empty() => bind_all(&mut chat, 443).await?,
        wanted => bind(&mut chat, wanted, mode).await?,
    }
    match config.tls.http_listen.as_slice() {
        [] if http.is_empty() && *source == TlsSource::Auto => bind_all(&mut http, 80).await?,
        wanted => bind(&mut http, wanted, mode).await?,
    }
    let port = port(chat.iter().map(Socket::local)).unwrap_or(443);
    let public = config.public_url.as_ref();
    let https = Https::new(
        source,
        &config.tls,
        public,
        &config.data_dir(),
        port,
        clock.clone(),
    );
    let https = https.map_err(|words| StartError(format!("cannot serve https: {words}")))?;
    let redirect = Protocol::Redirect(https.tls.plain.clone());
    let chat = chat
        .into_iter()
        .map(|socket| (socket, Protocol::Https(https.tls.clone())));
    let http = http.into_iter().map(|socket| (socket, redirect.clone()));
    Ok(Listening {
        listener: Listener::new(chat.chain(http).collect()),
        https: Some(https),
    })
}

async fn bind(
    sockets: &mut Vec<Socket>,
    wanted: &[ListenAddress],
    mode: u32,
) -> Result<(), StartError> {
    for address in wanted {
        let socket = Socket::bind(address, wanted, mode).await;
        sockets.push(socket.map_err(|err| not_to_be_had(address, &err))?);
    }
    Ok(())
}

/// All addresses of the machine; those of IPv4 where it has no other.
async fn bind_all(sockets: &mut Vec<Socket>, port: u16) -> Result<(), StartError> {
    let all = |ip: SocketAddr| [ListenAddress::Tcp(ip)];
    let both = bind(sockets, &all((Ipv6Addr::UNSPECIFIED, port).into()), 0).await;
    let Err(words) = both else { return Ok(()) };
    let v4 = bind(sockets, &all((Ipv4Addr::UNSPECIFIED, port).into()), 0).await;
    v4.map_err(|_| words)
}

/// The first port listened on.
fn port<'a>(mut local: impl Iterator<Item = &'a LocalAddress>) -> Option<u16> {
    local.find_map(|address| match address {
        LocalAddress::Tcp(address) => Some(address.port()),
        LocalAddress::Unix(_) => None,
    })
}

fn not_to_be_had(address: &ListenAddress, err: &std::io::Error) -> StartError {
    let hint = match address {
        ListenAddress::Tcp(address)
            if err.kind() == std::io::ErrorKind::PermissionDenied && address.port() < 1024 =>
        {
            "; ports below 1024 need AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or root"
        }
        _ => "; choose another with --listen",
    };
    StartError(format!("cannot listen on {address}: {err}{hint}"))
}

/// Whoever comes by a name of the certificate comes by a name of ours; without `--public-url` the first one is the
/// address.
pub fn follow_certificate(config: &mut Config, https: &Https) {
    if config.public_url.is_none() {
        config.public_url = https.public.clone();
    }
    let names = https.names.iter().filter_map(|name| name.parse().ok());
    config.hosts.extend(names);
}

/// What the session's cookie is called. On http the name bears a port, so that two servers in one browser keep two
/// people apart (RFC 6265 ignores ports): that of the public address, or of the first port listened on. A server
/// on unix sockets alone has none of its own; there the name bears where the first of them is.
pub fn cookie_name<'a>(
    is_https: bool,
    public: Option<&PublicUrl>,
    mut local: impl Iterator<Item = &'a LocalAddress> + Clone,
) -> String {
    if is_https {
        return "__Host-tertulia".into();
    }
    let public = public.map(PublicUrl::port);
    match (public.or_else(|| port(local.clone())), local.next()) {
        (Some(port), _) => format!("tertulia_{port}"),
        (None, Some(socket)) => {
            let digest = Sha256::digest(socket.to_string());
            let short: String = digest[..4]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("tertulia_{short}")
        }
        (None, None) => "tertulia".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(public: Option<&str>, local: &[&str]) -> String {
        let public: Option<PublicUrl> = public.map(|url| url.parse().expect("a URL"));
        let local: Vec<_> = local
            .iter()
            .map(|text| match text.parse() {
                Ok(address) => LocalAddress::Tcp(address),
                Err(_) => LocalAddress::Unix(Some(text.into())),
            })
            .collect();
        let is_https = public.as_ref().is_some_and(|public| public.https);
        cookie_name(is_https, public.as_ref(), local.iter())
    }

    #[test]
    fn the_cookies_of_two_servers_on_one_machine_have_two_names() {
        assert_eq!(name(None, &["127.0.0.1:8000"]), "tertulia_8000");
        assert_eq!(
            name(None, &["/run/a.sock", "[::]:9000", "127.0.0.1:1"]),
            "tertulia_9000"
        );
        let (one, two) = (name(None, &["/run/a.sock"]), name(None, &["/run/b.sock"]));
        assert!(
            one != two && one.len() == "tertulia_".len() + 8,
            "{one} {two}"
        );
        assert_eq!(one, name(None, &["/run/a.sock"]), "also after a restart");
        assert_eq!(
            name(Some("http://chat:81"), &["/run/a.sock"]),
            "tertulia_81"
        );
        assert_eq!(
            name(Some("https://chat"), &["127.0.0.1:8000"]),
            "__Host-tertulia"
        );
    }
}
