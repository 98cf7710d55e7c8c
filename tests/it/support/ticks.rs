//! Receipts as people see them: the ticks on pages, and how far everybody has come as frames tell it.

use scraper::Html;
use tokio::task::JoinHandle;

use super::actor::{Person, RoomId, Seq};
use super::ask::selector;
use super::{Answer, Ear, eventually};

/// How far everybody in a room was reached, and has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    pub delivered: u64,
    pub read: u64,
}

/// An open page in front of which nobody sits: its channel answers by itself until this is dropped.
pub struct Tab(JoinHandle<()>);

impl Drop for Tab {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ear {
    /// Leaves the channel open, as a page in a background tab does.
    pub fn stays_open(mut self) -> Tab {
        Tab(tokio::spawn(async move {
            while self.next_or_end().await.is_ok() {}
        }))
    }

    /// Listens until everybody in the room has come as far as this, or further.
    pub async fn hears_floors(&mut self, delivered: u64, read: u64) {
        let is_there = |floors: Floors| floors.delivered >= delivered && floors.read >= read;
        while !floors_in(&self.next().await).is_some_and(is_there) {}
    }

    /// Listens until the ticks before the room's preview say this.
    pub async fn hears_preview(&mut self, room: RoomId, state: &str) {
        while preview_in(&self.next().await, room).as_deref() != Some(state) {}
    }

    /// How far everybody in the room has come, each time that it was told.
    pub fn floors(&self) -> Vec<Floors> {
        let frames = self.frames().iter();
        frames.filter_map(|frame| floors_in(frame)).collect()
    }
}

impl Person {
    /// Opens the room and looks at it, for the first time perhaps: the page then says how far it was read.
    pub async fn comes_to(&self, room: RoomId) {
        self.room(room).await;
        self.reads(room, 1).await;
    }

    /// What the ticks of a message of theirs say on a fresh page.
    pub async fn tick(&self, room: RoomId, seq: Seq) -> String {
        let page = self.gets(&format!("/rooms/{room}?at={seq}")).await.is(200);
        let shown = ticks_on(&page).into_iter().find(|(at, _)| *at == seq);
        shown
            .unwrap_or_else(|| panic!("{seq} has no ticks on {}", page.body))
            .1
    }

    /// Opens fresh pages until the ticks of a message of theirs say this.
    pub async fn sees_tick(&self, room: RoomId, seq: Seq, state: &str) {
        eventually(&format!("message {seq} is {state}"), async || {
            self.tick(room, seq).await == state
        })
        .await;
    }
}

/// The ticks on a page or a fragment of one: the message's place and what they say.
pub fn ticks_on(page: &Answer) -> Vec<(Seq, String)> {
    let (html, css) = (page.html(), selector("li.message .ticks"));
    let told = |ticks: scraper::ElementRef<'_>| {
        let seq = ticks.attr("id")?.strip_prefix("ticks-")?.parse().ok()?;
        Some((seq, ticks.attr("data-state")?.to_owned()))
    };
    html.select(&css)
        .map(|it| told(it).expect("ticks say of what and what"))
        .collect()
}

/// How far everybody has come, if the frame tells.
pub fn floors_in(frame: &str) -> Option<Floors> {
    let html = Html::parse_fragment(frame);
    let floors = html.select(&selector("#floors")).next()?;
    let number = |name| floors.attr(name)?.parse().ok();
    Some(Floors {
        delivered: number("data-delivered")?,
        read: number("data-read")?,
    })
}

/// What the ticks before the room's preview say after this frame, if it tells: what stands last counts.
pub fn preview_in(frame: &str, room: RoomId) -> Option<String> {
    let html = Html::parse_fragment(frame);
    let ticks = selector(&format!("#preview-ticks-{room}"));
    let last = html.select(&ticks).next_back()?;
    last.attr("data-state").map(str::to_owned)
}
