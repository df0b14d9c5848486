//! The call itself: who may make it, and what it has in common with the call by gRPC that it stands for.

use std::fmt::Write as _;

use http::{Request, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{
    EVALUATION, EVALUATIONS, Records, action, asked, post, question, record, sent, subject,
};
use crate::meddle::Meddler;
use crate::support::{Person, engines, stranger};

const ALL: [&str; 5] = [
    EVALUATION,
    EVALUATIONS,
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

#[tokio::test]
async fn nobody_comes_in_who_would_not_by_grpc() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let service = &records.service;
        let whole = question(subject("bob"), action("read"), record("record-1"));
        for path in ALL {
            // Whatever is sent: that it is faulty is told to those who may come in.
            for body in [whole.to_string(), "{".to_owned(), String::new()] {
                for (token, reason) in [
                    (String::new(), "TOKEN_MISSING"),
                    ("x".to_owned(), "TOKEN_INVALID"),
                    (stranger(), "TOKEN_INVALID"),
                ] {
                    let reply = sent(service, post(path, &token), body.as_bytes()).await;
                    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
                    assert_eq!(reply.header("www-authenticate"), "Bearer");
                    assert!(reply.text().starts_with(&format!("{reason}: ")), "{}", reply.text());
                }
            }
        }
        // The other header, and both of them.
        let request = Request::post(EVALUATION).header("content-type", "application/json");
        let request = request.header("x-auth-token", &records.pep.token);
        assert!(sent(service, request, whole.to_string().as_bytes()).await.decision());
        let request = post(EVALUATION, &records.pep.token).header("x-auth-token", "x");
        let reply = sent(service, request, whole.to_string().as_bytes()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);

        // A user asks about itself, and about nobody else.
        let eve = service.person(&records.account, "eve", &["records/Reader"]).await;
        let own = question(subject("eve"), action("read"), record("record-1"));
        assert!(asked(service, &eve, EVALUATION, &own).await.decision());
        let reply = asked(service, &eve, EVALUATION, &whole).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(reply.text().starts_with("ACCESS_DENIED: "), "{}", reply.text());
        // Of many that is said item by item.
        let both = json!({ "evaluations": [own, whole] });
        let reply = asked(service, &eve, EVALUATIONS, &both).await.json();
        assert_eq!(reply["evaluations"][0], json!({ "decision": true }));
        assert_eq!(reply["evaluations"][1]["decision"], false);
        assert_eq!(reply["evaluations"][1]["context"]["error"]["reason"], "ACCESS_DENIED");
        records.service.stop().await;
    }
}

