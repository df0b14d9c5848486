//! What happens to every request before a service sees it.
//!
//! [`Door`] is the one tower layer; its service's `call` and then `Door::enter` are the stack, outermost first, each line
//! saying why it stands there.

mod access;
mod activity;
mod authn;
mod behind;
mod deadline;
mod form;
mod forwarded;
mod gate;
mod noted;
mod peer;
mod plain;
mod rate;
mod rules;
mod shed;
mod sources;
mod standing;
pub mod status;
mod trace;
mod web;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument as _, info_span};

use crate::telemetry::{self, SPANS};

pub use access::{ACCESS, Access, Seen};
pub use activity::Doings;
pub use authn::{
    BadCredential, CredentialForm, Credentials, Gone, Owner, Source, Strangers, bearer, network,
};
pub use behind::Doing;
pub use deadline::Deadlines;
pub use form::{FormError, Forms};
pub use gate::{Call, Gate, Part, said};
pub use peer::{BadProxy, Peer, Peers, Proxies};
pub use rate::Rate;
pub use rules::{Rules, RulesError, known_method as method_name};
use shed::Place;
pub use shed::Places;
pub use sources::{BadNetwork, Sources};
pub use standing::{Standing, Still};
pub use web::{BadOrigin, Browsers, Web, cors, origin};

/// The door that a question came in by, where that is not the method which answers it: for the record of the decision.
#[derive(Debug, Clone, Copy)]
pub struct Via(pub &'static str);

/// Puts [`DoorService`] before the services.
#[derive(Debug, Clone)]
pub struct Door {
    /// Who may go through.
    pub gate: Arc<Gate>,
    /// How many at once.
    pub places: Places,
    /// For how long.
    pub deadlines: Deadlines,
    /// How long a request may take before it is told in the log; `None` = as long as it likes.
    pub slow: Option<Duration>,
    /// Where what has to wait goes on.
    pub behind: Handle,
}

impl Door {
    /// Lets a request in, with the place it holds, or says why not, in the order of `model.md` §10.
    async fn enter(
        &self,
        request: Request<Body>,
        steps: &trace::Steps,
    ) -> Result<(Request<Body>, Option<Place>), Status> {
        // The body is read before a place is taken: a slow sender holds no place (`edges.md` §6). And before the
        // credential is looked at: what was good when the sending began may have been ended since.
        let request = self.gate.read(request).await;
        steps.is_read();
        let origin = self.gate.origin(&request);
        if let Some(workload) = origin.workload() {
            steps.comes_from(workload);
        }
        let passing = async {
            // Before a place is taken: that the house is full is told to those alone who may come in. A credential that
            // has been seen costs a look into memory; one that has not waits for a pool of its own.
            let (path, headers) = (request.uri().path(), request.headers());
            let known = self.gate.recognise(path, headers, origin).await?;
            let place = self.places.take(&request)?;
            // Whether the form is right, and whether the rule lets it through.
            Ok::<_, Status>((self.gate.admit(request, known).await?, place))
        };
        let passed = if telemetry::is_on() {
            passing.instrument(info_span!(target: SPANS, "door")).await
        } else {
            passing.await
        };
        steps.is_let_in();
        passed
    }
}

impl<S> Layer<S> for Door {
    type Service = DoorService<S>;

    fn layer(&self, inner: S) -> DoorService<S> {
        DoorService { door: self.clone(), inner }
    }
}

/// The door before one service.
#[derive(Debug, Clone)]
pub struct DoorService<S> {
    door: Door,
    inner: S,
}

impl<S> Service<Request<Body>> for DoorService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Doing<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = self.door.clone();
        // The instance that was polled ready is the one that is called.
        let mut inner = self.inner.clone();
        std::mem::swap(&mut inner, &mut self.inner);
        // Before anything waits: work that nobody will wait for is neither started nor read.
        let until = door.deadlines.of(&request);
        let behind = door.behind.clone();
        let steps = trace::Steps::default();
        let arrived = steps.arrived();
        let work = Box::pin(async move {
            let slow = door.slow;
            let answered = async |request: Request<Body>| {
                // Before all: what is not gRPC is not taken for it.
                if let Some(response) = plain::refusal(&request) {
                    return response;
                }
                deadline::within(until, async {
                    // Boxed: what a request may set in motion is too deep for the compiler to lay out as one.
                    match Box::pin(door.enter(request, &steps)).await {
                        Ok((request, _place)) => match inner.call(request).await {
                            Ok(response) => response,
                            Err(never) => match never {},
                        },
                        Err(status) => status.into_http(),
                    }
                })
                .await
            };
            // Outermost: everything below has a request id, is counted, timed, and its panics end here.
            Ok(trace::traced(request, &steps, slow, answered).await)
        });
        Doing::new(work, behind, arrived)
    }
}
