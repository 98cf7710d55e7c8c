//! Tertulia: a self-hosted chat that loses nothing. This page is the map.
//!
//! - [`ids`], [`clock`], [`error`], [`records`]: the words that every layer shares. They know nothing.
//! - [`store`]: where facts are kept. The only home of `sea_orm`. One writer commits everything that waits; what became
//!   of the last write and the last reading is kept too (`store::Health`), and is what `/readyz` says.
//! - [`realtime`]: how news travels. Events, topics, the hub's bounded queues, the bus between processes.
//! - [`domain`]: what a chat is: its rules. Acts on `store` and publishes through `realtime`.
//! - [`listener`]: where connections come in: sockets, TLS and its certificates (ACME), places, deadlines, HTTP framing made strict. Knows no routes and no `poem`.
//! - [`systemd`]: sockets that it passes on, and what it is told.
//! - [`web`]: how browsers see it. The only home of `poem` and `minijinja`.
//! - [`config`], [`commands`], [`telemetry`], [`app`], [`demo`], [`version`]: what the operator sets, what the program can
//!   do (a file per command), what is logged, how it is put together, a chat to try it with, which build it is.
//!
//! Directions: `web → domain → {store, realtime} → words`; `web` may also subscribe to `realtime`, and stands on `listener`.
//! `tests/it/tidy.rs` checks it.
//!
//! # Invariants
//! 1. A message is answered (its tick shows) only after its commit is on the disk, and on that of a standby where PostgreSQL
//!    replicates synchronously. What became of a commit whose answer was lost is believed only of a server on the same
//!    timeline (`store::writer::doubt`); connections to a former primary are given up (`store::postgres`).
//! 2. A room's numbers are 1, 2, 3 … without holes: `seq` for places, `rev` for changes. Both come from the room's row.
//! 3. The same key by the same author is the same message.
//! 4. News is published after its commit, in commit order: only the writer's task publishes what changes a room.
//! 5. A reader sees each change once: it subscribes, then reads what it missed, then skips every `rev` it has seen,
//!    and reads again when one is missing. Readers who missed the same are given one reading of it.
//! 6. What happens in a direct room is heard on that room's topic and the two people's own, nowhere else.
//! 7. Whether a message begins a day or a group is a fact of its own (`previous`), so a fragment depends on no neighbour.
//! 8. Watermarks (`delivered_seq`, `read_seq`) never fall and never pass the room's end; whoever joins starts at the
//!    end. Floors (the lowest of a room's members; of reads, the lowest of those who send receipts, kept with the room)
//!    never fall either, and ticks never turn back.
//! 9. Who hides how far they read, or whether they are here, does not see it of others: what a person sees goes through
//!    their `Privacy` (`web::views::Eyes`). What they mark as unread or mute is told to nobody else.
//! 10. What a reader is sent does not depend on how: `web::live::feed` decides, a WebSocket or a stream carries.
//! 11. Redis only makes other nodes hear of things sooner. What it loses, brings late or twice is put right by the
//!     database (`domain::reconcile`) and by what listeners were told already (`realtime::positions`). Nothing waits for it.
//! 12. Every queue, body, page and pool has a bound, and its type says what happens there.
//! 13. Tables change all at once or not at all (`store::schema`); a step that has landed is never edited.
//! 14. One process serves a file of SQLite's (`store::server_lock`), and nothing is written to a file before what was left
//!     beside it was found to belong to it (`store::leftover`).
//! 15. A database file that a command makes (a backup, a restored or moved database, the copy before a step) is whole or
//!     not there: it has another name until it was checked and has reached the disk (`store::backup`).
//! 16. Nobody else on the machine may read what the program makes (`store::rights`, and the umask of `main`).
//! 17. What is asked for by time (`changed`, `created`) bears a stamp: the database's time, never a node's, and later than all
//!     that was committed when it was taken (`store::stamp`). Cursors by time stand 30 s behind; what comes twice is
//!     replaced by its id. Rows stand in the order of (stamp, id).
//! 18. A page says of which build and which past of the database it is (`store::version`); when that is another, it gets
//!     the newest page and lobby afresh, and what a node remembered is forgotten (`domain::version`).
//!
//! # One message's journey
//! `web::messages::post` parses the form and asks [`domain::Chat::post`]; the writer (`store::writer`) commits it with
//! whatever else waits and hands the commit on; [`domain`] names it [`realtime::Event::MessagePosted`] and the bus gives it to
//! the hub; each reader's task (`web::live`) takes it from its own queue, renders it once per variant, and flushes.
//! The POST is answered with the same fragment; the browser inserts by id, so it shows once. Behind the fragment goes a
//! ping (over a stream, an `ask` that the page answers); its pong says that the browser has it, and with others that is
//! committed as delivered. Should Ben look elsewhere, the lobby's line says what his browser is to say aloud: whether it
//! does is decided here, not in his page. Ben's page says when he has looked. When a room's floors move, one small frame tells its
//! pages, which turn their ticks by it.
//!
//! On several nodes the bus also says it on Redis, on a channel per topic; the other nodes give it to those of their
//! readers who listen to that topic. Every few seconds, and every moment while a node's own beat does not come back to
//! it or there is no Redis, each looks into the database for what it was not told, and tells that. A file of SQLite's is
//! looked into when a command of the program wrote to it.

pub mod app;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod domain;
pub mod error;
pub mod ids;
pub mod listener;
pub mod realtime;
pub mod records;
pub mod store;
pub mod systemd;
pub mod telemetry;
pub mod version;
pub mod web;
