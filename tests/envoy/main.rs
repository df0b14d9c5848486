//! Chancery behind a real Envoy.
//!
//! Envoy is fetched by `.ci/tools envoy` where it is not on PATH; where it cannot be had, these tests fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod ext_authz;
mod http;
mod jwt;
#[expect(dead_code, reason = "shared with the tests of the program")]
#[path = "../process/server.rs"]
mod processes;
mod proxy;
mod rest;
mod rolling;
mod shipped;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/password/sinks.rs"]
mod sinks;
mod steps;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/support.rs"]
mod support;
mod upstream;
mod web;
