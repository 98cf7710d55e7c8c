//! Who is here, as a reader follows it: in the lists of people and at the head of a chat of two. It knows nothing of
//! how it is found out who is here.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Reader,
    frames::{HereFrame, Presence, PresenceFrame, SeenFrame},
};
use crate::{
    error::Result,
    ids::UserId,
    realtime::{Event, News},
    web::views::SeenView,
};

/// The variant of what is the same for everybody who sees who is here.
const PRESENCE: u64 = u64::MAX - 2;

impl Reader {
    /// The frame for people who have come or gone, or for a change of what this reader sees of them.
    pub(super) async fn take_presence(&mut self, news: &Arc<News>) -> Result<Option<Utf8Bytes>> {
        match &news.event {
            Event::PresenceChanged { people } if self.privacy.presence => {
                let frame = news.shared.get(PRESENCE, || self.presence_frame(people));
                let peer = self
                    .peer()
                    .filter(|peer| people.iter().any(|(id, _)| id == peer));
                match peer {
                    Some(_) => Ok(Some(format!("{frame}{}", self.seen_frame().await?).into())),
                    None => Ok(Some(frame)),
                }
            }
            Event::PrivacyChanged { privacy, .. } if *privacy != self.privacy => {
                self.privacy = *privacy;
                let here = self.here_frame().await?;
                Ok(Some(format!("{here}{}", self.floors_frame()).into()))
            }
            // The ticks of an open page can rise by this; those that fall do so when it is loaded again.
            Event::ReceiptsSwitched { .. } => Ok(Some(self.floors_frame())),
            _ => Ok(None),
        }
    }

    /// Everybody who is here, for a page that was not told who came and went.
    pub(super) async fn here_frame(&self) -> Result<Utf8Bytes> {
        let people = match self.privacy.presence {
            true => self.site.app.chat.presence().online(),
            false => Vec::new(),
        };
        let here = self
            .site
            .templates
            .render("live/_here.html", HereFrame { people });
        Ok(format!("{here}{}", self.seen_frame().await?).into())
    }

    fn presence_frame(&self, people: &[(UserId, bool)]) -> Utf8Bytes {
        let changes = people.iter().map(|(id, online)| Presence {
            id: *id,
            online: *online,
        });
        let frame = PresenceFrame {
            changes: changes.collect(),
        };
        self.site
            .templates
            .render("live/_presence.html", frame)
            .into()
    }

    /// Whether the other one of the open chat is here; empty where there is no other one.
    async fn seen_frame(&self) -> Result<String> {
        let Some(peer) = self.peer() else {
            return Ok(String::new());
        };
        let seen = self.site.app.chat.seen(peer).await?;
        let seen = SeenView::new(seen, self.eyes());
        Ok(self
            .site
            .templates
            .render("live/_seen.html", SeenFrame { seen }))
    }

    fn peer(&self) -> Option<UserId> {
        let room = self.room.as_ref()?;
        room.peer(self.user).map(|peer| peer.id)
    }
}
