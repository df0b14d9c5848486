//! Chancery: identity and authorization for communications platforms.
//!
//! The rooms, lowest first; each imports only from those above it in this list (`tests/architecture.rs`).

pub mod proto;
pub mod model;
pub mod telemetry;
pub mod decision;
pub mod crypto;
pub mod store;
pub mod feed;
pub mod layers;
pub mod rpc;
pub mod admin;
pub mod server;
pub mod config;
pub mod cli;
