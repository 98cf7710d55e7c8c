//! Signals as people see them: badges and titles, who is here, who has received and read a message, and what they
//! themselves let others see.

use reqwest::Method;
use scraper::{ElementRef, Html};

use super::actor::{Person, RoomId, Seq};
use super::ask::{Answer, selector, words};
use super::live::Ear;

/// The pill of a room: how many messages are unread there, and whether it is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    pub count: u64,
    pub muted: bool,
}

/// The pill of a room that is not muted.
pub fn unread(count: u64) -> Badge {
    let muted = false;
    Badge { count, muted }
}

/// The pill of a room that is.
pub fn muted(count: u64) -> Badge {
    let muted = true;
    Badge { count, muted }
}

/// Everybody whom a message concerns, as its info shows them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Info {
    pub read: Group,
    pub delivered: Group,
    pub waiting: Group,
}

/// Some of them: names, each with a time or without, and how many more there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub people: Vec<(String, String)>,
    pub more: usize,
}

impl Group {
    /// These people at these times.
    pub fn of(people: &[(&str, &str)]) -> Group {
        let people = people.iter();
        Group {
            people: people
                .map(|(name, when)| ((*name).into(), (*when).into()))
                .collect(),
            more: 0,
        }
    }

    /// How many they are.
    pub fn size(&self) -> usize {
        self.people.len() + self.more
    }

    /// When somebody among them did it.
    pub fn when(&self, name: &str) -> Option<&str> {
        let mut people = self.people.iter();
        people
            .find(|(one, _)| one == name)
            .map(|(_, when)| when.as_str())
    }
}

impl Person {
    /// The address of a message's info.
    pub async fn tries_info(&self, room: RoomId, seq: Seq) -> Answer {
        self.gets(&format!("/rooms/{room}/messages/{seq}/info"))
            .await
    }

    /// Who has read a message of theirs and whom it has reached.
    pub async fn info(&self, room: RoomId, seq: Seq) -> Info {
        info_on(&self.tries_info(room, seq).await.is(200))
    }

    /// Marks a room as unread from a message on.
    pub async fn marks_unread(&self, room: RoomId, seq: Seq) {
        let path = format!("/rooms/{room}/messages/{seq}/unread");
        self.sends(Method::POST, &path, &[]).await.leads_to("/");
    }

    /// Marks a room as unread.
    pub async fn marks_room_unread(&self, room: RoomId) {
        let path = format!("/rooms/{room}/unread");
        self.sends(Method::POST, &path, &[]).await.leads_to("/");
    }

    /// Mutes a room for so long, and brings back what its menu says then.
    pub async fn mutes(&self, room: RoomId, how_long: &str) -> String {
        let answer = self.tries_to_mute(room, how_long).await.is(200);
        answer.texts(".mute-words").concat()
    }

    pub async fn tries_to_mute(&self, room: RoomId, how_long: &str) -> Answer {
        let path = format!("/rooms/{room}/mute");
        self.sends(Method::POST, &path, &[("for", how_long)]).await
    }

    /// Says in the settings whether others see how far they have read, and whether they are here.
    pub async fn shows(&self, receipts: bool, presence: bool) {
        let switches = [("receipts", receipts), ("presence", presence)];
        let form: Vec<_> = switches
            .into_iter()
            .filter_map(|(name, on)| on.then_some((name, "on")))
            .collect();
        self.submits("/settings", &form)
            .await
            .leads_to("/settings?saved=1");
    }

    /// Says as the administrator whether anyone sees read receipts.
    pub async fn tries_to_switch_receipts(&self, on: bool) -> Answer {
        let form = if on { &[("receipts", "on")][..] } else { &[] };
        self.submits("/settings/house", form).await
    }

    /// The pill of a room on a fresh page of the lobby.
    pub async fn badge(&self, room: RoomId) -> Badge {
        let lobby = self.lobby().await;
        badge_in(&lobby.body, room).unwrap_or_else(|| panic!("room {room} is not in the lobby"))
    }

    /// The title of a fresh page of the lobby.
    pub async fn title(&self) -> String {
        self.lobby().await.text("title")
    }

    /// What the divider of a fresh page says, and before which message it stands.
    pub async fn divider(&self, room: RoomId) -> Option<(String, Seq)> {
        let page = self.room(room).await;
        let (html, css) = (page.html(), selector("#divider"));
        let divider = html.select(&css).next()?;
        let mut next = divider.next_siblings().filter_map(ElementRef::wrap);
        let seq = next.find_map(|item| item.attr("data-rev").and(item.attr("data-seq")));
        let seq = seq.expect("a message stands behind it");
        let said = words(&divider.text().collect::<String>());
        Some((said, seq.parse().expect("a number")))
    }

    /// The number by which pages know somebody else.
    pub async fn id_of(&self, other: &Person) -> u64 {
        let lobby = self.lobby().await;
        let (html, rows) = (lobby.html(), selector("li.row"));
        let (name, dot) = (selector(".row-name"), selector(".presence"));
        let mut rows = html.select(&rows);
        let row = rows.find(|row| {
            let mut names = row.select(&name);
            names.any(|it| words(&it.text().collect::<String>()) == other.name())
        });
        let row = row.unwrap_or_else(|| panic!("{} is in no list", other.name()));
        let mut marks = row.select(&dot);
        let id = marks.find_map(|dot| dot.attr("id")?.strip_prefix("presence-")?.parse().ok());
        id.expect("somebody's row bears their dot")
    }

