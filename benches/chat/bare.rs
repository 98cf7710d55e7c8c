//! The least that a chat server could be: WebSockets, one shared frame, no database, sessions or HTML. What somebody
//! sends goes to everybody else. Runs as a process of its own, as the thing ours is held against.

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast::{Receiver, Sender, channel},
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};

use super::Result;

/// The first argument that makes this binary the bare server.
pub const COMMAND: &str = "bare";

/// Serves until it is killed.
pub fn run() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("http://{}", listener.local_addr()?);
            let news = channel(1024).0;
            loop {
                // Ends with its connection.
                tokio::spawn(serve(listener.accept().await?.0, news.clone()));
            }
        })
}

async fn serve(stream: TcpStream, news: Sender<Utf8Bytes>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut waiting = Some(news.subscribe());
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    loop {
        tokio::select! {
            text = next(&mut waiting) => {
                socket.feed(Message::Text(text?)).await?;
                while let Some(Ok(text)) = waiting.as_mut().map(Receiver::try_recv) {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
            inbound = socket.next() => match inbound {
                // Who sends is no reader.
                Some(Ok(Message::Text(text))) => {
                    waiting = None;
                    news.send(text)?;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}

async fn next(waiting: &mut Option<Receiver<Utf8Bytes>>) -> Result<Utf8Bytes> {
    match waiting {
        Some(waiting) => Ok(waiting.recv().await?),
        None => std::future::pending().await,
    }
}
