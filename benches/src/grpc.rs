//! A whole service on SQLite, and a client that hands bytes through.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes};
use chancery::crypto::password::{Cost, Hasher};
use chancery::crypto::{KeyRing, secret};
use chancery::model::{SystemClock, UserId};
use chancery::proto::v1 as pb;
use chancery::server;
use chancery::store::Store;
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::stored::{KEY, Stored, config};

/// Connections of the client.
pub const CONNECTIONS: usize = 4;
/// Calls under way on each of them.
pub const IN_FLIGHT: usize = 16;

/// How long a round of a server is.
const ROUND: Duration = Duration::from_millis(1500);

/// A service, and who may ask it.
#[derive(Debug)]
pub struct Service {
    /// Where it is.
    pub at: String,
    /// The first administrator's token.
    pub token: String,
    /// The first administrator.
    pub user: String,
    /// And its account.
    pub account: String,
    url: String,
    _folder: TempDir,
}

impl Service {
    /// Starts one on an empty store. It serves until the process ends.
    pub async fn start() -> Self {
        let stored = Box::pin(Stored::sqlite()).await;
        let config = config(&stored.url);
        let store = Box::pin(Store::open(&config.store(), Arc::new(SystemClock))).await.unwrap();
        let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let starting = Box::pin(server::start(config.server(), store, keys, grpc, admin));
        let running = starting.await.unwrap();
        let at = format!("http://{}", running.grpc());
        std::mem::forget(running);
        let Stored { url, token, user, account, folder } = stored;
        Self { at, token, user, account, url, _folder: folder }
    }

    /// Gives the administrator a password.
    pub async fn give_password(&self, password: &str) {
        let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
        let hasher = Hasher::new(keys, Cost::default(), secret::system).unwrap();
        let user = UserId::from_str(&self.user).unwrap();
        let hash = hasher.hash(user, password, secret::system).unwrap();
        let id = user.0.simple();
        let values = format!("x'{id}', '{hash}', '2027-01-15 08:00:00+00:00'");
        let into = "insert into passwords (user_id, hash, change_time)";
        let db = sea_orm::Database::connect(&self.url).await.unwrap();
        db.execute_unprepared(&format!("{into} values ({values})")).await.unwrap();
        db.close().await.unwrap();
    }

    /// Asks whether the administrator may read a gate group, which it may.
    pub fn question(&self, id: usize) -> pb::AuthorizeRequest {
        question(&self.user, id)
    }
}

/// Asks whether a user may read a gate group, which an administrator may.
pub fn question(user: &str, id: usize) -> pb::AuthorizeRequest {
    ask(user, "read", "gate_group", &id.to_string())
}

/// Asks whether a user may do something with something.
pub fn ask(user: &str, action: &str, kind: &str, id: &str) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        subject: Some(pb::Subject {
            r#type: "user".into(),
            id: user.to_owned(),
            ..Default::default()
        }),
        action: Some(pb::Action { name: action.to_owned(), properties: None }),
        resource: Some(pb::Resource {
            r#type: kind.to_owned(),
            id: id.to_owned(),
            properties: None,
        }),
        ..Default::default()
    }
}

/// One method of one server, with the message that is sent.
#[derive(Debug, Clone)]
pub struct Method {
    /// The server.
    pub at: String,
    /// The method.
    pub path: &'static str,
    /// Whose credential is sent along.
    pub token: String,
    /// What is sent.
    pub message: Bytes,
}

impl Method {
    /// Calls it once.
    pub async fn call(&self) -> Bytes {
        call(&connect(&self.at).await, self).await
    }

    /// Calls it for a while, `rate` times a second whatever comes back; returns what 99 of 100 calls took at most, in
    /// milliseconds, from when each was due.
    pub async fn p99(&self, rate: u32) -> f64 {
        let channel = connect(&self.at).await;
        let every = Duration::from_secs(1) / rate;
        let calls = u32::try_from(2 * ROUND.as_millis()).unwrap() * rate / 1000;
        let mut due = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..calls {
            tokio::time::sleep_until(due.into()).await;
            let (channel, method, began) = (channel.clone(), self.clone(), due);
            tasks.push(tokio::spawn(async move {
                call(&channel, &method).await;
                began.elapsed()
            }));
            due += every;
        }
        let mut took = Vec::new();
        for task in tasks {
            took.push(task.await.unwrap());
        }
        took.sort_unstable();
        took[took.len() * 99 / 100].as_secs_f64() * 1e3
    }

    /// Calls it for a while with `in_flight` calls under way on each connection. Returns the answers a second; each is
    /// looked at by its length.
    pub async fn rate(&self, in_flight: usize) -> f64 {
        let length = self.call().await.len();
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(connect(&self.at).await);
        }
        let began = Instant::now();
        let until = began + ROUND;
        let mut tasks = Vec::new();
        for channel in channels.iter().flat_map(|channel| (0..in_flight).map(move |_| channel)) {
            let (channel, method) = (channel.clone(), self.clone());
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u32;
                while Instant::now() < until {
                    assert_eq!(call(&channel, &method).await.len(), length);
                    done += 1;
                }
                done
            }));
        }
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        f64::from(done) / began.elapsed().as_secs_f64()
    }
}

async fn connect(at: &str) -> Channel {
    Channel::from_shared(at.to_owned()).unwrap().connect().await.unwrap()
}

async fn call(channel: &Channel, method: &Method) -> Bytes {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(1 << 26);
    client.ready().await.unwrap();
    let mut request = Request::new(method.message.clone());
    let token = format!("Bearer {}", method.token).parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    client.unary(request, method.path.parse().unwrap(), Raw).await.unwrap().into_inner()
}

/// Passes bytes through as they are, so that both servers have the same client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

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
