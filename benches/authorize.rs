//! What a decision costs: in process as a tenant grows, and over gRPC against an RPC that does nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    clippy::allow_attributes,
    reason = "a bench may panic, and prints floats"
)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes};
use chancery::config::{Config, Sources};
use chancery::crypto::token::{Secret, TokenKind};
use chancery::crypto::{KeyRing, secret};
use chancery::decision::{Facts, Nothing, Question, Snapshot, Subject, Worlds, decide};
use chancery::model::catalogue::{Catalogue, built_in};
use chancery::model::{
    Account, AccountId, AccountStatus, Clock as _, Named, RegionalSettings, ResourcePath,
    RoleGrant, RoleRef, SystemClock, User, UserId, UserKind,
};
use chancery::proto::v1 as pb;
use chancery::server;
use chancery::store::{Bootstrap, Store};
use chrono::DateTime;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::NamedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use uuid::Uuid;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 16;
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn main() {
    in_process();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(over_grpc());
}

/// The median, and the least and the most.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}

fn account_id() -> AccountId {
    AccountId(Uuid::from_u128(2))
}

fn user_id(n: u128) -> UserId {
    UserId(Uuid::from_u128(0x1_0000 + n * 7919))
}

/// One account with `count` users of two roles each, half of whom may manage users.
fn tenant(catalogue: &Arc<Catalogue>, count: u128) -> Snapshot {
    let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let account = Account {
        id: account_id(),
        parent: Some(AccountId(Uuid::from_u128(1))),
        tenant: account_id(),
        display_name: String::new(),
        email: None,
        login_alias: None,
        role: None,
        status: AccountStatus::Active,
        suspended_from: None,
        quarantined_from: None,
        created_by: None,
        create_time: at,
        update_time: at,
    };
    let user = |n| User {
        id: user_id(n),
        account: account_id(),
        parent: (n > 0).then(|| user_id(n / 8)),
        kind: UserKind::Admin,
        user_name: format!("user{n}"),
        first_name: String::new(),
        last_name: String::new(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: true,
        sso: false,
        application: None,
        create_time: at,
        update_time: at,
        delete_time: None,
    };
    let grant = |n, role: &str| RoleGrant {
        user: user_id(n),
        account: account_id(),
        role: RoleRef::BuiltIn(role.to_owned()),
        scope: None,
        expire_time: None,
        create_time: at,
        created_by: None,
    };
    let facts = Facts {
        tenant: Some(account_id()),
        accounts: vec![account],
        users: (0..count).map(user).collect(),
        grants: (0..count)
            .flat_map(|n| [grant(n, "ringcx/USER"), grant(n, "voximplant/Supervisor")])
            .collect(),
        ..Facts::default()
    };
    Snapshot::build(Arc::clone(catalogue), facts).unwrap()
}

fn in_process() {
    let catalogue = Arc::new(Catalogue::build(&built_in().unwrap()).unwrap());
    println!("in process: ns a decision, median of {ROUNDS} rounds (least to most)\n");
    println!("| users | permit | deny |\n|---|---|---|");
    let sizes = [1_000_u128, 100_000];
    let worlds: Vec<Snapshot> = sizes.iter().map(|count| tenant(&catalogue, *count)).collect();
    let mut figures = vec![[Vec::new(), Vec::new()]; sizes.len()];
    for _ in 0..ROUNDS {
        for (at, (world, count)) in worlds.iter().zip(sizes).enumerate() {
            for (kind, action) in ["recording.listen", "recording.delete"].iter().enumerate() {
                figures[at][kind].push(nanoseconds(world, &catalogue, action, count, kind == 0));
            }
        }
    }
    let mut medians = Vec::new();
    for (at, count) in sizes.iter().enumerate() {
        let cell = |figures: &[f64]| {
            let (median, least, most) = spread(figures.to_vec());
            (median, format!("{median:.0} ({least:.0} to {most:.0})"))
        };
        let (permit, permit_text) = cell(&figures[at][0]);
        let (_, deny_text) = cell(&figures[at][1]);
        medians.push(permit);
        println!("| {count} | {permit_text} | {deny_text} |");
    }
    println!(
        "\ngrowth from {} to {} users: {:.2} ×\n",
        sizes[0],
        sizes[1],
        medians[1] / medians[0]
    );
}

fn nanoseconds(
    world: &Snapshot,
    catalogue: &Catalogue,
    action: &str,
    count: u128,
    permit: bool,
) -> f64 {
    const ASKED: u128 = 200_000;
    let permission = catalogue.parse(action).unwrap();
    let path = ResourcePath::account(account_id()).with("recording", Named::Id("17".to_owned()));
    let now = SystemClock.now();
    let began = Instant::now();
    for n in 0..ASKED {
        let subject = Subject::User(user_id((n * 31) % count));
        let question =
            Question { subject, limits: None, permission, resource: &path, now, asked: &Nothing };
        let answer = decide(Worlds { home: world, there: Some(world) }, black_box(&question));
        assert_eq!(answer.is_permit(), permit);
    }
    began.elapsed().as_nanos() as f64 / ASKED as f64
}

/// Passes bytes through as they are, so that both servers have the same client.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}

/// A unary RPC that answers a fixed message: what any RPC costs at least.
#[derive(Debug, Clone)]
struct Empty(Bytes);

impl NamedService for Empty {
    const NAME: &'static str = "bench.Empty";
}

impl tonic::server::UnaryService<Bytes> for Empty {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

impl tower::Service<http::Request<Body>> for Empty {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw);
            Ok(grpc.unary(service, request).await)
        })
    }
}

