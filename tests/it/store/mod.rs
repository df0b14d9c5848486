//! The store's contract, on every engine: what is kept, in which order, and what happens to it when things go wrong.

mod history;
mod kept;
mod refused;
mod requests;
mod schema;
mod support;
mod writers;
