//! The API, one file a service. An RPC reads: who, what, open, act, reply.

mod account;
mod answer;
mod asking;
mod authorization;
mod checks;
mod explain;
mod heavy;
mod introspection;
mod page;
mod passwords;
mod preview;
mod properties;
mod question;
mod rehearsing;
mod reset;
mod rights;
mod role;
mod search;
mod session;
mod shared;
mod sight;
mod sign_in;
mod token;
mod user;
mod wire;

pub use account::AccountApi;
pub use authorization::AuthorizationApi;
pub use heavy::Heavy;
pub use passwords::{NoPasswords, PasswordSettings, Passwords};
pub use rights::RightsDocumentApi;
pub use role::RoleApi;
pub use session::SessionApi;
pub use shared::{Settings, Shared};
pub use token::TokenApi;
pub use user::UserApi;
