//! The proxy of the tests does to a line what it says, and nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::proxy::Proxy;

/// A line through a proxy: the browser's end, the proxy, the server's end, and where the server listens.
async fn line() -> (TcpStream, Proxy, TcpStream, TcpListener) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = server.local_addr().expect("it has an address");
    let proxy = Proxy::start(target).await;
    let browser = opens(&proxy).await;
    let (end, _) = server.accept().await.expect("the proxy comes");
    (browser, proxy, end, server)
}

async fn opens(proxy: &Proxy) -> TcpStream {
    let address: SocketAddr = proxy.url()["http://".len()..].parse().expect("an address");
    TcpStream::connect(address).await.expect("it listens")
}

async fn says(end: &mut TcpStream, words: &str) {
    end.write_all(words.as_bytes()).await.expect("it is open");
}

/// The next words; nothing when the other end said that there are no more.
async fn hears(end: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = [0; 1024];
    let read = timeout(PATIENCE, end.read(&mut bytes)).await;
    let count = read.expect("something comes")?;
    Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

/// Nothing comes, however long one waits: a moment stands for that.
async fn hears_nothing(end: &mut TcpStream) {
    let heard = timeout(Duration::from_millis(100), end.read_u8()).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test]
async fn what_is_said_passes_both_ways_to_the_target_of_the_day() {
    let (mut browser, proxy, mut server, _) = line().await;
    says(&mut browser, "hello").await;
    assert_eq!(hears(&mut server).await.expect("it passes"), "hello");
    says(&mut server, "welcome").await;
    assert_eq!(hears(&mut browser).await.expect("it passes"), "welcome");

    let other = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    proxy.set_target(other.local_addr().expect("it has an address"));
    let mut second = opens(&proxy).await;
    let (mut moved, _) = other.accept().await.expect("the proxy comes");
    says(&mut second, "and here").await;
    assert_eq!(hears(&mut moved).await.expect("it passes"), "and here");
}

#[tokio::test]
async fn a_stalled_line_loses_nothing_and_a_lost_one_says_nothing() {
    let (mut browser, proxy, mut server, _listener) = line().await;
    proxy.stall(true);
    says(&mut browser, "late").await;
    hears_nothing(&mut server).await;
    proxy.stall(false);
    assert_eq!(hears(&mut server).await.expect("it passes"), "late");

    proxy.lose();
    says(&mut browser, "never").await;
    hears_nothing(&mut server).await;
    says(&mut server, "never").await;
    hears_nothing(&mut browser).await;
    proxy.cut();
    assert!(hears(&mut browser).await.is_err(), "it is reset at last");
}

#[tokio::test]
async fn a_cut_line_is_reset_and_a_refused_one_never_opens() {
    let (mut browser, proxy, mut server, listener) = line().await;
    proxy.cut();
    assert!(hears(&mut browser).await.is_err());
    assert!(hears(&mut server).await.is_err());

    proxy.refuse(true);
    let mut refused = opens(&proxy).await;
    assert!(hears(&mut refused).await.is_err());
    proxy.refuse(false);
    let mut browser = opens(&proxy).await;
    let (mut server, _) = listener.accept().await.expect("the proxy comes");
    says(&mut browser, "again").await;
    assert_eq!(hears(&mut server).await.expect("it passes"), "again");
}

#[tokio::test]
async fn of_a_half_closed_line_the_other_half_is_open() {
    let (mut browser, proxy, mut server, _listener) = line().await;
    proxy.half_close();
    assert_eq!(hears(&mut server).await.expect("it ends well"), "");
    says(&mut server, "goodbye").await;
    assert_eq!(hears(&mut browser).await.expect("it passes"), "goodbye");
    drop(server);
    assert_eq!(hears(&mut browser).await.expect("it ends well"), "");
}

#[tokio::test]
async fn a_stripped_request_asks_for_no_upgrade() {
    let (mut browser, proxy, mut server, _listener) = line().await;
    let asks = "GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: b\r\n\r\n";
    proxy.strip_upgrades(true);
    says(&mut browser, asks).await;
    let heard = hears(&mut server).await.expect("it passes");
    assert_eq!(heard, "GET /live HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n");
    proxy.strip_upgrades(false);
    says(&mut browser, asks).await;
    assert_eq!(hears(&mut server).await.expect("it passes"), asks);
}
