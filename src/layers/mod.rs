//! What happens to every request before a service sees it.
//!
//! [`Door`] is the one tower layer; its `call` is the stack, outermost first, each line saying why it stands there.

mod authn;
mod deadline;
mod form;
mod gate;
mod rate;
mod rules;
mod shed;
pub mod status;
mod trace;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

pub use authn::{BadCredential, Credentials};
pub use deadline::Deadlines;
pub use form::{FormError, Forms};
pub use gate::{Call, Gate};
pub use rate::ChangeRate;
pub use rules::{Rules, RulesError, known_method as method_name};
pub use shed::Places;

/// Puts [`DoorService`] before the services.
#[derive(Debug, Clone)]
pub struct Door {
    /// Who may go through.
    pub gate: Arc<Gate>,
    /// How many at once.
    pub places: Places,
    /// For how long.
    pub deadlines: Deadlines,
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = self.door.clone();
        // The instance that was polled ready is the one that is called.
        let mut inner = self.inner.clone();
        std::mem::swap(&mut inner, &mut self.inner);
        // Outermost: everything below has a request id, is counted, timed, and its panics end here.
        let work = trace::traced(request, move |request| async move {
            // Before anything waits: work that nobody will wait for is neither started nor read.
            let limit = door.deadlines.of(&request);
            deadline::within(limit, async move {
                // The body is read before a place is taken: a slow sender holds no place (`edges.md` §6).
                let request = match door.gate.read(request).await {
                    Ok(request) => request,
                    Err(status) => return status.into_http(),
                };
                // Before the credential is looked at: too much is answered at once, at no cost.
                let _place = match door.places.take(&request) {
                    Ok(place) => place,
                    Err(status) => return status.into_http(),
                };
                // Who calls, whether the form is right, and whether the rule lets it through.
                let request = match door.gate.admit(request).await {
                    Ok(request) => request,
                    Err(status) => return status.into_http(),
                };
                match inner.call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            })
            .await
        });
        Box::pin(async move { Ok(work.await) })
    }
}
