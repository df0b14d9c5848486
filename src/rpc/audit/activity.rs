//! `ListActivity`: what was done that changed nothing.

use tonic::{Response, Status};

use super::AuditApi;
use super::events::range;
use crate::layers::Call;
use crate::model::{Activity, ActivityKind};
use crate::proto::v1 as pb;
use crate::rpc::shared::{account_of, reader, with_revision};
use crate::rpc::wire::{optional, timestamp};
use crate::store::{Moment, Sought};

impl AuditApi {
    pub(super) async fn activity(
        &self,
        call: &Call,
        request: &pb::ListActivityRequest,
    ) -> Result<Response<pb::ListActivityResponse>, Status> {
        let by = reader(call)?;
        let page = self.shared.page::<Moment>(call, request.page_size, &request.page_token)?;
        let (start, end) = range(request.start_time, request.end_time)?;
        let sought = Sought {
            account: account_of(&call.ask, "account_id")?,
            start,
            end,
            kinds: request.kinds().filter_map(kind).collect(),
            user: optional("user_id", &request.user_id)?,
            backwards: request.order() == pb::AuditOrder::NewestFirst,
            limit: page.limit(),
            after: page.after,
        };
        // What was done here is found at once; what was done elsewhere, within a minute.
        self.shared.credentials.doings().write_down(&self.shared.store).await;
        let mut found = self.shared.store.activity(&sought).await?;
        let place = |one: &Activity| Moment(one.at, one.id);
        let next_page_token = self.shared.cut(call, &mut found, page.size, place);
        let activities = found.into_iter().map(wire).collect();
        let reply = pb::ListActivityResponse { activities, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }
}

const fn kind(kind: pb::ActivityKind) -> Option<ActivityKind> {
    match kind {
        pb::ActivityKind::Unspecified => None,
        pb::ActivityKind::SignIn => Some(ActivityKind::SignIn),
        pb::ActivityKind::SignInFailed => Some(ActivityKind::SignInFailed),
        pb::ActivityKind::Denied => Some(ActivityKind::Denied),
        pb::ActivityKind::TokenUsed => Some(ActivityKind::TokenUsed),
    }
}

fn wire(one: Activity) -> pb::Activity {
    let kind = match one.deed.kind {
        ActivityKind::SignIn => pb::ActivityKind::SignIn,
        ActivityKind::SignInFailed => pb::ActivityKind::SignInFailed,
        ActivityKind::Denied => pb::ActivityKind::Denied,
        ActivityKind::TokenUsed => pb::ActivityKind::TokenUsed,
    };
    pb::Activity {
        activity_id: one.id.to_string(),
        account_id: one.deed.account.to_string(),
        user_id: one.deed.user.map(|id| id.to_string()).unwrap_or_default(),
        kind: kind.into(),
        what: one.deed.what,
        source: one.deed.source,
        count: one.count,
        time: Some(timestamp(one.at)),
        last_time: Some(timestamp(one.last_at)),
    }
}
