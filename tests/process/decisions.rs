//! The decision log goes to a collector: each decision as one record, of the request's trace; and nobody waits for a collector.

use std::process::Stdio;
use std::time::Instant;

use chancery::proto::v1 as pb;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::trace::v1::Span;
use pb::account_service_client::AccountServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use serde_json::json;
use tempfile::TempDir;
use tonic::Request;

use crate::collector::{self, Collector, Still, said};
use crate::secrets::figures;
use crate::server::{PATIENCE, Server, chancery, connect, prepare};
use crate::support::{As, Engine, ask, engines};
use crate::traces::{hex, traced};

/// Starts a server that sends its decisions; only what is slow or failed is to be kept of its traces, and nothing will be slow.
async fn sending(engine: &Engine, folder: &TempDir, url: &str, sample: &str) -> (Server, As) {
    let store = engine.fresh(folder).await;
    let settings = [
        ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", url),
        ("CHANCERY_TELEMETRY__SAMPLE", sample),
        ("CHANCERY_DECISION_LOG__SINK", "otlp"),
        ("CHANCERY_SHUTDOWN__DRAIN_MS", "0"),
    ];
    let root = prepare(&store, folder.path(), &settings);
    let server = Server::start(&store, folder.path(), &settings);
    let by = connect(&server.address, &root).await;
    (server, by)
}

/// Returns whoever asks, and where.
async fn own(by: &As) -> pb::Account {
    let request = pb::GetAccountRequest::default();
    let own = AccountServiceClient::new(by.clone()).get_account(request).await.unwrap();
    own.into_inner().account.unwrap()
}

/// The question whether nobody may delete an account: no.
fn question(account: &str) -> pb::AuthorizeRequest {
    ask("usr_01jh4z6s00e0080000000000zz", "delete", "account", account)
}

fn id_of(record: &LogRecord) -> String {
    let body = collector::json(record.body.as_ref());
    body["decision_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_arrives_as_a_log_record_of_its_request_s_trace() {
    for engine in engines() {
        let folder = TempDir::new().unwrap();
        let collector = Collector::start().await;
        let (_server, by) = sending(&engine, &folder, &collector.url, "1").await;
        let account = own(&by).await.account_id;
        let trace = "5".repeat(32);
        let mut request = question(&account);
        let said_too = prost_types::Value {
            kind: Some(prost_types::value::Kind::StringValue("hush hush".to_owned())),
        };
        let fields = [("ticket".to_owned(), said_too)].into_iter().collect();
        request.context = Some(prost_types::Struct { fields });
        let mut asking = AuthorizationServiceClient::new(by);
        let mut request = traced(request, &trace, true);
        request.metadata_mut().insert("x-request-id", "asked-once".parse().unwrap());
        let answer = asking.authorize(request).await.unwrap().into_inner();
        let other = asking.authorize(Request::new(question(&account))).await.unwrap().into_inner();

        let ids = [answer.decision_id.clone(), other.decision_id];
        let all = |logs: &[LogRecord]| {
            ids.iter().all(|id| logs.iter().any(|record| id_of(record) == *id))
        };
        let logs = collector.wait_for_logs(all).await;
        assert_eq!(logs.len(), 2, "{logs:?}");
        let ended = |spans: &[Span]| {
            spans.iter().any(|span| hex(&span.trace_id) == trace && span.name.contains("Authorize"))
        };
        let spans = collector.wait(ended).await;
        let rpc = spans.iter().find(|span| {
            hex(&span.trace_id) == trace && said(span, "rpc.method").as_deref() == Some("Authorize")
        });

        let record = logs.iter().find(|record| id_of(record) == answer.decision_id).unwrap();
        assert_eq!(hex(&record.trace_id), trace);
        assert_eq!(record.span_id, rpc.unwrap().span_id, "that of the request");
        assert_eq!(record.severity_number, i32::from(SeverityNumber::Info));
        assert_eq!(record.severity_text, "INFO");
        assert_eq!(record.event_name, "chancery.decision");
        assert!(record.time_unix_nano > 0);
        let labels = json!({
            "chancery.decision": "deny",
            "chancery.door": "Authorize",
            "chancery.reason": "SUBJECT_UNKNOWN",
        });
        assert_eq!(collector::members(&record.attributes), labels);
        let body = collector::json(record.body.as_ref());
        assert_eq!((&body["version"], &body["decision"]), (&json!(1), &json!(false)));
        assert_eq!(body["request_id"], "asked-once");
        assert_eq!((&body["trace_id"], &body["action"]), (&json!(trace), &json!("account.delete")));
        assert_eq!(body["span_id"], hex(&record.span_id));
        assert_eq!(body["resource"], format!("account/{account}"));
        assert_eq!(body["properties"], json!({ "context": ["ticket"] }));
        assert_eq!(body["revision"], json!(answer.evaluated_revision));
        assert!(!collector.text().contains("hush hush"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_stands_still_holds_up_no_decision_and_gets_what_comes_after() {
    let folder = TempDir::new().unwrap();
    let still = Still::new().await;
    let (server, by) = sending(&Engine::Sqlite, &folder, &still.url, "0").await;
    let account = own(&by).await.account_id;
    let mut asking = AuthorizationServiceClient::new(by);
    let began = Instant::now();
    for _ in 0..200 {
        assert!(!asking.authorize(question(&account)).await.unwrap().into_inner().decision);
    }
    // What one batch may be on its way is longer than that.
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let collector = still.start();
    let last = asking.authorize(question(&account)).await.unwrap().into_inner();
    collector.wait_for_logs(|logs| logs.iter().any(|one| id_of(one) == last.decision_id)).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_stops_no_server_and_what_is_lost_is_counted() {
    let folder = TempDir::new().unwrap();
    let away = {
        let still = Still::new().await;
        still.url.clone()
    };
    let (mut server, by) = sending(&Engine::Sqlite, &folder, &away, "0").await;
    let account = own(&by).await.account_id;
    let mut asking = AuthorizationServiceClient::new(by);
    asking.authorize(question(&account)).await.unwrap();
    let until = Instant::now() + PATIENCE;
    let lost = "\nchancery_decision_log_lost_total{why=\"write\"} 1\n";
    while !figures(&server.admin).await.contains(lost) {
        assert!(Instant::now() < until, "{}", figures(&server.admin).await);
        tokio::task::yield_now().await;
    }
    let log = server.log.lock().unwrap().clone();
    assert_eq!(log.matches("the decision log cannot be written").count(), 1, "{log}");
    // It goes on, and ends when it is told to.
    asking.authorize(question(&account)).await.unwrap();
    assert!(server.ends());
}

#[test]
fn no_token_gets_into_the_stream_of_decisions() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("chancery.db").display());
    let settings = [("CHANCERY_DECISION_LOG__SINK", "stdout")];
    // A first start would show a token there.
    let done = chancery(&url, folder.path(), &settings).arg("serve").output().unwrap();
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success());
    assert!(log.contains("chancery bootstrap"), "{log}");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "");
    assert!(!log.contains("chy_"), "{log}");
    // What it says helps.
    let root = prepare(&url, folder.path(), &settings);
    let mut serve = chancery(&url, folder.path(), &settings);
    let serve = serve.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let said = child.stdout.take().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = std::io::read_to_string(said).unwrap();
    assert!(!said.contains(&root) && said.is_empty(), "{said}");
}
