//! Nothing lost, whatever breaks: many clients talk while a nemesis kills, stops, starves and cuts off the server,
//! and a checker holds what each of them saw against what is stored in the end.
//!
//! `TERTULIA_FAULTS_SEED` repeats a run's choices, `TERTULIA_FAULTS_SECONDS` sets its length.

mod around;
mod bad_logs;
mod channel;
mod checker;
mod clients;
pub mod disk;
mod full;
mod lines;
mod log;
mod nemesis;
mod nodes;
mod party;
mod run;
mod upheaval;
