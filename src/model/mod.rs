//! The nouns of the service and the rules that each one keeps by itself. No I/O, no clock of its own.

mod account;
mod activity;
pub mod catalogue;
mod clock;
mod condition;
mod fold;
mod id;
mod ledger;
mod message;
mod path;
mod rights;
mod role;
mod service_key;
mod session;
mod signing_key;
mod spiffe;
mod token;
mod user;
mod user_filter;

pub use account::{Account, AccountStatus, EffectiveStatus};
pub use activity::{Activity, ActivityKind, Deed};
pub use clock::{Clock, HeldClock, SystemClock};
pub use condition::{BadCondition, Condition, Fault, View};
pub use fold::{BadName, Folded, fold};
pub use id::{
    AccountId, ActivityId, BadId, DecisionId, DocId, KeyId, MessageId, Revision, RoleId, SessionId,
    SigningKeyId, TokenId, UserId, unasked_v7,
};
pub use ledger::{Change, ChangeKind, EntityKind, Image};
pub use message::{Message, MessageKind};
pub use path::{BadPath, Named, Pair, ResourcePath, decode_id};
pub use rights::{
    Assignment, Body, ProductPermissions, ResourcePermissions, RightsDocument, SystemDocument,
};
pub use role::{CustomRole, Holder, Reach, Relation, RoleGrant, RoleRef};
pub use service_key::{KeyAlgorithm, PublicKey};
pub use session::{Assumed, Ended, Session, SessionKind, SessionMarks};
pub use signing_key::{SigningAlgorithm, SigningKey};
pub use spiffe::{BadSpiffeId, SpiffeId};
pub use token::ApiToken;
pub use user::{Identity, RegionalSettings, User, UserKind};
pub use user_filter::UserFilter;

/// A map whose hash is seeded anew by each process, and costs less than the look that it is for.
pub type Swift<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// And such a set.
pub type SwiftSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
