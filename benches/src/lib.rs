//! What the benches share: how often is measured, and what is measured on.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

pub mod caller;
pub mod echo;
pub mod figures;
pub mod grpc;
pub mod ledger;
pub mod load;
pub mod plot;
pub mod program;
pub mod rbac;
pub mod stored;
pub mod world;
