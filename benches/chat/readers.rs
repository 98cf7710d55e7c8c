//! A crowd of live readers. Each knows the last change number that it was shown, and all of them add up how far they
//! have come: a post has reached everybody when the sum has grown by their number.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::{sync::Notify, task::JoinSet};

use super::{Result, figures::Times, lines::Line};

/// What the readers of one room have in common.
pub struct Crowd {
    board: Arc<Board>,
    listening: JoinSet<Result<()>>,
}

/// Where the readers note what they see.
pub struct Board {
    readers: u64,
    seen: AtomicU64,
    moved: Notify,
    timed: Mutex<Option<(Instant, Times)>>,
}

impl Board {
    /// Waits until all have been shown so many posts since the crowd came together.
    pub async fn reached(&self, posts: u64) {
        loop {
            let moved = self.moved.notified();
            if self.seen.load(Ordering::Relaxed) >= posts * self.readers {
                return;
            }
            moved.await;
        }
    }

    fn note(&self, progress: u64) {
        let before = self.seen.fetch_add(progress, Ordering::Relaxed);
        if let Some((since, times)) =
            &mut *self.timed.lock().unwrap_or_else(PoisonError::into_inner)
        {
            times.push(since.elapsed());
        }
        if before / self.readers != (before + progress) / self.readers {
            self.moved.notify_waiters();
        }
    }
}

impl Crowd {
    /// Starts reading on these lines, whose next change has the number after `rev`.
    pub fn gather(lines: Vec<Line>, rev: i64) -> Self {
        let readers = lines.len() as u64;
        let board = Board {
            readers,
            seen: AtomicU64::new(0),
            moved: Notify::new(),
            timed: Mutex::new(None),
        };
        let (board, mut listening) = (Arc::new(board), JoinSet::new());
        for line in lines {
            listening.spawn(listen(line, rev, board.clone()));
        }
        Self { board, listening }
    }

    /// Where its readers note what they see.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Waits until all have been shown so many posts since the crowd came together.
    ///
    /// # Errors
    /// When one of them has lost its connection.
    pub async fn reached(&mut self, posts: u64) -> Result<()> {
        tokio::select! {
            () = self.board.reached(posts) => Ok(()),
            lost = self.listening.join_next() => lost.ok_or("nobody is listening")??,
        }
    }

    /// From now on, notes how long after now each reader sees something.
    pub fn start_timing(&self) {
        *self
            .board
            .timed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Times::default()));
    }

    /// How long that took, reader by reader.
    pub fn stop_timing(&self) -> Times {
        let timed = self
            .board
            .timed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        timed.map(|(_, times)| times).unwrap_or_default()
    }
}

async fn listen(mut line: Line, mut rev: i64, board: Arc<Board>) -> Result<()> {
    loop {
        if let Some(now) = rev_of(line.text().await?) {
            board.note(u64::try_from(now - rev)?);
            rev = now;
        }
    }
}

const BEFORE: &[u8] = b"data-rev=\"";

/// The change number that a frame brings the room up to; it stands near the frame's end. Lobby frames have none.
pub fn rev_of(frame: &[u8]) -> Option<i64> {
    let (start, end) = place_of_rev(frame)?;
    str::from_utf8(&frame[start..end]).ok()?.parse().ok()
}

/// Where in the frame that number stands.
pub fn place_of_rev(frame: &[u8]) -> Option<(usize, usize)> {
    if !frame.ends_with(b"hx-swap-oob=\"true\"></span>") {
        return None;
    }
    let tail = frame.len().saturating_sub(100);
    let found = frame[tail..]
        .windows(BEFORE.len())
        .rposition(|bytes| bytes == BEFORE)?;
    let start = tail + found + BEFORE.len();
    let length = frame[start..].iter().position(|&byte| byte == b'"')?;
    Some((start, start + length))
}
