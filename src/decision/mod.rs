//! Judging: who may do what, as a function of values.
//!
//! Nothing here waits, reads a clock or can fail. Whatever can go wrong goes wrong earlier, when a
//! [`Snapshot`] is built or a request is read.

mod apply;
mod ask;
mod decide;
mod escalation;
mod fields;
mod judge;
mod limits;
mod question;
mod roles;
mod rule;
mod sight;
mod snapshot;
mod tree;

pub use ask::{Anchor, Ask, Caller};
pub use decide::{ceiling, decide};
pub use escalation::{Escalation, Holding, call_holdings, escalation, gains, holdings, within};
pub use fields::{Fields, Value};
pub use judge::{Permit, Refused, judge};
pub use limits::Limits;
pub use question::{Answer, Because, Missing, Question, Reason, Subject, Worlds};
pub use rule::{Access, BadRule, Check, Rule, Slot, When};
pub use sight::{may, sees_account, sees_user};
pub use snapshot::{BrokenWorld, CompiledRole, Facts, Held, Principal, Snapshot, TokenFacts};
