//! Chancery: identity and authorization for communications platforms.
//!
//! The rooms, lowest first; each imports only from those above it in this list (`tests/architecture.rs`).

pub mod admin;
pub mod authzen;
pub mod cli;
pub mod client;
pub mod config;
pub mod crypto;
pub mod decision;
pub mod decision_log;
pub mod feed;
pub mod issuers;
pub mod layers;
pub mod mesh;
pub mod model;
pub mod outside;
pub mod post;
pub mod proto;
pub mod rpc;
pub mod server;
pub mod store;
pub mod telemetry;
