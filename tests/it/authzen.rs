//! AuthZEN over HTTP: each point of the certification scenario of its working group, by the numbers that the scenario gives
//! them, the interop scenario of the todo list, and what the way over HTTP has in common with the way over gRPC.

mod basic;
mod batch;
mod calls;
mod discovery;
mod search;
mod todo;
mod web;

use bytes::Bytes;
use chancery::proto::v1 as pb;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::support::{Engine, Person, Service};

/// The types, actions and roles that the certification's decisions are made with.
const RECORDS: &str = include_str!("authzen/records.yaml");

/// What came back.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn decision(&self) -> bool {
        self.json()["decision"].as_bool().unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request by HTTP/1.1 to the port of the API.
async fn sent(service: &Service, request: http::request::Builder, body: &[u8]) -> Reply {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let path = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = format!("http://{}{path}", service.grpc()).parse().unwrap();
    let response = client.request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: parts.status, headers: parts.headers, body }
}

fn post(path: &str, token: &str) -> http::request::Builder {
    let request = Request::post(path).header("content-type", "application/json");
    if token.is_empty() {
        request
    } else {
        request.header("authorization", format!("Bearer {token}"))
    }
}

/// Asks as somebody, in JSON.
async fn asked(service: &Service, by: &Person, path: &str, body: &Value) -> Reply {
    sent(service, post(path, &by.token), body.to_string().as_bytes()).await
}

/// A service that knows alice, bob and two records, and somebody who asks it.
struct Records {
    service: Service,
    account: String,
    pep: Person,
}

impl Records {
    async fn start(engine: &Engine) -> Self {
        Self::start_with(engine, &[("limits.changes_per_minute", "0")]).await
    }

    async fn start_with(engine: &Engine, settings: &[(&'static str, &str)]) -> Self {
        let service = Service::start_with(engine, settings).await;
        apply(&service, RECORDS).await;
        let account = service.tenant("Records").await;
        let roles = ["records/Reader", "records/Writer"];
        let alice = service.person(&account, "alice", &roles).await;
        let bob = service.person(&account, "bob", &["records/Reader", "records/Admin"]).await;
        for (who, role, record) in
            [(&alice, "records/Remover", "record-1"), (&bob, "records/Archivist", "record-2")]
        {
            let request = pb::AddUserRoleRequest {
                user_id: who.user_id.clone(),
                role_type: role.to_owned(),
                scope: format!("account/{account}/record/{record}"),
                ..Default::default()
            };
            service.roles(&service.root).add_user_role(request).await.unwrap();
        }
        let pep = service.machine(&account, "pep", &["DECISION_EXPLORER", "AUDITOR"]).await;
        Self { service, account, pep }
    }

    async fn ask(&self, path: &str, body: &Value) -> Reply {
        asked(&self.service, &self.pep, path, body).await
    }

    /// Asks for one decision.
    async fn decides(&self, body: &Value) -> bool {
        self.ask(EVALUATION, body).await.decision()
    }

    /// Asks for many decisions.
    async fn decide(&self, body: &Value) -> Vec<bool> {
        let reply = self.ask(EVALUATIONS, body).await.json();
        let items = reply["evaluations"].as_array().unwrap();
        items.iter().map(|item| item["decision"].as_bool().unwrap()).collect()
    }
}

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";

async fn apply(service: &Service, yaml: &str) {
    let request =
        pb::ApplyCatalogueRequest { catalogue_yaml: yaml.to_owned(), ..Default::default() };
    service.roles(&service.root).apply_catalogue(request).await.unwrap();
}

fn subject(id: &str) -> Value {
    json!({ "type": "user", "id": id })
}

fn action(name: &str) -> Value {
    json!({ "name": name })
}

fn record(id: &str) -> Value {
    json!({ "type": "record", "id": id })
}

/// With what is said of it.
fn with(mut entity: Value, properties: Value) -> Value {
    entity["properties"] = properties;
    entity
}

fn question(subject: Value, action: Value, resource: Value) -> Value {
    [("subject", subject), ("action", action), ("resource", resource)].into_iter().collect()
}

fn archived() -> Value {
    with(record("record-2"), json!({ "status": "archived" }))
}

fn admin() -> Value {
    with(subject("bob"), json!({ "role": "admin" }))
}

/// When and whence, which changes nothing here.
fn surroundings() -> Value {
    json!({ "time": "2030-01-02T03:04:05Z", "address": "192.0.2.7" })
}
