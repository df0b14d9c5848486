//! The Authorization service: decisions, one or many, at one revision and instant.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer;
use super::asking::Asking;
use super::shared::{Reader, Shared, open, reader};
use super::streams::Told;
use crate::layers::{Gate, status};
use crate::proto::v1 as pb;
use crate::proto::v1::consistency::Requirement;

/// The most items of a batch.
const MOST_ITEMS: usize = 1000;
/// So many items are answered in one go.
const TURN: usize = 32;

/// Answers questions from the newest snapshots, and lets changes that are rehearsed through the gate.
#[derive(Debug, Clone)]
pub struct AuthorizationApi(pub Shared, pub Arc<Gate>);

#[tonic::async_trait]
impl pb::authorization_service_server::AuthorizationService for AuthorizationApi {
    async fn authorize(
        &self,
        request: Request<pb::AuthorizeRequest>,
    ) -> Result<Response<pb::AuthorizeResponse>, Status> {
        let origin = self.0.decisions.origin("Authorize", &request);
        let (call, request) = open(request)?;
        let asking = self.asking(reader(&call)?, request.consistency, request.explain).await?;
        let mut asking = asking.recorded(origin);
        let item = pb::EvaluationRequest {
            subject: request.subject,
            action: request.action,
            resource: request.resource,
            context: request.context,
        };
        let answer = asking.answer(&item).await?;
        answer::note(&answer);
        Ok(asking.respond(answer))
    }

    async fn batch_authorize(
        &self,
        request: Request<pb::BatchAuthorizeRequest>,
    ) -> Result<Response<pb::BatchAuthorizeResponse>, Status> {
        let origin = self.0.decisions.origin("BatchAuthorize", &request);
        let (call, mut request) = open(request)?;
        let consistency = request.consistency.take();
        let asking = self.asking(reader(&call)?, consistency, request.explain).await?;
        let mut asking = asking.recorded(origin);
        let semantic = Semantic::of(request.options.as_ref());
        let items = items(&mut request);
        let mut evaluations = Vec::with_capacity(items.len().min(MOST_ITEMS));
        for (place, item) in items.into_iter().enumerate() {
            if place % TURN == TURN - 1 {
                // Others are served in between, and a deadline is noticed.
                tokio::task::yield_now().await;
            }
            let answer = match asking.answer(&item).await {
                Ok(answer) => answer,
                // A fault of one item is that item's; a store that is away is everybody's.
                Err(error) if is_of_item(&error) => asking.failed(&error),
                Err(error) => return Err(error),
            };
            let stop = semantic.stops_at(answer.decision);
            evaluations.push(answer);
            if stop {
                break;
            }
        }
        let (consistency_token, evaluated_revision) = asking.stand();
        let reply =
            pb::BatchAuthorizeResponse { evaluations, consistency_token, evaluated_revision };
        Ok(asking.respond(reply))
    }

    async fn explain_authorization(
        &self,
        request: Request<pb::ExplainAuthorizationRequest>,
    ) -> Result<Response<pb::ExplainAuthorizationResponse>, Status> {
        self.explained(request).await
    }

    async fn search_subjects(
        &self,
        request: Request<pb::SearchSubjectsRequest>,
    ) -> Result<Response<pb::SearchSubjectsResponse>, Status> {
        self.subjects(request).await
    }

    async fn search_actions(
        &self,
        request: Request<pb::SearchActionsRequest>,
    ) -> Result<Response<pb::SearchActionsResponse>, Status> {
        self.actions(request).await
    }

    async fn search_resources(
        &self,
        request: Request<pb::SearchResourcesRequest>,
    ) -> Result<Response<pb::SearchResourcesResponse>, Status> {
        self.resources(request).await
    }

    async fn preview_change(
        &self,
        request: Request<pb::PreviewChangeRequest>,
    ) -> Result<Response<pb::PreviewChangeResponse>, Status> {
        self.previewed(request).await
    }

    type WatchChangesStream = Told<pb::WatchChangesResponse>;

    async fn watch_changes(
        &self,
        request: Request<pb::WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        self.watched(request).await
    }
}

impl AuthorizationApi {
    /// Opens the asking: brings the snapshots to what the request wants to see.
    pub(super) async fn asking(
        &self,
        mut by: Reader,
        consistency: Option<pb::Consistency>,
        explain: bool,
    ) -> Result<Asking, Status> {
        let feed = &self.0.feed;
        let mut as_of = None;
        match consistency.and_then(|consistency| consistency.requirement) {
            None | Some(Requirement::MinimizeLatency(_) | Requirement::Full(false)) => {}
            Some(Requirement::Full(true)) => {
                let platform = feed.fresh(feed.root()).await?.revision();
                by.home = feed.fresh(by.caller.tenant).await?;
                return Ok(Asking::new(self.0.clone(), by, explain, true, platform));
            }
            Some(Requirement::AsOf(at)) => as_of = Some(at),
            Some(Requirement::AtLeast(token)) => {
                let token = token.parse().map_err(|_| {
                    let why = "must be a consistency token as a change answered it";
                    status::bad_field("INVALID_FIELD", "consistency.at_least", why)
                })?;
                Box::pin(feed.at_least(&token)).await?;
                by.home = feed.tenant(by.caller.tenant).await?;
            }
        }
        let platform = feed.platform().await?.revision();
        let asking = Asking::new(self.0.clone(), by, explain, false, platform);
        match as_of {
            None => Ok(asking),
            Some(at) => Box::pin(asking.about(at)).await,
        }
    }
}

/// Where a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn of(options: Option<&pb::EvaluationOptions>) -> Self {
        match options.map_or("", |options| options.evaluations_semantic.as_str()) {
            "deny_on_first_deny" => Self::DenyOnFirstDeny,
            "permit_on_first_permit" => Self::PermitOnFirstPermit,
            _ => Self::ExecuteAll,
        }
    }

    const fn stops_at(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

/// An unknown token too many is the fault of the item that names it, too.
fn is_of_item(error: &Status) -> bool {
    use tonic::Code::{InvalidArgument, NotFound, PermissionDenied, ResourceExhausted};
    matches!(error.code(), InvalidArgument | PermissionDenied | NotFound | ResourceExhausted)
}

/// Fills each item from the batch's defaults. A batch without items asks its defaults, once.
fn items(request: &mut pb::BatchAuthorizeRequest) -> Vec<pb::EvaluationRequest> {
    let defaults = pb::EvaluationRequest {
        subject: request.subject.take(),
        action: request.action.take(),
        resource: request.resource.take(),
        context: request.context.take(),
    };
    let given = std::mem::take(&mut request.evaluations);
    if given.is_empty() {
        return vec![defaults];
    }
    given
        .into_iter()
        .map(|item| pb::EvaluationRequest {
            subject: item.subject.or_else(|| defaults.subject.clone()),
            action: item.action.or_else(|| defaults.action.clone()),
            resource: item.resource.or_else(|| defaults.resource.clone()),
            context: item.context.or_else(|| defaults.context.clone()),
        })
        .collect()
}
