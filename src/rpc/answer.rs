//! How an answer looks on the wire.

use std::sync::OnceLock;

use metrics::Counter;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tracing::Span;

use super::recording::reason_name;
use super::sight::Sight;
use super::wire::timestamp;
use crate::decision::{Because, Missing, Reason, Snapshot, Untold};
use crate::model::{Fault, RoleRef, Swift};
use crate::proto::v1 as pb;
use crate::telemetry;

/// Puts a grant on the wire; what the asker does not see of it is left out.
pub(super) fn grant(sight: &Sight, because: &Because) -> Option<pb::Grant> {
    let home: &Snapshot = &sight.home;
    let catalogue = home.catalogue();
    let account_id = sight.account.map(|id| sight.account_name(id)).unwrap_or_default();
    Some(match because {
        Because::Baseline(ix) => pb::Grant {
            kind: pb::GrantKind::Baseline.into(),
            role_type: catalogue.get(*ix).full_name.to_string(),
            account_id,
            ..Default::default()
        },
        Because::AccountRole(ix) => pb::Grant {
            kind: pb::GrantKind::AccountRole.into(),
            role_type: catalogue.bare(*ix).to_owned(),
            account_id,
            ..Default::default()
        },
        Because::Held { user, place, .. } => {
            let found = home.user(*user)?;
            let held = found.held.get(*place)?;
            let scope = held.scope.as_ref().filter(|scope| sight.sees_account(scope.account));
            pb::Grant {
                kind: pb::GrantKind::Role.into(),
                role_type: role_name(home, &held.role),
                holder_user_id: sight.user_name(*user),
                account_id,
                scope: scope.map(ToString::to_string).unwrap_or_default(),
                expire_time: held.expire_time.map(timestamp),
                ..Default::default()
            }
        }
        Because::Document { document, holder } => {
            let found = home.document(*document)?;
            let held_in = home.user(*holder).map(|holder| found.account(holder.account));
            let shown = sight.sees_document(*document);
            pb::Grant {
                kind: pb::GrantKind::Document.into(),
                rights_doc_id: if shown { document.to_string() } else { String::new() },
                holder_user_id: sight.user_name(*holder),
                account_id: held_in.map(|id| sight.account_name(id)).unwrap_or_default(),
                ..Default::default()
            }
        }
    })
}

/// Says which condition could not be evaluated, and why; in words that hold nobody's values.
pub(super) fn untold(home: &Snapshot, untold: &Untold) -> Struct {
    let field = match &untold.fault {
        Fault::MissingKey(key) => key.clone().unwrap_or_default(),
        Fault::NotBool | Fault::TooCostly | Fault::Mismatch | Fault::Unreadable => String::new(),
    };
    let role = role_name(home, &untold.role);
    let message = format!("the condition of `{role}` cannot be evaluated: {}", untold.fault);
    error("INVALID_ARGUMENT", "CONDITION_FAILED".to_owned(), field, message)
}

/// Makes the `context` of an answer that says what went wrong.
pub(super) fn error(code: &str, reason: String, field: String, message: String) -> Struct {
    let fields =
        [("code", code.to_owned()), ("reason", reason), ("field", field), ("message", message)];
    let text = |text: String| Value { kind: Some(Kind::StringValue(text)) };
    let error = Struct {
        fields: fields.into_iter().map(|(key, value)| (key.to_owned(), text(value))).collect(),
    };
    let error = Value { kind: Some(Kind::StructValue(error)) };
    Struct { fields: [("error".to_owned(), error)].into_iter().collect() }
}

/// Names a role as answers do: bare where that is unambiguous, a custom one by its name.
pub(super) fn role_name(world: &Snapshot, role: &RoleRef) -> String {
    match role {
        RoleRef::BuiltIn(name) => {
            let catalogue = world.catalogue();
            catalogue
                .role(name)
                .map_or_else(|| name.to_string(), |ix| catalogue.bare(ix).to_owned())
        }
        RoleRef::Custom(id) => {
            world.role(*id).map_or_else(|| id.to_string(), |role| role.role.name.clone())
        }
    }
}

/// Counts a decision by its reason. One about another time is no decision: nobody is let in by it.
pub(super) fn count(reason: Reason, live: bool) {
    // What counts is looked up once, not at each decision.
    static COUNTERS: OnceLock<Swift<Reason, Counter>> = OnceLock::new();
    if !live {
        metrics::counter!("chancery_past_decisions_total").increment(1);
        return;
    }
    let counters = COUNTERS.get_or_init(|| {
        let counter = |reason: Reason| {
            let decision = decision(reason == Reason::Permitted);
            let reason = reason_name(wire_reason(reason));
            metrics::counter!("chancery_decisions_total", "decision" => decision, "reason" => reason)
        };
        REASONS.into_iter().map(|reason| (reason, counter(reason))).collect()
    });
    if let Some(counter) = counters.get(&reason) {
        counter.increment(1);
    }
}

/// Says in the trace what a request was told.
pub(super) fn note(reply: &pb::AuthorizeResponse) {
    if telemetry::is_on() {
        let span = Span::current();
        telemetry::note(&span, "chancery.decision", decision(reply.decision));
        telemetry::note(&span, "chancery.reason", reason_name(reply.reason()));
    }
}

/// Names a decision.
pub(super) const fn decision(permit: bool) -> &'static str {
    if permit { "permit" } else { "deny" }
}

/// All there are.
const REASONS: [Reason; 11] = [
    Reason::Permitted,
    Reason::SubjectUnknown,
    Reason::SubjectDisabled,
    Reason::TokenInvalid,
    Reason::TokenExpired,
    Reason::TokenRevoked,
    Reason::AccountNotActive,
    Reason::NoAccess,
    Reason::NoGrant,
    Reason::AccountRoleCeiling,
    Reason::TokenScope,
];

pub(super) const fn wire_reason(reason: Reason) -> pb::Reason {
    match reason {
        Reason::Permitted => pb::Reason::Permitted,
        Reason::SubjectUnknown => pb::Reason::SubjectUnknown,
        Reason::SubjectDisabled => pb::Reason::SubjectDisabled,
        Reason::TokenInvalid => pb::Reason::TokenInvalid,
        Reason::TokenExpired => pb::Reason::TokenExpired,
        Reason::TokenRevoked => pb::Reason::TokenRevoked,
        Reason::AccountNotActive => pb::Reason::AccountNotActive,
        Reason::NoAccess => pb::Reason::NoAccess,
        Reason::NoGrant => pb::Reason::NoGrant,
        Reason::AccountRoleCeiling => pb::Reason::AccountRoleCeiling,
        Reason::TokenScope => pb::Reason::TokenScope,
    }
}

pub(super) const fn wire_missing(missing: Missing) -> pb::Missing {
    match missing {
        Missing::NotGranted => pb::Missing::NotGranted,
        Missing::OutOfReach => pb::Missing::OutOfReach,
        Missing::OutOfScope => pb::Missing::OutOfScope,
        Missing::WrongRelation => pb::Missing::WrongRelation,
        Missing::ConditionFailed => pb::Missing::ConditionFailed,
        Missing::GrantExpired => pb::Missing::GrantExpired,
    }
}

pub(super) const fn code_name(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        _ => "INVALID_ARGUMENT",
    }
}
