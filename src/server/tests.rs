//! A whole server, on ports that the system chooses and a store of its own.

use std::time::Instant;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::*;
use crate::crypto::password::Cost;
use crate::crypto::secret;
use crate::model::{SigningAlgorithm, UserKind};
use crate::post::SenderConfig;
use crate::store::{Bootstrap, StoreConfig};

const PATIENCE: Duration = Duration::from_secs(10);

struct Served {
    running: Running,
    store: Store,
    _folder: TempDir,
}

fn config() -> Config {
    Config {
        drain: Duration::ZERO,
        hard: Duration::from_secs(1),
        streams_per_connection: 100,
        connections_per_source: 64,
        answering_threads: 2,
        in_flight: 64,
        changes_per_minute: 0,
        sign_ins_per_minute: 0,
        message_bytes: 1 << 20,
        body_deadline: Duration::from_secs(5),
        stall: Duration::from_mins(1),
        deadlines: Deadlines { default: PATIENCE, most: PATIENCE },
        feed: feed::Config::default(),
        tls: None,
        peers: Peers::default(),
        forwarding_proxies: Vec::new(),
        authzen: authzen::Settings::default(),
        browsers: Browsers::default(),
        mesh: MeshConfig { routes: Vec::new(), proxies: Vec::new(), patience: PATIENCE },
        inspect: InspectConfig { look: PATIENCE, every: None, keep: None },
        keep_activity: chrono::TimeDelta::days(90),
        slow: None,
        decision_log: None,
        events: None,
        remember: 0,
        trusted_proxies: Vec::new(),
        issuers: Vec::new(),
        sender: SenderConfig::None,
        passwords: rpc::PasswordSettings {
            cost: Cost::default(),
            threads: 1,
            queue: 8,
            patience: PATIENCE,
            blocklist: None,
        },
        signing: feed::SigningConfig {
            algorithm: SigningAlgorithm::Es256,
            life: chrono::TimeDelta::days(90),
        },
        parties: Parties { issuer: "http://localhost".to_owned(), audience: "chancery".to_owned() },
        rpc: rpc::Settings {
            account_depth: 8,
            user_depth: 32,
            documents_per_user: 1000,
            base_url: "http://localhost".to_owned(),
            default_account: None,
            return_uris: Vec::new(),
        },
    }
}

async fn serve(config: Config) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("chancery.db").display());
    let store = StoreConfig { url, ..StoreConfig::default() };
    let store = Store::open(&store, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let key = folder.path().join("chancery.key");
    let keys = Arc::new(KeyRing::load_or_create(&key, secret::system).unwrap());
    let first = Bootstrap {
        account_name: "Platform".to_owned(),
        user_name: "admin".to_owned(),
        kind: UserKind::Admin,
        digest: [1; 32],
    };
    assert!(store.bootstrap(first.clone(), &keys).await.unwrap().is_some());
    assert!(store.bootstrap(first, &keys).await.unwrap().is_none(), "once");
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = start(config, store.clone(), keys, grpc, admin).await.unwrap();
    Served { running, store, _folder: folder }
}

