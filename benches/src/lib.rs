//! What the benches share: how often is measured, and what is measured on.

#![expect(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

pub mod figures;
pub mod grpc;

pub mod world;
