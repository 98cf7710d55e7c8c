//! Sockets that systemd opened for us, by `LISTEN_FDS` and its relatives (sd_listen_fds(3)).

use std::{env, io};

use listenfd::ListenFd;

use crate::listener::Socket;

/// Sockets of a `.socket` unit.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    /// On which the chat is served.
    pub chat: Vec<Socket>,
    /// With `--tls` those on which http is answered, with the way to https: `FileDescriptorName=http` in the unit.
    pub http: Vec<Socket>,
}

/// Takes over what systemd passed on: TCP and unix sockets. To be called once, when the program starts.
///
/// # Errors
/// A sentence: one of them is neither.
pub fn inherited() -> Result<InheritedSockets, String> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    let mut sockets = InheritedSockets::default();
    for index in 0..passed.len() {
        let socket = take(&mut passed, index).map_err(|error| {
            format!(
                "cannot use socket {} that systemd passed on: {error}; the .socket unit needs ListenStream= lines only",
                index + 1
            )
        })?;
        match names.next() {
            Some("http") => sockets.http.extend(socket),
            _ => sockets.chat.extend(socket),
        }
    }
    Ok(sockets)
}

fn take(passed: &mut ListenFd, index: usize) -> io::Result<Option<Socket>> {
    if let Ok(unix) = passed.take_unix_listener(index) {
        return unix.map(Socket::adopt_unix).transpose();
    }
    passed
        .take_tcp_listener(index)?
        .map(Socket::adopt_tcp)
        .transpose()
}
