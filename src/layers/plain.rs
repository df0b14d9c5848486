//! Tells gRPC from plain HTTP: the services behind look at the path alone, and would run a method for a `GET`, too.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic::body::Body;

use super::rules::known_method;
use super::status;

/// What the type of every gRPC message begins with; a `+` and a codec, or a `;` and parameters, may follow.
const GRPC: &str = "application/grpc";

/// Refuses what is no gRPC, with the HTTP status that gRPC's protocol wants for it.
///
/// A query is part of the path there, so that a path with one names no method.
pub(super) fn refusal(request: &Request<Body>) -> Option<Response<Body>> {
    if request.version() < Version::HTTP_2 {
        if known_method(request.uri().path()).is_none() {
            // Nothing is there, by whatever version.
            let mut absent = status::unimplemented().into_http();
            *absent.status_mut() = StatusCode::NOT_FOUND;
            return Some(absent);
        }
        // How a call ended is said behind its answer, where older versions say nothing.
        let why = "gRPC is spoken over HTTP/2";
        return Some(refused(StatusCode::HTTP_VERSION_NOT_SUPPORTED, why));
    }
    if request.method() != Method::POST {
        let why = "a method is called by POST";
        let mut refused = refused(StatusCode::METHOD_NOT_ALLOWED, why);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Some(refused);
    }
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !sent.is_some_and(is_grpc_type) {
        let why = "the content-type is not application/grpc";
        return Some(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    if request.uri().query().is_some() {
        return Some(status::unimplemented().into_http());
    }
    None
}

/// `application/grpc-web` is another protocol: where it is spoken, [`super::Web`] has made gRPC of it before.
fn is_grpc_type(sent: &str) -> bool {
    let head = sent.get(..GRPC.len()).filter(|head| head.eq_ignore_ascii_case(GRPC));
    let rest = head.and_then(|_| sent.get(GRPC.len()..));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

fn refused(code: StatusCode, why: &str) -> Response<Body> {
    let mut response = status::not_grpc(why).into_http();
    *response.status_mut() = code;
    response
}
