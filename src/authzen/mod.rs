//! `OpenID` AuthZEN 1.0: the same questions, over HTTP in JSON.
//!
//! Nothing is decided here, and nobody is let in. A request in JSON becomes the message of the RPC that it means, and goes
//! through the door to the service as one that came by gRPC; what comes back becomes JSON. So credential, rule, places, time
//! limit, request id and figures are those of the RPC, and no check stands twice. Where the two differ in what they accept,
//! the text of AuthZEN holds: fields that it does not know are ignored, and what a search does not know finds nothing.

mod ask;
mod metadata;
mod say;
mod strict;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, TE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::layers::{Gate, status};
use ask::Question;
pub use metadata::Settings;

const REQUEST_ID: &str = "x-request-id";
const REVISION: &str = "chancery-revision";
/// One byte of flags and four of length stand before a gRPC message.
const PREFIX: usize = 5;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Evaluation,
    Evaluations,
    Subjects,
    Resources,
    Actions,
}

impl Endpoint {
    const ALL: [Self; 5] =
        [Self::Evaluation, Self::Evaluations, Self::Subjects, Self::Resources, Self::Actions];

    const fn path(self) -> &'static str {
        match self {
            Self::Evaluation => "/access/v1/evaluation",
            Self::Evaluations => "/access/v1/evaluations",
            Self::Subjects => "/access/v1/search/subject",
            Self::Resources => "/access/v1/search/resource",
            Self::Actions => "/access/v1/search/action",
        }
    }

    /// The RPC that answers it.
    const fn method(self) -> &'static str {
        match self {
            Self::Evaluation => "/chancery.v1.AuthorizationService/Authorize",
            Self::Evaluations => "/chancery.v1.AuthorizationService/BatchAuthorize",
            Self::Subjects => "/chancery.v1.AuthorizationService/SearchSubjects",
            Self::Resources => "/chancery.v1.AuthorizationService/SearchResources",
            Self::Actions => "/chancery.v1.AuthorizationService/SearchActions",
        }
    }

    const fn is_search(self) -> bool {
        matches!(self, Self::Subjects | Self::Resources | Self::Actions)
    }
}

/// Puts the endpoints before the door.
#[derive(Debug, Clone)]
pub struct Authzen {
    gate: Arc<Gate>,
    settings: Arc<Settings>,
}

impl Authzen {
    /// Makes the layer; `gate` is the one that its requests then go through, whose limits on messages hold here as well.
    pub fn new(gate: Arc<Gate>, settings: Settings) -> Self {
        Self { gate, settings: Arc::new(settings) }
    }
}

impl<S> Layer<S> for Authzen {
    type Service = AuthzenService<S>;

    fn layer(&self, inner: S) -> AuthzenService<S> {
        AuthzenService { authzen: self.clone(), inner }
    }
}

/// Answers what is AuthZEN's, and passes on the rest.
#[derive(Debug, Clone)]
pub struct AuthzenService<S> {
    authzen: Authzen,
    inner: S,
}

impl<S> Service<Request<Body>> for AuthzenService<S>
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
        let path = request.uri().path();
        let page = self.authzen.settings.page(path);
        let endpoint = self.authzen.settings.endpoint(path);
        if page.is_none() && endpoint.is_none() {
            return Box::pin(self.inner.call(request));
        }
        let id = request.headers().get(REQUEST_ID).cloned();
        let authzen = self.authzen.clone();
        // The instance that was polled ready is the one that is called.
        let mut inner = self.inner.clone();
        std::mem::swap(&mut inner, &mut self.inner);
        Box::pin(async move {
            let mut response = match (page, endpoint) {
                (Some(page), _) if request.method() == Method::GET => page,
                (Some(_), _) => only("GET"),
                (None, Some(to)) if request.method() == Method::POST => {
                    authzen.answer(to, request, inner).await
                }
                (None, _) => only("POST"),
            };
            if let Some(id) = id {
                // To the letter, also where the log calls the request otherwise.
                response.headers_mut().insert(REQUEST_ID, id);
            }
            Ok(response)
        })
    }
}

impl Authzen {
    async fn answer<S>(&self, to: Endpoint, request: Request<Body>, inner: S) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let (parts, body) = request.into_parts();
        let read = self.gate.collected(body).await;
        let read = read.and_then(|body| ask::read(to, &parts.headers, &body, &self.settings));
        // What cannot be read goes through the door as well, as a call without a message: who may not come in is told that.
        let (method, message) = match &read {
            Ok(asked) => (asked.method, framed(&asked.message)),
            Err(_) => (to.method(), Bytes::new()),
        };
        let (headers, reply) = called(inner, as_grpc(parts, method, message)).await;
        let answer = match (read, reply) {
            (Err(fault), Err(status)) if status.code() == Code::InvalidArgument => Err(fault),
            (Err(_), Ok(_)) => Err(status::internal()),
            (_, Err(status)) if to.is_search() && is_unknown(&status) => Ok(say::nothing()),
            (_, Err(status)) => Err(status),
            (Ok(asked), Ok(reply)) => say::reply(&asked.question, &reply),
        };
        let mut response = match answer {
            Ok(json) => say::json(&json),
            Err(status) => say::refusal(&status),
        };
        for name in [REVISION, REQUEST_ID] {
            if let Some(value) = headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}

/// One question, as the RPC takes it.
#[derive(Debug)]
struct Asked {
    method: &'static str,
    message: Vec<u8>,
    question: Question,
}

/// Tells whether a search names what is nowhere: a path that cannot be.
fn is_unknown(status: &Status) -> bool {
    say::reason(status).as_deref() == Some("INVALID_PATH")
}

/// Makes of an HTTP request the call of a method, by the same caller from the same place.
fn as_grpc(mut parts: Parts, method: &'static str, message: Bytes) -> Request<Body> {
    parts.uri = Uri::from_static(method);
    parts.version = Version::HTTP_2;
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING].into_iter().chain(ask::ENCODINGS) {
        parts.headers.remove(name);
    }
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    parts.headers.insert(TE, HeaderValue::from_static("trailers"));
    Request::from_parts(parts, Body::new(http_body_util::Full::new(message)))
}

/// Calls a method; returns the headers and the message of its reply.
async fn called<S>(mut inner: S, request: Request<Body>) -> (HeaderMap, Result<Bytes, Status>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let response = match inner.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let reply = match refused(&parts.headers) {
        Some(status) => Err(status),
        None => body.collect().await.and_then(|body| {
            let status = body.trailers().and_then(refused);
            status.map_or_else(|| unframed(&body.to_bytes()), Err)
        }),
    };
    (parts.headers, reply)
}

/// Returns the status that headers or trailers hold, unless it is `OK`.
fn refused(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    // A message is bounded well below by what may be sent.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

fn unframed(reply: &Bytes) -> Result<Bytes, Status> {
    if reply.len() < PREFIX { Err(status::internal()) } else { Ok(reply.slice(PREFIX..)) }
}

/// The path is there, and is asked otherwise.
fn only(methods: &'static str) -> Response<Body> {
    let mut response = say::text(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED: see `allow`");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
