//! A load of gRPC calls: so many connections, so many calls under way on each, every answer looked at.
//!
//! It speaks HTTP/2 by itself, on one thread, with nothing between a call and the wire: a client that takes more than the server
//! measures itself. The same program loads us and those that we are compared with.
//!
//! In a closed loop the next call is sent when one is answered; that tells how much a server can do. In an open loop calls are
//! sent when they are due, whatever comes back, and each is timed from when it was due and not from when it was sent, so that a
//! server that stops for a while is charged for all who came meanwhile.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use hdrhistogram::Histogram;
use http::{HeaderMap, Method, Request};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Tells whether an answer is the right one.
pub type Check = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What is sent, and what has to come back.
#[derive(Clone)]
pub struct Call {
    request: Request<()>,
    body: Bytes,
    check: Check,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("path", &self.request.uri().path()).finish_non_exhaustive()
    }
}

impl Call {
    /// Prepares a call of a method: all but sending it is done here. An empty token is not sent.
    pub fn new(
        path: &str,
        token: &str,
        message: &[u8],
        check: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://bench{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut body = BytesMut::with_capacity(message.len() + 5);
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).unwrap());
        body.put_slice(message);
        Self { request: request.body(()).unwrap(), body: body.freeze(), check: Arc::new(check) }
    }
}

/// Why a call did not come to the right answer.
#[derive(Debug)]
#[expect(dead_code, reason = "what is wrong is shown by `Debug`")]
enum Failed {
    /// The server said so, with a status of gRPC.
    Refused(String),
    /// It answered something else.
    Wrong(String),
    /// It did not answer.
    Broken(h2::Error),
}

impl From<h2::Error> for Failed {
    fn from(error: h2::Error) -> Self {
        Self::Broken(error)
    }
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Right answers.
    pub done: u64,
    /// Calls that the server refused.
    pub refused: u64,
    /// From the first call to the last answer.
    pub took: Duration,
    /// How long right answers took, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Outcome {
    fn new() -> Self {
        let latency = Histogram::new_with_max(60_000_000_000, 3).unwrap();
        Self { done: 0, refused: 0, took: Duration::ZERO, latency }
    }

    /// Right answers a second.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts so many")]
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.took.as_secs_f64()
    }

    /// What so many of all calls took at most, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "nobody waits so long")]
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Takes in how one call ended. A wrong answer ends the bench.
    fn note(&mut self, ended: Result<(), Failed>, took: Duration) {
        match ended {
            Ok(()) => {
                self.done += 1;
                self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap());
            }
            Err(Failed::Refused(why)) => {
                if self.refused == 0 {
                    eprintln!("refused: {why}");
                }
                self.refused += 1;
            }
            Err(failed) => panic!("{failed:?}"),
        }
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.latency.add(&other.latency).unwrap();
    }
}

/// Who is called, and with what.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server.
    pub at: SocketAddr,
    /// Connections to it.
    pub connections: usize,
    /// What is called, one after the other, over and over. Each caller takes the plan of its number, or, of fewer, one again.
    pub plans: Vec<Arc<[Call]>>,
}

impl Load {
    /// Plans that all make the same calls.
    pub fn new(at: SocketAddr, connections: usize, calls: Vec<Call>) -> Self {
        Self { at, connections, plans: vec![calls.into()] }
    }

    /// Calls for a while, with `in_flight` calls under way on each connection.
    pub fn closed(&self, in_flight: usize, during: Duration) -> Outcome {
        alone(async {
            let connections = self.connect().await;
            let began = Instant::now();
            let mut callers = JoinSet::new();
            for nth in 0..self.connections * in_flight {
                let send = connections[nth % self.connections].clone();
                let plan = Arc::clone(&self.plans[nth % self.plans.len()]);
                // Those who share a plan begin at different places of it.
                let from = nth / self.plans.len() * plan.len() / (self.connections * in_flight);
                callers.spawn(async move {
                    let mut outcome = Outcome::new();
                    for call in plan.iter().cycle().skip(from) {
                        let at = Instant::now();
                        if at.duration_since(began) > during {
                            break;
                        }
                        let ended = one(&send, call).await;
                        outcome.note(ended, at.elapsed());
                    }
                    outcome
                });
            }
            summed(callers, began).await
        })
    }

    /// Calls `rate` times a second for a while, whatever comes back.
    pub fn open(&self, rate: f64, during: Duration) -> Outcome {
        alone(async {
            let connections = self.connect().await;
            let began = Instant::now();
            let mut due = schedule(began, rate, during);
            let mut calls = JoinSet::new();
            let mut nth = 0;
            while let Some(due) = due.recv().await {
                let send = connections[nth % self.connections].clone();
                let plan = Arc::clone(&self.plans[nth % self.plans.len()]);
                let at = nth / self.plans.len() % plan.len();
                nth += 1;
                calls.spawn(async move {
                    let ended = one(&send, &plan[at]).await;
                    (ended, due.elapsed())
                });
            }
            let mut outcome = Outcome::new();
            while let Some(ended) = calls.join_next().await {
                let (ended, took) = ended.unwrap();
                outcome.note(ended, took);
            }
            outcome.took = began.elapsed();
            outcome
        })
    }

    async fn connect(&self) -> Vec<SendRequest<Bytes>> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.at).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (send, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            connections.push(send);
        }
        connections
    }
}

/// Runs a load on a thread of its own.
fn alone<F: Future<Output = Outcome> + Send>(load: F) -> Outcome {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(load)
        });
        thread.join().unwrap()
    })
}

/// Tells when calls are due. A thread of its own sleeps more exactly than the runtime's timer, which knows milliseconds.
fn schedule(began: Instant, rate: f64, during: Duration) -> mpsc::UnboundedReceiver<Instant> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for nth in 0_u32.. {
            let offset = Duration::from_secs_f64(f64::from(nth) / rate);
            if offset > during {
                break;
            }
            let due = began + offset;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if tell.send(due).is_err() {
                break;
            }
        }
    });
    told
}

async fn summed(mut callers: JoinSet<Outcome>, began: Instant) -> Outcome {
    let mut all = Outcome::new();
    while let Some(outcome) = callers.join_next().await {
        all.add(&outcome.unwrap());
    }
    all.took = began.elapsed();
    all
}

async fn one(send: &SendRequest<Bytes>, call: &Call) -> Result<(), Failed> {
    let mut send = send.clone().ready().await?;
    let (response, mut stream) = send.send_request(call.request.clone(), false)?;
    stream.send_data(call.body.clone(), true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut answer = Bytes::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        answer = if answer.is_empty() { chunk } else { [answer, chunk].concat().into() };
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let said =
        |of: &HeaderMap| of.get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    match said(&trailers).or_else(|| said(&head.headers)).as_deref() {
        Some("0") if answer.get(5..).is_some_and(|message| (call.check)(message)) => Ok(()),
        Some("0") => Err(Failed::Wrong(format!("{call:?}: {answer:?}"))),
        Some(status) => {
            let told = [&trailers, &head.headers].map(|of| of.get("grpc-message").cloned());
            Err(Failed::Refused(format!("{call:?}: status {status}: {told:?}")))
        }
        None => Err(Failed::Wrong(format!("{call:?}: no status: {:?}", head.status))),
    }
}

/// Whether an `AuthorizeResponse` permits. Only its first field is looked at, which a deny leaves out.
pub fn permits(answer: &[u8]) -> bool {
    answer.starts_with(&[8, 1])
}