    /// Whether somebody is here, by a fresh page of the lobby.
    pub async fn sees_online(&self, id: u64) -> bool {
        let lobby = self.lobby().await;
        presence_in(&lobby.body, id).expect("their row is in the lobby")
    }
}

impl Ear {
    /// Listens until the pill of a room is this one.
    pub async fn hears_badge(&mut self, room: RoomId, badge: Badge) -> String {
        self.hears_that(|frame| badge_in(frame, room) == Some(badge))
            .await
    }

    /// Listens until the title is this one.
    pub async fn hears_title(&mut self, title: &str) -> String {
        self.hears_that(|frame| title_in(frame).as_deref() == Some(title))
            .await
    }

    /// Listens until somebody is here, or is so no longer.
    pub async fn hears_online(&mut self, id: u64, online: bool) -> String {
        self.hears_that(|frame| presence_in(frame, id) == Some(online))
            .await
    }

    /// Listens until the head of the chat says this of the other one.
    pub async fn hears_seen(&mut self, said: &str) -> String {
        self.hears_that(|frame| seen_in(frame).as_deref() == Some(said))
            .await
    }

    /// Listens until a frame says who is here: everybody, on one line.
    pub async fn hears_who_is_here(&mut self) -> Vec<u64> {
        here_in(&self.hears_that(|frame| here_in(frame).is_some()).await).unwrap_or_default()
    }

    async fn hears_that(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let frame = self.next().await;
            if is_it(&frame) {
                return frame;
            }
        }
    }
}

/// The lists of a message's info, on its page or in its fragment.
pub fn info_on(page: &Answer) -> Info {
    let mut info = Info::default();
    for section in page.html().select(&selector("section.receipts")) {
        let key = first(section, "[data-key]").and_then(|title| title.attr("data-key"));
        let group = match key {
            Some("read") => &mut info.read,
            Some("delivered") => &mut info.delivered,
            Some("waiting") => &mut info.waiting,
            _ => panic!("{key:?} is no group"),
        };
        *group = group_in(section);
    }
    info
}

fn group_in(section: ElementRef<'_>) -> Group {
    let text = |found: ElementRef<'_>| words(&found.text().collect::<String>());
    let items = selector("li.receipt");
    let people = section.select(&items).map(|item| {
        let name = first(item, ".receipt-name").map(text);
        (
            name.expect("somebody has a name"),
            first(item, "time").map(text).unwrap_or_default(),
        )
    });
    let rest = first(section, ".receipts-rest")
        .map(text)
        .unwrap_or_default();
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    Group {
        people: people.collect(),
        more: digits.parse().unwrap_or(0),
    }
}

fn first<'a>(within: ElementRef<'a>, css: &str) -> Option<ElementRef<'a>> {
    within.select(&selector(css)).next()
}

/// The pill of a room, if the page or frame has it: what stands last counts.
pub fn badge_in(html: &str, room: RoomId) -> Option<Badge> {
    let html = parse(html);
    let pill = html
        .select(&selector(&format!("#unread-{room}")))
        .next_back()?;
    Some(Badge {
        count: pill.attr("data-count")?.parse().ok()?,
        muted: pill.attr("data-muted").is_some(),
    })
}

/// The title that the frame gives the page.
pub fn title_in(frame: &str) -> Option<String> {
    let html = Html::parse_fragment(frame);
    let title = html.select(&selector("title")).next_back()?;
    Some(title.text().collect())
}

/// Whether somebody is here, if the page or frame tells.
pub fn presence_in(html: &str, id: u64) -> Option<bool> {
    let html = parse(html);
    let dot = format!("#presence-{id}");
    let places = selector(&format!("{dot}, hx-partial[hx-target]"));
    let is_told = |place: &ElementRef<'_>| {
        let targets = place.attr("hx-target");
        targets.is_none_or(|targets| targets.split(',').any(|target| target == dot))
    };
    let place = html.select(&places).rfind(is_told)?;
    Some(place.has_children())
}

/// What the head of the chat says of the other one, if the page or frame tells.
pub fn seen_in(html: &str) -> Option<String> {
    let html = parse(html);
    let seen = html.select(&selector("p#presence")).next_back()?;
    Some(words(&seen.text().collect::<String>()))
}

/// Everybody who is here, if the frame tells.
pub fn here_in(frame: &str) -> Option<Vec<u64>> {
    let html = Html::parse_fragment(frame);
    let (all, one) = (
        selector("hx-partial[hx-target='.presence']"),
        selector("hx-partial[hx-target^='#presence-']"),
    );
    html.select(&all).next()?;
    let targets = html.select(&one).filter_map(|dot| dot.attr("hx-target"));
    let dots = targets.flat_map(|targets| targets.split(','));
    let ids = dots.filter_map(|dot| dot.strip_prefix("#presence-"));
    Some(ids.map(|id| id.parse().expect("a number")).collect())
}

fn parse(html: &str) -> Html {
    match html.trim_start().starts_with("<!") {
        true => Html::parse_document(html),
        false => Html::parse_fragment(html),
    }
}
