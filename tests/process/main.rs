//! The program itself, as a process of its own: killed without warning, and watched for what it gives away.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod collector;
mod crash;
mod decisions;
mod figures;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/meddle.rs"]
mod meddle;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/raw.rs"]
mod raw;
mod secrets;
mod sent_figures;
mod server;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/password/sinks.rs"]
mod sinks;
mod slow;
mod steps;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/support.rs"]
mod support;
mod traces;
mod upkeep_figures;
