//! `chancery serve`

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::bootstrap::{First, mint};
use super::open::CannotBegin;
use super::{Outcome, open, say};
use crate::client;
use crate::config::{Config, DecisionSink};
use crate::crypto::KeyRing;
use crate::crypto::token::Secret;
use crate::server::{self, Running};
use crate::store::{self, Engine, Store};
use crate::telemetry;

/// How long the store has to give its connections back.
const CLOSING: Duration = Duration::from_secs(2);

/// A store that is not ready to be served.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error(
        "the store has not been bootstrapped: run `chancery bootstrap --user-name <name>` once"
    )]
    NotBootstrapped,
    #[error(
        "the first start shows a token on standard output, where the decision log goes (decision_log.sink): run `chancery \
         bootstrap --user-name <name> --token-file <file>` once"
    )]
    TakenOutput,
    #[error("cannot listen on {address} ({key})")]
    Bind {
        key: &'static str,
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// Serves until SIGTERM or SIGINT; a second one ends it at once.
pub(super) async fn run(config: Config) -> Outcome {
    let traces = &config.telemetry;
    let collector = traces.otlp_endpoint.as_deref().map(client::collector).transpose()?;
    let telemetry = telemetry::start(&config.log, collector, traces)?;
    let settings = server::Config { events: telemetry.events(), ..config.server() };
    let ended = served(&config, settings).await;
    telemetry.end(CLOSING).await;
    ended
}

async fn served(config: &Config, settings: server::Config) -> Outcome {
    // From here on a signal is noticed, however long the rest takes.
    let mut signals = Signals::new()?;
    // Before the store is touched: what cannot be served must not use up the one first start.
    settings.check()?;
    let grpc = bind("listen", config.listen).await?;
    let admin = bind("admin_listen", config.admin_listen).await?;
    let store = open::store(config).await?;
    let keys = Arc::new(open::keys(config, &store).await?);
    let first = ready(config, &store, &keys).await?;
    if !store.fits(&keys).await? {
        return Err(CannotBegin::OtherKey.into());
    }
    let at = grpc.local_addr()?;
    if let Some(secret) = &first {
        let plain = config.tls.cert_file.is_none();
        say(&token(secret, server::reachable(at), plain))?;
    }
    let running = server::start(settings, store.clone(), keys, grpc, admin).await?;
    tracing::info!(grpc = %running.grpc(), admin = %running.admin(), "serving");
    let ended = attend(running, &mut signals).await;
    // What does not come back now is dropped with the process.
    let _ = tokio::time::timeout(CLOSING, store.close()).await;
    ended
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, NotReady> {
    TcpListener::bind(address).await.map_err(|source| NotReady::Bind { key, address, source })
}

/// Makes the store ready where it is our own; elsewhere it has to be.
///
/// Returns the secret of the first token if this is the first start.
async fn ready(
    config: &Config,
    store: &Store,
    keys: &KeyRing,
) -> Result<Option<Secret>, Box<dyn Error + Send + Sync>> {
    if store.engine() == Engine::Postgres {
        let pending = store.pending_migrations().await?.len();
        if pending > 0 {
            return Err(store::Error::NotMigrated { pending }.into());
        }
        store.root().await?.ok_or(NotReady::NotBootstrapped)?;
        return Ok(None);
    }
    for done in open::update(store).await? {
        tracing::info!("applied {done}");
    }
    if store.root().await?.is_some() {
        return Ok(None);
    }
    if config.decision_log.sink == DecisionSink::Stdout {
        return Err(NotReady::TakenOutput.into());
    }
    let first = First::embedded();
    let secret = mint(first.kind)?;
    // Before it is done: where nobody can be told, the one first start is not used up.
    say(WELCOME)?;
    let made = first.make(store, keys, &secret).await?;
    Ok(made.map(|_| secret))
}

/// What is said on the first start, and never again.
const WELCOME: &str = "\nThis is the first start: there is one account, the platform's own, and one user, `admin`, who \
    may do everything.\n";

/// Shows the token: only its keyed hash is left after this.
fn token(secret: &Secret, at: SocketAddr, plain: bool) -> String {
    let token = secret.expose();
    let plain = if plain { "-plaintext " } else { "" };
    format!(
        "This is the user's API token. It is shown this once and kept nowhere:\n\n  {token}\n\nTry it:\n\n  \
         grpcurl {plain}-H 'authorization: Bearer {token}' {at} chancery.v1.UserService/ListUsers\n\n"
    )
}

/// Lets the server run until it is told to stop, and then until it has.
async fn attend(mut running: Running, signals: &mut Signals) -> Outcome {
    tokio::select! {
        ended = running.ended() => {
            ended?;
            return Ok(ExitCode::SUCCESS);
        }
        () = signals.next() => running.begin_stop(),
    }
    tokio::select! {
        ended = running.ended() => {
            ended?;
            Ok(ExitCode::SUCCESS)
        }
        () = signals.next() => {
            tracing::warn!("told to stop a second time: ending at once");
            Ok(ExitCode::FAILURE)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for either. A source that has dried up never gives one.
    async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.terminate.recv() => {}
            Some(()) = self.interrupt.recv() => {}
            else => std::future::pending().await,
        }
    }
}
