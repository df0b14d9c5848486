//! The mesh's door: a proxy asks whether a request that it holds may go on.

mod callers;
mod refusing;
mod requests;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, attribute_context,
};
use envoy_types::pb::google::protobuf::value::Kind;
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::{Engine, Person, Service, engines, refused, stranger};

/// What the tests' routes are.
pub(crate) const ROUTES: &str = "[\
    { path = '/v1/accounts/{account}/gate-groups/{group}', methods = ['GET'], action = 'gate_group.read', \
      resource = 'account/{account}/gate_group/{group}', account_from = 'path' }, \
    { path = '/v1/users/{user}', methods = ['GET'], action = 'user.read', resource = 'account/{own}/user/{user}' }, \
    { path = '/v1/users/{user}', methods = ['DELETE'], action = 'user.delete', \
      resource = 'account/{own}/user/{user}' }, \
    { path = '/v1/groups', methods = ['GET'], action = 'gate_group.read', \
      resource = 'account/{own}/gate_group/{header:x-group}' }, \
    { grpc = 'acme.v1.Users/GetUser', action = 'user.read', resource = 'account/{own}/user/{header:x-user}' }, \
    { path = '/healthz', methods = ['GET'], public = true }]";

/// What a proxy is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// 200 where the request goes on.
    pub(crate) status: i32,
    /// The headers that the request goes on with; else those of the refusal.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) removed: Vec<String>,
    /// What the client's answer gets besides.
    to_client: HashMap<String, String>,
    body: String,
    pub(crate) metadata: HashMap<String, String>,
}

impl Told {
    pub(crate) fn of(response: CheckResponse) -> Self {
        let plain = |list: Vec<HeaderValueOption>| {
            let pairs = list.into_iter().map(|option| {
                assert_eq!(option.append_action, 2, "OVERWRITE_IF_EXISTS_OR_ADD");
                let header = option.header.unwrap();
                (header.key, header.value)
            });
            pairs.collect::<HashMap<_, _>>()
        };
        let code = response.status.unwrap().code;
        let metadata = response.dynamic_metadata.unwrap().fields.into_iter();
        let metadata = metadata.map(|(name, value)| match value.kind {
            Some(Kind::StringValue(text)) => (name, text),
            other => panic!("{name} is {other:?}"),
        });
        let metadata = metadata.collect();
        match response.http_response.unwrap() {
            HttpResponse::OkResponse(ok) => {
                assert_eq!(code, 0);
                let (removed, body) = (ok.headers_to_remove, String::new());
                let to_client = plain(ok.response_headers_to_add);
                Self { status: 200, headers: plain(ok.headers), removed, to_client, body, metadata }
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0);
                let status = denied.status.unwrap().code;
                let headers = plain(denied.headers);
                let (removed, to_client) = (Vec::new(), HashMap::new());
                Self { status, headers, removed, to_client, body: denied.body, metadata }
            }
            HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
        }
    }

    fn error(&self) -> (i32, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(body["timestamp"], 1_800_000_000_000_i64);
        assert!(!body["generalMessage"].as_str().unwrap().is_empty());
        assert_eq!(body.as_object().unwrap().len(), 3);
        (self.status, body["errorCode"].as_str().unwrap().to_owned())
    }
}

/// A request that a proxy holds.
pub(crate) fn held(method: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let mut all: HashMap<String, String> = HashMap::new();
    for (name, value) in headers {
        // As Envoy does: names in small letters, and what is sent twice is joined.
        let joined = all.entry(name.to_ascii_lowercase()).or_default();
        *joined = if joined.is_empty() { (*value).to_owned() } else { format!("{joined},{value}") };
    }
    all.insert(":path".to_owned(), path.to_owned());
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: all,
        ..HttpRequest::default()
    };
    of_http(http)
}

fn of_http(http: HttpRequest) -> CheckRequest {
    let request = attribute_context::Request { http: Some(http), ..Default::default() };
    let attributes = AttributeContext { request: Some(request), ..Default::default() };
    CheckRequest { attributes: Some(attributes) }
}

/// Asks as a proxy.
pub(crate) async fn ask(
    service: &Service,
    proxy: &Person,
    request: CheckRequest,
) -> Result<Told, Status> {
    let mut door = AuthorizationClient::new(service.by(&proxy.token));
    Ok(Told::of(door.check(request).await?.into_inner()))
}

async fn get(service: &Service, proxy: &Person, path: &str, token: &str) -> Told {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let headers = if token.is_empty() { &[][..] } else { &headers[..] };
    ask(service, proxy, held("GET", path, headers)).await.unwrap()
}

async fn start(engine: &Engine) -> Service {
    let settings =
        [("limits.changes_per_minute", "0"), ("mesh.answer_ms", "10000"), ("mesh.routes", ROUTES)];
    Service::start_with(engine, &settings).await
}

/// A tenant with a proxy, somebody who may much and somebody who may little.
struct Scene {
    acme: String,
    proxy: Person,
    boss: Person,
    ann: Person,
}

impl Scene {
    async fn new(service: &Service, name: &str) -> Self {
        let acme = service.tenant(name).await;
        let proxy = service.machine(&acme, "proxy", &["core/DECISION_CLIENT"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        Self { acme, proxy, boss, ann }
    }

    fn group(&self) -> String {
        format!("/v1/accounts/{}/gate-groups/7", self.acme)
    }
}
