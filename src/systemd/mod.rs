//! What systemd and the program tell each other: sockets that it opened (`systemd.socket`), and how far the program is
//! (`sd_notify`). Without systemd all of it does nothing. It must not know what is served.

mod notify;
mod sockets;

pub use notify::Systemd;
pub use sockets::{InheritedSockets, inherited};
