//! The administrators' door: figures and health, over HTTP, for scrapers and probes that speak no gRPC.
//!
//! Open to whoever reaches it (`edges.md` §6), so it tells no id, no name and no inner cause.

use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use serde::{Serialize, Serializer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use crate::feed::{Feed, Signing};
use crate::telemetry::Figures;

/// What must hold for the server to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether it can serve.
    pub ready: bool,
    /// What that rests on.
    pub checks: Checks,
}

/// What readiness rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// The store answers, and was not written by a version that this one cannot read.
    pub store: Check,
    /// The schema is up to date.
    pub schema: Check,
    /// The keys are those that the store's tokens stand under.
    pub keys: Check,
    /// What is in memory is not older than the staleness bound, and nothing was met that cannot be read.
    pub snapshots: Check,
    /// This machine's clock is near the store's.
    pub clock: Check,
    /// The server is not stopping.
    pub running: Check,
    /// The ledgers are what was written, as they were last verified. It goes on serving where they are not: who is to be told is
    /// told by an alarm, and stopping would be one more thing that a writer of the store could do.
    pub ledgers: Check,
}

/// How one thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// As it should be.
    Good,
    /// Not so; why, for people.
    Bad(String),
    /// Not known, since something that it needs is bad.
    Unknown,
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::Good => "ok",
            Self::Bad(why) => why,
            Self::Unknown => "unknown",
        })
    }
}

impl Report {
    /// Sums up the checks.
    pub fn of(checks: Checks) -> Self {
        let Checks { store, schema, keys, snapshots, clock, running, ledgers: _ } = &checks;
        let all = [store, schema, keys, snapshots, clock, running];
        let ready = all.iter().all(|check| **check == Check::Good);
        Self { ready, checks }
    }
}

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The figures of the process.
    pub figures: &'static Figures,
    /// What is in memory.
    pub feed: Feed,
    /// The keys that access tokens are signed with.
    pub signing: Signing,
    /// What the last probe found.
    pub reports: watch::Receiver<Report>,
}

/// Serves the pages on the connections that `taken` gives, until `stop` is done and they have ended.
pub async fn serve<C>(
    shown: Shown,
    taken: mpsc::Receiver<C>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(shown);
    axum::serve(Incoming(taken), pages).with_graceful_shutdown(stop).await
}

/// Connections that somebody else takes.
struct Incoming<C>(mpsc::Receiver<C>);

impl<C> Listener for Incoming<C>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Io = C;
    // No page asks who is at the other end.
    type Addr = ();

    async fn accept(&mut self) -> (C, ()) {
        match self.0.recv().await {
            Some(connection) => (connection, ()),
            // There will be no more; that the server stops, it is told by another way.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the figures of what is in memory.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a double; 2^53 users are not to be expected"
)]
pub fn measure(feed: &Feed, signing: &Signing) {
    let (tenants, users) = feed.size();
    metrics::gauge!("chancery_tenants").set(tenants as f64);
    metrics::gauge!("chancery_users").set(users as f64);
    metrics::gauge!("chancery_head_age_seconds").set(feed.age());
    let (age, life) = signing.age();
    if let Some(age) = age {
        metrics::gauge!("chancery_signing_key_age_seconds").set(age.as_seconds_f64());
    }
    metrics::gauge!("chancery_signing_key_life_seconds").set(life.as_seconds_f64());
}

/// Shows the figures; those of the memory are taken now.
async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    measure(&shown.feed, &shown.signing);
    typed("text/plain; version=0.0.4; charset=utf-8", shown.figures.render())
}

/// Shows what the last probe found, which is about a second old: asking often costs the store nothing.
async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    let report = shown.reports.borrow().clone();
    let code = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    (code, typed("application/json", text))
}

/// Shows the keys that access tokens are verified with (RFC 7517). Nobody keeps them for longer than a new one is shown
/// before it is used.
async fn jwks(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let jwks = shown.signing.jwks().await;
    let same = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let etags = value.to_str().unwrap_or_default().split(',');
        let bare = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
        etags.map(bare).any(|etag| etag == jwks.etag || etag == "*")
    });
    let kept = [
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
        (header::ETAG, jwks.etag.clone()),
    ];
    if same {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/jwk-set+json")];
    (kept, kind, jwks.json).into_response()
}

fn typed(kind: &'static str, text: String) -> ([(HeaderName, &'static str); 2], String) {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text)
}
