//! Backups: one file each, whatever the database is, made while it is served, checked, and restored into either kind.

mod before_step;
mod digest;
mod keep;
mod make;
mod manifest;
mod partial;
mod place;
mod restore;
mod verify;

pub use before_step::CopyFirst;
pub(super) use before_step::copy_before_step;
pub use keep::{Pruned, place_in, prune};
pub use make::backup;
pub use manifest::Manifest;
pub(super) use partial::Partial;
pub(super) use place::{clear, must_be_no_backup, take};
pub use restore::restore;
pub use verify::verify;
