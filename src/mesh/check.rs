//! `envoy.service.auth.v3.Authorization/Check`: a proxy holds a request and asks whether it may go on.

use std::sync::Arc;

use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use tracing::Span;

use super::Mesh;
use super::answer::{Denied, Known, Unproved, denied, permitted};
use super::headers::{address, inbound, joins_credentials};
use super::table::{Asking, NOWHERE, NoRoute};
use super::template::Unnamed;
use crate::decision::Caller;
use crate::layers::{BadCredential, Call, Gate, Source, Via, bearer, status};
use crate::model::{AccountId, ResourcePath};
use crate::proto::v1 as pb;
use crate::proto::v1::authorization_service_server::AuthorizationService;
use crate::telemetry;

/// What whoever asks must hold.
const EVALUATE: &str = "decision.evaluate";

/// The mesh's door.
///
/// What it asks is the very question that `Authorize` answers, asked of that service as the proxy: there is no second opinion,
/// and a proxy learns of nobody whom it may not ask about.
#[derive(Debug, Clone)]
pub struct MeshApi<A> {
    /// Answers questions.
    pub authorize: A,
    /// Tells credentials, and where requests come from.
    pub gate: Arc<Gate>,
    /// The routes, and what else the operator says.
    pub mesh: Arc<Mesh>,
}

/// Whose request it is, as far as it says.
enum Who<'r> {
    /// Whose this credential is.
    Bearer(&'r str),
    /// The service user that the workload at the other end is.
    Peer(Caller),
}

/// One request that a proxy holds.
struct Held<'r> {
    /// The proxy's own call.
    call: &'r Call,
    /// What the proxy sent with it.
    sent: &'r MetadataMap,
    http: &'r HttpRequest,
    headers: HeaderMap,
    /// The address that it came from, as the proxy says.
    source: String,
    /// The workload that it came from, as a proxy says that is believed.
    peer: Option<&'r str>,
}

/// What becomes of a request: it goes on, or not, or that cannot be told.
type Outcome = Result<Result<(), Denied>, Status>;

#[tonic::async_trait]
impl<A: AuthorizationService> Authorization for MeshApi<A> {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (sent, mut extensions, message) = request.into_parts();
        let call = extensions.remove::<Call>().ok_or_else(status::internal)?;
        let work = self.answer(&call, &sent, &message);
        let answer = match tokio::time::timeout(self.mesh.patience, work).await {
            Ok(answer) => answer,
            Err(_) => Err(status::undecided("the decision did not come in time")),
        };
        let label = match &answer {
            Ok(answer) => answer.status.as_ref().map_or(0, |status| status.code),
            Err(status) => i32::from(status.code()),
        };
        metrics::counter!("chancery_mesh_checks_total", "outcome" => outcome(Code::from(label)))
            .increment(1);
        answer.map(Response::new)
    }
}

const fn outcome(code: Code) -> &'static str {
    match code {
        Code::Ok => "permitted",
        Code::InvalidArgument => "malformed",
        Code::Unauthenticated => "unauthenticated",
        Code::PermissionDenied => "denied",
        Code::ResourceExhausted => "limited",
        _ => "undecided",
    }
}

impl<A: AuthorizationService> MeshApi<A> {
    async fn answer(
        &self,
        call: &Call,
        sent: &MetadataMap,
        message: &CheckRequest,
    ) -> Result<CheckResponse, Status> {
        // Before anything is said: the routes and the credentials of others are no stranger's business.
        self.may_ask(call)?;
        let attributes = message.attributes.as_ref();
        let http = attributes.and_then(|all| all.request.as_ref()?.http.as_ref());
        let http = http.ok_or_else(|| {
            let why = "holds no HTTP request: this answers the HTTP filter alone";
            status::bad_field("INVALID_FIELD", "attributes.request.http", why)
        })?;
        let mut known = Known::default();
        let now = self.gate.clock.now();
        let Ok(headers) = inbound(http) else {
            known.reason = "BAD_REQUEST";
            let why = Denied::Malformed("A header is malformed or overrides the method");
            return Ok(denied(why, &known, now));
        };
        let peer = attributes.and_then(|all| all.source.as_ref());
        let from = peer.and_then(address);
        let source = from.map_or_else(
            || call.source.clone(),
            |from| self.gate.sources.before(from, &headers).to_string(),
        );
        let believed = call.caller.as_ref().is_some_and(|by| self.mesh.proxies.contains(&by.user));
        let principal = peer.map(|peer| peer.principal.as_str());
        let peer = principal.filter(|principal| believed && !principal.is_empty());
        known.peer = peer.map(str::to_owned);
        let held = Held { call, sent, http, headers, source, peer };
        let outcome = self.judge(&held, &mut known).await?;
        if known.decision_id.is_empty() {
            // No question was asked, so nobody else says it in the trace.
            telemetry::note(&Span::current(), "chancery.reason", known.reason);
        }
        Ok(match outcome {
            Ok(()) => permitted(&held.headers, &known),
            Err(why) => denied(why, &known, now),
        })
    }

