//! Judging: who may do what, as a function of values.
//!
//! Nothing here waits, reads a clock or can fail. Whatever can go wrong goes wrong earlier, when a
//! [`Snapshot`] is built or a request is read.

mod apply;
mod ask;
mod assigned;
mod by_document;
mod catalogue;
mod conditions;
mod decide;
mod documents;
mod effect;
mod escalation;
mod fields;
mod holding;
mod judge;
mod limits;
mod named;
mod object;
mod question;
mod roles;
mod row;
mod rule;
mod sight;
mod snapshot;
mod tree;

pub use ask::{Anchor, Ask, Caller};
pub use catalogue::{Through, given_by_catalogue, sees_tenants};
pub use decide::{ceiling, decide};
pub use documents::{CompiledDocument, DocumentKind};
pub use effect::{Effects, UserEffect, effects};
pub use escalation::{Escalation, escalation, gains, within, within_document};
pub use fields::{Fields, Value};
pub use holding::{Depth, Holding, Place, call_holdings, holdings};
pub use judge::{Permit, Refused, judge};
pub use limits::Limits;
pub use question::{
    Answer, Asked, Because, Missing, Nothing, Properties, Question, Reason, Subject, Untold, Worlds,
};
pub use rule::{Access, BadRule, Check, Rule, Slot, When};
pub use sight::{may, sees_account, sees_document, sees_user};
pub use snapshot::{BrokenWorld, CompiledRole, Facts, Held, Principal, Set, Snapshot, TokenFacts};
