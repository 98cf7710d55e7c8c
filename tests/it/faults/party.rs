//! Everybody who takes part in a run: they talk while things break; then all is mended, and everything must be right
//! within seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::checker::{Finding, Kind, Steps, check};
use super::clients::Client;
use super::log::{Entry, Line, Log, View};
use super::nemesis::{Plan, Tally, meddle};
use crate::support::proxy::Proxy;
use crate::support::sight::cursor_in;
use crate::support::{Person, RoomId, ask};

/// How long things break, unless the environment says otherwise.
const SECONDS: u64 = 45;
/// How soon after the last thing was mended every screen is right.
const SOON: Duration = Duration::from_secs(5);
/// How many lines lead to the servers.
pub const LINES: usize = 4;
const CLIENTS: usize = 16;
const ROOMS: usize = 2;

/// What a run is to be like: what the environment says, or chance.
pub fn plan() -> Plan {
    plan_of(SECONDS)
}

/// Whether somebody said how long a run is to be.
pub fn is_soak() -> bool {
    setting("TERTULIA_FAULTS_SECONDS").is_some()
}

/// The same for a run that is as long as this unless the environment says otherwise.
pub fn plan_of(seconds: u64) -> Plan {
    let seed = setting("TERTULIA_FAULTS_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let seconds = setting("TERTULIA_FAULTS_SECONDS").unwrap_or(seconds);
    eprintln!("TERTULIA_FAULTS_SEED={seed} TERTULIA_FAULTS_SECONDS={seconds}");
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    Plan { seed, began, end }
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is not a number")),
    )
}

/// Everybody who takes part, and somebody who only looks.
pub struct Party {
    host: Person,
    clients: Vec<Client>,
    rooms: Vec<RoomId>,
}

impl Party {
    /// Everybody in a room, behind one of the lines.
    pub async fn gathers(host: Person, lines: &[Proxy], plan: Plan) -> Party {
        let (mut rooms, mut clients) = (Vec::new(), Vec::new());
        for n in 0..ROOMS {
            rooms.push(host.creates_room(&format!("Room {n}")).await);
        }
        for n in 0..CLIENTS {
            let url = lines[n / ROOMS % LINES].url();
            let person = Person::new(&format!("person{n}"), &url, ask::client());
            person.signs_up().await;
            clients.push(Client {
                person,
                room: rooms[n % ROOMS],
                log: Log::new(plan.began),
                seed: plan.seed.wrapping_mul(1_000).wrapping_add(n as u64),
            });
        }
        Party {
            host,
            clients,
            rooms,
        }
    }

