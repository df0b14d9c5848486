//! A program behind Envoy that tells what reaches it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An HTTP server that answers each request with the headers that it came with. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) at: SocketAddr,
    reached: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let reached = Arc::<AtomicUsize>::default();
        let router = Router::new().fallback(told).with_state(Arc::clone(&reached));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { at, reached, serving }
    }

    /// How many requests have reached it.
    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

async fn told(State(reached): State<Arc<AtomicUsize>>, request: Request) -> String {
    reached.fetch_add(1, Ordering::SeqCst);
    let headers = request.headers().iter();
    let headers: Vec<Value> =
        headers.map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()])).collect();
    json!({ "method": request.method().as_str(), "path": request.uri().to_string(), "headers": headers })
        .to_string()
}
