//! A server with readers of one room and somebody who posts there: ours, or the bare one.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Result, bare,
    client::Client,
    figures::Times,
    lines::Line,
    program::{Process, Program},
    readers::{Board, Crowd, place_of_rev, rev_of},
};

/// How many people post at full speed, and how many posts may be on their way: within what a reader's queue holds.
const SENDERS: usize = 16;
/// How many people post and read; nobody may have more than 50 live connections.
pub const PEOPLE: usize = 64;

/// A server, its readers and its senders.
pub struct Side {
    /// The server's process.
    pub process: Process,
    /// How many posts went out.
    pub posted: u64,
    /// The memory that an idle reader's connection costs, in KiB.
    pub memory_of_a_reader: f64,
    source: Source,
    crowd: Crowd,
}

enum Source {
    Tertulia {
        senders: Vec<Client>,
        room: String,
    },
    Bare {
        sender: Line,
        before: String,
        after: String,
        _program: Program,
    },
}

impl Side {
    /// A room of ours with so many readers; also a frame as they get it.
    pub async fn tertulia(program: &Program, readers: usize) -> Result<(Self, String)> {
        let mut senders = Vec::new();
        for person in &program.people[..SENDERS] {
            senders.push(Client::of(&program.address, person).await?);
        }
        let room = senders[0].open_room(&format!("Hall+of+{readers}")).await?;
        let seen = senders[0].say(&room).await?;
        let rev = senders[1].say(&room).await?;
        let live = |rev| {
            format!(
                "/live?room={}&rev={rev}",
                room.trim_start_matches("/rooms/")
            )
        };
        let reader = Client::of(&program.address, &program.people[SENDERS]).await?;
        let sample = a_frame(reader.upgrade(&live(seen)).await?).await?;

        let before = program.process.memory()?;
        let mut lines = Vec::new();
        for person in program.people[SENDERS..].iter().cycle().take(readers) {
            lines.push(
                Client::of(&program.address, person)
                    .await?
                    .upgrade(&live(rev))
                    .await?,
            );
        }
        let crowd = Crowd::gather(lines, rev);
        let memory_of_a_reader = memory_since(program.process, before, readers).await?;
        let source = Source::Tertulia { senders, room };
        Ok((
            Self {
                process: program.process,
                posted: 0,
                memory_of_a_reader,
                source,
                crowd,
            },
            sample,
        ))
    }

    /// The bare server with so many readers, who get frames like this one.
    pub async fn bare(sample: &str, readers: usize) -> Result<Self> {
        let program = Program::start(&env::current_exe()?, &[bare::COMMAND.into()]).await?;
        let before = program.process.memory()?;
        let mut lines = Vec::new();
        for _ in 0..readers {
            lines.push(
                Client::connect(&program.address)
                    .await?
                    .upgrade("/")
                    .await?,
            );
        }
        let crowd = Crowd::gather(lines, 0);
        let memory_of_a_reader = memory_since(program.process, before, readers).await?;
        let sender = Client::connect(&program.address)
            .await?
            .upgrade("/")
            .await?;
        let (start, end) = place_of_rev(sample.as_bytes()).ok_or("a frame without a number")?;
        let (before, after) = (sample[..start].into(), sample[end..].into());
        let process = program.process;
        let source = Source::Bare {
            sender,
            before,
            after,
            _program: program,
        };
        Ok(Self {
            process,
            posted: 0,
            memory_of_a_reader,
            source,
            crowd,
        })
    }

    /// Posts once; how long it took until each reader saw it.
    pub async fn post_once(&mut self) -> Result<Times> {
        self.posted += 1;
        self.crowd.start_timing();
        match &mut self.source {
            Source::Tertulia { senders, room } => drop(senders[0].say(room).await?),
            Source::Bare {
                sender,
                before,
                after,
                ..
            } => {
                sender
                    .send_text(&format!("{before}{}{after}", self.posted))
                    .await?;
            }
        }
        self.crowd.reached(self.posted).await?;
        Ok(self.crowd.stop_timing())
    }

    /// Posts for so long as fast as all readers see it, then waits until all have seen everything.
    pub async fn flood(&mut self, length: Duration) -> Result<()> {
        let (end, board) = (Instant::now() + length, self.crowd.board());
        let posted = Arc::new(AtomicU64::new(self.posted));
        let mut running = JoinSet::new();
        match &mut self.source {
            Source::Tertulia { senders, room } => {
                for sender in senders.drain(..) {
                    running.spawn(keep_posting(
                        sender,
                        room.clone(),
                        board.clone(),
                        posted.clone(),
                        end,
                    ));
                }
            }
            Source::Bare {
                sender,
                before,
                after,
                ..
            } => {
                while Instant::now() < end {
                    let number = may_post(&board, &posted).await;
                    sender
                        .send_text(&format!("{before}{number}{after}"))
                        .await?;
                }
            }
        }
        while let Some(done) = running.join_next().await {
            let sender = done??;
            if let Source::Tertulia { senders, .. } = &mut self.source {
                senders.push(sender);
            }
        }
        self.posted = posted.load(Ordering::Relaxed);
        self.crowd.reached(self.posted).await
    }
}

async fn keep_posting(
    mut sender: Client,
    room: String,
    board: Arc<Board>,
    posted: Arc<AtomicU64>,
    end: Instant,
) -> Result<Client> {
    while Instant::now() < end {
        may_post(&board, &posted).await;
        sender.say(&room).await?;
    }
    Ok(sender)
}

/// Waits until the readers have seen all posts but the last few; counts one more.
async fn may_post(board: &Board, posted: &AtomicU64) -> u64 {
    let number = posted.fetch_add(1, Ordering::Relaxed) + 1;
    board.reached(number.saturating_sub(SENDERS as u64)).await;
    number
}

/// One message as a reader gets it.
async fn a_frame(mut line: Line) -> Result<String> {
    loop {
        let frame = line.text().await?;
        if rev_of(frame).is_some() {
            return Ok(String::from_utf8(frame.to_vec())?);
        }
    }
}

/// How much more memory each reader takes than there was before, once all is quiet.
async fn memory_since(process: Process, before: u64, readers: usize) -> Result<f64> {
    sleep(Duration::from_secs(1)).await;
    Ok((process.memory()? - before) as f64 / readers as f64)
}
