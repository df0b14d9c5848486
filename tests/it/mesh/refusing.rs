//! What the door does not answer, and to whom.

use super::*;

#[tokio::test]
async fn the_door_tells_nothing_to_whoever_may_not_ask() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let bearer = format!("Bearer {}", scene.boss.token);
        let one = ("authorization", bearer.as_str());
        let nobody = Person { token: String::new(), ..scene.proxy.clone() };
        let unknown = Person { token: stranger(), ..scene.proxy.clone() };
        // Whatever is asked, whoever has no right to ask is told that and nothing else.
        for (path, headers) in [
            (scene.group().as_str(), &[one][..]),
            ("/healthz", &[]),
            ("/nothing", &[one]),
            ("//", &[]),
        ] {
            let request = || held("GET", path, headers);
            let answer = ask(&service, &nobody, request()).await;
            refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
            let answer = ask(&service, &unknown, request()).await;
            refused(answer, Code::Unauthenticated, "TOKEN_INVALID");
            let answer = ask(&service, &scene.ann, request()).await;
            refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let answer = ask(&service, &scene.proxy, CheckRequest::default()).await;
        refused(answer, Code::InvalidArgument, "INVALID_FIELD");
        // A proxy of one tenant learns nothing of another's credentials: good, ended and unknown ones look alike.
        let other = Scene::new(&service, "Umbrella").await;
        let ended = service.mint(&other.boss.user_id, &["*"]).await;
        let delete = pb::DeleteApiTokenRequest { token_id: ended.0, ..Default::default() };
        service.tokens(&service.root).delete_api_token(delete).await.unwrap();
        for path in [scene.group(), other.group(), "/v1/accounts/x/gate-groups/7".to_owned()] {
            let unknown = get(&service, &scene.proxy, &path, &stranger()).await;
            for token in [&other.boss.token, &ended.1] {
                let told = get(&service, &scene.proxy, &path, token).await;
                assert_eq!(told.error(), (401, "token.invalid.exception".to_owned()));
                assert_eq!(told.body, unknown.body);
                let names = |told: &Told| told.headers.keys().cloned().collect::<BTreeSet<_>>();
                assert_eq!(names(&told), names(&unknown));
                assert_eq!(told.metadata["reason"], "TOKEN_INVALID");
            }
        }
        // Nor of a part of its own tenant that it may not ask about.
        let below = service.account(&scene.acme, "Below").await;
        let lower = service.machine(&below, "lower", &["core/DECISION_CLIENT"]).await;
        let told = get(&service, &lower, &scene.group(), &scene.boss.token).await;
        assert_eq!((told.status, told.metadata["reason"].as_str()), (401, "SUBJECT_UNKNOWN"));
        service.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_decided_is_no_refusal() {
    for engine in engines() {
        let settings = [
            ("staleness_ms", "500"),
            ("poll_ms", "100"),
            ("limits.changes_per_minute", "0"),
            ("mesh.answer_ms", "10000"),
            ("mesh.routes", ROUTES),
        ];
        let service = Service::start_with(&engine, &settings).await;
        let scene = Scene::new(&service, "Acme").await;
        let bearer = format!("Bearer {}", scene.boss.token);
        let request = || held("GET", &scene.group(), &[("authorization", &bearer)]);
        assert_eq!(ask(&service, &scene.proxy, request()).await.unwrap().status, 200);
        service.store.close().await.unwrap();
        let gone = Instant::now();
        let status = loop {
            match ask(&service, &scene.proxy, request()).await {
                // What is known goes on for a while.
                Ok(told) => assert_eq!(told.status, 200),
                Err(status) => break status,
            }
            assert!(gone.elapsed() < Duration::from_secs(20), "it answers on and on");
        };
        refused(Err::<(), _>(status), Code::Unavailable, "STORE_UNAVAILABLE");
    }
}

#[tokio::test]
async fn routes_that_no_catalogue_knows_stop_the_start() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let routes = r#"[{ path = "/a", methods = ["GET"], action = "gate.raed", resource = "account/{own}" },
            { path = "/b", methods = ["GET"], action = "read", resource = "account/{own}/nothing/1" }]"#;
        let config = crate::support::config(&service.url, &[("mesh.routes", routes)]);
        let listen = || async { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let keys = chancery::crypto::KeyRing::from_base64(crate::support::KEY).unwrap();
        let started = chancery::server::start(
            config.server(),
            service.store.clone(),
            std::sync::Arc::new(keys),
            listen().await,
            listen().await,
        );
        let why = started.await.unwrap_err().to_string();
        for told in ["mesh.routes[0].action", "gate.read", "mesh.routes[1].resource", "nothing"] {
            assert!(why.contains(told), "{why}");
        }
        service.stop().await;
    }
}
