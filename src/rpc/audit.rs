//! The Audit service: what the ledgers hold, for people and for programs.

mod events;
mod unused;
mod view;

use tonic::{Request, Response, Status};

use super::shared::{Shared, open};
use crate::proto::v1 as pb;
use crate::proto::v1::audit_service_server::AuditService;

/// Reads the ledgers.
#[derive(Debug, Clone)]
pub struct AuditApi(pub Shared);

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        let (call, request) = open(request)?;
        self.list(&call, &request).await
    }

    async fn list_unused_rights(
        &self,
        request: Request<pb::ListUnusedRightsRequest>,
    ) -> Result<Response<pb::ListUnusedRightsResponse>, Status> {
        let (call, request) = open(request)?;
        self.unused(&call, &request).await
    }
}
