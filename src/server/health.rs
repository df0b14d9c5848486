//! `grpc.health.v1.Health`, written against its protocol: a name that is not known is an answer of `Watch`, not an end.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::admin::Report;

/// Answers by what the last probe found. All services stand on the same store, so they serve together or not at all.
#[derive(Debug, Clone)]
pub(super) struct Doctor {
    /// The full names of the services; the empty one is the whole server.
    pub(super) services: Arc<HashSet<String>>,
    /// What the probe finds.
    pub(super) reports: watch::Receiver<Report>,
}

fn status(report: &Report) -> ServingStatus {
    if report.ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn reply(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Doctor {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.services.contains(&request.get_ref().service) {
            // The protocol's own words for it; no object of ours is concerned.
            return Err(Status::new(Code::NotFound, "there is no such service"));
        }
        let status = status(&self.reports.borrow());
        Ok(Response::new(reply(status)))
    }

    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send + 'static>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.services.contains(&request.get_ref().service);
        let begin = (self.reports.clone(), None);
        let changes = futures::stream::unfold(begin, move |(mut reports, told)| async move {
            let now = loop {
                let now = if known {
                    status(&reports.borrow_and_update())
                } else {
                    ServingStatus::ServiceUnknown
                };
                if told != Some(now) {
                    break now;
                }
                if reports.changed().await.is_err() {
                    // Nothing will change any more; when the server closes, every open stream is ended.
                    std::future::pending::<()>().await;
                }
            };
            Some((Ok(reply(now)), (reports, Some(now))))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
