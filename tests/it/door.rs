//! What happens to a request before anybody looks at what it says.

use bytes::Bytes;
use chancery::proto::v1 as pb;
use http_body_util::Full;
use tonic::Code;
use tonic::body::Body;
use tower::{Service as _, ServiceExt as _};

use crate::meddle::Meddler;
use crate::support::{Person, Service, engines, refused, stranger};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_house_is_shown_to_none_but_those_who_may_come_in() {
    for engine in engines() {
        let service = Service::start_with(&engine, &[("limits.in_flight", "1")]).await;
        let list =
            async |by: &Person| service.users(by).list_users(pb::ListUsersRequest::default()).await;
        let with = |token: &str| Person { token: token.to_owned(), ..service.root.clone() };
        // A change that waits for another writer holds the one place.
        let other = Meddler::new(&service.url).await;
        other.take_the_lock().await;
        let waiting = tokio::spawn({
            let mut accounts = service.accounts(&service.root);
            let account =
                pb::Account { display_name: Some("Acme".to_owned()), ..Default::default() };
            let request = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
            async move {
                // The lists below may be in the one place.
                while let Err(status) = accounts.create_account(request.clone()).await {
                    refused(Err::<(), _>(status), Code::ResourceExhausted, "OVERLOADED");
                }
            }
        });
        while list(&service.root).await.is_ok() {
            tokio::task::yield_now().await;
        }
        refused(list(&service.root).await, Code::ResourceExhausted, "OVERLOADED");
        refused(list(&with("")).await, Code::Unauthenticated, "TOKEN_MISSING");
        refused(list(&with("x")).await, Code::Unauthenticated, "TOKEN_INVALID");
        refused(list(&with(&stranger())).await, Code::Unauthenticated, "TOKEN_INVALID");
        assert!(!waiting.is_finished(), "the house was full all the while");
        other.run("rollback").await;
        waiting.await.unwrap();
        assert!(list(&service.root).await.is_ok());
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_too_long_is_told_to_those_alone_who_may_come_in() {
    for engine in engines() {
        let service = Service::start_with(&engine, &[("limits.message_bytes", "4096")]).await;
        let request = || pb::ListUsersRequest { filter: "x".repeat(5_000), ..Default::default() };
        let nobody = Person { token: String::new(), ..service.root.clone() };
        let answer = service.users(&nobody).list_users(request()).await;
        refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
        let answer = service.users(&service.root).list_users(request()).await;
        refused(answer, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_grpc_runs_no_method() {
    const LIST: &str = "/chancery.v1.UserService/ListUsers";
    const HEALTH: &str = "/grpc.health.v1.Health/Check";
    const GRPC: &str = "application/grpc";
    for engine in engines() {
        let service = Service::start(&engine).await;
        let bearer = format!("Bearer {}", service.root.token);
        let send = async |method: &str, path: &str, kind: &str| {
            let mut request = http::Request::builder()
                .method(method)
                .uri(path)
                .header("authorization", &bearer)
                .header("te", "trailers");
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            // One empty message.
            let body = Body::new(Full::new(Bytes::from_static(&[0; 5])));
            let mut channel = service.channel.clone();
            let ready = channel.ready().await.unwrap();
            let answer = ready.call(request.body(body).unwrap()).await.unwrap();
            let code =
                answer.headers().get("grpc-status").map_or("0", |code| code.to_str().unwrap());
            (answer.status().as_u16(), code.to_owned())
        };
        let said = |status, code: &str| (status, code.to_owned());
        for path in [LIST, HEALTH] {
            for kind in [GRPC, "application/grpc+proto", "application/grpc;charset=utf-8"] {
                assert_eq!(send("POST", path, kind).await, said(200, "0"), "{path} {kind}");
            }
            for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                assert_eq!(send(method, path, GRPC).await, said(405, "12"), "{path} {method}");
            }
            for kind in
                ["", "application/json", "application/grpc-web", "application/grp", "text/é"]
            {
                assert_eq!(send("POST", path, kind).await, said(415, "12"), "{path} {kind}");
            }
            for more in ["?", "?a=b", "/", "//"] {
                let path = format!("{path}{more}");
                assert_eq!(send("POST", &path, GRPC).await, said(200, "12"), "{path}");
            }
        }
        service.stop().await;
    }
}
