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
    client::{Client, Person},
    figures::Times,
    lines::Line,
    program::{Process, Program},
    readers::{Board, Crowd, place_of_rev, rev_of},
};

/// How many people read, each on several lines (nobody may have more than 50), and post at full speed; also how many
/// posts may be on their way then: well within what a reader's queue holds.
pub const PEOPLE: usize = 64;

/// How long until a server that nobody asks anything is quiet.
const QUIET: Duration = Duration::from_secs(1);

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
        address: String,
        people: Vec<Person>,
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
        let mut one = Client::of(&program.address, &program.people[0]).await?;
        let mut other = Client::of(&program.address, &program.people[1]).await?;
        let room = one.open_room(&format!("Hall+of+{readers}")).await?;
        let (seen, rev) = (one.say(&room).await?, other.say(&room).await?);
        let live = |rev| {
            format!(
                "/live?room={}&rev={rev}",
                room.trim_start_matches("/rooms/")
            )
        };
        let reader = Client::of(&program.address, &program.people[2]).await?;
        let sample = a_frame(reader.upgrade(&live(seen)).await?).await?;

        let (mut lines, mut opened) = (Vec::new(), Opened::default());
        for person in program.people[..PEOPLE].iter().cycle().take(readers) {
            let reader = Client::of(&program.address, person).await?;
            lines.push(reader.upgrade(&live(rev)).await?);
            opened.note(lines.len(), readers, program.process).await?;
        }
        let side = Self {
            process: program.process,
            posted: 0,
            memory_of_a_reader: opened.memory_of_each(readers, program.process).await?,
            crowd: Crowd::gather(lines, rev),
            source: Source::Tertulia {
                address: program.address.clone(),
                people: program.people[..PEOPLE].to_vec(),
                room,
            },
        };
        Ok((side, sample))
    }

    /// The bare server with so many readers, who get frames like this one.
    pub async fn bare(sample: &str, readers: usize) -> Result<Self> {
        let program = Program::start(&env::current_exe()?, &[bare::COMMAND.into()]).await?;
        let (mut lines, mut opened) = (Vec::new(), Opened::default());
        for _ in 0..readers {
            let reader = Client::connect(&program.address).await?;
            lines.push(reader.upgrade("/").await?);
            opened.note(lines.len(), readers, program.process).await?;
        }
        let sender = Client::connect(&program.address).await?;
        let (start, end) = place_of_rev(sample.as_bytes()).ok_or("a frame without a number")?;
        Ok(Self {
            process: program.process,
            posted: 0,
            memory_of_a_reader: opened.memory_of_each(readers, program.process).await?,
            crowd: Crowd::gather(lines, 0),
            source: Source::Bare {
                sender: sender.upgrade("/").await?,
                before: sample[..start].into(),
                after: sample[end..].into(),
                _program: program,
            },
        })
    }

    /// Posts once; how long it took until each reader saw it.
    pub async fn post_once(&mut self) -> Result<Times> {
        self.posted += 1;
        match &mut self.source {
            Source::Tertulia {
                address,
                people,
                room,
            } => {
                let mut sender = Client::of(address, &people[0]).await?;
                self.crowd.start_timing();
                sender.say(room).await?;
            }
            Source::Bare {
                sender,
                before,
                after,
                ..
            } => {
                let text = format!("{before}{}{after}", self.posted);
                self.crowd.start_timing();
                sender.send_text(&text).await?;
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
            Source::Tertulia {
                address,
                people,
                room,
            } => {
                for person in people.iter() {
                    let sender = Client::of(address, person).await?;
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
            done??;
        }
        self.posted = posted.load(Ordering::Relaxed);
        self.crowd.reached(self.posted).await
    }
}

/// Posts until `end` as fast as all readers see it.
pub async fn keep_posting(
    mut sender: Client,
    room: String,
    board: Arc<Board>,
    posted: Arc<AtomicU64>,
    end: Instant,
) -> Result<()> {
    while Instant::now() < end {
        may_post(&board, &posted).await;
        sender.say(&room).await?;
    }
    Ok(())
}

/// Waits until the readers have seen all posts but the last few; counts one more.
async fn may_post(board: &Board, posted: &AtomicU64) -> u64 {
    let number = posted.fetch_add(1, Ordering::Relaxed) + 1;
    board.reached(number.saturating_sub(PEOPLE as u64)).await;
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

/// Watches the memory while readers come. The first quarter of them warm up what all share.
#[derive(Default)]
struct Opened(u64);

impl Opened {
    async fn note(&mut self, opened: usize, of: usize, process: Process) -> Result<()> {
        if opened == of / 4 {
            sleep(QUIET).await;
            self.0 = process.memory()?;
        }
        Ok(())
    }

    /// In KiB.
    async fn memory_of_each(&self, of: usize, process: Process) -> Result<f64> {
        sleep(QUIET).await;
        Ok(process.memory()?.saturating_sub(self.0) as f64 / (of - of / 4) as f64)
    }
}