    /// Everybody who talks.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.clients.iter().map(|client| &client.person)
    }

    fn logs(&self, room: RoomId) -> Vec<Log> {
        let here = self.clients.iter().filter(|client| client.room == room);
        here.map(|client| client.log.clone()).collect()
    }

    /// Waits until every screen in the room shows the same: its end, and the same receipts.
    async fn agrees(&self, room: RoomId) {
        let page = self.host.room(room).await;
        let end = cursor_in(&page.body).expect("a room's page carries the cursor");
        loop {
            let views: Vec<_> = self.logs(room).iter().map(Log::view).collect();
            let same = |view: &View| view.rev == end && view.floors == views[0].floors;
            if views.iter().all(same) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// All that the room has, page by page.
    async fn history(&self, room: RoomId) -> Vec<Line> {
        let mut page = self.host.room(room).await;
        let mut pages = vec![page.messages()];
        while let Some(older) = page.attrs("#older a", "href").pop() {
            page = self.host.fetches(&older, "li#older").await.is(200);
            pages.push(page.messages());
        }
        let lines = pages.into_iter().rev().flatten();
        lines.map(Line::from).collect()
    }
}

/// Lets things break while everybody talks: `strikes` breaks the servers, and they are well when it ends. Then what was
/// broken, and whether all was right soon after.
pub async fn suffer(
    strikes: impl Future<Output = Tally>,
    lines: &[Proxy],
    party: &Party,
    plan: Plan,
) -> (Tally, bool) {
    let (quiet, over) = (CancellationToken::new(), CancellationToken::new());
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for client in &party.clients {
        writers.spawn(client.clone().talks(quiet.clone()));
        readers.spawn(client.clone().listens(over.clone()));
    }
    let (mut tally, troubles) = tokio::join!(strikes, meddle(lines, plan));
    tally.extend(troubles);
    quiet.cancel();
    let mended = Instant::now();
    let all_right = timeout(SOON, async {
        while let Some(done) = writers.join_next().await {
            done.expect("a writer writes");
        }
        for room in &party.rooms {
            party.agrees(*room).await;
        }
    });
    let is_right = all_right.await.is_ok();
    eprintln!(
        "Mended, and {} after {:?}.",
        if is_right {
            "all right"
        } else {
            "not yet right"
        },
        mended.elapsed()
    );
    over.cancel();
    while let Some(done) = readers.join_next().await {
        done.expect("a reader reads");
    }
    (tally, is_right)
}

/// The numbers of a run.
fn sum_up(logs: &[Vec<Entry>], findings: &[Finding], tally: &Tally) {
    let count =
        |wanted: fn(&Entry) -> bool| logs.iter().flatten().filter(|entry| wanted(entry)).count();
    let of = |kind| {
        findings
            .iter()
            .filter(|finding| finding.kind == kind)
            .count()
    };
    eprintln!("Broken: {tally:?}");
    eprintln!(
        "{} messages sent, {} acknowledged, {} lost, {} doubled; {} changed; {} WebSockets, {} streams, {} pages afresh, {} tries that failed",
        count(|entry| matches!(entry, Entry::Sent { .. })),
        count(|entry| matches!(entry, Entry::Acknowledged { .. })),
        of(Kind::Lost),
        of(Kind::Doubled),
        count(|entry| matches!(entry, Entry::Changed { .. })),
        count(|entry| matches!(
            entry,
            Entry::Opened {
                by: "websocket",
                ..
            }
        )),
        count(|entry| matches!(entry, Entry::Opened { by: "sse", .. })),
        count(|entry| matches!(entry, Entry::Afresh { .. })),
        count(|entry| matches!(entry, Entry::Failed { .. })),
    );
}

/// Whether a server's log tells of a fault of its own. A debug build reads its templates from files, which may have run
/// out: then a handler panics.
fn is_at_fault(log: &str) -> bool {
    let signs = ["panicked at", "status=500", "cannot be found out"];
    let is_fault = |line: &str| signs.iter().any(|sign| line.contains(sign));
    let is_template = |line: &str| {
        line.contains("src/web/templates.rs") || line.contains("internal: a handler panicked")
    };
    let mut faults = log.lines().filter(|line| is_fault(line));
    faults.any(|line| !(cfg!(debug_assertions) && is_template(line)))
}

/// Keeps everything that was written down, for whoever looks into a failed run.
fn keep(seed: u64, party: &Party, servers: &[String]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{seed}"));
    std::fs::create_dir_all(&folder).expect("cargo's own folder can be written to");
    let texts = party.clients.iter().enumerate();
    let texts = texts.map(|(n, client)| (format!("client-{n}"), client.log.text()));
    let servers = servers.iter().enumerate();
    let servers = servers.map(|(n, log)| (format!("server-{n}"), log.clone()));
    for (name, text) in texts.chain(servers) {
        std::fs::write(folder.join(name), text).expect("there is room for a log");
    }
    eprintln!("All logs are in {}.", folder.display());
}

/// What everybody wrote down, held against what is stored in the end.
pub async fn held_against_history(party: &Party, tally: &Tally, steps: Steps) -> Vec<Finding> {
    let (mut findings, mut entries) = (Vec::new(), Vec::new());
    for room in &party.rooms {
        let history = party.history(*room).await;
        let logs: Vec<_> = party.logs(*room).iter().map(Log::entries).collect();
        findings.extend(check(&logs, &history, steps));
        entries.extend(logs);
    }
    sum_up(&entries, &findings, tally);
    findings
}

/// Fails the test if a promise was broken; `servers` is what they printed and logged.
pub fn judge(party: &Party, plan: Plan, is_right: bool, findings: &[Finding], servers: &[String]) {
    let is_at_fault = servers.iter().any(|log| is_at_fault(log));
    if is_right && !is_at_fault && findings.is_empty() {
        return;
    }
    keep(plan.seed, party, servers);
    let words: Vec<_> = findings.iter().take(20).map(Finding::to_string).collect();
    panic!(
        "all right: {is_right}, a fault in the log: {is_at_fault}, {} findings:\n{}",
        findings.len(),
        words.join("\n")
    );
}
