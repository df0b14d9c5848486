//! Puts the rooms together, listens, and stops gently.
//!
//! Stopping has four steps (`Phase`): the server says that it does not serve; a while later it takes no new
//! connection and lets the open ones finish; and at the hard deadline it drops what is left, a silent client's
//! connection as well as a slow one's.

mod assemble;
mod check;
mod cores;
mod expiring;
mod health;
mod inspect;
mod listen;
mod open;
mod phase;
mod probe;
mod prune;
#[cfg(test)]
mod tests;
mod tls;
mod upkeep;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::util::{MapRequestLayer, option_layer};

use crate::admin::{self, Shown};
use crate::authzen::{self, Authzen};
use crate::crypto::KeyRing;
use crate::crypto::jwt::{NoKey, Parties};
use crate::decision_log::{self, DecisionLog, NotWritten};
use crate::issuers::{BadIssuer, IssuerConfig, Issuers};
use crate::layers::{
    self, BadNetwork, BadOrigin, BadProxy, Browsers, Deadlines, Door, FormError, Peers, RulesError,
    Web,
};
use crate::mesh::{BadRoutes, MeshConfig};
use crate::model::{Clock, SystemClock};
use crate::post::{BadSender, SenderConfig};
use crate::store::Store;
use crate::{feed, rpc, telemetry};
use cores::Cores;
use listen::{ConnInfo, Listening, connections};
use phase::{Phase, Phases};
use tls::Tls;

pub use check::{NoAnswer, check, reachable};
pub use inspect::InspectConfig;
pub use tls::{BadTls, ClientAuth, TlsConfig};

/// HTTP/2 pings: a peer that is gone is noticed within half a minute.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// The headers of one request, in bytes, as HTTP/2 counts them.
const HEADERS: u32 = 16 << 10;
/// What is spoken within TLS: gRPC is HTTP/2; what is made into it, AuthZEN and gRPC-Web, comes by either.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// How long connections have to notice that they are dropped.
const DROPPING: Duration = Duration::from_secs(1);

/// What the operator says of the server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Requests at once on one connection.
    pub streams_per_connection: u32,
    /// Connections at once from one source.
    pub connections_per_source: usize,
    /// Threads that answer; 0 = one for each processor.
    pub answering_threads: usize,
    /// Requests worked on at once.
    pub in_flight: usize,
    /// Changes a principal a minute; 0 = as many as it likes.
    pub changes_per_minute: u32,
    /// Sign-ins from one source a minute; 0 = as many as come.
    pub sign_ins_per_minute: u32,
    /// The longest message, in bytes.
    pub message_bytes: usize,
    /// How long a message may take to arrive, and a connection's first byte.
    pub body_deadline: Duration,
    /// How long nothing may be read from a stream of changes before it is given up.
    pub stall: Duration,
    /// How long a request may take.
    pub deadlines: Deadlines,
    /// How what is known keeps up.
    pub feed: feed::Config,
    /// How gRPC is encrypted; `None` = not at all.
    pub tls: Option<TlsConfig>,
    /// Which workloads are service users.
    pub peers: Peers,
    /// The proxies that are believed when they say whose certificate they have verified: SPIFFE ids, addresses or networks.
    pub forwarding_proxies: Vec<String>,
    /// The proxies that are believed: addresses or networks.
    pub trusted_proxies: Vec<String>,
    /// Identity providers by which users sign in.
    pub issuers: Vec<IssuerConfig>,
    /// How access tokens are signed.
    pub signing: feed::SigningConfig,
    /// Who signs them, and for whom.
    pub parties: Parties,
    /// What AuthZEN is told.
    pub authzen: authzen::Settings,
    /// What is said of browsers.
    pub browsers: Browsers,
    /// What the services are told.
    pub rpc: rpc::Settings,
    /// What proxies are answered by.
    pub mesh: MeshConfig,
    /// How messages to users are sent.
    pub sender: SenderConfig,
    /// What is said of passwords.
    pub passwords: rpc::PasswordSettings,
    /// How long a request may take before it is told in the log; `None` = as long as it likes.
    pub slow: Option<Duration>,
    /// Where decisions are recorded, if anywhere.
    pub decision_log: Option<decision_log::Config>,
    /// What sends their records to a collector, where there is one.
    pub events: Option<telemetry::Events>,
    /// How many recorded decisions are remembered.
    pub remember: usize,
    /// How ledgers are looked after.
    pub inspect: InspectConfig,
    /// For how long it is known who signed in, and the like.
    pub keep_activity: TimeDelta,
    /// How long it goes on taking connections after it has said that it stops.
    pub drain: Duration,
    /// When connections are dropped that have not ended, counted from the signal to stop.
    pub hard: Duration,
}

