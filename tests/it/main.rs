//! The service as its callers see it: real gRPC, a real server in process, both stores.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod support;

mod account;
mod attacks;
mod audit;
mod authorize;
mod authzen;
mod cli;
mod conditions;
mod decision_log;
mod door;
mod edges;
mod everywhere;
mod examples;
mod explain;
mod faults;
mod following;
mod laws;
mod matrix;
mod meddle;
mod mesh;
mod once;
mod password;
mod past;
mod preview;
mod proxy;
mod raw;
mod review;
mod rights;
mod role;
mod search;
mod session;
mod store;
mod strangers;
mod tls;
mod token;
mod trips;
mod user;
mod voximplant;
mod watching;
