//! What every RPC may answer, whatever it is for: each reason that the services list as common, on each of their methods.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chancery::crypto::ConsistencyToken;
use chancery::crypto::secret;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::model::Revision;
use chancery::proto::v1 as pb;
use prost::Message as _;
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::examples::changing;
use crate::meddle::Meddler;
use crate::raw::{call, call_with, methods, path};
use crate::strangers::{Ids, PUBLIC, about};
use crate::support::{Person, Service, engines, said};

/// What is sure to come is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Each method that needs a caller, with a well-formed request about nothing that is there.
fn guarded() -> impl Iterator<Item = (String, Vec<u8>)> {
    let all = methods().into_iter().map(|method| {
        let message = about(&method, &Ids::absent()).encode_to_vec();
        (path(&method), message)
    });
    all.filter(|(path, _)| !PUBLIC.contains(&path.as_str()))
}

/// Calls every method that needs a caller, and asserts that each refuses alike.
async fn all_say(service: &Service, token: &str, code: Code, reason: &str) {
    for (path, message) in guarded() {
        let status = call(service.by(token), &path, message).await.unwrap_err();
        assert_eq!(said(&status), (code, reason.to_owned()), "{path}: {}", status.message());
    }
}

fn unknown() -> String {
    Secret::mint(TokenKind::Pat, secret::system).unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_token_that_has_ended_is_told_how_everywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        let end = crate::support::beginning().timestamp() + 60;
        let request = pb::CreateApiTokenRequest {
            scopes: vec!["*".to_owned()],
            expire_time: Some(prost_types::Timestamp { seconds: end, nanos: 0 }),
            ..Default::default()
        };
        let short = service.tokens(&ann).create_api_token(request).await.unwrap().into_inner();
        service.advance(60);
        all_say(&service, &short.secret, Code::Unauthenticated, "TOKEN_EXPIRED").await;
        let delete =
            pb::DeleteApiTokenRequest { token_id: ann.token_id.clone(), ..Default::default() };
        service.tokens(&ann).delete_api_token(delete).await.unwrap();
        all_say(&service, &ann.token, Code::Unauthenticated, "TOKEN_REVOKED").await;
    }
}

/// A28.
#[tokio::test]
async fn nobody_of_a_stopped_account_gets_through_anywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let people = [
            service.person(&acme, "ann", &["SUPER_USER"]).await,
            service.person(&below, "bob", &["SUPER_USER"]).await,
        ];
        let stop = pb::SuspendAccountRequest { account_id: acme, ..Default::default() };
        service.accounts(&service.root).suspend_account(stop).await.unwrap();
        for person in people {
            let token = &person.token;
            all_say(&service, token, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE").await;
        }
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_everywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        for method in methods() {
            let path = path(&method);
            let token = &service.root.token;
            let status = call(service.by(token), &path, vec![0xff; 3]).await.unwrap_err();
            assert_eq!(
                said(&status),
                (Code::InvalidArgument, "INVALID_FIELD".to_owned()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_state_that_never_was_is_waited_for_nowhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let made_up = ConsistencyToken {
            tenant: service.root.account_id.parse().unwrap(),
            revision: Revision(1),
            hash8: [7; 8],
            platform: Revision(1),
        };
        for (path, message) in guarded() {
            let mut request = Request::new(Bytes::from(message));
            let metadata = request.metadata_mut();
            metadata.insert("chancery-at-least", made_up.to_string().parse().unwrap());
            let by = service.by(&service.root.token);
            let status = call_with(by, &path, request).await.unwrap_err();
            let other = (Code::FailedPrecondition, "TOKEN_OF_OTHER_HISTORY".to_owned());
            assert_eq!(said(&status), other, "{path}");
        }
    }
}

/// Begins a call and never sends its message; returns what is said of it. `tonic`'s own client keeps deadlines by itself, so
/// that it cannot be heard what a server says of one.
async fn begin(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Status {
    let stream = TcpStream::connect(server).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{server}{path}"));
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        request = request.header(name, value);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = client.ready().await.unwrap();
    let (answer, _unsent) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let answer = answer.await.unwrap();
    connection.abort();
    Status::from_header_map(answer.headers()).expect("nothing but a status")
}

#[tokio::test]
async fn who_has_no_time_gets_no_answer_anywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let bearer = format!("Bearer {}", service.root.token);
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", "1m")];
        for method in methods() {
            let path = path(&method);
            let status = begin(service.grpc(), &path, &headers).await;
            let over = (Code::DeadlineExceeded, "DEADLINE".to_owned());
            assert_eq!(said(&status), over, "{path}");
        }
    }
}

#[tokio::test]
async fn a_full_house_is_full_for_every_method() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.in_flight", "1")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        // Changes that stand behind a lock keep the only place, one after the other.
        let lock = Meddler::new(&service.url).await;
        lock.take_the_lock().await;
        let mut accounts = service.accounts(&service.root);
        let keeping = tokio::spawn(async move {
            loop {
                let close =
                    pb::CloseAccountRequest { account_id: acme.clone(), ..Default::default() };
                let kept = accounts.close_account(close).await;
                kept.expect_err("the lock is held");
            }
        });
        let full = (Code::ResourceExhausted, "OVERLOADED".to_owned());
        for method in methods() {
            let path = path(&method);
            let message = about(&method, &Ids::absent()).encode_to_vec();
            let began = Instant::now();
            let status = loop {
                let by = service.by(&service.root.token);
                // Between two changes the place is free.
                match call(by, &path, message.clone()).await {
                    Err(status) if said(&status) == full => break status,
                    answer => assert!(began.elapsed() < PATIENCE, "{path}: {answer:?}"),
                }
            };
            assert!(status.get_error_details().retry_info().is_some(), "{path}");
        }
        keeping.abort();
        lock.run("rollback").await;
    }
}

