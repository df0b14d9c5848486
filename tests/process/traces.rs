//! Traces: one runs from the caller through a request down to the store's statements, and names no person.

use std::time::Duration;

use chancery::proto::v1 as pb;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{self, HttpRequest};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use opentelemetry_proto::tonic::trace::v1::Span;
use pb::account_service_client::AccountServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tempfile::TempDir;
use tonic::Request;

use crate::collector::{Collector, said};
use crate::server::{Server, connect, prepare};
use crate::support::engines;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// What proxies may ask about.
const ROUTE: &str = "[[mesh.routes]]
path = '/v1/users/{user}'
methods = ['GET']
action = 'user.read'
resource = 'account/{own}/user/{user}'
";
const CHECK: &str = "envoy.service.auth.v3.Authorization/Check";

/// A request that a proxy holds.
pub(crate) fn held(path: &str, token: &str) -> CheckRequest {
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: [("authorization".to_owned(), format!("Bearer {token}"))].into(),
        ..Default::default()
    };
    let request = attribute_context::Request { http: Some(http), ..Default::default() };
    let attributes = AttributeContext { request: Some(request), ..Default::default() };
    CheckRequest { attributes: Some(attributes) }
}

/// Puts a request into a trace that its caller has begun, and keeps.
pub(crate) fn traced<T>(message: T, trace: &str, kept: bool) -> Request<T> {
    let mut request = Request::new(message);
    let parent = format!("00-{trace}-{CALLER}-0{}", u8::from(kept));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    chancery::crypto::chain::hex(bytes)
}

pub(crate) fn of<'s>(spans: &'s [Span], trace: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| hex(&span.trace_id) == trace).collect()
}

/// Returns the names from a span up to the one that began it here.
fn up(spans: &[&Span], of: &Span) -> Vec<String> {
    let mut names = vec![of.name.clone()];
    let mut above = of.parent_span_id.clone();
    while let Some(span) = spans.iter().find(|span| span.span_id == above) {
        names.push(span.name.clone());
        above = span.parent_span_id.clone();
    }
    assert_eq!(hex(&above), CALLER, "{names:?} hangs in the air");
    names
}

pub(crate) fn create(account: &str, name: &str) -> pb::CreateUserRequest {
    let user = pb::User {
        user_name: Some(name.to_owned()),
        email: Some(format!("{name}@example.com")),
        root_user: true,
        ..Default::default()
    };
    pb::CreateUserRequest { account_id: account.to_owned(), user: Some(user), ..Default::default() }
}

/// Looks at the spans of a user's creation: from the statement that writes the ledger up to the RPC, and on to who called.
pub(crate) fn a_change_runs_to_the_store(mine: &[&Span]) {
    let insert = mine.iter().find(|span| {
        said(span, "db.statement")
            .is_some_and(|text| text.to_lowercase().contains("insert into \"ledger\""))
    });
    let chain = up(mine, insert.expect("a statement that writes the ledger"));
    assert!(chain[0].starts_with("store "), "{chain:?}");
    assert_eq!(chain[1..], ["change", "chancery.v1.UserService/CreateUser"], "{chain:?}");
    assert!(mine.iter().any(|span| span.name == "door"));
    let rpc = mine.iter().find(|span| span.name.ends_with("/CreateUser")).unwrap();
    assert_eq!(said(rpc, "rpc.grpc.status_code").as_deref(), Some("0"));
    assert_eq!(said(rpc, "rpc.method").as_deref(), Some("CreateUser"));
    assert!(said(rpc, "chancery.revision").is_some(), "{rpc:?}");
}

