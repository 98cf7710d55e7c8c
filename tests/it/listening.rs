//! Where the server can be reached: what it prints, several addresses, sockets in the file system, and systemd.

use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram as StdDatagram, UnixListener};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram, UnixStream};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::process::outcome_of;
use crate::support::{House, PATIENCE};

/// The status of `/healthz`, asked over this line.
async fn health(mut line: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    line.write_all(ask).await.expect("it reads");
    let mut answer = String::new();
    let read = timeout(PATIENCE, line.read_to_string(&mut answer)).await;
    read.expect("it answers").expect("an answer in UTF-8");
    answer.lines().next().unwrap_or_default().to_owned()
}

async fn is_reached_at(address: &str) {
    let line = TcpStream::connect(address).await;
    let status = health(line.unwrap_or_else(|err| panic!("{address}: {err}"))).await;
    assert_eq!(status, "HTTP/1.1 200 OK", "{address}");
}

async fn is_reached_over(path: &Path) {
    let line = UnixStream::connect(path).await.expect("it listens");
    assert_eq!(health(line).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn what_a_server_on_all_addresses_prints_can_be_opened() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let data = TempDir::new().expect("a directory");
        let mut house = House::opens(listen, data.path(), &[]).await;
        let port = house.listen().strip_prefix("127.0.0.1:").expect("loopback");
        let port = port.to_owned();
        is_reached_at(&format!("127.0.0.1:{port}")).await;
        if listen.starts_with('[') {
            is_reached_at(&format!("[::1]:{port}")).await;
        }
        house.is_asked_to_stop();
        assert_eq!(house.ends().await, Some(0));
        let said = house.last_words().await.join("\n");
        assert!(
            !said.contains("0.0.0.0") && !said.contains("[::]"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_server_listens_at_several_places_and_takes_its_socket_file_away_when_it_stops() {
    let data = TempDir::new().expect("a directory");
    let socket = data.path().join("chat.sock");
    let listen = format!("127.0.0.1:0,unix:{}", socket.display());
    let flags = ["--listen", "127.0.0.1:0", "--socket-mode", "0666"];
    let mut house = House::opens(&listen, data.path(), &flags).await;
    is_reached_at(house.listen()).await;
    house.says("also at unix:").await;
    let line = house.says("also at http://").await;
    let other = line.rsplit_once("//").expect("a URL").1.trim_end();
    is_reached_at(other).await;
    is_reached_over(&socket).await;
    let mode = std::fs::metadata(&socket)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o666);

    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_socket_that_another_server_has_is_refused_and_one_of_a_killed_server_is_not() {
    let (one, two) = (
        TempDir::new().expect("a directory"),
        TempDir::new().expect("a directory"),
    );
    let socket = one.path().join("chat.sock");
    let place = format!("unix:{}", socket.display());
    let listen = format!("127.0.0.1:0,{place}");
    let house = House::opens(&listen, one.path(), &[]).await;
    let folder = two.path().to_str().expect("a path in UTF-8");
    let run = outcome_of(&["--listen", &place, "--data", folder]).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(
        said.contains(&place) && said.contains("another program listens"),
        "{said}"
    );
    is_reached_over(&socket).await;

    house.dies().await;
    assert!(socket.exists(), "nobody could take it away");
    let house = House::opens(&listen, one.path(), &[]).await;
    is_reached_over(&socket).await;
    house.dies().await;
}

/// Waits for a message to systemd with this in it.
async fn told(systemd: &UnixDatagram, text: &str) {
    let mut buffer = [0; 1024];
    let found = timeout(PATIENCE, async {
        loop {
            let size = systemd.recv(&mut buffer).await.expect("a message");
            if String::from_utf8_lossy(&buffer[..size]).contains(text) {
                return;
            }
        }
    });
    assert!(found.await.is_ok(), "systemd was never told {text}");
}

/// Sockets 3 and 4 are passed on as systemd does it, by a shell that becomes the program.
#[tokio::test]
async fn a_server_takes_the_sockets_that_systemd_opened_and_tells_it_how_far_it_is() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().to_str().expect("a path in UTF-8");
    let path = data.path().join("chat.sock");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("it has one").to_string();
    let unix = UnixListener::bind(&path).expect("a new file");
    let name = format!("tertulia-test-{}", std::process::id());
    let systemd = UnixAddr::from_abstract_name(name.as_bytes()).expect("a name");
    let systemd = StdDatagram::bind_addr(&systemd).expect("a free name");
    systemd.set_nonblocking(true).expect("a socket");
    let systemd = UnixDatagram::from_std(systemd).expect("a socket");

    let become_it =
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$@\"";
    let mut server = Command::new("sh")
        .args(["-c", become_it, "sh", env!("CARGO_BIN_EXE_tertulia")])
        .args(["--data", folder])
        .env("NOTIFY_SOCKET", format!("@{name}"))
        .env("WATCHDOG_USEC", "400000")
        .stdin(Stdio::from(OwnedFd::from(tcp)))
        .stdout(Stdio::from(OwnedFd::from(unix)))
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    told(&systemd, "EXTEND_TIMEOUT_USEC=").await;
    told(&systemd, "READY=1").await;
    told(&systemd, "WATCHDOG=1").await;
    is_reached_at(&address).await;
    is_reached_over(&path).await;
    told(&systemd, "WATCHDOG=1").await;

    let id = server.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(sent.expect("kill is there").success());
    told(&systemd, "STOPPING=1").await;
    let end = timeout(PATIENCE, server.wait()).await.expect("it ends");
    assert_eq!(end.expect("it is a child of ours").code(), Some(0));
    assert!(path.exists(), "it is systemd's");
}