#[tokio::test]
async fn who_changes_too_much_waits_and_who_guesses_tokens_too() {
    const MINUTE: usize = 20;
    for engine in engines() {
        let minute = MINUTE.to_string();
        let settings = [("limits.changes_per_minute", minute.as_str())];
        let service = Service::start_with(&engine, &settings).await;
        let limited = (Code::ResourceExhausted, "RATE_LIMITED".to_owned());
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        for method in changing() {
            let path = path(&method);
            let message = about(&method, &Ids::absent()).encode_to_vec();
            let mut told = None;
            for _ in 0..=MINUTE {
                let status =
                    call(service.by(&ann.token), &path, message.clone()).await.unwrap_err();
                told = Some(status).filter(|status| said(status) == limited);
                if told.is_some() {
                    break;
                }
            }
            let told = told.unwrap_or_else(|| panic!("{path} is never too much"));
            assert!(told.get_error_details().retry_info().is_some(), "{path}");
        }
        // What changes nothing is not counted.
        let own = pb::GetAccountRequest::default();
        service.accounts(&ann).get_account(own).await.unwrap();

        let validate = path(&methods().into_iter().find(|m| m.name() == "ValidateToken").unwrap());
        let guess = || pb::ValidateTokenRequest { token: unknown() }.encode_to_vec();
        for _ in 0..600 {
            call(service.by(""), &validate, guess()).await.unwrap();
        }
        let status = call(service.by(""), &validate, guess()).await.unwrap_err();
        assert_eq!(said(&status), limited);
        all_say(&service, &unknown(), limited.0, &limited.1).await;
    }
}

#[tokio::test]
async fn without_its_store_no_method_answers_for_long() {
    for engine in engines() {
        let settings =
            [("staleness_ms", "500"), ("poll_ms", "100"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &settings).await;
        service.store.close().await.unwrap();
        let gone = Instant::now();
        let get = || pb::GetAccountRequest::default();
        while service.accounts(&service.root).get_account(get()).await.is_ok() {
            assert!(gone.elapsed() < PATIENCE, "it answers on and on");
        }
        all_say(&service, &service.root.token, Code::Unavailable, "STORE_UNAVAILABLE").await;
        // Nor is it told whether a string is a token.
        let nobody = Person { token: String::new(), ..service.root.clone() };
        let request = pb::ValidateTokenRequest { token: service.root.token.clone() };
        let told = service.tokens(&nobody).validate_token(request).await.unwrap_err();
        assert_eq!(said(&told), (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()));
    }
}

/// A change that is made under a request id answers with it to nobody else.
#[tokio::test]
async fn a_request_id_is_each_callers_own() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let id = Uuid::new_v4().to_string();
        let mut made = Vec::new();
        for name in ["ann", "bob"] {
            let by = service.person(&acme, name, &["SUPER_USER"]).await;
            let user = pb::User { user_name: Some(format!("of {name}")), ..Default::default() };
            let request = pb::CreateUserRequest {
                user: Some(user),
                request_id: id.clone(),
                ..Default::default()
            };
            let reply = service.users(&by).create_user(request).await.unwrap().into_inner();
            made.push(reply.user.unwrap().user_id);
        }
        assert_ne!(made[0], made[1]);
        service.verify(&acme).await;
    }
}
