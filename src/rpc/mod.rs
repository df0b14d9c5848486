//! The API, one file a service. An RPC reads: who, what, open, act, reply.

mod asking;
mod authorization;
mod page;
mod question;
mod shared;
mod wire;

pub use authorization::AuthorizationApi;
pub use shared::{Settings, Shared};
