//! Tertulia from outside: over HTTP and real sockets, in a real browser, as a real process.

mod accounts;
mod browser;
mod crash;
mod history;
mod live;
mod messages;
mod pages;
mod process;
mod rooms;
mod safety;
mod slow;
mod support;
mod tidy;
mod wire;
mod writer;
