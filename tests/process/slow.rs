//! Of what nobody chose at its beginning, the traces of slow requests and of those that the server failed are kept.

use chancery::proto::v1 as pb;
use opentelemetry_proto::tonic::trace::v1::Span;
use pb::account_service_client::AccountServiceClient;
use pb::user_service_client::UserServiceClient;
use prost::Message as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Request;

use crate::collector::{Collector, said};
use crate::server::{Server, connect, prepare};
use crate::support::{As, Engine, engines};
use crate::traces::{a_change_runs_to_the_store, create, hex, of, traced};

/// Signs in as nobody, by gRPC-Web, and does not wait: it fails while a password is hashed. Whoever waited would be told sooner.
async fn fail(address: &str, account: &str, name: &str, trace: &str) -> String {
    let message = pb::CreateSessionRequest {
        account: account.to_owned(),
        user_name: name.to_owned(),
        password: "a wrong password".to_owned(),
        ..Default::default()
    };
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    let body = [&[0][..], &length.to_be_bytes()[..], &message[..]].concat();
    let head = format!(
        "POST /chancery.v1.SessionService/CreateSession HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/grpc-web+proto\r\ngrpc-timeout: 1n\r\n\
         traceparent: 00-{trace}-b7ad6b7169203331-00\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut to = TcpStream::connect(address).await.unwrap();
    to.write_all(&[head.as_bytes(), &body[..]].concat()).await.unwrap();
    let mut reply = Vec::new();
    to.read_to_end(&mut reply).await.unwrap();
    String::from_utf8_lossy(&reply).replace(' ', "")
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
        ("CHANCERY_BROWSERS__GRPC_WEB", "true"),
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
    let reply = fail(&server.address, &account, "nobody", &trace).await;
    assert!(reply.contains("grpc-status:4"), "{reply}");
    let ended = |spans: &[Span]| spans.iter().any(|span| span.name.ends_with("/CreateSession"));
    let spans = collector.wait(ended).await;
    // What was kept before it would have come before it.
    assert_eq!(of(&spans, &trace).len(), spans.len(), "{spans:?}");
    let rpc = spans.iter().find(|span| span.name.ends_with("/CreateSession")).unwrap();
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
    let names: Vec<String> = (0..5).map(|n| format!("nobody{n}")).collect();
    let failing = names.iter().map(|name| fail(&server.address, &account, name, &trace));
    let (_, replies) =
        tokio::join!(futures::future::join_all(well), futures::future::join_all(failing));
    assert!(replies.iter().all(|reply| reply.contains("grpc-status:4")), "{replies:?}");
    let kept =
        |spans: &[Span]| spans.iter().filter(|span| said(span, "chancery.kept").is_some()).count();
    let spans = collector.wait(|spans| kept(spans) == 5).await;
    let of_users = |span: &&Span| span.name.ends_with("/CreateUser") || span.name == "change";
    assert_eq!(spans.iter().filter(of_users).count(), 0, "{spans:?}");
}
