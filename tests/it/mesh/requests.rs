//! What a proxy is told of a request: that it goes on, or why not.

use super::*;

#[tokio::test]
async fn a_request_goes_on_with_who_calls_or_is_refused_in_the_words_of_the_rest_api() {
    for engine in engines() {
        let service = start(&engine).await;
        let Scene { acme, proxy, boss, ann } = Scene::new(&service, "Acme").await;
        let path = format!("/v1/accounts/{acme}/gate-groups/7?verbose=/../x");
        let told = get(&service, &proxy, &path, &boss.token).await;
        assert_eq!(told.status, 200);
        assert_eq!(told.headers["x-chancery-user"], boss.user_id);
        assert_eq!(told.headers["x-chancery-account"], acme);
        let revision = told.headers["x-chancery-revision"].parse::<u64>().unwrap();
        assert!(revision > 1 && told.headers.len() == 3);
        assert_eq!(told.removed, [""; 0]);
        assert_eq!(told.metadata["subject"], boss.user_id);
        assert_eq!(told.metadata["account"], acme);
        assert_eq!(told.metadata["revision"], revision.to_string());
        assert_eq!(told.metadata["reason"], "PERMITTED");
        assert_eq!(told.metadata["decision_id"], told.to_client["chancery-decision-id"]);

        let told = get(&service, &proxy, &path, &ann.token).await;
        assert_eq!(told.error(), (403, "access.denied.exception".to_owned()));
        assert!(told.body.contains("You do not have permission to access this resource"));
        assert_eq!(told.metadata["reason"], "NO_GRANT");
        assert!(!told.headers["chancery-decision-id"].is_empty());
        assert!(!told.metadata.contains_key("subject"));

        let told = get(&service, &proxy, &path, "").await;
        assert_eq!(told.error(), (401, "token.missing.exception".to_owned()));
        assert_eq!(told.headers["www-authenticate"], "Bearer realm=\"chancery\"");
        assert_eq!(told.metadata["reason"], "TOKEN_MISSING");
        for bad in ["x", &stranger(), "chy_pat_0"] {
            let told = get(&service, &proxy, &path, bad).await;
            assert_eq!(told.error(), (401, "token.invalid.exception".to_owned()));
            let challenge = "Bearer realm=\"chancery\", error=\"invalid_token\"";
            assert_eq!(told.headers["www-authenticate"], challenge);
            assert_eq!(told.metadata["reason"], "TOKEN_INVALID");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_asked_is_what_the_route_says() {
    for engine in engines() {
        let service = start(&engine).await;
        let Scene { acme, proxy, boss, ann } = Scene::new(&service, "Acme").await;
        let by = |token: &str| format!("Bearer {token}");
        let (boss_bearer, ann_bearer) = (by(&boss.token), by(&ann.token));
        let status = async |method: &str, path: &str, headers: &[(&str, &str)]| {
            ask(&service, &proxy, held(method, path, headers)).await.unwrap().status
        };
        let of_ann = format!("/v1/users/{}", ann.user_id);
        let of_boss = format!("/v1/users/{}", boss.user_id);
        let boss_header = ("authorization", boss_bearer.as_str());
        let ann_header = ("authorization", ann_bearer.as_str());
        // Oneself is seen, and what is above is not; nor does who reads a user delete one.
        assert_eq!(status("GET", &of_ann, &[ann_header]).await, 200);
        assert_eq!(status("GET", &of_boss, &[ann_header]).await, 403);
        assert_eq!(status("DELETE", &of_ann, &[ann_header]).await, 403);
        assert_eq!(status("DELETE", &of_ann, &[boss_header]).await, 200);
        // What has no route is denied, whoever asks.
        for (method, path) in [
            ("PUT", of_ann.as_str()),
            ("get", &of_ann),
            ("GET", "/"),
            ("GET", "/v1/users"),
            ("GET", "/v1/users/"),
            ("GET", "/nothing/of/ours"),
            ("GET", "/acme.v1.Users/GetUser"),
            ("GET", &format!("{of_ann}/")),
        ] {
            let told = ask(&service, &proxy, held(method, path, &[boss_header])).await.unwrap();
            assert_eq!(told.error(), (403, "access.denied.exception".to_owned()), "{path}");
            assert_eq!(told.metadata["reason"], "NO_ROUTE");
        }
        // Headers and gRPC.
        let group = ("x-group", "7");
        assert_eq!(status("GET", "/v1/groups", &[boss_header, group]).await, 200);
        assert_eq!(status("GET", "/v1/groups", &[ann_header, group]).await, 403);
        assert_eq!(status("GET", "/v1/groups", &[boss_header]).await, 400);
        assert_eq!(status("GET", "/v1/groups", &[boss_header, group, group]).await, 400);
        let me = ("x-user", ann.user_id.as_str());
        assert_eq!(status("POST", "/acme.v1.Users/GetUser", &[ann_header, me]).await, 200);
        let other = ("x-user", boss.user_id.as_str());
        assert_eq!(status("POST", "/acme.v1.Users/GetUser", &[ann_header, other]).await, 403);
        // `x-auth-token` is a credential, too; a public route wants none and tells nobody's name.
        let path = format!("/v1/accounts/{acme}/gate-groups/7");
        assert_eq!(status("GET", &path, &[("x-auth-token", &boss.token)]).await, 200);
        for headers in [&[][..], &[boss_header], &[("authorization", "Bearer x")]] {
            let told = ask(&service, &proxy, held("GET", "/healthz", headers)).await.unwrap();
            assert_eq!((told.status, told.headers.len()), (200, 0));
            let ours = ["x-chancery-account", "x-chancery-revision", "x-chancery-user"];
            assert_eq!(told.removed, ours);
        }
        // Another account's, one that is not there and none at all are denied in the same words.
        let other = Scene::new(&service, "Umbrella").await;
        for account in [other.acme.as_str(), "acc_01h455vb4pex5vsknk084sn02q", "x", "acc_%20"] {
            let path = format!("/v1/accounts/{account}/gate-groups/7");
            let told = get(&service, &proxy, &path, &boss.token).await;
            assert_eq!(told.error(), (403, "access.denied.exception".to_owned()), "{account}");
            let told = get(&service, &proxy, &path, &stranger()).await;
            assert_eq!(told.status, 401, "{account}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    for engine in engines() {
        let service = start(&engine).await;
        let scene = Scene::new(&service, "Acme").await;
        let bearer = format!("Bearer {}", scene.boss.token);
        let one = ("authorization", bearer.as_str());
        let bad = async |path: &str, more: &[(&str, &str)]| {
            let headers = [&[one][..], more].concat();
            let told = ask(&service, &scene.proxy, held("GET", path, &headers)).await.unwrap();
            assert_eq!(
                told.error(),
                (400, "invalid.request.exception".to_owned()),
                "{path} {more:?}"
            );
            assert_eq!(told.metadata["reason"], "BAD_REQUEST");
        };
        let good = scene.group();
        for path in [
            "",
            "v1/groups",
            "*",
            "http://x/v1/groups",
            "//v1/groups",
            "/v1//groups",
            "/healthz/..",
            "/v1/./groups",
            "/v1/x/../groups",
            "/healthz;x",
            "/v1\\groups",
            "/v1%2fgroups",
            "/v1%2Fgroups",
            "/v1%5cgroups",
            "/v1/%2e%2E/groups",
            "/v1/%2e",
            "/healthz%00",
            "/v1/users/%ff",
            "/v1/users/%C3%28",
            "/v1/users/%",
            "/healthz#x",
            "/v1/users/%252F",
        ] {
            bad(path, &[]).await;
        }
        for name in ["X-HTTP-Method-Override", "x-http-method", "X_Method_Override"] {
            bad(&good, &[(name, "DELETE")]).await;
            bad("/healthz", &[(name, "DELETE")]).await;
        }
        assert_eq!(get(&service, &scene.proxy, &good, &scene.boss.token).await.status, 200);
        service.stop().await;
    }
}
