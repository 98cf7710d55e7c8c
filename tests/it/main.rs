//! Tertulia from outside: over HTTP and real sockets, in a real browser, as a real process.

mod accounts;
mod browser;
mod browser_ticks;
mod crash;
mod faults;
mod history;
mod live;
mod messages;
mod pages;
mod process;
mod receipts;
mod receipts_lobby;
mod receipts_property;
mod rooms;
mod safety;
mod slow;
mod sse;
mod stopping;
mod support;
mod tidy;
mod typing;
mod wire;
mod writer;
