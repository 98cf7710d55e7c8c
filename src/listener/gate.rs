//! Which of a connection's bytes hyper may see, and how long the client may take to send them:
//! the state machine inside [`GuardedStream`](super::guarded_stream::GuardedStream). It holds what has arrived and
//! keeps the time; it must not know the stream itself.

use std::{io, pin::Pin, sync::Arc, task::Context, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep},
};

use super::{
    Limits,
    request_head::{Next, Scan, inspect},
    tls::PlainHttp,
};

/// What guards one connection, from its first byte to its last or to another protocol.
pub struct Gate {
    limits: Arc<Limits>,
    phase: Phase,
    /// What has arrived and was not handed on.
    held: BytesMut,
    /// How many of the held bytes may be handed on.
    cleared: usize,
    scan: Scan,
    timer: Pin<Box<Sleep>>,
    last_write: Instant,
}

/// Where a connection stands, seen from what was handed on.
enum Phase {
    /// In the first head, which is due from the moment of connecting.
    FirstHead,
    /// In the next head, or in the silence before it.
    Head,
    /// In a body of which so many bytes are still to come.
    Body(u64),
    /// After a request to upgrade: the status of the answer decides.
    Upgrading,
    /// After a 101: what is held goes on, then the gate stands open.
    Upgraded,
    /// After a head that is not handed on. `heard`: the requests before it are answered.
    Rejected { answer: String, heard: bool },
}

/// What the reader gets.
pub enum Step {
    /// Bytes; they are in its buffer.
    HandedOn,
    /// Nothing before more has arrived.
    Receive,
    /// Nothing before the server has answered.
    Wait,
    /// The end of the stream.
    End,
    /// The stream itself, from here on without its gate.
    Leave,
}

impl Gate {
    /// Starts the clock of a connection that has just been accepted.
    pub fn new(limits: Arc<Limits>) -> Self {
        Gate {
            phase: Phase::FirstHead,
            held: BytesMut::new(),
            cleared: 0,
            scan: Scan::default(),
            timer: Box::pin(sleep(limits.head)),
            last_write: Instant::now(),
            limits,
        }
    }

    /// Hands on what may be handed on. Where there is `plain`, that is nothing: it answers the first request.
    pub fn advance(&mut self, buf: &mut ReadBuf<'_>, plain: Option<&PlainHttp>) -> Step {
        while self.cleared == 0 {
            match &mut self.phase {
                Phase::FirstHead | Phase::Head if self.held.is_empty() => return Step::Receive,
                Phase::FirstHead | Phase::Head => match self.judge_head(plain) {
                    Ok(true) => {}
                    Ok(false) => return Step::Receive,
                    Err(answer) => self.reject(answer),
                },
                Phase::Body(_) if self.held.is_empty() => return Step::Receive,
                Phase::Body(left) => {
                    let part = (*left).min(self.held.len() as u64);
                    self.cleared = part as usize;
                    *left -= part;
                    if *left == 0 {
                        self.await_head();
                    }
                }
                Phase::Upgrading if self.held.is_empty() => return Step::Receive,
                Phase::Upgrading => return Step::Wait,
                Phase::Upgraded => return Step::Leave,
                Phase::Rejected { heard, .. } => {
                    *heard = true;
                    return Step::End;
                }
            }
        }
        let part = self.cleared.min(buf.remaining());
        buf.put_slice(&self.held[..part]);
        self.held.advance(part);
        self.cleared -= part;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        Step::HandedOn
    }

    /// Clears a head that is complete and may pass; false when it is not complete; the answer when it may not pass.
    fn judge_head(&mut self, plain: Option<&PlainHttp>) -> Result<bool, String> {
        let judged = self.scan.advance(&self.held).and_then(|end| {
            let next = end.map(|end| inspect(&self.held[..end], self.limits.body));
            Ok(end.zip(next.transpose()?))
        });
        let judged = judged.map_err(|rejection| {
            tracing::debug!(?rejection, "request rejected");
            rejection.answer()
        })?;
        let Some((end, next)) = judged else {
            return Ok(false);
        };
        if let Some(plain) = plain {
            return Err(plain.answer(&self.held[..end]));
        }
        self.cleared = end;
        match next {
            Next::Body(0) => self.await_head(),
            Next::Body(length) => self.enter(Phase::Body(length), self.limits.receive),
            Next::Upgrade => self.enter(Phase::Upgrading, self.limits.idle),
        }
        Ok(true)
    }

    fn await_head(&mut self) {
        self.scan = Scan::default();
        let begun = self.held.len() > self.cleared;
        self.enter(
            Phase::Head,
            if begun {
                self.limits.head
            } else {
                self.limits.idle
            },
        );
    }

    /// Instead of the head hyper gets an empty line, which it skips. When it comes back for more
    /// it is through with the requests before; then it is told that the stream has ended, it
    /// shuts its side, and the answer is written there: behind the other answers, in one place.
    fn reject(&mut self, answer: String) {
        self.held = BytesMut::from("\r\n");
        self.cleared = self.held.len();
        self.enter(
            Phase::Rejected {
                answer,
                heard: false,
            },
            self.limits.idle,
        );
    }

    fn enter(&mut self, phase: Phase, limit: Duration) {
        self.phase = phase;
        self.timer.as_mut().reset(Instant::now() + limit);
    }

    /// Takes bytes that have arrived.
    pub fn receive(&mut self, bytes: &[u8]) {
        if matches!(self.phase, Phase::Head) && self.held.is_empty() {
            self.enter(Phase::Head, self.limits.head);
        }
        self.held.extend_from_slice(bytes);
    }

    /// Sees bytes of an answer go out. The first ones after a request to upgrade are its status
    /// line: nothing that arrives is handed on before, or a client could get past its gate by asking.
    pub fn sent(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        self.last_write = Instant::now();
        if !matches!(self.phase, Phase::Upgrading) {
            return;
        }
        if bytes.starts_with(b"HTTP/1.1 101 ") {
            self.phase = Phase::Upgraded;
            self.cleared = self.held.len();
        } else {
            self.await_head();
        }
        cx.waker().wake_by_ref();
    }

    /// Whether the connection speaks another protocol and nothing is left to hand on.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Upgraded) && self.held.is_empty()
    }

    /// Fails once what is expected has not come in time; before that, has the task woken for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`].
    pub fn check_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // When it is not the client's turn to send, an answer that goes out prolongs the time.
        let idle = match self.phase {
            Phase::Upgraded => return Ok(()),
            Phase::Head => self.held.len() == self.cleared,
            Phase::Upgrading | Phase::Rejected { .. } => true,
            Phase::FirstHead | Phase::Body(_) => false,
        };
        while self.timer.as_mut().poll(cx).is_ready() {
            let prolonged = self.last_write + self.limits.idle;
            if !idle || prolonged <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(prolonged);
        }
        Ok(())
    }

    /// What to say before the stream is shut, or None when it can simply be shut.
    pub fn rejection(&self) -> Option<String> {
        match &self.phase {
            Phase::Rejected {
                answer,
                heard: true,
            } => Some(answer.clone()),
            Phase::Rejected { .. } | Phase::Body(_) => Some(String::new()),
            _ => None,
        }
    }
}
