//! Upgrading: databases that earlier versions wrote, kept in `tests/it/golden/`, keep everything and are used on, on both
//! databases.

pub mod golden;
mod interrupted;
mod refused;
mod steps;
mod used;
