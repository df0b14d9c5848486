//! Who calls, and how the door knows: nobody passes for somebody else.

use super::*;

#[tokio::test]
async fn nobody_passes_for_somebody_else_by_a_header() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let bearer = format!("Bearer {}", scene.ann.token);
        let path = format!("/v1/users/{}", scene.ann.user_id);
        let spoofed = [
            ("authorization", bearer.as_str()),
            ("X-Chancery-User", scene.boss.user_id.as_str()),
            ("x-chancery-account", "other"),
            ("X_Chancery_User", "boss"),
            ("x-chancery_revision", "9"),
            ("X-Chancery-Admin", "true"),
            ("x-other", "kept"),
        ];
        let told = ask(&service, &scene.proxy, held("GET", &path, &spoofed)).await.unwrap();
        assert_eq!(told.status, 200);
        assert_eq!(told.headers["x-chancery-user"], scene.ann.user_id);
        assert_eq!(told.headers["x-chancery-account"], scene.acme);
        let passing = ["x-chancery-admin", "x-chancery_revision", "x_chancery_user"];
        assert_eq!(told.removed, passing);
        let told = ask(&service, &scene.proxy, held("GET", "/healthz", &spoofed)).await.unwrap();
        assert_eq!(told.removed.len(), 6);
        service.stop().await;
    }
}