    /// Refuses whoever holds the right to ask nowhere.
    fn may_ask(&self, call: &Call) -> Result<(), Status> {
        let caller = call.caller.as_ref().ok_or_else(status::internal)?;
        let (home, _) = call.worlds.as_ref().ok_or_else(status::internal)?;
        if caller.holds_somewhere(home, EVALUATE, self.gate.clock.now()) {
            return Ok(());
        }
        let permission = EVALUATE.to_owned();
        Err(crate::decision::Refused::Forbidden { permission }.into())
    }

    async fn judge(&self, held: &Held<'_>, known: &mut Known) -> Outcome {
        let hit = match self.mesh.table.find(&held.http.method, &held.http.path) {
            Ok(hit) => hit,
            Err(NoRoute::Bad(_)) => {
                known.reason = "BAD_REQUEST";
                return Ok(Err(Denied::Malformed("The path is malformed")));
            }
            Err(NoRoute::Path | NoRoute::Method) => {
                known.reason = "NO_ROUTE";
                return Ok(Err(Denied::Forbidden));
            }
        };
        let Some(asking) = hit.asking() else {
            known.reason = "PUBLIC";
            return Ok(Ok(()));
        };
        // What does not hang on the credential comes first, so that it tells nothing of one.
        if let Err(Unnamed::Header(_)) = asking.resource(&held.headers, NOWHERE) {
            known.reason = "BAD_REQUEST";
            return Ok(Err(Denied::Malformed("A header that is needed is not there once")));
        }
        let who = match self.who(held).await? {
            Ok(who) => who,
            Err(unproved) => {
                known.reason = match unproved {
                    Unproved::Missing => "TOKEN_MISSING",
                    Unproved::Invalid | Unproved::Expired | Unproved::Revoked => "TOKEN_INVALID",
                };
                return Ok(Err(Denied::Unauthenticated(unproved)));
            }
        };
        let Some((resource, is_ours)) = self.resource(held, &asking, &who).await? else {
            known.reason = "RATE_LIMITED";
            return Ok(Err(Denied::TooMany));
        };
        let outcome = self.decide(held, &who, asking.action, &resource, known).await?;
        if outcome.is_err() && !is_ours {
            // Whatever was asked about: like a credential of somebody about whom the proxy may not ask.
            known.reason = "TOKEN_INVALID";
            return Ok(Err(Denied::Unauthenticated(Unproved::Invalid)));
        }
        Ok(outcome)
    }

    /// Takes the one credential of a request, or, where none was sent, the workload that it came from (`edges.md` §5).
    async fn who<'r>(&self, held: &'r Held<'_>) -> Result<Result<Who<'r>, Unproved>, Status> {
        if joins_credentials(&held.headers) {
            return Ok(Err(Unproved::Invalid));
        }
        let peer = match (bearer(&held.headers), held.peer) {
            (Ok(token), _) => return Ok(Ok(Who::Bearer(token))),
            (Err(BadCredential::Missing), Some(peer)) => peer,
            (Err(BadCredential::Missing), None) => return Ok(Err(Unproved::Missing)),
            (Err(_), _) => return Ok(Err(Unproved::Invalid)),
        };
        match self.gate.credentials.of_peer(peer).await {
            Ok(caller) => Ok(Ok(Who::Peer(caller))),
            Err(BadCredential::Unknowable(error)) => Err(error.into()),
            Err(_) => Ok(Err(Unproved::Missing)),
        }
    }

    /// Names what is asked about, and tells whether the credential is one of ours; `None` where its source has sent too much that
    /// is no credential.
    async fn resource(
        &self,
        held: &Held<'_>,
        asking: &Asking<'_>,
        who: &Who<'_>,
    ) -> Result<Option<(ResourcePath, bool)>, Status> {
        let own = match who {
            Who::Peer(caller) => Ok(Some(caller.account)),
            Who::Bearer(token) => self.account_of(token, held).await,
        };
        let own = match own {
            Ok(own) => own,
            Err(BadCredential::TooMany) => return Ok(None),
            Err(BadCredential::Unknowable(error)) => return Err(error.into()),
            Err(_) => None,
        };
        // What cannot be there is asked about like what is not there: nobody tells one from the other.
        let resource = asking.resource(&held.headers, own.unwrap_or(NOWHERE));
        Ok(Some((resource.unwrap_or_else(|_| asking.nowhere()), own.is_some())))
    }

