//! What the administrator's page shows of live connections. It knows nothing of how they work.

use std::time::Duration;

use serde::Serialize;

use crate::{
    clock::UnixMillis,
    records::Replication,
    web::{
        live::{Line, SAMPLES, Survey, Totals, Transport},
        zone::{Zone, iso},
    },
};

/// The chart's height, a bar's width, and how far bars are apart, in its own units.
const HEIGHT: u64 = 80;
const BAR: u64 = 5;
const STEP: u64 = 6;

/// `admin/_connections.html`.
#[derive(Debug, Serialize)]
pub struct ConnectionsView {
    people: usize,
    queued: usize,
    totals: Vec<TotalView>,
    ended: Vec<EndedView>,
    chart: Chart,
    rows: Vec<LineView>,
    unlisted: u64,
    nodes: Vec<NodeView>,
    has_nodes: bool,
    is_degraded: bool,
    database: Option<DatabaseView>,
}

/// What a failover of the database would do.
#[derive(Debug, Serialize)]
struct DatabaseView {
    words: &'static str,
    is_warning: bool,
}

/// One node of several.
#[derive(Debug, Serialize)]
struct NodeView {
    name: String,
    open: u64,
    people: usize,
    own: bool,
}

/// One transport.
#[derive(Debug, Serialize)]
struct TotalView {
    name: &'static str,
    open: u64,
    opened: u64,
    bytes: String,
}

/// How many ended for one reason.
#[derive(Debug, Serialize)]
struct EndedView {
    why: &'static str,
    count: u64,
}

/// How many were connected in the last while.
#[derive(Debug, Serialize)]
struct Chart {
    width: u64,
    height: u64,
    most: u64,
    bars: Vec<Bar>,
}

/// One moment: the bar of WebSockets, and on top of it that of streams.
#[derive(Debug, Serialize)]
struct Bar {
    x: u64,
    width: u64,
    websocket_y: u64,
    websocket_height: u64,
    sse_y: u64,
    sse_height: u64,
}

/// One connection.
#[derive(Debug, Serialize)]
struct LineView {
    id: u64,
    node: String,
    person: String,
    room: String,
    transport: &'static str,
    since: String,
    iso: String,
    took: String,
    queued: usize,
    bytes: String,
    heard: String,
    from: String,
}

impl ConnectionsView {
    /// What all nodes tell at `now`, this one first; `past` is what this one was like. `is_up` is whether nodes hear each
    /// other, where there may be several.
    pub fn new(
        surveys: &[Survey],
        past: &Totals,
        is_up: Option<bool>,
        (zone, now): (&Zone, UnixMillis),
    ) -> Self {
        let mut people: Vec<_> = surveys.iter().flat_map(|it| &it.people).collect();
        people.sort();
        people.dedup();
        let lines = surveys
            .iter()
            .flat_map(|survey| survey.lines.iter().map(move |line| (survey, line)));
        let rows: Vec<_> = lines
            .map(|(survey, line)| LineView::new(survey, line, zone, now))
            .collect();
        let open: u64 = surveys.iter().map(Survey::open).sum();
        Self {
            people: people.len(),
            queued: surveys.iter().map(|it| it.queued).sum(),
            totals: Transport::ALL.map(|it| TotalView::new(it, surveys)).into(),
            ended: past
                .ended
                .iter()
                .map(|(why, count)| EndedView { why, count: *count })
                .collect(),
            chart: Chart::new(past),
            unlisted: open.saturating_sub(rows.len() as u64),
            rows,
            nodes: surveys.iter().enumerate().map(NodeView::new).collect(),
            has_nodes: is_up.is_some(),
            is_degraded: is_up == Some(false),
            database: None,
        }
    }

    /// The same with what stands behind the database, where that is a server.
    pub fn over(self, replication: Option<Replication>) -> Self {
        let database = replication.map(|it| DatabaseView {
            words: it.words(),
            is_warning: it.is_warning(),
        });
        Self { database, ..self }
    }
}

impl TotalView {
    fn new(transport: Transport, surveys: &[Survey]) -> Self {
        let totals = surveys.iter().flat_map(|it| &it.totals);
        let totals = totals.filter(|(it, _)| *it == transport).map(|(_, it)| it);
        let (mut open, mut opened, mut bytes) = (0, 0, 0);
        for total in totals {
            open += total.open();
            opened += total.opened;
            bytes += total.bytes;
        }
        Self {
            name: name(transport),
            open,
            opened,
            bytes: size(bytes),
        }
    }
}

impl NodeView {
    fn new((at, survey): (usize, &Survey)) -> Self {
        Self {
            name: survey.node.clone().unwrap_or_default(),
            open: survey.open(),
            people: survey.people.len(),
            own: at == 0,
        }
    }
}

impl Chart {
    fn new(totals: &Totals) -> Self {
        let most = totals
            .past
            .iter()
            .map(|(websocket, sse)| websocket + sse)
            .max();
        let most = most.unwrap_or(0).max(1);
        let high = |count: u64| count * HEIGHT / most;
        let first = SAMPLES - totals.past.len();
        let bar = |(at, (websocket, sse)): (usize, &(u64, u64))| {
            let (websocket, both) = (high(*websocket), high(websocket + sse));
            Bar {
                x: (first + at) as u64 * STEP,
                width: BAR,
                websocket_y: HEIGHT - websocket,
                websocket_height: websocket,
                sse_y: HEIGHT - both,
                sse_height: both - websocket,
            }
        };
        Self {
            width: SAMPLES as u64 * STEP,
            height: HEIGHT,
            most,
            bars: totals.past.iter().enumerate().map(bar).collect(),
        }
    }
}

impl LineView {
    fn new(survey: &Survey, line: &Line, zone: &Zone, now: UnixMillis) -> Self {
        Self {
            id: line.id,
            node: survey.node.clone().unwrap_or_default(),
            person: line.person.clone(),
            room: line.room.clone().unwrap_or_else(|| "Lobby".into()),
            transport: name(line.transport),
            since: zone.time(line.since),
            iso: iso(line.since),
            took: words(now.since(line.since)),
            queued: line.queued,
            bytes: size(line.bytes),
            heard: line.heard.map_or_else(
                || "not yet".into(),
                |at| format!("{} ago", words(now.since(at))),
            ),
            from: line.from.clone(),
        }
    }
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "WebSocket",
        Transport::Sse => "Events (SSE)",
    }
}

/// A length of time in its largest whole unit.
fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A number of bytes in its largest unit.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_sizes_are_told_in_whole_units() {
        let seconds = [0, 119, 120, 7_199, 7_200, 172_800];
        let told = seconds.map(|it| words(Duration::from_secs(it)));
        assert_eq!(told, ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
        let told = [0, 10_239, 10_240, 20_971_520].map(size);
        assert_eq!(told, ["0 B", "10239 B", "10 KiB", "20 MiB"]);
    }

    #[test]
    fn the_chart_ends_at_its_right_edge_and_is_as_high_as_the_most() {
        let mut totals = Totals::default();
        totals.opened(Transport::WebSocket);
        totals.sample();
        totals.opened(Transport::Sse);
        totals.sample();
        let Chart {
            width, most, bars, ..
        } = Chart::new(&totals);
        assert_eq!((most, bars.len()), (2, 2));
        assert_eq!(bars[1].x + STEP, width);
        assert_eq!((bars[0].websocket_y, bars[0].sse_height), (HEIGHT / 2, 0));
        assert_eq!((bars[1].sse_y, bars[1].sse_height), (0, HEIGHT / 2));
    }
}