#[tokio::test]
async fn two_credentials_are_none() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let path = scene.group();
        let bearer = format!("Bearer {}", scene.boss.token);
        let token = scene.boss.token.as_str();
        let one = ("authorization", bearer.as_str());
        let joined = format!("{bearer},{bearer}");
        let mixed = format!("{bearer}, Basic eDp5");
        for headers in [
            &[one, one][..],
            &[one, ("x-auth-token", token)],
            &[("x-auth-token", token), ("x-auth-token", token)],
            &[("authorization", joined.as_str())],
            &[("authorization", mixed.as_str())],
            &[("authorization", "Basic eDp5")],
            &[("authorization", token)],
        ] {
            let told = ask(&service, &scene.proxy, held("GET", &path, headers)).await.unwrap();
            assert_eq!(told.error(), (401, "token.invalid.exception".to_owned()), "{headers:?}");
            assert_eq!(told.metadata["reason"], "TOKEN_INVALID");
        }
        // As a proxy sends them that does not join.
        let raw = |list: &[(&str, &str)]| {
            let headers = list.iter().map(|(name, value)| HeaderValue {
                key: (*name).to_owned(),
                raw_value: value.as_bytes().to_vec(),
                ..HeaderValue::default()
            });
            let map = HeaderMap { headers: headers.collect() };
            of_http(HttpRequest {
                method: "GET".to_owned(),
                path: path.clone(),
                header_map: Some(map),
                ..HttpRequest::default()
            })
        };
        let pseudo = (":method", "GET");
        let told = ask(&service, &scene.proxy, raw(&[pseudo, one])).await.unwrap();
        assert_eq!(told.status, 200);
        for headers in [&[one, one][..], &[one, ("X-Auth-Token", token)]] {
            let told = ask(&service, &scene.proxy, raw(headers)).await.unwrap();
            assert_eq!(told.error().0, 401, "{headers:?}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_ends_a_credential_is_seen_at_once() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let (boss, proxy) = (&scene.boss, &scene.proxy);
        let status = async |token: &str| {
            let told = get(&service, proxy, &scene.group(), token).await;
            (told.status, told.metadata["reason"].clone())
        };
        let said = |status, reason: &str| (status, reason.to_owned());
        assert_eq!(status(&boss.token).await, said(200, "PERMITTED"));
        let end = crate::support::beginning().timestamp() + 60;
        let request = pb::CreateApiTokenRequest {
            scopes: vec!["*".to_owned()],
            expire_time: Some(prost_types::Timestamp { seconds: end, nanos: 0 }),
            ..Default::default()
        };
        let short = service.tokens(boss).create_api_token(request).await.unwrap().into_inner();
        assert_eq!(status(&short.secret).await.0, 200);
        service.advance(60);
        assert_eq!(status(&short.secret).await, said(401, "TOKEN_EXPIRED"));

        let few = service.mint(&boss.user_id, &["user.read"]).await.1;
        assert_eq!(status(&few).await, said(403, "TOKEN_SCOPE"));
        let delete =
            pb::DeleteApiTokenRequest { token_id: boss.token_id.clone(), ..Default::default() };
        service.tokens(&service.root).delete_api_token(delete).await.unwrap();
        assert_eq!(status(&boss.token).await, said(401, "TOKEN_REVOKED"));

        let other = service.mint(&boss.user_id, &["*"]).await.1;
        assert_eq!(status(&other).await.0, 200);
        let user_id = boss.user_id.clone();
        let mut off = pb::SetUserActiveRequest { user_id, ..Default::default() };
        service.users(&service.root).set_user_active(off.clone()).await.unwrap();
        assert_eq!(status(&other).await.0, 401);
        off.is_active = true;
        service.users(&service.root).set_user_active(off).await.unwrap();
        let again = service.mint(&boss.user_id, &["*"]).await.1;
        assert_eq!(status(&again).await.0, 200);

        // The proxy's account is suspended with it: it may ask nothing any more.
        let account_id = scene.acme.clone();
        let operator =
            service.machine(&service.root.account_id, "mesh", &["core/DECISION_CLIENT"]).await;
        let stop = pb::SuspendAccountRequest { account_id, ..Default::default() };
        service.accounts(&service.root).suspend_account(stop).await.unwrap();
        let request = || {
            let bearer = format!("Bearer {again}");
            held("GET", &scene.group(), &[("authorization", &bearer)])
        };
        let answer = ask(&service, proxy, request()).await;
        refused(answer, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
        let told = ask(&service, &operator, request()).await.unwrap();
        assert_eq!((told.status, told.metadata["reason"].as_str()), (403, "ACCOUNT_NOT_ACTIVE"));
        service.stop().await;
    }
}

#[tokio::test]
async fn a_workload_counts_where_no_token_is_sent_and_a_proxy_is_believed() {
    const ROBOT: &str = "spiffe://mesh.example/ns/acme/sa/robot";
    const ANN: &str = "spiffe://mesh.example/ns/acme/sa/ann";
    for engine in engines() {
        let first = start(&engine).await;
        let scene = Scene::new(&first, "Acme").await;
        let robot = first.machine(&scene.acme, "robot", &["core/AUDITOR"]).await;
        let other = first.machine(&scene.acme, "other", &["core/DECISION_CLIENT"]).await;
        let peers = [(ROBOT, &robot), (ANN, &scene.ann)]
            .map(|(id, user)| format!("{{ spiffe_id = '{id}', user_id = '{}' }}", user.user_id));
        let service = first
            .replica_with(&[
                ("limits.changes_per_minute", "0"),
                ("mesh.answer_ms", "10000"),
                ("mesh.routes", ROUTES),
                ("mesh.proxies", &scene.proxy.user_id),
                ("tls.peers", &format!("[{}]", peers.join(", "))),
            ])
            .await;
        let path = format!("/v1/users/{}", scene.ann.user_id);
        let from = |principal: &str, headers: &[(&str, &str)]| {
            let mut request = held("GET", &path, headers);
            let source = Peer { principal: principal.to_owned(), ..Default::default() };
            request.attributes.as_mut().unwrap().source = Some(source);
            request
        };
        let told = ask(&service, &scene.proxy, from(ROBOT, &[])).await.unwrap();
        assert_eq!(told.status, 200);
        assert_eq!(told.headers["x-chancery-user"], robot.user_id);
        assert_eq!(told.headers["x-chancery-account"], scene.acme);
        assert_eq!(told.metadata["peer"], ROBOT);
        // The token goes before, good or not; the workload is written down.
        let bearer = format!("Bearer {}", scene.boss.token);
        let told = ask(&service, &scene.proxy, from(ROBOT, &[("authorization", &bearer)])).await;
        let told = told.unwrap();
        assert_eq!(told.headers["x-chancery-user"], scene.boss.user_id);
        assert_eq!(told.metadata["peer"], ROBOT);
        let bad = from(ROBOT, &[("authorization", "Bearer x")]);
        assert_eq!(ask(&service, &scene.proxy, bad).await.unwrap().status, 401);
        // Whom nobody mapped, who is no service user, and whoever says so without being believed.
        for (proxy, principal) in [
            (&scene.proxy, "spiffe://mesh.example/ns/acme/sa/robot2"),
            (&scene.proxy, "spiffe://other.example/ns/acme/sa/robot"),
            (&scene.proxy, ANN),
            (&scene.proxy, ""),
            (&scene.proxy, "robot"),
            (&other, ROBOT),
        ] {
            let told = ask(&service, proxy, from(principal, &[])).await.unwrap();
            assert_eq!(told.error(), (401, "token.missing.exception".to_owned()), "{principal}");
        }
        let user_id = robot.user_id.clone();
        let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
        service.users(&service.root).set_user_active(off).await.unwrap();
        assert_eq!(ask(&service, &scene.proxy, from(ROBOT, &[])).await.unwrap().status, 401);
        service.stop().await;
        first.stop().await;
    }
}

#[tokio::test]
async fn who_sends_many_unknown_credentials_is_told_so_and_others_are_not() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let from = |address: &str, token: &str| {
            let bearer = format!("Bearer {token}");
            let mut request = held("GET", &scene.group(), &[("authorization", &bearer)]);
            let socket = SocketAddress { address: address.to_owned(), ..Default::default() };
            let address = Address { address: Some(AddressKind::SocketAddress(socket)) };
            let source = Peer { address: Some(address), ..Default::default() };
            request.attributes.as_mut().unwrap().source = Some(source);
            request
        };
        for _ in 0..600 {
            let told = ask(&service, &scene.proxy, from("192.0.2.7", &stranger())).await.unwrap();
            assert_eq!(told.status, 401);
        }
        let told = ask(&service, &scene.proxy, from("192.0.2.7", &stranger())).await.unwrap();
        assert_eq!(told.error(), (429, "rate.limited.exception".to_owned()));
        assert_eq!(told.headers["retry-after"], "60");
        let fresh = service.mint(&scene.boss.user_id, &["*"]).await.1;
        let told = ask(&service, &scene.proxy, from("192.0.2.8", &fresh)).await.unwrap();
        assert_eq!(told.status, 200);
        service.stop().await;
    }
}
