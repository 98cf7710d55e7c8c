//! A certificate of its own for the server: asked for and renewed by ACME (RFC 8555) with HTTP-01.

mod client;
mod failure;
mod files;
mod order;
mod renewal;

pub use renewal::Renewal;
