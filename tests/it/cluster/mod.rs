//! Several nodes, one chat.

mod admin;
mod failover;
mod faults;
mod forms;
mod limits;
mod live;
mod order;
mod presence;
mod processes;
mod sessions;
mod signals;
mod streams;
pub mod tls;
