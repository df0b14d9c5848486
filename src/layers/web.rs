//! Browsers: gRPC-Web, and which pages may call. Both are off unless the operator says otherwise.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri, Version};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told of who may call.
const KEPT: Duration = Duration::from_mins(10);

/// What a page may send.
const SENT: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("chancery-at-least"),
];
/// What a page may read.
const READ: [HeaderName; 6] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("chancery-revision"),
    HeaderName::from_static("retry-after"),
];

/// What the operator says of browsers.
#[derive(Debug, Clone, Default)]
pub struct Browsers {
    /// Whether gRPC-Web is spoken.
    pub grpc_web: bool,
    /// Whose pages may call: origins, such as `https://console.example.com`.
    pub origins: Vec<String>,
}

/// The text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin, such as `https://console.example.com`: a scheme, a host, a port, and nothing else"
)]
pub struct BadOrigin(String);

/// Reads an origin as browsers write it. `*` is none: who may call is said by name.
pub fn origin(text: &str) -> Result<HeaderValue, BadOrigin> {
    let bad = || BadOrigin(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| bad())?;
    let whole = uri.scheme_str().zip(uri.authority());
    let whole = whole.map(|(scheme, authority)| format!("{scheme}://{authority}"));
    // The very text: what a browser sends is compared byte by byte.
    if whole.as_deref() != Some(text)
        || text.contains(['@', '*'])
        || text != text.to_ascii_lowercase()
    {
        return Err(bad());
    }
    HeaderValue::from_str(text).map_err(|_| bad())
}

/// Makes the layer that tells browsers whose pages may call; none where nobody's may. A preflight is answered there, since a
/// browser sends no credential with it; it tells what the operator allows, and calls nothing.
pub fn cors(browsers: &Browsers) -> Result<Option<CorsLayer>, BadOrigin> {
    if browsers.origins.is_empty() {
        return Ok(None);
    }
    let origins = browsers.origins.iter().map(|text| origin(text));
    let origins: Vec<HeaderValue> = origins.collect::<Result<_, _>>()?;
    Ok(Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(SENT)
            .expose_headers(READ)
            .max_age(KEPT),
    ))
}

/// Makes gRPC of gRPC-Web, before the door, and the other way round behind it.
#[derive(Debug, Clone, Copy)]
pub struct Web {
    /// Whether it does. Else the door refuses it like whatever is no gRPC.
    pub on: bool,
}

impl<S> Layer<S> for Web {
    type Service = WebService<S>;

    fn layer(&self, inner: S) -> WebService<S> {
        WebService { web: *self, inner }
    }
}

/// What speaks gRPC-Web.
#[derive(Debug, Clone)]
pub struct WebService<S> {
    web: Web,
    inner: S,
}

impl<S> Service<Request<Body>> for WebService<S>
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if !self.web.on || !is_web(&request) {
            return Box::pin(self.inner.call(request));
        }
        // What goes on is gRPC, whatever version it came by.
        *request.version_mut() = Version::HTTP_2;
        // The instance that was polled ready is the one that is called.
        let mut inner = self.inner.clone();
        std::mem::swap(&mut inner, &mut self.inner);
        Box::pin(GrpcWebLayer::new().layer(inner).call(request))
    }
}

fn is_web(request: &Request<Body>) -> bool {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| sent.starts_with("application/grpc-web"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_writes() {
        for good in ["https://a.example", "http://localhost:3000", "https://[::1]:1"] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "*",
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://A.example",
            "https://me@a.example",
            "null",
            "https://*.example/",
            "https://a.example?b",
        ] {
            assert_eq!(origin(bad), Err(BadOrigin(bad.to_owned())), "{bad}");
        }
    }
}
