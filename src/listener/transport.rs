//! The bytes of one connection, in the clear or inside TLS. The handshake happens where the first bytes are wanted, in
//! the connection's own task and within the time for its first head, so that nobody's handshake keeps others waiting.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

use super::socket::Stream;

/// The first byte of a handshake: a record of that type (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What carries a connection's bytes.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether what was read so far came without TLS.
    fn is_in_the_clear(&self) -> bool;
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {
    fn is_in_the_clear(&self) -> bool {
        true
    }
}

/// A connection of a [`Listener`](super::Listener).
pub struct ClientStream(State);

enum State {
    /// Without TLS.
    Clear(Stream),
    /// Nothing has arrived of what should be a handshake.
    Waiting(TcpStream, TlsAcceptor),
    /// The handshake is under way.
    Handshake(Box<Accept<TcpStream>>),
    /// Inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

impl ClientStream {
    /// As they are.
    pub fn clear(stream: Stream) -> Self {
        Self(State::Clear(stream))
    }

    /// Inside TLS, unless the client begins with something else.
    pub fn tls(stream: TcpStream, acceptor: TlsAcceptor) -> Self {
        Self(State::Waiting(stream, acceptor))
    }

    /// Waits for the handshake to be over.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.0 {
                State::Clear(_) | State::Tls(_) => return Poll::Ready(Ok(())),
                State::Failed => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                State::Waiting(stream, _) => {
                    let mut first = [0];
                    let mut buf = ReadBuf::new(&mut first);
                    ready!(stream.poll_peek(cx, &mut buf))?;
                    let is_tls = buf.filled() == [HANDSHAKE];
                    if let State::Waiting(stream, acceptor) =
                        mem::replace(&mut self.0, State::Failed)
                    {
                        self.0 = match is_tls {
                            true => State::Handshake(Box::new(acceptor.accept(stream))),
                            false => State::Clear(Stream::Left(stream)),
                        };
                    }
                }
                State::Handshake(accept) => {
                    let opened = ready!(Pin::new(accept.as_mut()).poll(cx));
                    self.0 = match opened {
                        Ok(stream) => State::Tls(Box::new(stream)),
                        Err(error) => {
                            tracing::debug!(%error, "no handshake");
                            State::Failed
                        }
                    };
                }
            }
        }
    }
}

impl Transport for ClientStream {
    fn is_in_the_clear(&self) -> bool {
        matches!(self.0, State::Clear(_))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?;
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            State::Tls(stream) => match ready!(Pin::new(stream).poll_read(cx, buf)) {
                // Many clients hang up without saying so inside TLS; a head says by itself where it ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                outcome => Poll::Ready(outcome),
            },
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?;
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            State::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?;
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            State::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_flush(cx),
            State::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Waiting(stream, _) => Pin::new(stream).poll_shutdown(cx),
            State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}
