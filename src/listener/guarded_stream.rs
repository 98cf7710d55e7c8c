//! The stream that hyper reads from and writes to: the socket, with a [`Porter`] over what is
//! read until the connection speaks another protocol. It must not know what HTTP is.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

use super::{
    Limits,
    porter::{Porter, Step},
};

/// How much is read from the socket at once, on the stack, in bytes.
const CHUNK: usize = 8 * 1024;
/// How long the last words may take to go out, and then the client to stop sending.
const LINGER: Duration = Duration::from_secs(2);

/// A stream that a porter guards. Dropping it frees its place at the door.
pub struct Guarded<S> {
    stream: S,
    mode: Mode,
    _place: OwnedSemaphorePermit,
}

enum Mode {
    /// What is read passes the porter.
    Guarded(Box<Porter>),
    /// Upgraded: nothing is held, counted or timed.
    Free,
    /// Nothing is read any more.
    Parting(Box<Parting>),
}

struct Parting {
    words: Bytes,
    shut: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    /// Guards a stream that has just been accepted and took this place.
    pub fn new(stream: S, limits: Arc<Limits>, place: OwnedSemaphorePermit) -> Self {
        Guarded {
            stream,
            mode: Mode::Guarded(Box::new(Porter::new(limits))),
            _place: place,
        }
    }

    /// Tells the porter what became of a write that began with these bytes. A write that has to
    /// wait has a client that does not read: its time is limited too.
    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Mode::Guarded(porter) = &mut self.mode {
            match outcome {
                Poll::Ready(Ok(_)) => porter.sent(bytes, cx),
                Poll::Pending => porter.check_time(cx)?,
                Poll::Ready(Err(_)) => {}
            }
            if porter.is_done() {
                self.mode = Mode::Free;
            }
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        match &mut this.mode {
            Mode::Guarded(porter) => match ready!(read_guarded(porter, stream, cx, buf))? {
                Step::Leave => this.mode = Mode::Free,
                _ => return Poll::Ready(Ok(())),
            },
            Mode::Parting(_) => return Poll::Ready(Ok(())),
            Mode::Free => {}
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

/// Reads until there is something to hand on, or the stream ends.
fn read_guarded<S: AsyncRead>(
    porter: &mut Porter,
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<Step>> {
    loop {
        let step = porter.advance(buf);
        match step {
            Step::HandedOn | Step::End | Step::Leave => return Poll::Ready(Ok(step)),
            Step::Receive | Step::Wait => porter.check_time(cx)?,
        }
        if matches!(step, Step::Wait) {
            return Poll::Pending;
        }
        let mut room = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut room);
        ready!(stream.as_mut().poll_read(cx, &mut chunk))?;
        if chunk.filled().is_empty() {
            return Poll::Ready(Ok(Step::End));
        }
        porter.receive(chunk.filled());
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(outcome, bytes, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        let first = slices.iter().find(|slice| !slice.is_empty());
        this.written(outcome, first.map_or(&[], |slice| slice), cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Shuts the stream. While the client may still be sending it also reads on for a moment: the
    /// system answers bytes that nobody reads with a reset, and the client would never see its
    /// answer (RFC 9112 section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Mode::Guarded(porter) = &this.mode
            && let Some(words) = porter.last_words()
        {
            this.mode = Mode::Parting(Box::new(Parting {
                words: words.into(),
                shut: false,
                timer: Box::pin(sleep(LINGER)),
            }));
        }
        let mut stream = Pin::new(&mut this.stream);
        let Mode::Parting(parting) = &mut this.mode else {
            return stream.poll_shutdown(cx);
        };
        if parting.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while parting.words.has_remaining() {
            match ready!(stream.as_mut().poll_write(cx, &parting.words))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => parting.words.advance(written),
            }
        }
        if !parting.shut {
            ready!(stream.as_mut().poll_shutdown(cx))?;
            parting.shut = true;
        }
        loop {
            let mut room = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut room);
            ready!(stream.as_mut().poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
