//! Explanations on the wire: steps, grants, and what would help; all cut to what the asker sees.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer::{self, role_name};
use super::asking::{Asking, EXPLAIN, Prepared, Ready};
use super::authorization::AuthorizationApi;
use super::recalling::recorded;
use super::recording::Remembered;
use super::shared::{open, reader};
use super::sight::Sight;
use crate::decision::{
    Bar, Explanation, Looked, Makers, Proposed, Reason, Suggestion, Viewer, explain, suggest,
};
use crate::model::{EffectiveStatus, Reach, Relation, ResourcePath};
use crate::proto::v1 as pb;

/// So many grants are told of.
const MOST_LOOKED_AT: usize = 1000;

/// The steps of a decision, in their order, once the subject is known and its credential good.
const STEPS: [Reason; 6] = [
    Reason::SubjectDisabled,
    Reason::AccountNotActive,
    Reason::NoAccess,
    Reason::NoGrant,
    Reason::AccountRoleCeiling,
    Reason::TokenScope,
];

impl AuthorizationApi {
    pub(super) async fn explained(
        &self,
        request: Request<pb::ExplainAuthorizationRequest>,
    ) -> Result<Response<pb::ExplainAuthorizationResponse>, Status> {
        let (call, mut request) = open(request)?;
        let consistency = request.consistency.take();
        let mut asking = self.asking(reader(&call)?, consistency, false).await?;
        if !request.decision_id.is_empty() {
            return self.explained_again(asking, &request).await;
        }
        let item = pb::EvaluationRequest {
            subject: request.subject,
            action: request.action,
            resource: request.resource,
            context: request.context,
        };
        let prepared = asking.prepare(&item, EXPLAIN).await?;
        self.explain(asking, prepared, None).await
    }

    /// Explains a question, and what was decided of it `before`. That it is explained is no decision, and is not recorded.
    pub(super) async fn explain(
        &self,
        asking: Asking,
        prepared: Prepared,
        before: Option<Arc<Remembered>>,
    ) -> Result<Response<pb::ExplainAuthorizationResponse>, Status> {
        let mut ready = match prepared {
            Prepared::Ready(ready) => ready,
            Prepared::Settled(answer, ready) | Prepared::Hidden(answer, ready) => {
                let mut reply = of_answer(asking.reply(&answer));
                reply.recorded = before.map(|one| recorded(&one, &asking, &ready, &answer));
                return Ok(asking.respond(reply));
            }
        };
        ready.turn_to_actor();
        let sight = asking.sight(&ready);
        let tenant = sight.caller.tenant;
        let work = move || (told(&ready, &sight), ready);
        let ((explanation, told), ready) = self.0.heavy.run(tenant, work).await?;
        let answer = &explanation.answer;
        let reply = of_answer(asking.reply(answer));
        Ok(asking.respond(pb::ExplainAuthorizationResponse {
            grants: told.grants,
            steps: told.steps,
            looked_at: told.looked_at,
            looked_at_more: told.looked_at_more,
            suggestions: told.suggestions,
            recorded: before.map(|one| recorded(&one, &asking, &ready, answer)),
            ..reply
        }))
    }
}

fn of_answer(reply: pb::AuthorizeResponse) -> pb::ExplainAuthorizationResponse {
    pb::ExplainAuthorizationResponse {
        decision: reply.decision,
        reason: reply.reason,
        missing: reply.missing,
        decision_id: reply.decision_id,
        consistency_token: reply.consistency_token,
        evaluated_revision: reply.evaluated_revision,
        ..Default::default()
    }
}

/// Explains a question, and puts into words what the asker may know of it.
fn told(ready: &Ready, sight: &Sight) -> (Explanation, pb::ExplainAuthorizationResponse) {
    let explanation = explain(ready.worlds(), &ready.question());
    let viewer = Viewer {
        user: &|id| sight.sees_user(id),
        account: &|id| sight.sees_account(id),
        document: &|id| sight.sees_document(id),
    };
    let above = Some(&*sight.mine);
    // What would help is for now to say.
    let suggestions = if explanation.answer.is_permit() || !ready.live {
        Vec::new()
    } else {
        suggest(ready.worlds(), &ready.question(), &explanation, &viewer, above)
    };
    let grants = if explanation.answer.is_permit() { explanation.sufficient() } else { Vec::new() };
    let told = pb::ExplainAuthorizationResponse {
        grants: grants.into_iter().filter_map(|grant| answer::grant(sight, grant)).collect(),
        steps: STEPS.iter().map(|reason| step(&explanation, ready, sight, *reason)).collect(),
        looked_at: looked_at(&explanation, sight),
        looked_at_more: explanation.looked.len() > MOST_LOOKED_AT,
        suggestions: suggestions.iter().map(|one| suggestion(one, sight)).collect(),
        ..Default::default()
    };
    (explanation, told)
}