/// Looks at the spans of a question, of one that a proxy asks, and of one for which it has no route.
fn decisions_are_told(asked: &[&Span], checked: &[&Span], nowhere: &[&Span]) {
    let decide = asked.iter().find(|span| span.name == "decide").unwrap();
    assert_eq!(said(decide, "chancery.decision").as_deref(), Some("deny"));
    assert_eq!(said(decide, "chancery.reason").as_deref(), Some("NO_GRANT"));
    assert!(said(decide, "chancery.revision").is_some());
    let rpc = asked.iter().find(|span| span.name.ends_with("/Authorize")).unwrap();
    assert_eq!(said(rpc, "chancery.decision").as_deref(), Some("deny"));

    let decide = checked.iter().find(|span| span.name == "decide").unwrap();
    assert_eq!(up(checked, decide), ["decide", CHECK]);
    let rpc = checked.iter().find(|span| span.name == CHECK).unwrap();
    assert_eq!(said(rpc, "chancery.decision").as_deref(), Some("permit"));
    let rpc = nowhere.iter().find(|span| span.name == CHECK).unwrap();
    assert_eq!(said(rpc, "chancery.reason").as_deref(), Some("NO_ROUTE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_runs_from_the_caller_to_the_store_and_names_nobody() {
    for engine in engines() {
        let folder = TempDir::new().unwrap();
        let url = engine.fresh(&folder).await;
        let collector = Collector::start().await;
        let file = folder.path().join("chancery.toml");
        std::fs::write(&file, ROUTE).unwrap();
        let settings = [
            ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()),
            ("CHANCERY_CONFIG", file.to_str().unwrap()),
            // However busy the machine: nothing is kept for being slow.
            ("CHANCERY_TELEMETRY__SLOW_MS", "0"),
        ];
        let root = prepare(&url, folder.path(), &settings);
        let server = Server::start(&url, folder.path(), &settings);
        let by = connect(&server.address, &root).await;
        let own = AccountServiceClient::new(by.clone())
            .get_account(pb::GetAccountRequest::default())
            .await
            .unwrap();
        let account = own.into_inner().account.unwrap().account_id;

        let mut users = UserServiceClient::new(by.clone());
        let made = users.create_user(traced(create(&account, "wilhelmina"), TRACE, true)).await;
        let user_id = made.unwrap().into_inner().user.unwrap().user_id;
        // One that its caller does not keep is not kept here.
        let other = "1".repeat(32);
        users.create_user(traced(create(&account, "leopoldine"), &other, false)).await.unwrap();
        let mut tokens = TokenServiceClient::new(by.clone());
        let request = pb::CreateApiTokenRequest { user_id: user_id.clone(), ..Default::default() };
        let token = tokens.create_api_token(request).await.unwrap().into_inner().secret;
        let question = crate::support::ask(&user_id, "read", "account", &account);
        let third = "2".repeat(32);
        let mut asking = AuthorizationServiceClient::new(by.clone());
        let answer = asking.authorize(traced(question, &third, true)).await.unwrap().into_inner();
        assert!(!answer.decision);
        // A proxy asks, first about what has a route, then about what has none.
        let (fourth, fifth) = ("3".repeat(32), "4".repeat(32));
        let mut mesh = AuthorizationClient::new(by);
        let path = format!("/v1/users/{user_id}");
        mesh.check(traced(held(&path, &root), &fourth, true)).await.unwrap();
        mesh.check(traced(held("/nowhere", &root), &fifth, true)).await.unwrap();

        let done = |spans: &[Span]| {
            let ended = |trace: &str, end: &str| {
                of(spans, trace).iter().any(|span| span.name.ends_with(end))
            };
            ended(TRACE, "/CreateUser")
                && ended(&third, "/Authorize")
                && [&fourth, &fifth].into_iter().all(|trace| ended(trace, "/Check"))
        };
        let spans = collector.wait(done).await;

        a_change_runs_to_the_store(&of(&spans, TRACE));
        decisions_are_told(&of(&spans, &third), &of(&spans, &fourth), &of(&spans, &fifth));
        assert!(of(&spans, &other).is_empty());
        // What goes on by itself, such as the poll of the heads, begins no trace.
        let roots = spans.iter().filter(|span| span.parent_span_id.is_empty());
        for root in roots {
            assert!(!root.name.starts_with("store ") && root.name != "load", "{root:?}");
        }

        let text = collector.text();
        for secret in [&user_id, &account, &token, &root, "wilhelmina", "leopoldine", "example.com"]
        {
            assert!(!text.contains(secret), "{secret} went out");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_call_is_found_in_the_log_by_its_trace_whether_spans_go_out_or_not() {
    let engine = crate::support::Engine::Sqlite;
    let collector = Collector::start().await;
    let on = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    for settings in [&on[..], &[]] {
        let folder = TempDir::new().unwrap();
        let url = engine.fresh(&folder).await;
        prepare(&url, folder.path(), settings);
        let server = Server::start(&url, folder.path(), settings);
        let by = connect(&server.address, "").await;
        let mut users = UserServiceClient::new(by);
        let request = traced(pb::GetUserRequest::default(), TRACE, true);
        users.get_user(request).await.unwrap_err();
        // The answer may be here before the line is.
        let written = async {
            loop {
                let log = server.log.lock().unwrap().clone();
                if let Some(line) = log.lines().find(|line| line.contains("TOKEN_MISSING")) {
                    break line.to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let line = tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["span"]["trace_id"], TRACE, "{line}");
        assert_eq!(said["span"]["span_id"].is_string(), !settings.is_empty(), "{line}");
        assert!(said["span"]["request_id"].is_string(), "{line}");
    }
}
