//! Several nodes, one chat.

mod admin;
mod limits;
mod live;
