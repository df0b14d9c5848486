//! `WatchChanges`: which objects change, as it happens.

use tonic::{Request, Response, Status};

use super::authorization::AuthorizationApi;
use super::shared::{account_of, reader};
use super::streams::{Mark, Pump, Told};
use super::wire::timestamp;
use crate::crypto::ConsistencyToken;
use crate::decision::Snapshot;
use crate::layers::{Standing, status};
use crate::proto::v1 as pb;
use crate::store::Entry;

impl AuthorizationApi {
    pub(super) async fn watched(
        &self,
        request: Request<pb::WatchChangesRequest>,
    ) -> Result<Response<Told<pb::WatchChangesResponse>>, Status> {
        let standing = Standing::of(&request).ok_or_else(status::internal)?;
        let by = reader(standing.call())?;
        let account = account_of(&standing.call().ask, "account_id")?;
        let request = request.into_inner();
        let after = resume_after(&request.resume_after, &by.there)?;
        let seat = self.0.streams.take(by.caller.user)?;
        let watching = self.0.feed.watch(by.there.tenant(), after.as_ref()).await?;
        let pump = Pump {
            standing,
            gate: std::sync::Arc::clone(&self.1),
            watching,
            account,
            subtree: request.subtree,
            right: ("change", "watch"),
            show: message,
        };
        Ok(Response::new(pump.start(&self.0.streams, seat)))
    }
}

/// Reads where a stream is to begin.
pub(super) fn resume_after(
    text: &str,
    there: &Snapshot,
) -> Result<Option<ConsistencyToken>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let token: Option<ConsistencyToken> = text.parse().ok();
    let token = token.filter(|token| token.tenant == there.tenant());
    let why = "must be a consistency token of this account's tenant, as a response carried it";
    token.map(Some).ok_or_else(|| status::bad_field("INVALID_FIELD", "resume_after", why))
}

fn message(entries: &[&Entry], mark: Mark) -> pb::WatchChangesResponse {
    let changes = entries.iter().map(|entry| pb::ChangedEntity {
        kind: entry.change.kind.name().to_owned(),
        entity: entry.change.entity(),
        account_id: entry.change.account.to_string(),
    });
    let changes: Vec<_> = changes.collect();
    let stands = mark.resume_after.revision;
    let revision = if mark.more { stands.next() } else { stands };
    pb::WatchChangesResponse {
        consistency_token: mark.resume_after.to_string(),
        revision: revision.0,
        time: Some(timestamp(mark.at)),
        changes,
        heartbeat: mark.heartbeat,
        more: mark.more,
    }
}