#[tokio::test]
async fn a_subject_is_a_user_an_account_or_a_credential() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let service = &records.service;
        let eve = service.person(&records.account, "eve", &["records/Reader"]).await;
        let (_, narrow) = service.mint(&eve.user_id, &["user.read"]).await;
        let of = |kind: &str, id: &str| {
            question(json!({ "type": kind, "id": id }), action("read"), record("record-1"))
        };
        for (asked, decision, reason) in [
            (of("user", &eve.user_id), true, "PERMITTED"),
            (of("user", "EVE"), true, "PERMITTED"),
            (of("user", "nobody"), false, "SUBJECT_UNKNOWN"),
            (of("token", &eve.token), true, "PERMITTED"),
            (of("token", &narrow), false, "TOKEN_SCOPE"),
            (of("token", &stranger()), false, "TOKEN_INVALID"),
            (of("account", &records.account), false, "NO_GRANT"),
        ] {
            let reply = records.ask(EVALUATION, &asked).await.json();
            assert_eq!(
                (&reply["decision"], &reply["context"]["reason"]),
                (&json!(decision), &json!(reason))
            );
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn the_limits_of_the_door_hold() {
    for engine in engines() {
        let settings = [
            ("limits.changes_per_minute", "0"),
            ("limits.message_bytes", "4096"),
            ("limits.body_seconds", "1"),
        ];
        let records = Records::start_with(&engine, &settings).await;
        let service = &records.service;
        let mut long = question(subject("alice"), action("read"), record("record-1"));
        long["unknown"] = json!("x".repeat(5_000));
        let reply = records.ask(EVALUATION, &long).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(reply.text().starts_with("MESSAGE_TOO_LARGE: "), "{}", reply.text());
        let nobody = sent(service, post(EVALUATION, ""), long.to_string().as_bytes()).await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);

        // A body that does not come.
        let mut stream = TcpStream::connect(service.grpc()).await.unwrap();
        let mut head = format!("POST {EVALUATION} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n");
        let token = &records.pep.token;
        write!(head, "content-type: application/json\r\nauthorization: Bearer {token}\r\n")
            .unwrap();
        write!(head, "content-length: 10\r\n\r\n{{").unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 504 ") && text.contains("SLOW_BODY: "), "{text}");

        // A state that the caller has seen, and one that there never was.
        let body = question(subject("alice"), action("read"), record("record-1"));
        let seen = records.ask(EVALUATION, &body).await.json();
        let seen = seen["context"]["consistency_token"].as_str().unwrap().to_owned();
        for (token, status) in [(seen.as_str(), 200), ("x", 400)] {
            let request = post(EVALUATION, &records.pep.token).header("chancery-at-least", token);
            let reply = sent(service, request, body.to_string().as_bytes()).await;
            assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
        }
        records.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_house_says_when_to_come_again() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.in_flight", "1")];
        let records = Records::start_with(&engine, &settings).await;
        let body = question(subject("alice"), action("read"), record("record-1"));
        assert!(records.decides(&body).await);
        // A change that waits for another writer holds the one place.
        let other = Meddler::new(&records.service.url).await;
        other.take_the_lock().await;
        let waiting = tokio::spawn({
            let mut accounts = records.service.accounts(&records.service.root);
            let account = chancery::proto::v1::Account {
                display_name: Some("Acme".to_owned()),
                ..Default::default()
            };
            let request = chancery::proto::v1::CreateAccountRequest {
                account: Some(account),
                ..Default::default()
            };
            async move { while accounts.create_account(request.clone()).await.is_err() {} }
        });
        let reply = loop {
            let reply = records.ask(EVALUATION, &body).await;
            if reply.status != StatusCode::OK {
                break reply;
            }
        };
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.text());
        assert_eq!(reply.header("retry-after"), "1");
        assert!(reply.text().starts_with("OVERLOADED: "), "{}", reply.text());
        let nobody = sent(&records.service, post(EVALUATION, ""), b"{}").await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        other.run("rollback").await;
        waiting.await.unwrap();
        records.service.stop().await;
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_not_there() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let service = &records.service;
        for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
            for path in ALL {
                let request = Request::builder().method(method).uri(path);
                let reply = sent(service, request.header("x-request-id", "7 of 9"), b"").await;
                assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_eq!(reply.header("allow"), "POST");
                assert_eq!(reply.header("x-request-id"), "7 of 9");
            }
        }
        let token = &records.pep.token;
        for path in ["/access/v1/evaluation/", "/access/v1", "/access/v2/evaluation", "/"] {
            let reply = sent(service, post(path, token), b"{}").await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        }
        // gRPC itself is not spoken over HTTP/1.1.
        let request = Request::post("/chancery.v1.AuthorizationService/Authorize")
            .header("content-type", "application/grpc")
            .header("authorization", format!("Bearer {token}"));
        let reply = sent(service, request, &[0; 5]).await;
        assert_eq!(reply.status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        records.service.stop().await;
    }
}

#[tokio::test]
async fn it_is_served_over_http_2_as_well() {
    use http_body_util::{BodyExt as _, Full};
    use tonic::body::Body;
    use tower::{Service as _, ServiceExt as _};

    for engine in engines() {
        let records = Records::start(&engine).await;
        let body = question(subject("alice"), action("read"), record("record-1")).to_string();
        let by = |person: &Person| format!("Bearer {}", person.token);
        let request = Request::post(EVALUATION)
            .header("content-type", "application/json")
            .header("authorization", by(&records.pep))
            .body(Body::new(Full::new(bytes::Bytes::from(body))))
            .unwrap();
        let mut channel = records.service.channel.clone();
        let response = channel.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let reply: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(reply["decision"], true);
        records.service.stop().await;
    }
}
