//! The stream that hyper reads from and writes to: the socket, with a [`Gate`] over what is
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
    gate::{Gate, Step},
    tls::PlainHttp,
    transport::Transport,
};

/// How much is read from the socket at once, on the stack, in bytes.
const CHUNK: usize = 8 * 1024;
/// How long the rejection may take to go out, and then the client to stop sending.
const LINGER: Duration = Duration::from_secs(2);

/// A stream that a gate guards. Dropping it frees its place.
pub struct GuardedStream<S> {
    stream: S,
    mode: Mode,
    /// Answers what comes in the clear.
    plain: Option<Arc<PlainHttp>>,
    _place: OwnedSemaphorePermit,
}

enum Mode {
    /// What is read passes the gate.
    Guarded(Box<Gate>),
    /// Upgraded: nothing is held, counted or timed.
    Free,
    /// Nothing is read any more.
    Closing(Box<LingeringClose>),
}

struct LingeringClose {
    answer: Bytes,
    shut: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> GuardedStream<S> {
    /// Guards a stream that has just been accepted and took this place. With `plain`, nothing that comes without TLS
    /// gets any further.
    pub fn new(
        stream: S,
        limits: Arc<Limits>,
        plain: Option<Arc<PlainHttp>>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        GuardedStream {
            stream,
            plain,
            mode: Mode::Guarded(Box::new(Gate::new(limits))),
            _place: place,
        }
    }

    /// Tells the gate what became of a write that began with these bytes. A write that has to
    /// wait has a client that does not read: its time is limited too.
    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Mode::Guarded(gate) = &mut self.mode {
            match outcome {
                Poll::Ready(Ok(_)) => gate.sent(bytes, cx),
                Poll::Pending => gate.check_time(cx)?,
                Poll::Ready(Err(_)) => {}
            }
            if gate.is_done() {
                self.mode = Mode::Free;
            }
        }
        outcome
    }
}

impl<S: Transport> AsyncRead for GuardedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        let plain = this.plain.as_deref();
        match &mut this.mode {
            Mode::Guarded(gate) => match ready!(read_guarded(gate, stream, plain, cx, buf))? {
                Step::Leave => this.mode = Mode::Free,
                _ => return Poll::Ready(Ok(())),
            },
            Mode::Closing(_) => return Poll::Ready(Ok(())),
            Mode::Free => {}
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

/// Reads until there is something to hand on, or the stream ends.
fn read_guarded<S: Transport>(
    gate: &mut Gate,
    mut stream: Pin<&mut S>,
    plain: Option<&PlainHttp>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<Step>> {
    loop {
        let plain = plain.filter(|_| stream.is_in_the_clear());
        let step = gate.advance(buf, plain);
        match step {
            Step::HandedOn | Step::End | Step::Leave => return Poll::Ready(Ok(step)),
            Step::Receive | Step::Wait => gate.check_time(cx)?,
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
        gate.receive(chunk.filled());
    }
}

impl<S: Transport> AsyncWrite for GuardedStream<S> {
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
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        // Inside TLS a client that does not read shows here: writes are taken, and wait.
        if let (Mode::Guarded(gate), Poll::Pending) = (&mut this.mode, &outcome) {
            gate.check_time(cx)?;
        }
        outcome
    }

    /// Shuts the stream. While the client may still be sending it also reads on for a moment: the
    /// system answers bytes that nobody reads with a reset, and the client would never see its
    /// answer (RFC 9112 section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Mode::Guarded(gate) = &this.mode
            && let Some(answer) = gate.rejection()
        {
            this.mode = Mode::Closing(Box::new(LingeringClose {
                answer: answer.into(),
                shut: false,
                timer: Box::pin(sleep(LINGER)),
            }));
        }
        let mut stream = Pin::new(&mut this.stream);
        let Mode::Closing(close) = &mut this.mode else {
            return stream.poll_shutdown(cx);
        };
        if close.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while close.answer.has_remaining() {
            match ready!(stream.as_mut().poll_write(cx, &close.answer))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => close.answer.advance(written),
            }
        }
        if !close.shut {
            ready!(stream.as_mut().poll_shutdown(cx))?;
            close.shut = true;
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
