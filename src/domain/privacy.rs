//! What people let others see of them, and what the administrator allows everyone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::Chat;
use crate::{
    error::{Error, Result},
    ids::UserId,
    realtime::Event,
    records::{Privacy, Role, User},
    store::{Store, Write},
};

/// The name under which it is stored whether anyone sends read receipts.
const RECEIPTS: &str = "receipts";

/// What holds for everyone.
#[derive(Debug, Clone)]
pub(super) struct House {
    receipts: Arc<AtomicBool>,
}

impl House {
    /// As the administrator left it.
    pub async fn read(store: &Store) -> Result<Self> {
        let receipts = Self::receipts(store).await?;
        Ok(Self {
            receipts: Arc::new(AtomicBool::new(receipts)),
        })
    }

    /// Whether the administrator left read receipts on.
    pub async fn receipts(store: &Store) -> Result<bool> {
        let receipts = store.find_setting(RECEIPTS).await?;
        Ok(receipts.as_deref() != Some("off"))
    }

    /// What holds from now on.
    pub fn set_receipts(&self, on: bool) {
        self.receipts.store(on, Ordering::Relaxed);
    }
}

impl Chat {
    /// Whether read receipts are shown to anyone at all.
    pub fn has_receipts(&self) -> bool {
        self.house.receipts.load(Ordering::Relaxed)
    }

    /// Whether somebody who lets others see this much sees how far others have read.
    pub fn sees_reads(&self, privacy: Privacy) -> bool {
        privacy.receipts && self.has_receipts()
    }

    /// Changes what `user` lets others see, and so what they see of others.
    pub async fn set_privacy(&self, user: UserId, privacy: Privacy) -> Result<()> {
        self.store.update_privacy(user, privacy).await?;
        self.presence.set_shown(user, privacy.presence);
        self.bus.publish(Event::PrivacyChanged { user, privacy });
        self.recount_floors(user).await
    }

    /// Whoever hides what they read holds nobody's ticks back any more. What was received is said once more: it is
    /// no news, but makes the writer find out how far everybody in those rooms has come.
    async fn recount_floors(&self, user: UserId) -> Result<()> {
        let positions = self.store.positions(user).await?;
        let rooms = positions.iter().filter(|it| it.is_member);
        let delivered = rooms.map(|it| ((it.room, user), it.delivered_seq));
        let again = Write::Delivered(delivered.collect());
        self.writer.write(again).await.map(|_| ())
    }

    /// Shows read receipts to everyone who wants them, or to nobody.
    ///
    /// # Errors
    /// `Forbidden` for anyone but the administrator.
    pub async fn switch_receipts(&self, by: &User, on: bool) -> Result<()> {
        if by.role != Role::Administrator {
            return Err(Error::Forbidden {
                words: "Only the administrator can change this.",
            });
        }
        let value = if on { "on" } else { "off" };
        self.store.put_setting(RECEIPTS, value).await?;
        self.house.set_receipts(on);
        self.bus.publish(Event::ReceiptsSwitched { on });
        Ok(())
    }
}
