//! What is told of who comes in, who is refused and who may do what: under a target of its own, with names and addresses.

use super::extract::ClientAddress;
use crate::{ids::UserId, records::Person, telemetry::SECURITY};

/// Tells what somebody did, or tried to; without `who` it is nobody who has an account. What was typed as a name is not
/// told: people type passwords there by mistake.
pub fn tell(event: &'static str, who: Option<&Person>, from: ClientAddress) {
    let user = who.map(|person| person.id.0);
    let name = who.map(|person| tracing::field::debug(&person.name));
    tracing::info!(target: SECURITY, event, user, name, %from);
}

/// Tells what an administrator did to somebody.
pub fn tell_deed(event: &'static str, whom: UserId, by: &Person, from: ClientAddress) {
    tracing::info!(target: SECURITY, event, user = whom.0, by = by.id.0, by.name = ?by.name, %from);
}