async fn channel(served: &Served) -> Channel {
    let address = format!("http://{}", served.running.grpc());
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

fn asking(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// Stops the server and returns how long that took, the store's connections included.
async fn stopped(served: Served) -> Duration {
    let began = Instant::now();
    served.running.stop().await.unwrap();
    timeout(PATIENCE, served.store.close()).await.unwrap().unwrap();
    began.elapsed()
}

async fn page(served: &Served, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(served.running.admin()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn every_service_is_healthy_and_a_stop_is_seen_before_it_is_felt() {
    let served = serve(Config { drain: Duration::from_millis(300), ..config() }).await;
    let mut health = HealthClient::new(channel(&served).await);
    for service in ["", "chancery.v1.UserService", "chancery.v1.AuthorizationService"] {
        let reply = health.check(asking(service)).await.unwrap().into_inner();
        assert_eq!(reply.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health.check(asking("chancery.v1.NoService")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let address = served.running.grpc();
    assert!(check(address, None, "", PATIENCE).await.unwrap());

    let mut seen = health.watch(asking("chancery.v1.UserService")).await.unwrap().into_inner();
    let mut stranger = health.watch(asking("chancery.v1.NoService")).await.unwrap().into_inner();
    let first = stranger.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    assert_eq!(seen.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    let stopping = tokio::spawn(stopped(served));
    let told = timeout(PATIENCE, seen.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::NotServing);
    assert!(!check(address, None, "", PATIENCE).await.unwrap(), "who comes late is still answered");
    let end = timeout(PATIENCE, seen.message()).await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    let took = stopping.await.unwrap();
    assert!(took < Duration::from_millis(900), "open streams did not hold it up: {took:?}");
    assert!(check(address, None, "", PATIENCE).await.is_err());
}

#[tokio::test]
async fn a_silent_or_a_half_finished_client_does_not_hold_up_the_end() {
    let served = serve(config()).await;
    let grpc = served.running.grpc();
    let mut silent = TcpStream::connect(grpc).await.unwrap();
    let mut half = TcpStream::connect(grpc).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    let mut scraper = TcpStream::connect(served.running.admin()).await.unwrap();
    scraper.write_all(b"GET /metrics HT").await.unwrap();
    assert!(check(grpc, None, "", PATIENCE).await.unwrap());
    let took = stopped(served).await;
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    for stream in [&mut silent, &mut half, &mut scraper] {
        let mut rest = Vec::new();
        // Closed or reset: in any case over.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_dropped() {
    let served = serve(Config { body_deadline: Duration::from_millis(200), ..config() }).await;
    let mut silent = TcpStream::connect(served.running.grpc()).await.unwrap();
    let read = timeout(PATIENCE, silent.read(&mut [0; 16])).await.unwrap();
    assert_eq!(read.unwrap(), 0);
    stopped(served).await;
}

#[tokio::test]
async fn a_source_has_so_many_connections_and_no_more() {
    let served = serve(Config { connections_per_source: 2, ..config() }).await;
    let grpc = served.running.grpc();
    let first = HealthClient::new(channel(&served).await).check(asking("")).await;
    assert!(first.is_ok());
    let mut held =
        [HealthClient::new(channel(&served).await), HealthClient::new(channel(&served).await)];
    for health in &mut held {
        assert!(health.check(asking("")).await.is_ok());
    }
    let mut third = TcpStream::connect(grpc).await.unwrap();
    let read = timeout(PATIENCE, third.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    drop(held);
    let freed = async {
        while check(grpc, None, "", PATIENCE).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, freed).await.unwrap();
    stopped(served).await;
}

async fn reflected(served: &Served, ask: MessageRequest) -> ServerReflectionResponse {
    let mut client = ServerReflectionClient::new(channel(served).await);
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let asked = tokio_stream::once(request);
    let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap()
}

#[tokio::test]
async fn reflection_shows_every_service_and_every_import() {
    let served = serve(config()).await;
    let listed = reflected(&served, MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(listed)) = listed.message_response else {
        panic!("{listed:?}")
    };
    let mut names: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
    names.sort();
    let ours =
        ["Account", "Audit", "Authorization", "RightsDocument", "Role", "Session", "Token", "User"];
    let mut wanted: Vec<_> = ours.iter().map(|name| format!("chancery.v1.{name}Service")).collect();
    wanted.push("grpc.health.v1.Health".to_owned());
    wanted.push("grpc.reflection.v1.ServerReflection".to_owned());
    wanted.push("grpc.reflection.v1alpha.ServerReflection".to_owned());
    assert_eq!(names, wanted);
    for file in [
        "chancery/v1/user.proto",
        "buf/validate/validate.proto",
        "google/api/annotations.proto",
        "google/protobuf/timestamp.proto",
    ] {
        let found = reflected(&served, MessageRequest::FileByFilename(file.to_owned())).await;
        let found = found.message_response.unwrap();
        assert!(matches!(found, MessageResponse::FileDescriptorResponse(_)), "{file}: {found:?}");
    }
    stopped(served).await;
}

#[tokio::test]
async fn the_administrators_door_tells_how_it_is() {
    let served = serve(config()).await;
    assert_eq!(page(&served, "/livez").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    let (head, body) = page(&served, "/readyz").await;
    assert_eq!(head, "HTTP/1.1 200 OK", "{body}");
    let report: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(report["ready"], true);
    assert_eq!(report["checks"]["keys"], "ok");
    assert!(check(served.running.grpc(), None, "", PATIENCE).await.unwrap());
    let (_, figures) = page(&served, "/metrics").await;
    for figure in
        ["chancery_rpc_requests_total{method=\"/grpc.health.v1.Health/Check\"", "chancery_users 1"]
    {
        assert!(figures.contains(figure), "{figures}");
    }
    assert_eq!(page(&served, "/else").await.0, "HTTP/1.1 404 Not Found");
    stopped(served).await;
}

#[tokio::test]
async fn a_key_of_another_store_and_an_older_schema_are_noticed() {
    let served = serve(config()).await;
    let folder = tempfile::tempdir().unwrap();
    let other = KeyRing::load_or_create(&folder.path().join("key"), secret::system).unwrap();
    assert!(!served.store.fits(&other).await.unwrap());
    let none = served.store.update_catalogues().await.unwrap();
    assert!(none.is_empty(), "a store that was just made has the newest: {none:?}");
    stopped(served).await;
}
