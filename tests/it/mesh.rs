//! The mesh's door: a proxy asks whether a request that it holds may go on.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, attribute_context,
};
use envoy_types::pb::google::protobuf::value::Kind;
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::{Engine, Person, Service, engines, refused, stranger};

/// What the tests' routes are.
pub(crate) const ROUTES: &str = "[\
    { path = '/v1/accounts/{account}/gate-groups/{group}', methods = ['GET'], action = 'gate_group.read', \
      resource = 'account/{account}/gate_group/{group}', account_from = 'path' }, \
    { path = '/v1/users/{user}', methods = ['GET'], action = 'user.read', resource = 'account/{own}/user/{user}' }, \
    { path = '/v1/users/{user}', methods = ['DELETE'], action = 'user.delete', \
      resource = 'account/{own}/user/{user}' }, \
    { path = '/v1/groups', methods = ['GET'], action = 'gate_group.read', \
      resource = 'account/{own}/gate_group/{header:x-group}' }, \
    { grpc = 'acme.v1.Users/GetUser', action = 'user.read', resource = 'account/{own}/user/{header:x-user}' }, \
    { path = '/healthz', methods = ['GET'], public = true }]";

/// What a proxy is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// 200 where the request goes on.
    pub(crate) status: i32,
    /// The headers that the request goes on with; else those of the refusal.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) removed: Vec<String>,
    /// What the client's answer gets besides.
    to_client: HashMap<String, String>,
    body: String,
    pub(crate) metadata: HashMap<String, String>,
}

impl Told {
    pub(crate) fn of(response: CheckResponse) -> Self {
        let plain = |list: Vec<HeaderValueOption>| {
            let pairs = list.into_iter().map(|option| {
                assert_eq!(option.append_action, 2, "OVERWRITE_IF_EXISTS_OR_ADD");
                let header = option.header.unwrap();
                (header.key, header.value)
            });
            pairs.collect::<HashMap<_, _>>()
        };
        let code = response.status.unwrap().code;
        let metadata = response.dynamic_metadata.unwrap().fields.into_iter();
        let metadata = metadata.map(|(name, value)| match value.kind {
            Some(Kind::StringValue(text)) => (name, text),
            other => panic!("{name} is {other:?}"),
        });
        let metadata = metadata.collect();
        match response.http_response.unwrap() {
            HttpResponse::OkResponse(ok) => {
                assert_eq!(code, 0);
                let (removed, body) = (ok.headers_to_remove, String::new());
                let to_client = plain(ok.response_headers_to_add);
                Self { status: 200, headers: plain(ok.headers), removed, to_client, body, metadata }
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0);
                let status = denied.status.unwrap().code;
                let headers = plain(denied.headers);
                let (removed, to_client) = (Vec::new(), HashMap::new());
                Self { status, headers, removed, to_client, body: denied.body, metadata }
            }
            HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
        }
    }

    fn error(&self) -> (i32, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(body["timestamp"], 1_800_000_000_000_i64);
        assert!(!body["generalMessage"].as_str().unwrap().is_empty());
        assert_eq!(body.as_object().unwrap().len(), 3);
        (self.status, body["errorCode"].as_str().unwrap().to_owned())
    }
}

/// A request that a proxy holds.
pub(crate) fn held(method: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let mut all: HashMap<String, String> = HashMap::new();
    for (name, value) in headers {
        // As Envoy does: names in small letters, and what is sent twice is joined.
        let joined = all.entry(name.to_ascii_lowercase()).or_default();
        *joined = if joined.is_empty() { (*value).to_owned() } else { format!("{joined},{value}") };
    }
    all.insert(":path".to_owned(), path.to_owned());
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: all,
        ..HttpRequest::default()
    };
    of_http(http)
}

fn of_http(http: HttpRequest) -> CheckRequest {
    let request = attribute_context::Request { http: Some(http), ..Default::default() };
    let attributes = AttributeContext { request: Some(request), ..Default::default() };
    CheckRequest { attributes: Some(attributes) }
}

/// Asks as a proxy.
pub(crate) async fn ask(
    service: &Service,
    proxy: &Person,
    request: CheckRequest,
) -> Result<Told, Status> {
    let mut door = AuthorizationClient::new(service.by(&proxy.token));
    Ok(Told::of(door.check(request).await?.into_inner()))
}

async fn get(service: &Service, proxy: &Person, path: &str, token: &str) -> Told {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let headers = if token.is_empty() { &[][..] } else { &headers[..] };
    ask(service, proxy, held("GET", path, headers)).await.unwrap()
}

async fn start(engine: &Engine) -> Service {
    let settings =
        [("limits.changes_per_minute", "0"), ("mesh.answer_ms", "10000"), ("mesh.routes", ROUTES)];
    Service::start_with(engine, &settings).await
}

/// A tenant with a proxy, somebody who may much and somebody who may little.
struct Scene {
    acme: String,
    proxy: Person,
    boss: Person,
    ann: Person,
}

impl Scene {
    async fn new(service: &Service, name: &str) -> Self {
        let acme = service.tenant(name).await;
        let proxy = service.machine(&acme, "proxy", &["core/DECISION_CLIENT"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        Self { acme, proxy, boss, ann }
    }

    fn group(&self) -> String {
        format!("/v1/accounts/{}/gate-groups/7", self.acme)
    }
}

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
