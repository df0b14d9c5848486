//! Browsers: gRPC-Web and whose pages may call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::proto::v1 as pb;
use http::{Request, StatusCode};
use prost::Message as _;

use super::{EVALUATION, Reply, action, post, question, record, sent, subject};
use crate::support::{Service, engines};

const LIST: &str = "/chancery.v1.UserService/ListUsers";
const ON: (&str, &str) = ("browsers.grpc_web", "true");

fn framed(message: &impl prost::Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes()[..], &message[..]].concat()
}

/// Calls a method as a browser does.
async fn called(service: &Service, token: &str, kind: &str, body: &[u8]) -> Reply {
    let mut request = Request::post(LIST).header("content-type", kind).header("accept", kind);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    sent(service, request, body).await
}

/// Takes a reply's body apart: the message, and the trailers behind it.
fn taken_apart(body: &[u8]) -> (Vec<u8>, String) {
    let (mut message, mut trailers, mut rest) = (Vec::new(), String::new(), body);
    while let Some((head, behind)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let (frame, behind) = behind.split_at(usize::try_from(length).unwrap());
        if head[0] & 0x80 == 0 {
            message = frame.to_vec();
        } else {
            trailers = String::from_utf8(frame.to_vec()).unwrap();
        }
        rest = behind;
    }
    (message, trailers)
}

#[tokio::test]
async fn grpc_web_is_spoken_where_it_is_on_and_through_the_same_door() {
    for engine in engines() {
        let service = Service::start_with(&engine, &[ON]).await;
        let root = &service.root;
        let request = framed(&pb::ListUsersRequest::default());
        for kind in ["application/grpc-web", "application/grpc-web+proto"] {
            let reply = called(&service, &root.token, kind, &request).await;
            assert_eq!(reply.status, StatusCode::OK);
            assert!(!reply.header("x-request-id").is_empty());
            let (message, trailers) = taken_apart(&reply.body);
            let users = pb::ListUsersResponse::decode(message.as_slice()).unwrap().users;
            assert_eq!(users[0].user_id, root.user_id);
            assert!(trailers.contains("grpc-status:0"), "{trailers}");
        }
        let text = STANDARD.encode(&request);
        let reply =
            called(&service, &root.token, "application/grpc-web-text", text.as_bytes()).await;
        assert_eq!(reply.header("content-type"), "application/grpc-web-text+proto");

        // Whoever may not come in by gRPC may not by this; what gRPC refuses is refused.
        for (token, body, code) in [
            ("", request.clone(), "16"),
            ("x", request.clone(), "16"),
            (root.token.as_str(), Vec::new(), "3"),
            (root.token.as_str(), vec![0, 0, 0, 0, 2, 0xff, 0xff], "3"),
        ] {
            let reply = called(&service, token, "application/grpc-web+proto", &body).await;
            let (_, trailers) = taken_apart(&reply.body);
            let in_body = trailers.contains(&format!("grpc-status:{code}"));
            assert!(in_body || reply.header("grpc-status") == code, "{reply:?}");
        }
        let reply = called(&service, &root.token, "application/grpc-web+json", b"{}").await;
        assert!(!reply.status.is_success(), "{reply:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn grpc_web_is_refused_where_nobody_turned_it_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let request = framed(&pb::ListUsersRequest::default());
        for kind in
            ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text"]
        {
            let reply = called(&service, &service.root.token, kind, &request).await;
            assert!(!reply.status.is_success(), "{reply:?}");
            assert_eq!(reply.header("grpc-status"), "12");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn only_pages_of_origins_that_are_named_may_call() {
    const PAGE: &str = "https://console.example.com";
    let preflight = |origin: &str| {
        Request::options(LIST)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,x-grpc-web")
    };
    for engine in engines() {
        let service = Service::start_with(&engine, &[ON, ("browsers.origins", PAGE)]).await;
        let reply = sent(&service, preflight(PAGE), b"").await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.header("access-control-allow-origin"), PAGE);
        assert!(reply.header("access-control-allow-headers").contains("authorization"));
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        let other = sent(&service, preflight("https://evil.example"), b"").await;
        assert_eq!(other.header("access-control-allow-origin"), "");

        // A refusal is readable as well, and so is AuthZEN.
        let body = question(subject("alice"), action("read"), record("record-1")).to_string();
        for (origin, shown) in [(PAGE, PAGE), ("https://evil.example", "")] {
            for token in ["", &service.root.token] {
                let request = post(EVALUATION, token).header("origin", origin);
                let reply = sent(&service, request, body.as_bytes()).await;
                assert_eq!(reply.header("access-control-allow-origin"), shown);
                let request = Request::post(LIST)
                    .header("content-type", "application/grpc-web+proto")
                    .header("authorization", format!("Bearer {token}"))
                    .header("origin", origin);
                let reply =
                    sent(&service, request, &framed(&pb::ListUsersRequest::default())).await;
                assert_eq!(reply.header("access-control-allow-origin"), shown);
                let readable =
                    reply.header("access-control-expose-headers").contains("grpc-status");
                assert!(readable);
            }
        }
        service.stop().await;

        let service = Service::start_with(&engine, &[ON]).await;
        let reply = sent(&service, preflight(PAGE), b"").await;
        assert!(!reply.status.is_success());
        assert_eq!(reply.header("access-control-allow-origin"), "");
        service.stop().await;
    }
}
