//! Where the server listens, and what follows from it: the addresses to open, and the name of the cookie.

use sha2::{Digest, Sha256};

use crate::{
    app::StartError,
    config::{ListenAddress, ListenConfig, PublicUrl},
    listener::{Listener, LocalAddress, Socket},
};

/// Takes the configured addresses. Beside sockets that are open already it takes only those that were set.
///
/// # Errors
/// A sentence for the operator when an address cannot be had.
pub async fn listen(config: &ListenConfig, open: Vec<Socket>) -> Result<Listener, StartError> {
    let wanted = match open.is_empty() {
        true => config.addresses(),
        false => config.listen.clone(),
    };
    let mut sockets = open;
    for address in &wanted {
        let socket = Socket::bind(address, &wanted, config.socket_mode).await;
        sockets.push(socket.map_err(|err| not_to_be_had(address, &err))?);
    }
    Ok(Listener::new(sockets))
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

/// What the session's cookie is called. On http the name bears a port, so that two servers in one browser keep two
/// people apart (RFC 6265 ignores ports): that of the public address, or of the first port listened on. A server
/// on unix sockets alone has none of its own; there the name bears where the first of them is.
pub fn cookie_name<'a>(
    public: Option<&PublicUrl>,
    mut local: impl Iterator<Item = &'a LocalAddress> + Clone,
) -> String {
    match public {
        Some(public) if public.https => return "__Host-tertulia".into(),
        Some(public) => return format!("tertulia_{}", public.port()),
        None => {}
    }
    let port = local.clone().find_map(|address| match address {
        LocalAddress::Tcp(address) => Some(address.port()),
        LocalAddress::Unix(_) => None,
    });
    match (port, local.next()) {
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
        cookie_name(public.as_ref(), local.iter())
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
