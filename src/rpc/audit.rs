//! The Audit service: what the ledgers hold, for people and for programs.

mod activity;
mod events;
mod export;
mod proof;
mod unused;
mod view;
mod watch;

use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::heavy::Heavy;
use super::shared::{Shared, open};
use super::streams::Told;
use crate::crypto::LedgerKey;
use crate::layers::{Gate, bearer};
use crate::proto::v1 as pb;
use crate::proto::v1::audit_service_server::AuditService;

/// Reads the ledgers.
#[derive(Debug, Clone)]
pub struct AuditApi {
    shared: Shared,
    /// What heads are signed with.
    key: Arc<LedgerKey>,
    /// Judges streams anew.
    gate: Arc<Gate>,
    /// Places for exports: they last, and take none of those that answers are waited for.
    exports: Heavy,
}

impl AuditApi {
    /// Makes the service; heads are signed with `key`, and streams judged by `gate`.
    pub fn new(shared: Shared, key: Arc<LedgerKey>, gate: Arc<Gate>) -> Self {
        Self { shared, key, gate, exports: Heavy::default() }
    }
}

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        let (call, request) = open(request)?;
        self.list(&call, &request).await
    }

    type WatchAuditEventsStream = Told<pb::WatchAuditEventsResponse>;

    async fn watch_audit_events(
        &self,
        request: Request<pb::WatchAuditEventsRequest>,
    ) -> Result<Response<Self::WatchAuditEventsStream>, Status> {
        self.watched(request).await
    }

    async fn verify_ledger(
        &self,
        request: Request<pb::VerifyLedgerRequest>,
    ) -> Result<Response<pb::VerifyLedgerResponse>, Status> {
        let (call, request) = open(request)?;
        self.verify(&call, &request).await
    }

    async fn get_ledger_head(
        &self,
        request: Request<pb::GetLedgerHeadRequest>,
    ) -> Result<Response<pb::GetLedgerHeadResponse>, Status> {
        let (call, _) = open(request)?;
        self.head(&call)
    }

    type ExportLedgerStream = ReceiverStream<Result<pb::ExportLedgerResponse, Status>>;

    async fn export_ledger(
        &self,
        request: Request<pb::ExportLedgerRequest>,
    ) -> Result<Response<Self::ExportLedgerStream>, Status> {
        let headers = request.metadata().clone().into_headers();
        // Without one it is the connection that says who calls, and that stands as long as it is open.
        let seen = bearer(&headers).ok().map(|text| self.shared.credentials.seen(text));
        let (call, request) = open(request)?;
        self.export(call, seen, request.resume_after).await
    }

    async fn list_unused_rights(
        &self,
        request: Request<pb::ListUnusedRightsRequest>,
    ) -> Result<Response<pb::ListUnusedRightsResponse>, Status> {
        let (call, request) = open(request)?;
        self.unused(&call, &request).await
    }

    async fn list_activity(
        &self,
        request: Request<pb::ListActivityRequest>,
    ) -> Result<Response<pb::ListActivityResponse>, Status> {
        let (call, request) = open(request)?;
        self.activity(&call, &request).await
    }
}
