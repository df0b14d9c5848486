//! Chancery: identity and authorization for communications platforms.
//!
//! The rooms, lowest first; each imports only from those above it in this list (`tests/architecture.rs`).

pub mod model;
pub mod decision;
pub mod crypto;
