//! Judging: who may do what, as a function of values.
//!
//! Nothing here waits, reads a clock or can fail. Whatever can go wrong goes wrong earlier, when a
//! [`Snapshot`] is built or a request is read.

mod apply;
mod ask;
mod assigned;
mod bounds;
mod by_account;
mod by_document;
mod catalogue;
mod compare;
mod conditions;
mod decide;
mod documents;
mod effect;
mod effective;
mod escalation;
mod explain;
mod few;
mod fields;
mod grants;
mod holding;
mod judge;
mod limits;
mod makers;
mod named;
mod object;
mod question;
mod roles;
mod row;
mod rule;
mod search;
mod sight;
mod snapshot;
mod stock;
mod stops;
mod suggest;
mod sums;
mod suppose;
mod things;
mod tree;
mod watch;

pub use ask::{Actor, Anchor, Ask, Caller, CallerSession};
pub use bounds::ceiling;
pub use catalogue::{Through, given_by_catalogue, sees_tenants};
pub use compare::only_of;
pub use decide::decide;
pub use documents::{CompiledDocument, DocumentKind};
pub use effect::{Effects, UserEffect, effects, lives};
pub use effective::{EffectiveRight, Limit, Source, Way, effective, effective_far};
pub use escalation::{Escalation, escalation, gains, within, within_document};
pub use explain::{Explanation, explain};
pub use fields::{Fields, Value};
pub use grants::Grants;
pub use holding::{Depth, Holding, Place, call_holdings, holdings};
pub use judge::{Permit, Refused, judge};
pub use limits::Limits;
pub use makers::Makers;
pub use question::{
    Answer, Asked, Because, Missing, Nothing, Properties, Question, Reason, Subject, Untold, Worlds,
};
pub use rule::{Access, BadRule, Check, Rule, Slot, When};
pub use search::{Known, known, possible_users};
pub use sight::{
    may, may_be_shown, may_by_role, owns_document, sees_account, sees_document, sees_user,
};
pub use snapshot::{
    BrokenWorld, CompiledRole, Facts, Held, Map, Principal, Set, Snapshot, TokenFacts,
};
pub use stock::Stock;
pub use stops::{Stops, quarantine_stops};
pub use suggest::{Suggestion, Viewer, suggest};
pub use suppose::Proposed;
pub use watch::{Bar, Looked};
