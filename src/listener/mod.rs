//! Where connections come in: at most so many, each behind a gate that keeps HTTP/1.1 strict and slow clients short.
//! What it must not know: routes, people, templates, and who serves the requests.
//!
//! hyper and poem have no deadline for heads and bodies, read some malformed requests in their own way, leave Nagle's
//! algorithm on, and spin when the process runs out of descriptors.

mod accept;
mod acme;
mod baseline;
mod gate;
mod guarded_stream;
mod https;
mod limits;
mod openable;
mod rejection;
mod request_head;
mod socket;
mod tls;
mod transport;

pub use accept::{Connection, Listener, Protocol};
pub use baseline::BASELINE;
pub use guarded_stream::GuardedStream;
pub use https::Https;
pub use limits::Limits;
pub use openable::openable;
pub use socket::{LocalAddress, Peer, Socket};
pub use transport::ClientStream;