impl Config {
    /// Looks at all that [`start`] will make of it and that needs no store: what cannot be served is refused before there is one.
    /// Nobody is asked anything.
    pub fn check(&self) -> Result<(), Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let _issuers = Issuers::start(&self.issuers, &clock)?;
        self.sender.check()?;
        Ok(self.passwords.check()?)
    }
}

/// Why the server does not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is served cannot be loaded.
    #[error("the platform's own tenant cannot be loaded: {0}")]
    Feed(#[from] feed::Error),
    /// The keys that access tokens are signed with.
    #[error("the signing keys cannot be made ready: {0}")]
    Signing(#[from] feed::NotDone),
    /// The key that heads of ledgers are signed with.
    #[error("the key of the ledgers cannot be made ready")]
    LedgerKey(#[from] NoKey),
    /// A method's rule.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A method's form.
    #[error(transparent)]
    Forms(#[from] FormError),
    /// The embedded descriptors.
    #[error("the embedded descriptors cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The descriptors, as reflection shows them.
    #[error("the embedded descriptors cannot be shown")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The proxies.
    #[error("trusted_proxies: {0}")]
    Proxies(#[from] BadNetwork),
    /// Whose pages may call.
    #[error("browsers.origins: {0}")]
    Origin(#[from] BadOrigin),
    /// The proxies that tell of certificates.
    #[error("tls.forwarding_proxies: {0}")]
    Forwarding(#[from] BadProxy),
    /// Certificates.
    #[error("TLS cannot be served")]
    Tls(#[from] BadTls),
    /// Passwords.
    #[error(transparent)]
    Passwords(#[from] rpc::NoPasswords),
    /// An identity provider.
    #[error(transparent)]
    Issuer(#[from] BadIssuer),
    /// What proxies are answered by.
    #[error(transparent)]
    Mesh(#[from] BadRoutes),
    /// Messages to users.
    #[error(transparent)]
    Sender(#[from] BadSender),
    /// The decision log.
    #[error(transparent)]
    DecisionLog(#[from] NotWritten),
    /// A listener.
    #[error("a listener failed")]
    Listener(#[from] io::Error),
    /// The HTTP/2 server.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// A task of the server panicked.
    #[error("a part of the server broke off")]
    Broken(#[from] JoinError),
}

/// A server that runs. Dropping it begins to stop it.
#[derive(Debug)]
pub struct Running {
    grpc: SocketAddr,
    admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Returns where gRPC is served.
    pub const fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Returns where metrics and health are served, over HTTP.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Begins to stop; [`Running::ended`] tells when it has.
    pub fn begin_stop(&mut self) {
        // Whoever had been told before needs not be told again.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until the server has ended: after it was stopped, or because it failed.
    pub async fn ended(&mut self) -> Result<(), Error> {
        (&mut self.done).await?
    }

    /// Stops gently, and at the hard deadline in any case.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.begin_stop();
        self.ended().await
    }
}

/// Starts to serve a store that is migrated and bootstrapped, on listeners that are bound.
pub async fn start(
    config: Config,
    store: Store,
    keys: Arc<KeyRing>,
    grpc: TcpListener,
    admin: TcpListener,
) -> Result<Running, Error> {
    let (grpc_at, admin_at) = (grpc.local_addr()?, admin.local_addr()?);
    let figures = telemetry::figures();
    let clock = Arc::clone(store.clock());
    let house = assemble::house(&config, store, keys).await?;
    let (tell, phases) = Phases::channel();

    // The first probe before the first connection: nobody sees a server that is not sure of itself.
    let inspector = house.inspector(config.inspect);
    let pruner = house.pruner(config.inspect);
    let probe = house.probe();
    let (reports, seen) = watch::channel(probe.report().await);
    let routes = house.routes(&config, seen.clone(), &phases)?;

    let shown =
        Shown { figures, feed: house.feed.clone(), signing: house.signing.clone(), reports: seen };
    let tls = match &config.tls {
        Some(tls) => Some(Tls::start(tls.clone(), clock, &PROTOCOLS, &phases).await?),
        None => None,
    };
    let admin = listening(&config, admin, "admin", Phase::Dead);
    let admin = tokio::spawn(serve_pages(shown, admin, phases.clone()));
    let grpc = Listening { tls, ..listening(&config, grpc, "grpc", Phase::Closing) };
    let grpc = tokio::spawn(serve_grpc(config.clone(), house.door, routes, grpc, phases.clone()));
    let probing = tokio::spawn(probe::run(probe, reports, phases.clone()));
    let posting = tokio::spawn(house.post.run(phases.clone().reached(Phase::Closing)));
    let kept = (house.credentials, house.signing, house.issuers);
    let inspecting = tokio::spawn(inspector.run(phases.clone()));
    let pruning = tokio::spawn(prune::run(pruner, phases.clone()));
    let upkeep = tokio::spawn(upkeep::run(house.store, kept, config.keep_activity, phases));

    let (stop, stopped) = oneshot::channel();
    let others = [probing, posting, inspecting, pruning, upkeep];
    let tasks = Tasks { grpc, admin, others, decisions: house.decision_log };
    let done = tokio::spawn(conduct(stopped, tell, tasks, config.drain, config.hard));
    Ok(Running { grpc: grpc_at, admin: admin_at, stop: Some(stop), done })
}

fn listening(
    config: &Config,
    listener: TcpListener,
    name: &'static str,
    until: Phase,
) -> Listening {
    Listening {
        listener,
        name,
        until,
        per_source: config.connections_per_source,
        first_byte: config.body_deadline,
        tls: None,
    }
}

async fn serve_grpc(
    config: Config,
    door: Door,
    routes: Routes,
    listening: Listening,
    phases: Phases,
) -> Result<(), Error> {
    let cores = Arc::new(Cores::start(config.answering_threads)?);
    let taken = connections(listening, Arc::clone(&cores), phases.clone());
    let origins = option_layer(layers::cors(&config.browsers)?);
    let authzen = Authzen::new(Arc::clone(&door.gate), config.authzen);
    let mut server = Server::builder()
        // For AuthZEN and gRPC-Web; the door refuses gRPC that comes so.
        .accept_http1(true)
        .max_concurrent_streams(config.streams_per_connection)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PONG))
        .http2_max_header_list_size(HEADERS)
        // Outermost: a browser reads no answer, a refusal neither, that does not name its origin.
        .layer(origins)
        // Other ways of saying the same, each made into gRPC.
        .layer(authzen)
        .layer(Web { on: config.browsers.grpc_web })
        // What was found out of the connection, for everybody behind.
        .layer(MapRequestLayer::new(ConnInfo::tell))
        // Every listener and route goes through the same door (`edges.md` §6).
        .layer(door);
    let mut serving = JoinSet::new();
    for (runtime, taken) in cores.runtimes().zip(taken) {
        let incoming = ReceiverStream::new(taken).map(Ok::<_, Infallible>);
        let closing = phases.clone().reached(Phase::Closing);
        let one = server.add_routes(routes.clone()).serve_with_incoming_shutdown(incoming, closing);
        serving.spawn_on(one, runtime);
    }
    while let Some(ended) = serving.join_next().await {
        ended??;
    }
    Ok(())
}

async fn serve_pages(shown: Shown, listening: Listening, phases: Phases) -> Result<(), Error> {
    let mut taken = connections(listening, Arc::new(Cores::here()), phases.clone());
    if let Some(taken) = taken.pop() {
        admin::serve(shown, taken, phases.reached(Phase::Dead)).await?;
    }
    Ok(())
}

struct Tasks {
    grpc: JoinHandle<Result<(), Error>>,
    admin: JoinHandle<Result<(), Error>>,
    others: [JoinHandle<()>; 5],
    decisions: Option<DecisionLog>,
}

/// Takes the server through its phases once it is to stop, or when it has ended by itself.
async fn conduct(
    stopped: oneshot::Receiver<()>,
    tell: watch::Sender<Phase>,
    mut tasks: Tasks,
    drain: Duration,
    hard: Duration,
) -> Result<(), Error> {
    let failed = tokio::select! {
        // Told, or dropped: both mean stop.
        _ = stopped => None,
        ended = &mut tasks.grpc => Some(ended),
        ended = &mut tasks.admin => Some(ended),
    };
    let deadline = Instant::now() + hard;
    if let Some(ended) = failed {
        tell.send_replace(Phase::Dead);
        end(tasks).await;
        return ended?;
    }
    tracing::info!("stopping");
    tell.send_replace(Phase::Draining);
    tokio::time::sleep_until(deadline.min(Instant::now() + drain)).await;
    tell.send_replace(Phase::Closing);
    let grpc = tokio::time::timeout_at(deadline, &mut tasks.grpc).await;
    tell.send_replace(Phase::Dead);
    let ended = grpc.unwrap_or_else(|_| {
        tracing::warn!("not everything had ended at the hard deadline: it is dropped");
        Ok(Ok(()))
    });
    end(tasks).await;
    tracing::info!("stopped");
    ended?
}

/// Waits a little for what is left, then ends it.
async fn end(tasks: Tasks) {
    let Tasks { grpc, admin, others, decisions } = tasks;
    let deadline = Instant::now() + DROPPING;
    for task in [grpc, admin] {
        if !task.is_finished() {
            let abort = task.abort_handle();
            let _ = tokio::time::timeout_at(deadline, task).await;
            abort.abort();
        }
    }
    for task in others {
        let abort = task.abort_handle();
        let _ = tokio::time::timeout_at(deadline, task).await;
        abort.abort();
    }
    // Last: nobody decides any more.
    if let Some(decisions) = decisions
        && tokio::time::timeout(DROPPING, decisions.end()).await.is_err()
    {
        tracing::warn!("the last records of the decision log could not be written in time");
    }
}
