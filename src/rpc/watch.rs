//! `WatchChanges`: which objects change, as it happens.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::authorization::AuthorizationApi;
use super::shared::{Shared, account_of, reader};
use super::streams::{Mark, Pump, Told};
use super::wire::timestamp;
use crate::crypto::ConsistencyToken;
use crate::decision::Snapshot;
use crate::layers::{Gate, Standing, status};
use crate::proto::v1 as pb;
use crate::store::Entry;

impl AuthorizationApi {
    pub(super) async fn watched(
        &self,
        request: Request<pb::WatchChangesRequest>,
    ) -> Result<Response<Told<pb::WatchChangesResponse>>, Status> {
        let standing = Standing::of(&request).ok_or_else(status::internal)?;
        let request = request.into_inner();
        let (subtree, after) = (request.subtree, request.resume_after.as_str());
        let wanted = Wanted { subtree, after, right: ("change", "watch"), show: message };
        self.0.stream(standing, Arc::clone(&self.1), wanted).await
    }
}

/// What a stream is to tell.
pub(super) struct Wanted<'r, M> {
    /// Whether it is of the accounts below too.
    pub(super) subtree: bool,
    /// Where it begins, as the request says.
    pub(super) after: &'r str,
    /// Type and action that are asked for in each account.
    pub(super) right: (&'static str, &'static str),
    /// Makes a message of changes.
    pub(super) show: fn(&[&Entry], Mark) -> M,
}

impl Shared {
    /// Begins a stream of the changes of the account that a request names.
    pub(super) async fn stream<M: Send + 'static>(
        &self,
        standing: Standing,
        gate: Arc<Gate>,
        wanted: Wanted<'_, M>,
    ) -> Result<Response<Told<M>>, Status> {
        let by = reader(standing.call())?;
        let account = account_of(&standing.call().ask, "account_id")?;
        let after = resume_after(wanted.after, &by.there)?;
        let seat = self.streams.take(by.caller.user)?;
        let watching = self.feed.watch(by.there.tenant(), after.as_ref()).await?;
        let Wanted { subtree, right, show, .. } = wanted;
        let pump = Pump { standing, gate, watching, account, subtree, right, show };
        Ok(Response::new(pump.start(&self.streams, seat)))
    }
}

/// Reads where a stream is to begin.
fn resume_after(text: &str, there: &Snapshot) -> Result<Option<ConsistencyToken>, Status> {
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
    pb::WatchChangesResponse {
        consistency_token: mark.resume_after.to_string(),
        revision: mark.revision().0,
        time: Some(timestamp(mark.at)),
        changes: changes.collect(),
        heartbeat: mark.heartbeat,
        more: mark.more,
    }
}
