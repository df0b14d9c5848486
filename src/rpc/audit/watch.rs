//! `WatchAuditEvents`: what changes, whole, as it happens.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::AuditApi;
use super::view::sound;
use crate::layers::{Standing, status};
use crate::proto::v1 as pb;
use crate::rpc::streams::{Mark, Told};
use crate::rpc::watch::Wanted;
use crate::rpc::wire::timestamp;
use crate::store::Entry;

impl AuditApi {
    pub(super) async fn watched(
        &self,
        request: Request<pb::WatchAuditEventsRequest>,
    ) -> Result<Response<Told<pb::WatchAuditEventsResponse>>, Status> {
        let standing = Standing::of(&request).ok_or_else(status::internal)?;
        let request = request.into_inner();
        let (subtree, after) = (request.subtree, request.resume_after.as_str());
        let wanted = Wanted { subtree, after, right: ("audit_event", "read"), show: message };
        self.shared.stream(standing, Arc::clone(&self.gate), wanted).await
    }
}

fn message(entries: &[&Entry], mark: Mark) -> pb::WatchAuditEventsResponse {
    pb::WatchAuditEventsResponse {
        consistency_token: mark.resume_after.to_string(),
        revision: mark.revision().0,
        time: Some(timestamp(mark.at)),
        audit_events: entries.iter().map(|entry| sound(entry)).collect(),
        heartbeat: mark.heartbeat,
        more: mark.more,
    }
}
