//! Of what nobody chose at its beginning, the traces of slow requests and of those that the server failed are kept.

use chancery::proto::v1 as pb;
use opentelemetry_proto::tonic::trace::v1::Span;
use pb::account_service_client::AccountServiceClient;
use pb::user_service_client::UserServiceClient;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Request;

use crate::collector::{Collector, said};
use crate::server::{Server, connect, prepare};
use crate::support::{As, Engine, engines, stranger};
use crate::traces::{a_change_runs_to_the_store, create, hex, of, traced};

/// A request that nobody waits for: it fails while its credential, which is nobody's, is looked for.
async fn fail(address: &str, trace: &str) -> String {
    let body = r#"{"subject":{"type":"user","id":"x"},"action":{"name":"read"},"resource":{"type":"account","id":"-"}}"#;
    let request = format!(
        "POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {}\r\ngrpc-timeout: 1n\r\ntraceparent: 00-{trace}-b7ad6b7169203331-00\r\n\
         content-length: {}\r\n\r\n{body}",
        stranger(),
        body.len()
    );
    let mut to = TcpStream::connect(address).await.unwrap();
    to.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    to.read_to_string(&mut reply).await.unwrap();
    reply
}

/// Starts a server that by itself keeps no trace; returns who may all, and its account.
async fn sparing(
    engine: &Engine,
    folder: &TempDir,
    url: &str,
    slow_ms: &str,
) -> (Server, As, String) {
    let store = engine.fresh(folder).await;
    let settings = [
        ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", url),
        ("CHANCERY_TELEMETRY__SAMPLE", "0"),
        ("CHANCERY_TELEMETRY__SLOW_MS", slow_ms),
    ];
    let root = prepare(&store, folder.path(), &settings);
    let server = Server::start(&store, folder.path(), &settings);
    let by = connect(&server.address, &root).await;
    let request = pb::GetAccountRequest::default();
    let own = AccountServiceClient::new(by.clone()).get_account(request).await.unwrap();
    let account = own.into_inner().account.unwrap().account_id;
    (server, by, account)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_trace_of_a_slow_request_is_kept() {
    for engine in engines() {
        let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
        let (_server, by, account) = sparing(&engine, &folder, &collector.url, "1").await;
        // In one that its caller does not keep, and in one that begins here.
        let trace = "6".repeat(32);
        let mut users = UserServiceClient::new(by);
        users.create_user(traced(create(&account, "wilhelmina"), &trace, false)).await.unwrap();
        users.create_user(Request::new(create(&account, "leopoldine"))).await.unwrap();
        let ended = |span: &&Span| span.name.ends_with("/CreateUser");
        let spans = collector.wait(|spans| spans.iter().filter(ended).count() == 2).await;
        let mine = of(&spans, &trace);
        a_change_runs_to_the_store(&mine);
        let rpcs: Vec<&Span> = spans.iter().filter(ended).collect();
        for rpc in &rpcs {
            assert_eq!(said(rpc, "chancery.kept").as_deref(), Some("slow"));
            let below = of(&spans, &hex(&rpc.trace_id));
            assert!(below.iter().any(|span| span.parent_span_id == rpc.span_id));
            assert!(below.iter().all(|span| span.flags & 1 == 1), "marked as kept: {below:?}");
        }
        assert!(rpcs.iter().any(|rpc| rpc.parent_span_id.is_empty()), "one begins here");
        for name in ["wilhelmina", "leopoldine", &account] {
            assert!(!collector.text().contains(name), "{name} went out");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_request_s_trace_is_kept_and_neither_a_quick_one_s_nor_a_refused_one_s() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
    let hour = "3600000";
    let (server, by, account) = sparing(&Engine::Sqlite, &folder, &collector.url, hour).await;
    UserServiceClient::new(by.clone()).create_user(create(&account, "wilhelmina")).await.unwrap();
    let nobody = connect(&server.address, "").await;
    UserServiceClient::new(nobody).create_user(create(&account, "leopoldine")).await.unwrap_err();
    let trace = "7".repeat(32);
    let reply = fail(&server.address, &trace).await;
    assert!(reply.starts_with("HTTP/1.1 504"), "{reply}");
    let spans = collector.wait(|spans| !of(spans, &trace).is_empty()).await;
    // What was kept before it would have come before it.
    assert_eq!(of(&spans, &trace).len(), spans.len(), "{spans:?}");
    let rpc = spans.iter().find(|span| span.name.ends_with("/Authorize")).unwrap();
    assert_eq!(said(rpc, "chancery.kept").as_deref(), Some("failed"));
    assert_eq!(said(rpc, "rpc.grpc.status_code").as_deref(), Some("4"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_trace_are_told_apart() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::start().await);
    let hour = "3600000";
    let (server, by, account) = sparing(&Engine::Sqlite, &folder, &collector.url, hour).await;
    let trace = "8".repeat(32);
    // Many that end well go on beside some that fail.
    let well = (0..20).map(|n| {
        let mut users = UserServiceClient::new(by.clone());
        let request = traced(create(&account, &format!("user{n}")), &trace, false);
        async move { drop(users.create_user(request).await.unwrap()) }
    });
    let failing = (0..5).map(|_| fail(&server.address, &trace));
    let (_, replies) =
        tokio::join!(futures::future::join_all(well), futures::future::join_all(failing));
    assert!(replies.iter().all(|reply| reply.starts_with("HTTP/1.1 504")), "{replies:?}");
    let kept =
        |spans: &[Span]| spans.iter().filter(|span| said(span, "chancery.kept").is_some()).count();
    let spans = collector.wait(|spans| kept(spans) == 5).await;
    let of_users = |span: &&Span| span.name.ends_with("/CreateUser") || span.name == "change";
    assert_eq!(spans.iter().filter(of_users).count(), 0, "{spans:?}");
}
