//! Explaining a decision that was made before: what it was, and whether it would be the same now.

use std::sync::Arc;

use tonic::{Response, Status};

use super::answer;
use super::asking::{Asking, EXPLAIN, Ready};
use super::authorization::AuthorizationApi;
use super::recording::Remembered;
use super::sight::Sight;
use super::wire::{field, timestamp};
use crate::decision::{Answer, Refused};
use crate::decision_log::{GrantKind, GrantOf};
use crate::layers::status;
use crate::model::DecisionId;
use crate::proto::v1 as pb;

impl AuthorizationApi {
    /// Explains a decision that is remembered. One that whoever asks may not explain is answered as one that is not.
    pub(super) async fn explained_again(
        &self,
        mut asking: Asking,
        request: &pb::ExplainAuthorizationRequest,
    ) -> Result<Response<pb::ExplainAuthorizationResponse>, Status> {
        let asks = request.subject.is_some() || request.action.is_some();
        if asks || request.resource.is_some() || request.context.is_some() {
            let why = "stands alone: the question is the one that was asked then";
            return Err(status::bad_field("INVALID_FIELD", "decision_id", why));
        }
        asking.is_about_now("what was decided is told as it was, and decided anew as of now")?;
        let id: DecisionId = field("decision_id", &request.decision_id)?;
        asking.refuse_if_never(EXPLAIN)?;
        let unseen = || Status::from(Refused::Unseen { kind: "decision", id: id.to_string() });
        let before = self.0.decisions.recall(id).ok_or_else(unseen)?;
        // What another tenant was answered is that tenant's: who has asked there, and how far its history is.
        let home = asking.caller().tenant;
        if before.record.tenant_id != home && home != self.0.feed.root() {
            return Err(unseen());
        }
        let prepared = asking.again(&before).await?.ok_or_else(unseen)?;
        self.explain(asking, prepared, Some(before)).await
    }
}

/// Tells what a decision was, cut to what whoever asks may know, and whether it would be the same now.
pub(super) fn recorded(
    before: &Arc<Remembered>,
    asking: &Asking,
    ready: &Ready,
    now: &Answer,
) -> pb::RecordedDecision {
    let told = &before.told;
    let same_now = match before.found {
        Some((reason, missing)) => reason == now.reason && missing == now.missing,
        None => told.decision == now.is_permit(),
    };
    let sight = asking.sight(ready);
    let grants = before.record.grants.iter().map(|one| grant(&sight, one)).collect();
    pb::RecordedDecision { same_now, grants, ..told.clone() }
}

fn grant(sight: &Sight, grant: &GrantOf) -> pb::Grant {
    let kind = match grant.kind {
        GrantKind::Baseline => pb::GrantKind::Baseline,
        GrantKind::Role => pb::GrantKind::Role,
        GrantKind::Document => pb::GrantKind::Document,
        GrantKind::AccountRole => pb::GrantKind::AccountRole,
    };
    let role = grant.role_type.parse().map(|role| answer::role_name(&sight.home, &role));
    let document = grant.rights_doc_id.filter(|id| sight.sees_document(*id));
    let scope = grant.scope.as_ref().filter(|scope| sight.sees_account(scope.account));
    pb::Grant {
        kind: kind.into(),
        role_type: if grant.role_type.is_empty() {
            String::new()
        } else {
            role.unwrap_or_default()
        },
        rights_doc_id: document.map(|id| id.to_string()).unwrap_or_default(),
        holder_user_id: grant.holder_user_id.map(|id| sight.user_name(id)).unwrap_or_default(),
        account_id: grant.account_id.map(|id| sight.account_name(id)).unwrap_or_default(),
        scope: scope.map(ToString::to_string).unwrap_or_default(),
        expire_time: grant.expire_time.map(timestamp),
    }
}
