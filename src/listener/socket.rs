//! Sockets that are listened on: TCP ports and sockets in the file system, bound here or passed on by systemd.

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream, unix},
    time::timeout,
};
use tokio_util::either::Either;

use crate::config::ListenAddress;

/// How many connections the system keeps for us until we accept them.
const BACKLOG: u32 = 4096;
/// How long a program that may listen on a socket file has to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// The bytes of one connection.
pub type Stream = Either<TcpStream, UnixStream>;

/// Who is at the other end of a connection.
#[derive(Debug)]
pub enum Peer {
    /// An address and a port; IPv4 in IPv6 where a socket listens on both.
    Tcp(SocketAddr),
    /// A process of this machine, or of a container that the socket was given to.
    Unix(unix::SocketAddr),
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAddress {
    /// An address and the port that was asked for or that the system chose.
    Tcp(SocketAddr),
    /// A path, unless the socket has none.
    Unix(Option<PathBuf>),
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("a unix socket without a name"),
        }
    }
}

/// A socket that is listened on. A socket file made here is deleted when it is dropped.
#[derive(Debug)]
pub struct Socket {
    accepting: Either<TcpListener, UnixListener>,
    local: LocalAddress,
    _file: Option<SocketFile>,
}

impl Socket {
    /// Takes an address, one of `all` (port 0: any free port). A socket file gets `mode`; one that nobody listens on
    /// is replaced.
    ///
    /// # Errors
    /// When the address is taken, not ours, or not allowed.
    pub async fn bind(
        address: &ListenAddress,
        all: &[ListenAddress],
        mode: u32,
    ) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => Self::tcp(*address, all),
            ListenAddress::Unix(path) => Self::unix(path, mode).await,
        }
    }

    fn tcp(address: SocketAddr, all: &[ListenAddress]) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if address.is_ipv6() {
            // Whatever the system's default is: [::] is IPv4 too, unless 0.0.0.0 has a socket of its own.
            let v4 = ListenAddress::Tcp((Ipv4Addr::UNSPECIFIED, address.port()).into());
            set_ipv6_v6only(&socket, all.contains(&v4))?;
        }
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let accepting = socket.listen(BACKLOG)?;
        Ok(Self {
            local: LocalAddress::Tcp(accepting.local_addr()?),
            accepting: Either::Left(accepting),
            _file: None,
        })
    }

    async fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        make_way(path).await?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let file = SocketFile::new(path)?;
        // Before it listens: nobody can connect until then.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(Self {
            accepting: Either::Right(socket.listen(BACKLOG)?),
            local: LocalAddress::Unix(Some(path.into())),
            _file: Some(file),
        })
    }

    /// Takes over a TCP socket that listens already.
    ///
    /// # Errors
    /// When it does not listen, or the runtime cannot take it.
    pub fn adopt_tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = LocalAddress::Tcp(socket.local_addr()?);
        Ok(Self {
            accepting: Either::Left(TcpListener::from_std(socket)?),
            local,
            _file: None,
        })
    }

    /// Takes over a unix socket that listens already; its file belongs to whoever made it.
    ///
    /// # Errors
    /// When it does not listen, or the runtime cannot take it.
    pub fn adopt_unix(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let path = socket.local_addr()?.as_pathname().map(Path::to_path_buf);
        Ok(Self {
            accepting: Either::Right(UnixListener::from_std(socket)?),
            local: LocalAddress::Unix(path),
            _file: None,
        })
    }

    /// Where it listens.
    pub fn local(&self) -> &LocalAddress {
        &self.local
    }

    /// The next connection that waits.
    ///
    /// # Errors
    /// As the system has them; some are of one connection only.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        Poll::Ready(match &self.accepting {
            Either::Left(tcp) => {
                let accepted = ready!(tcp.poll_accept(cx));
                accepted.map(|(stream, peer)| {
                    // Small frames must not wait for the acknowledgement of the one before. It fails only on a
                    // connection that is gone, which hyper will find out.
                    let _ = stream.set_nodelay(true);
                    (Either::Left(stream), Peer::Tcp(peer))
                })
            }
            Either::Right(unix) => {
                let accepted = ready!(unix.poll_accept(cx));
                accepted.map(|(stream, peer)| (Either::Right(stream), Peer::Unix(peer)))
            }
        })
    }
}

/// Deletes a socket file that was left behind.
///
/// # Errors
/// When somebody listens on it, or when it is no socket.
async fn make_way(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(file) => file.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let words = "there is a file that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
    }
    match timeout(ANSWER, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => {
            let words = "another program listens on it";
            Err(io::Error::new(io::ErrorKind::AddrInUse, words))
        }
    }
}

/// The file of a socket that was made here.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: another program may have put its own there since.
    id: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.into(),
            id: id(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket file was not deleted");
        }
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_file_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("chat.sock");
        let address = ListenAddress::Unix(path.clone());
        // The system keeps the file of a socket whose program has died.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a new file"));
        let first = Socket::bind(&address, &[], 0o640)
            .await
            .expect("it was left behind");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);

        let second = Socket::bind(&address, &[], 0o640).await;
        let kind = second.expect_err("it is in use").kind();
        assert_eq!(kind, io::ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists(), "a clean stop deletes it");

        fs::write(&path, "precious").expect("a file");
        Socket::bind(&address, &[], 0o640)
            .await
            .expect_err("no socket");
        assert_eq!(fs::read(&path).expect("it is there"), b"precious");
    }

    #[tokio::test]
    async fn another_programs_socket_file_stays() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("chat.sock");
        let ours = Socket::bind(&ListenAddress::Unix(path.clone()), &[], 0o660).await;
        let ours = ours.expect("a new file");
        fs::remove_file(&path).expect("it is there");
        let _theirs = std::os::unix::net::UnixListener::bind(&path).expect("a new file");
        drop(ours);
        assert!(path.exists());
    }
}
