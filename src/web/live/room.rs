//! The open room as a reader follows it: messages, what was missed of them, and how far everybody has come. It knows
//! nothing of the lobby.

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Reader,
    frames::{FloorsFrame, Resync},
};
use crate::{
    domain::messages::CatchUp,
    error::Result,
    ids::Rev,
    realtime::{Event, News},
    records::{Floors, Message, Room},
    web::views::{HistoryView, MessageView, MessagesFrame},
};

/// The variants of how far everybody has come, for who sees how far others have read and who does not. No variant of
/// a message has these numbers.
const FLOORS: [u64; 2] = [u64::MAX - 1, u64::MAX];

impl Reader {
    /// What the page missed of its room since its `rev`, if anything.
    pub(super) async fn catch_up_room(&mut self) -> Result<Option<Utf8Bytes>> {
        let Some(room) = self.room.clone() else {
            return Ok(None);
        };
        let missed = self.site.app.chat.catch_up(&room, self.rev).await?;
        self.floors = self.floors.max(missed.floors);
        let (messages, rev) = match &missed.found {
            CatchUp::Changes(changed) => {
                let last = changed.iter().map(|message| message.rev).max();
                (changed, last)
            }
            CatchUp::Afresh(found) | CatchUp::Other(found) => (&found.messages, Some(found.rev)),
        };
        let Some(rev) = rev else { return Ok(None) };
        self.rev = rev;
        let make = || self.render_missed(&room, &missed.found, rev);
        let is_mine = |message: &Message| message.author.id == self.user;
        // Whoever wrote none of it sees what others see.
        Ok(Some(match messages.iter().any(is_mine) {
            true => make(),
            false => missed.shared.get(self.variant(false), make),
        }))
    }

    fn render_missed(&self, room: &Room, missed: &CatchUp, rev: Rev) -> Utf8Bytes {
        let templates = &self.site.templates;
        let rendered = match missed {
            CatchUp::Changes(changed) => {
                let view = |message| MessageView::new(room, message, self.eyes());
                let messages: Vec<_> = changed.iter().map(view).collect();
                let (messages, rev) = (&messages[..], Some(rev));
                templates.render("live/_messages.html", MessagesFrame { messages, rev })
            }
            CatchUp::Afresh(found) | CatchUp::Other(found) => {
                let history = HistoryView::new(room, found, self.eyes());
                let other = matches!(missed, CatchUp::Other(_));
                let resync = Resync {
                    history,
                    rev,
                    other,
                };
                templates.render("live/_resync.html", resync)
            }
        };
        rendered.into()
    }

    /// Readers of one variant see the same bytes.
    fn variant(&self, mine: bool) -> u64 {
        let sees_reads = self.site.app.chat.sees_reads(self.privacy);
        u64::from(self.zone.key()) << 2 | u64::from(sees_reads) << 1 | u64::from(mine)
    }

    /// The shared fragment of one changed message.
    pub(super) fn message_frame(&self, news: &News, room: &Room, message: &Message) -> Utf8Bytes {
        let mine = message.author.id == self.user;
        news.shared.get(self.variant(mine), || {
            let (messages, rev) = ([MessageView::new(room, message, self.eyes())], message.rev);
            self.site
                .templates
                .render(
                    "live/_messages.html",
                    MessagesFrame {
                        messages: &messages,
                        rev: Some(rev),
                    },
                )
                .into()
        })
    }

    /// How far everybody in the room has come: the page turns its ticks by it, however many they are.
    pub(super) fn floors_frame(&self) -> Utf8Bytes {
        let Floors { delivered, read } = self
            .floors
            .seen_by(self.site.app.chat.sees_reads(self.privacy));
        self.site
            .templates
            .render("live/_floors.html", FloorsFrame { delivered, read })
            .into()
    }

    /// The frame of how far everybody in the open room has come, if that is news.
    pub(super) fn take_floors(&mut self) -> Option<Utf8Bytes> {
        let news = self.stale_floors.take()?;
        // Who came when more was known already is not told less.
        let is_all =
            matches!(news.event, Event::FloorsMoved { floors, .. } if floors == self.floors);
        let sees_reads = self.site.app.chat.sees_reads(self.privacy);
        Some(match is_all {
            true => news
                .shared
                .get(FLOORS[usize::from(sees_reads)], || self.floors_frame()),
            false => self.floors_frame(),
        })
    }
}