async fn over_grpc() {
    let folder = tempfile::TempDir::new().unwrap();
    let (at, token, user) = chancery_at(&folder).await;
    let question = pb::AuthorizeRequest {
        subject: Some(pb::Subject { r#type: "user".into(), id: user, ..Default::default() }),
        action: Some(pb::Action { name: "read".into(), properties: None }),
        resource: Some(pb::Resource {
            r#type: "gate_group".into(),
            id: "5".into(),
            properties: None,
        }),
        ..Default::default()
    };
    let question = Bytes::from(question.encode_to_vec());
    let path = "/chancery.v1.AuthorizationService/Authorize";
    let answer = call(&connect(&at).await, path, &token, question.clone()).await;
    let decoded = pb::AuthorizeResponse::decode(answer.clone()).unwrap();
    assert!(decoded.decision, "{decoded:?}");
    let empty_at = empty(answer.clone()).await;

    println!(
        "over gRPC: {CONNECTIONS} connections × {IN_FLIGHT} in flight, requests a second, {ROUNDS} interleaved rounds"
    );
    println!("messages: {} bytes in, {} bytes out\n", question.len(), answer.len());
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let a = rate(&at, path, &token, &question).await;
        let b = rate(&empty_at, "/bench.Empty/Call", &token, &question).await;
        if round > 0 {
            ours.push(a);
            theirs.push(b);
            ratios.push(a / b);
        }
    }
    println!("| | median | least | most |\n|---|---|---|---|");
    for (name, figures) in [("Authorize", ours), ("empty RPC", theirs)] {
        let (median, least, most) = spread(figures);
        println!("| {name} | {median:.0} | {least:.0} | {most:.0} |");
    }
    let (median, least, most) = spread(ratios);
    println!("| ratio | {median:.2} | {least:.2} | {most:.2} |\n");
    let verdict = if median >= 0.95 { "reached" } else { "missed" };
    println!("target 0.95 ×: {verdict} ({median:.2} ×)");
}

async fn chancery_at(folder: &tempfile::TempDir) -> (String, String, String) {
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let flags = vec![
        ("database_url", url),
        ("master_key", KEY.to_owned()),
        ("log.level", "warn".to_owned()),
    ];
    let config = Config::load(Sources { file: None, environment: Vec::new(), flags }).unwrap();
    let store = Store::open(&config.store(), Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
    let token = Secret::mint(TokenKind::Pat, secret::system).unwrap();
    let first = Bootstrap {
        account_name: "Bench".to_owned(),
        user_name: "admin".to_owned(),
        kind: UserKind::Admin,
        digest: token.digest(&keys),
    };
    let made = store.bootstrap(first, &keys).await.unwrap().unwrap();
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = server::start(config.server(), store, keys, grpc, admin).await.unwrap();
    let at = format!("http://{}", running.grpc());
    // It serves until the process ends.
    std::mem::forget(running);
    (at, token.expose().to_owned(), made.user.to_string())
}

async fn empty(answer: Bytes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(Empty(answer)).serve_with_incoming(incoming));
    at
}

async fn connect(at: &str) -> Channel {
    Channel::from_shared(at.to_owned()).unwrap().connect().await.unwrap()
}

async fn call(channel: &Channel, path: &str, token: &str, message: Bytes) -> Bytes {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    client.unary(request, path.parse().unwrap(), Raw).await.unwrap().into_inner()
}

/// Requests answered a second, every answer looked at.
async fn rate(at: &str, path: &'static str, token: &str, message: &Bytes) -> f64 {
    let until = Instant::now() + ROUND;
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = connect(at).await;
        for _ in 0..IN_FLIGHT {
            let (channel, token, message) = (channel.clone(), token.to_owned(), message.clone());
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u32;
                while Instant::now() < until {
                    let answer = call(&channel, path, &token, message.clone()).await;
                    assert!(!answer.is_empty());
                    done += 1;
                }
                done
            }));
        }
    }
    let began = Instant::now();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}