fn step(
    explanation: &Explanation,
    ready: &Ready,
    sight: &Sight,
    reason: Reason,
) -> pb::DecisionStep {
    let mut step = pb::DecisionStep {
        reason: answer::wire_reason(reason).into(),
        denies: explanation.denies(reason),
        ..Default::default()
    };
    match reason {
        Reason::AccountNotActive => {
            let seen = explanation.inactive.iter().filter(|(id, _)| sight.sees_account(*id));
            let accounts = seen.map(|(id, status)| pb::StepAccount {
                account_id: id.to_string(),
                status: status_name(*status).to_owned(),
                ..Default::default()
            });
            step.accounts = accounts.collect();
        }
        Reason::NoAccess => {
            if let crate::decision::Subject::User(user) = ready.found.subject {
                let held = explanation.suppressing.iter().map(|place| {
                    crate::decision::Because::Held { user, place: *place, custom: None }
                });
                step.suppressed_by = held.filter_map(|held| answer::grant(sight, &held)).collect();
            }
        }
        Reason::AccountRoleCeiling => {
            let seen = explanation.lacking.iter().filter(|id| sight.sees_account(**id));
            let accounts = seen.map(|id| pb::StepAccount {
                account_id: id.to_string(),
                role: account_role(sight, *id),
                ..Default::default()
            });
            step.accounts = accounts.collect();
            step.confined = explanation.confined;
        }
        Reason::NoGrant => {
            let obstacle = match explanation.bar {
                None => pb::Obstacle::Unspecified,
                Some(Bar::NeverOnOneself) => pb::Obstacle::NeverOnOneself,
                Some(Bar::NoSuchAccount) => pb::Obstacle::NoSuchAccount,
                Some(Bar::NotThere) => pb::Obstacle::NotThere,
            };
            step.obstacle = obstacle.into();
        }
        _ => {}
    }
    step
}

fn account_role(sight: &Sight, id: crate::model::AccountId) -> String {
    let role = sight.home.account(id).and_then(|account| account.role.clone()).unwrap_or_default();
    role_name(&sight.home, &crate::model::RoleRef::BuiltIn(role.into()))
}

const fn status_name(status: EffectiveStatus) -> &'static str {
    match status {
        EffectiveStatus::Active => "ACTIVE",
        EffectiveStatus::Pending => "PENDING",
        EffectiveStatus::Suspended => "SUSPENDED",
        EffectiveStatus::Quarantined => "QUARANTINED",
        EffectiveStatus::Closed => "CLOSED",
    }
}

/// Tells of the grants that were looked at: those that cover, then the nearest.
fn looked_at(explanation: &Explanation, sight: &Sight) -> Vec<pb::LookedAt> {
    let mut order: Vec<&Looked> = explanation.looked.iter().collect();
    order.sort_by_key(|looked| looked.verdict.err().map(std::cmp::Reverse));
    let told = order.into_iter().take(MOST_LOOKED_AT).filter_map(|looked| {
        let missing = looked.verdict.err().map(answer::wire_missing).unwrap_or_default();
        Some(pb::LookedAt {
            grant: Some(answer::grant(sight, &looked.because)?),
            covers: looked.verdict.is_ok(),
            missing: missing.into(),
            reach: looked.reach.map(reach_name).unwrap_or_default().to_owned(),
            on: looked.on.map(relation_name).unwrap_or_default().to_owned(),
            when: looked.when.as_deref().unwrap_or_default().to_owned(),
            left_out_by_token: !looked.counts,
        })
    });
    told.collect()
}

const fn reach_name(reach: Reach) -> &'static str {
    match reach {
        Reach::Account => "account",
        Reach::Subtree => "subtree",
    }
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Own => "self",
        Relation::Subtree => "subtree",
        Relation::Siblings => "siblings",
        Relation::Account => "account",
    }
}

fn suggestion(suggestion: &Suggestion, sight: &Sight) -> pb::Suggestion {
    let changes = suggestion.changes.iter();
    pb::Suggestion { changes: changes.map(|(what, makers)| change(what, makers, sight)).collect() }
}

fn change(change: &Proposed, makers: &Makers, sight: &Sight) -> pb::SuggestedChange {
    use pb::SuggestedChangeKind as Kind;
    let of = |kind: Kind| pb::SuggestedChange {
        kind: kind.into(),
        maker_user_ids: makers.users.iter().map(ToString::to_string).collect(),
        more_makers: makers.more,
        ..Default::default()
    };
    let role = |kind, role, scope: &Option<std::sync::Arc<ResourcePath>>| {
        let scope = scope.as_ref().filter(|scope| sight.sees_account(scope.account));
        let scope = scope.map(ToString::to_string).unwrap_or_default();
        pb::SuggestedChange { role_type: role_name(&sight.home, role), scope, ..of(kind) }
    };
    match change {
        Proposed::AddRole { role: given, scope } => role(Kind::AddRole, given, scope),
        Proposed::RenewRole { role: given, scope } => role(Kind::RenewRole, given, scope),
        Proposed::RemoveRole { role: taken, scope } => role(Kind::RemoveRole, taken, scope),
        Proposed::AssignDocument(id) => {
            pb::SuggestedChange { rights_doc_id: id.to_string(), ..of(Kind::AssignDocument) }
        }
        Proposed::EnableUser => of(Kind::EnableUser),
        Proposed::ResumeAccount(id) => {
            pb::SuggestedChange { account_id: id.to_string(), ..of(Kind::ResumeAccount) }
        }
        Proposed::ReleaseAccount(id) => {
            pb::SuggestedChange { account_id: id.to_string(), ..of(Kind::ReleaseAccount) }
        }
        Proposed::SetAccountRole { account, role } => pb::SuggestedChange {
            account_id: account.to_string(),
            role_type: role_name(
                &sight.home,
                &crate::model::RoleRef::BuiltIn(role.as_str().into()),
            ),
            ..of(Kind::SetAccountRole)
        },
        Proposed::UseWiderToken => of(Kind::UseWiderToken),
    }
}
