use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LIVE: &[u8] =
    b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n";

/// A client, and its connection as hyper sees it. Between them fit 1,000 bytes.
fn pair() -> (DuplexStream, GuardedStream<DuplexStream>) {
    let (client, server) = duplex(1000);
    let place = Arc::new(Semaphore::new(1))
        .try_acquire_owned()
        .expect("one is free");
    (
        client,
        GuardedStream::new(server, Arc::default(), None, place),
    )
}

async fn read(server: &mut GuardedStream<DuplexStream>, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    server.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Seconds until reading fails with a timeout.
async fn seconds_until_timeout(server: &mut GuardedStream<DuplexStream>) -> u64 {
    let start = Instant::now();
    let error = server.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    start.elapsed().as_secs()
}

async fn says_nothing(server: &mut GuardedStream<DuplexStream>) {
    let silence = timeout(Duration::from_millis(10), server.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_has_15_seconds() {
    let (_client, mut server) = pair();
    assert_eq!(seconds_until_timeout(&mut server).await, 15);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_dribbles_in_has_15_seconds() {
    let (mut client, mut server) = pair();
    let dribble = async {
        for byte in GET {
            sleep(Duration::from_secs(5)).await;
            client.write_u8(*byte).await.unwrap();
        }
    };
    tokio::select! {
        () = dribble => panic!("the whole head was taken"),
        seconds = seconds_until_timeout(&mut server) => assert_eq!(seconds, 15),
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_15_seconds_from_its_first_byte() {
    let (mut client, mut server) = pair();
    client.write_all(GET).await.unwrap();
    assert_eq!(read(&mut server, GET.len()).await, GET);
    let begin = async {
        sleep(Duration::from_secs(70)).await;
        client.write_all(b"GET").await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = begin => {}
        seconds = seconds_until_timeout(&mut server) => assert_eq!(seconds, 85),
    }
}

#[tokio::test(start_paused = true)]
async fn between_requests_75_seconds_may_pass_after_the_last_answer() {
    let (mut client, mut server) = pair();
    client.write_all(GET).await.unwrap();
    assert_eq!(read(&mut server, GET.len()).await, GET);
    sleep(Duration::from_secs(30)).await;
    server
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(seconds_until_timeout(&mut server).await, 75);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_60_seconds() {
    let (mut client, mut server) = pair();
    client.write_all(POST).await.unwrap();
    assert_eq!(read(&mut server, POST.len()).await, POST);
    let dribble = async {
        for byte in b"123456789" {
            client.write_u8(*byte).await.unwrap();
            sleep(Duration::from_secs(9)).await;
        }
    };
    let body = async {
        let start = Instant::now();
        let mut bytes = Vec::new();
        let error = server.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(
            (start.elapsed().as_secs(), &bytes[..]),
            (60, &b"1234567"[..])
        );
    };
    tokio::select! {
        () = dribble => panic!("the whole body was taken"),
        () = body => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_ends_after_75_seconds() {
    let (mut client, mut server) = pair();
    client.write_all(GET).await.unwrap();
    assert_eq!(read(&mut server, GET.len()).await, GET);
    let start = Instant::now();
    let error = server.write_all(&[b'x'; 2000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_has_no_deadline_and_no_gate() {
    let (mut client, mut server) = pair();
    client.write_all(LIVE).await.unwrap();
    client.write_all(b"\x81\0").await.unwrap();
    assert_eq!(read(&mut server, LIVE.len()).await, LIVE);
    says_nothing(&mut server).await;
    server
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read(&mut server, 2).await, b"\x81\0");
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(timeout(day, server.read_u8()).await.is_err());
    client.write_all(b"\x81\0").await.unwrap();
    assert_eq!(read(&mut server, 2).await, b"\x81\0");
    assert!(matches!(server.mode, Mode::Free));
}

#[tokio::test(start_paused = true)]
async fn asking_for_an_upgrade_does_not_open_the_gate_for_good() {
    let (mut client, mut server) = pair();
    client.write_all(LIVE).await.unwrap();
    client.write_all(b"\0\0\0").await.unwrap();
    assert_eq!(read(&mut server, LIVE.len()).await, LIVE);
    server
        .write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\r\n", "what a refused head is replaced by");

    let (mut client, mut server) = pair();
    client.write_all(LIVE).await.unwrap();
    assert_eq!(read(&mut server, LIVE.len()).await, LIVE);
    server
        .write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(seconds_until_timeout(&mut server).await, 75);
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_counted_exactly() {
    let (mut client, mut server) = pair();
    let requests = [POST, b"\0\n GET /\r\r", GET, POST, b"0123456789", GET].concat();
    for size in [1, 7, requests.len()] {
        let (mut sender, mut server) = pair();
        let send = async {
            for part in requests.chunks(size) {
                sender.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let ((), seen) = tokio::join!(send, read(&mut server, requests.len()));
        assert_eq!(seen, requests, "in parts of {size}");
    }
    client
        .write_all(&[POST, b"0123456789\n"].concat())
        .await
        .unwrap();
    assert_eq!(
        read(&mut server, POST.len() + 10).await.len(),
        POST.len() + 10
    );
    assert_eq!(read(&mut server, 2).await, b"\r\n");
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_written_when_the_stream_is_shut_and_waits_for_a_moment() {
    let (mut client, mut server) = pair();
    client.write_all(b"GET /\n").await.unwrap();
    let mut seen = Vec::new();
    server.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, b"\r\n");

    let start = Instant::now();
    client.write_all(b"and more").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(
        answer.ends_with("could not read this request.</p>"),
        "{answer}"
    );
}
