//! How much room is left on a disk.

use std::path::Path;

/// Below this many bytes a disk is full: the write-ahead log and its checkpoints need as much at once.
const FULL: u64 = 16 * 1024 * 1024;
/// Below this many bytes, or a tenth of a smaller disk, little is left.
const LOW: u64 = 1024 * 1024 * 1024;

/// A file system, as whoever is not root sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// How many bytes are free.
    pub free: u64,
    /// How many bytes it has.
    pub size: u64,
}

/// What is left of a disk, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Enough.
    Ok,
    /// Less than 1 GiB, and less than a tenth.
    Low,
    /// Less than 16 MiB.
    Full,
}

impl Room {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Full => "full",
        }
    }
}

impl Disk {
    /// The file system that has this directory; `None` when it does not say.
    pub(super) fn of(directory: &Path) -> Option<Self> {
        let state = rustix::fs::statvfs(directory).ok()?;
        Some(Self {
            free: state.f_bavail.saturating_mul(state.f_frsize),
            size: state.f_blocks.saturating_mul(state.f_frsize),
        })
    }

    /// What is left, in a word.
    pub fn room(self) -> Room {
        match self.free {
            free if free < FULL => Room::Full,
            free if free < LOW.min(self.size / 10) => Room::Low,
            _ => Room::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_judged_by_what_is_left_of_it() {
        const MIB: u64 = 1024 * 1024;
        for (free, size, room) in [
            (0, 100 * MIB, Room::Full),
            (15 * MIB, 1_000_000 * MIB, Room::Full),
            (500 * MIB, 1_000_000 * MIB, Room::Low),
            (2000 * MIB, 1_000_000 * MIB, Room::Ok),
            (500 * MIB, 10_000 * MIB, Room::Low),
            (17 * MIB, 100 * MIB, Room::Ok),
            (90 * MIB, 192 * MIB, Room::Ok),
        ] {
            assert_eq!(Disk { free, size }.room(), room, "{free} of {size}");
        }
        assert!(Disk::of(Path::new("/")).expect("there is a root").size > 0);
    }
}
