//! Browsers: gRPC-Web through the shipped configuration, in front of a service that speaks none itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::proto::v1 as pb;
use http::Method;
use prost::Message as _;

use crate::http::{Reply, send};
use crate::shipped;
use crate::support::{Service, engines};

const GET: &str = "/chancery.v1.UserService/GetUser";
const PAGE: &str = "https://console.example.com";

fn framed(message: &impl prost::Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes()[..], &message[..]].concat()
}

/// Takes an answer apart: the message, and how the call ended, which is behind it or, where there is no message, before.
fn taken_apart(reply: &Reply, body: &[u8]) -> (Vec<u8>, String) {
    let (mut message, mut status) = (Vec::new(), reply.header("grpc-status").to_owned());
    let mut rest = body;
    while let Some((head, behind)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let (frame, behind) = behind.split_at(usize::try_from(length).unwrap());
        if head[0] & 0x80 == 0 {
            message = frame.to_vec();
        } else {
            let lines = String::from_utf8(frame.to_vec()).unwrap();
            let found = lines.lines().find_map(|line| line.strip_prefix("grpc-status:"));
            found.unwrap().trim().clone_into(&mut status);
        }
        rest = behind;
    }
    (message, status)
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_web_becomes_grpc_and_whose_pages_may_call_is_said_by_the_service_alone() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("browsers.origins", PAGE)];
        let service = Service::start_with(&engine, &settings).await;
        let envoy = shipped::before(&service, service.admin()).await;
        let at = envoy.at("api");
        let root = &service.root;
        let bearer = format!("Bearer {}", root.token);
        let call = async |kind: &str, origin: &str, bearer: &str, body: Vec<u8>| {
            let mut headers = vec![
                ("content-type", kind),
                ("accept", kind),
                ("x-grpc-web", "1"),
                ("origin", origin),
                ("x-chancery-user", "somebody else"),
            ];
            if !bearer.is_empty() {
                headers.push(("authorization", bearer));
            }
            send(at, Method::POST, GET, &headers, body).await
        };
        let request = framed(&pb::GetUserRequest { user_id: root.user_id.clone() });
        for (kind, origin) in [
            ("application/grpc-web", PAGE),
            ("application/grpc-web+proto", "https://evil.example"),
            ("application/grpc-web-text", PAGE),
        ] {
            let text = kind.ends_with("text");
            let body = if text { STANDARD.encode(&request).into_bytes() } else { request.clone() };
            let reply = call(kind, origin, &bearer, body).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(reply.header("content-type").starts_with(kind), "{reply:?}");
            let body = if text { decoded(&reply.body) } else { reply.body.to_vec() };
            let (message, status) = taken_apart(&reply, &body);
            assert_eq!(status, "0");
            let user = pb::GetUserResponse::decode(message.as_slice()).unwrap().user.unwrap();
            assert_eq!(user.user_id, root.user_id);
            let shown = if origin == PAGE { PAGE } else { "" };
            assert_eq!(reply.header("access-control-allow-origin"), shown);
            assert!(reply.header("access-control-expose-headers").contains("grpc-status"));
        }
        // A refusal is one that a browser's client reads.
        let reply = call("application/grpc-web+proto", PAGE, "", request).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(taken_apart(&reply, &reply.body), (Vec::new(), "16".to_owned()));
        assert_eq!(reply.header("access-control-allow-origin"), PAGE);

        for (origin, shown) in [(PAGE, PAGE), ("https://evil.example", "")] {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization,content-type,x-grpc-web"),
            ];
            let reply = send(at, Method::OPTIONS, GET, &headers, "").await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(reply.header("access-control-allow-origin"), shown);
        }
        drop(envoy);
        service.stop().await;
    }
}

/// Reads text of which each part was encoded by itself.
fn decoded(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let mut bytes = Vec::new();
    // Four letters are three bytes; whatever ends a part ends in `=`.
    for four in text.as_bytes().chunks(4) {
        bytes.extend(STANDARD.decode(four).unwrap());
    }
    bytes
}
