//! What ends a stream, and how soon.

use std::time::Instant;

use super::*;

/// A right that is gone is so within a second, a little of the machine's own time aside.
const BOUND: Duration = Duration::from_millis(1_500);

/// Takes somebody's role away.
async fn strip(service: &Service, user: &Person, role: &str) {
    let request = pb::RemoveUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        ..Default::default()
    };
    service.roles(&service.root).remove_user_role(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_loses_the_right_or_the_credential_is_ended_within_a_second() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let replica = service.replica().await;
        let acme = service.tenant("Acme").await;
        for (way, code, reason) in [
            ("role", Code::PermissionDenied, "ACCESS_DENIED"),
            ("token", Code::Unauthenticated, "TOKEN_REVOKED"),
            ("user", Code::Unauthenticated, "TOKEN_REVOKED"),
            ("account", Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE"),
        ] {
            let eve = service.machine(&acme, &format!("eve {way}"), &["DECISION_EXPLORER"]).await;
            let mut streams = Vec::new();
            for at in [&service, &replica] {
                streams.push(Watch::open(at, &eve, of(&acme)).await.unwrap());
            }
            match way {
                "role" => strip(&service, &eve, "DECISION_EXPLORER").await,
                "token" => {
                    let token_id = eve.token_id.clone();
                    let request = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
                    service.tokens(&service.root).delete_api_token(request).await.unwrap();
                }
                "user" => {
                    let request = pb::SetUserActiveRequest {
                        user_id: eve.user_id.clone(),
                        is_active: false,
                        ..Default::default()
                    };
                    service.users(&service.root).set_user_active(request).await.unwrap();
                }
                _ => {
                    let request = pb::SuspendAccountRequest {
                        account_id: acme.clone(),
                        ..Default::default()
                    };
                    service.accounts(&service.root).suspend_account(request).await.unwrap();
                }
            }
            let gone = Instant::now();
            for stream in &mut streams {
                refused(Err::<(), _>(stream.end().await), code, reason);
                assert!(gone.elapsed() < BOUND, "{way}: {:?}", gone.elapsed());
            }
        }
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_ends_with_its_token_and_not_before() {
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
        let short = Person { token: short.secret, ..ann };
        let mut watch = Watch::open(&service, &short, of(&acme)).await.unwrap();
        service.advance(59);
        watch.read().await.unwrap();
        service.advance(1);
        refused(Err::<(), _>(watch.end().await), Code::Unauthenticated, "TOKEN_EXPIRED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stops_is_not_held_up_and_says_how_to_go_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let other = service.replica().await;
        let (acme, eve) = watched(&service).await;
        let mut watch = Watch::open(&service, &eve, of(&acme)).await.unwrap();
        rename(&service, &acme, "Before").await;
        watch.write().await.unwrap();
        let began = Instant::now();
        let stopping = tokio::spawn(service.stop());
        let status = refused(Err::<(), _>(watch.end().await), Code::Unavailable, "STREAM_ENDED");
        stopping.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let details = status.get_error_details();
        let token = details.error_info().unwrap().metadata["resume_after"].clone();
        assert_eq!(token, watch.last);
        let newest = rename(&other, &acme, "After").await;
        let request = pb::WatchChangesRequest { resume_after: token, ..of(&acme) };
        let mut watch = Watch::open(&other, &eve, request).await.unwrap();
        assert_eq!(watch.write().await.unwrap().consistency_token, newest);
        other.stop().await;
    }
}

/// How many streams were given up.
fn stalls() -> u64 {
    let figures = chancery::telemetry::figures().render();
    let line = figures.lines().find(|line| line.starts_with("chancery_watch_stalls_total"));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Opens a stream with no room for what comes, and makes some once the server has given it up; returns what it says then.
async fn stalled(service: &Service, by: &Person, path: &str, message: Vec<u8>) -> Status {
    let before = stalls();
    let tcp = tokio::net::TcpStream::connect(service.grpc()).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (client, mut connection) =
        builder.initial_window_size(0).handshake::<_, bytes::Bytes>(tcp).await.unwrap();
    let request = http::Request::post(format!("http://{}{path}", service.grpc()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", by.token))
        .body(())
        .unwrap();
    let mut client = client.ready().await.unwrap();
    let (answer, mut send) = client.send_request(request, false).unwrap();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    send.send_data(framed.into(), true).unwrap();
    let (widen, widened) = tokio::sync::oneshot::channel::<()>();
    let connection = tokio::spawn(async move {
        let mut widened = Some(widened);
        std::future::poll_fn(|context| {
            if let Some(told) = &mut widened
                && std::pin::Pin::new(told).poll(context).is_ready()
            {
                widened = None;
                connection.set_initial_window_size(65_535).unwrap();
            }
            std::pin::Pin::new(&mut connection).poll(context)
        })
        .await
    });
    let mut body = answer.await.unwrap().into_body();
    let began = Instant::now();
    while stalls() == before {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    widen.send(()).unwrap();
    let mut read = 0;
    while let Some(data) = body.data().await {
        read += data.unwrap().len();
    }
    assert!(read > 0, "what was said before is read first");
    let trailers = body.trailers().await.unwrap().unwrap();
    connection.abort();
    Status::from_header_map(&trailers).unwrap()
}

/// `WatchChanges` and `WatchAuditEvents`, by a client that has no room for what comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_reads_nothing_is_given_up_with_the_token_to_go_on_with() {
    for engine in engines() {
        let settings = [("limits.stall_seconds", "1"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let eve = service.machine(&acme, "eve", &["DECISION_EXPLORER", "AUDITOR"]).await;
        for path in [
            "/chancery.v1.AuthorizationService/WatchChanges",
            "/chancery.v1.AuditService/WatchAuditEvents",
        ] {
            let message = prost::Message::encode_to_vec(&of(&acme));
            let status = stalled(&service, &eve, path, message).await;
            let status = refused(Err::<(), _>(status), Code::Aborted, "STREAM_STALLED");
            let details = status.get_error_details();
            let resume_after = details.error_info().unwrap().metadata["resume_after"].clone();
            let request = pb::WatchChangesRequest { resume_after, ..of(&acme) };
            assert!(Watch::open(&service, &eve, request).await.is_ok());
        }
    }
}