    /// Finds the account of whoever's credential it is, good or not; `None` for what is none of ours, and for what is of a tenant
    /// that is not the proxy's: to the proxy that is the same.
    async fn account_of(
        &self,
        token: &str,
        held: &Held<'_>,
    ) -> Result<Option<AccountId>, BadCredential> {
        // What is unknown is counted as its sender's, and not as the proxy's: others of its clients must not suffer from it.
        let owner = self.gate.credentials.owner(token, Source::Address(&held.source)).await?;
        let mine = held.call.caller.as_ref().map(|caller| caller.tenant);
        let reached = |tenant| mine == Some(tenant) || mine == Some(self.gate.feed.root());
        let Some(owner) = owner.filter(|owner| reached(owner.tenant)) else { return Ok(None) };
        let world = self.gate.feed.tenant(owner.tenant).await?;
        Ok(world.any_user(owner.user).map(|user| user.account))
    }

    async fn decide(
        &self,
        held: &Held<'_>,
        who: &Who<'_>,
        action: &str,
        resource: &ResourcePath,
        known: &mut Known,
    ) -> Outcome {
        let subject = match who {
            Who::Bearer(token) => pb::Subject { token: (*token).to_owned(), ..Default::default() },
            Who::Peer(caller) => pb::Subject { id: caller.user.to_string(), ..Default::default() },
        };
        let question = pb::AuthorizeRequest {
            subject: Some(subject),
            action: Some(pb::Action { name: action.to_owned(), properties: None }),
            resource: Some(pb::Resource {
                r#type: resource.kind().to_owned(),
                id: resource.to_string(),
                properties: None,
            }),
            ..Default::default()
        };
        let mut request = Request::new(question);
        request.extensions_mut().insert(held.call.clone());
        // Its decision is recorded as one of this door, request and trace.
        request.extensions_mut().insert(Via("Check"));
        *request.metadata_mut() = held.sent.clone();
        let answer = self.authorize.authorize(request).await.map_err(undecided)?.into_inner();
        known.revision = Some(answer.evaluated_revision);
        let reason = answer.reason();
        known.reason = reason.as_str_name().trim_start_matches("REASON_");
        known.decision_id = answer.decision_id;
        if !answer.decision || resource.account == NOWHERE {
            return Ok(Err(why_not(reason)));
        }
        // Who it is that may: by the predicate that was just asked. What was good a moment ago may have been ended since.
        let credentials = &self.gate.credentials;
        let caller = match who {
            Who::Bearer(token) => credentials.stands(token, Source::Address(&held.source)).await,
            Who::Peer(caller) => Ok(caller.clone()),
        };
        match caller {
            Ok(caller) => {
                credentials.note_use(&caller);
                known.subject = Some(caller.user.to_string());
                known.account = Some(caller.account.to_string());
                Ok(Ok(()))
            }
            Err(BadCredential::Unknowable(error)) => Err(error.into()),
            Err(_) => {
                known.reason = "TOKEN_REVOKED";
                Ok(Err(why_not(pb::Reason::TokenRevoked)))
            }
        }
    }
}

/// What is not decided is said to be so, whatever it was; a proxy that may not ask is told that.
fn undecided(status: Status) -> Status {
    match status.code() {
        Code::Unavailable | Code::PermissionDenied | Code::Internal => status,
        Code::InvalidArgument => {
            tracing::error!(
                why = status.message(),
                "a route of the mesh asks what cannot be asked"
            );
            status::undecided("a route asks what cannot be asked: see the log")
        }
        _ => status::undecided(status.message()),
    }
}

fn why_not(reason: pb::Reason) -> Denied {
    use pb::Reason as R;
    match reason {
        R::SubjectUnknown | R::TokenInvalid => Denied::Unauthenticated(Unproved::Invalid),
        R::TokenExpired => Denied::Unauthenticated(Unproved::Expired),
        R::SubjectDisabled | R::TokenRevoked => Denied::Unauthenticated(Unproved::Revoked),
        R::Unspecified
        | R::Permitted
        | R::AccountNotActive
        | R::NoAccess
        | R::NoGrant
        | R::AccountRoleCeiling
        | R::TokenScope => Denied::Forbidden,
    }
}
