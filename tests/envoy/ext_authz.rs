//! Envoy asks the mesh's door about what it holds.

use chancery::proto::v1 as pb;
use http::Method;
use pb::account_service_client::AccountServiceClient;
use pb::user_service_client::UserServiceClient;
use serde_json::{Value, json};
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::http::{Reply, send};
use crate::proxy::{Envoy, filter, grpc_cluster, http_cluster, listener};
use crate::support::{As, Bearer, Engine, Person, Service, engines, stranger};
use crate::upstream::Upstream;

const ROUTES: &str = "[\
    { path = '/v1/accounts/{account}/gate-groups/{group}', methods = ['GET'], action = 'gate_group.read', \
      resource = 'account/{account}/gate_group/{group}', account_from = 'path' }, \
    { grpc = 'chancery.v1.UserService/GetUser', action = 'user.read', resource = 'account/{own}' }, \
    { path = '/healthz', methods = ['GET'], public = true }]";

/// The filter as the README has it.
fn ext_authz(proxy: &Person) -> Value {
    let bearer = json!({ "key": "authorization", "value": format!("Bearer {}", proxy.token) });
    filter(
        "ext_authz",
        "ext_authz.v3.ExtAuthz",
        json!({
            "transport_api_version": "V3",
            "failure_mode_allow": false,
            "status_on_error": { "code": "ServiceUnavailable" },
            "validate_mutations": true,
            "grpc_service": {
                "envoy_grpc": { "cluster_name": "chancery" },
                // A busy machine answers later than the default of both ends.
                "timeout": "15s",
                "initial_metadata": [bearer],
            },
        }),
    )
}

/// A service, an Envoy that asks it, and what stands behind.
struct Scene {
    service: Service,
    acme: String,
    proxy: Person,
    boss: Person,
    ann: Person,
    upstream: Upstream,
    envoy: Envoy,
}

impl Scene {
    async fn new(engine: &Engine) -> Self {
        let settings = [
            ("limits.changes_per_minute", "0"),
            ("mesh.answer_ms", "10000"),
            ("mesh.routes", ROUTES),
        ];
        let service = Service::start_with(engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let proxy = service.machine(&acme, "proxy", &["core/DECISION_CLIENT"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        let upstream = Upstream::start().await;
        let envoy = Envoy::start(json!({
            "listeners": [
                listener("front", &[ext_authz(&proxy)], "upstream"),
                listener("grpc", &[ext_authz(&proxy)], "chancery"),
            ],
            "clusters": [
                grpc_cluster("chancery", service.grpc()),
                http_cluster("upstream", upstream.at),
            ],
        }))
        .await;
        Self { service, acme, proxy, boss, ann, upstream, envoy }
    }

    fn group(&self) -> String {
        format!("/v1/accounts/{}/gate-groups/7", self.acme)
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        send(self.envoy.at("front"), Method::GET, path, headers, "").await
    }

    /// A client of gRPC on the other side of Envoy.
    async fn by(&self, person: &Person) -> As {
        let front = Channel::from_shared(format!("http://{}", self.envoy.at("grpc"))).unwrap();
        let bearer = format!("Bearer {}", person.token).parse().unwrap();
        InterceptedService::new(front.connect().await.unwrap(), Bearer(Some(bearer)))
    }

    async fn end(self) {
        drop(self.envoy);
        self.service.stop().await;
    }
}

fn bearer(person: &Person) -> String {
    format!("Bearer {}", person.token)
}

/// The values of a header that reached the upstream.
fn reached_with(reply: &Reply, name: &str) -> Vec<String> {
    let told = reply.json();
    let headers = told["headers"].as_array().unwrap().iter();
    let named = headers.filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
    named.map(|header| header[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_permitted_reaches_the_upstream_with_who_calls_and_nothing_else_does() {
    for engine in engines() {
        let scene = Scene::new(&engine).await;
        let (boss, ann) = (bearer(&scene.boss), bearer(&scene.ann));
        let path = scene.group() + "?verbose=true";
        let reply = scene.get(&path, &[("authorization", &boss)]).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.header("chancery-decision-id").is_empty());
        assert_eq!(reached_with(&reply, "x-chancery-user"), [scene.boss.user_id.as_str()]);
        assert_eq!(reached_with(&reply, "x-chancery-account"), [scene.acme.as_str()]);
        assert_eq!(reached_with(&reply, "x-chancery-revision").len(), 1);
        assert_eq!(reply.json()["path"], path);

        let spoofed = [
            ("authorization", boss.as_str()),
            ("x-chancery-user", scene.proxy.user_id.as_str()),
            ("X-Chancery-Account", "other"),
            ("x_chancery_user", "other"),
            ("X-Chancery_Revision", "9"),
            ("x-chancery-admin", "true"),
            ("x-other", "kept"),
        ];
        let reply = scene.get(&path, &spoofed).await;
        assert_eq!(reached_with(&reply, "x-chancery-user"), [scene.boss.user_id.as_str()]);
        assert_eq!(reached_with(&reply, "x-chancery-account"), [scene.acme.as_str()]);
        for gone in ["x_chancery_user", "x-chancery_revision", "x-chancery-admin"] {
            assert_eq!(reached_with(&reply, gone), [""; 0], "{gone}");
        }
        assert_eq!(reached_with(&reply, "x-other"), ["kept"]);
        let public = scene.get("/healthz", &spoofed[1..]).await;
        assert_eq!(public.status, 200);
        let ours = ["x-chancery-user", "x-chancery-account", "x-chancery-admin", "x_chancery_user"];
        for gone in ours {
            assert_eq!(reached_with(&public, gone), [""; 0], "{gone}");
        }

        let before = scene.upstream.reached();
        let unknown = format!("Bearer {}", stranger());
        let one = ("authorization", boss.as_str());
        for (path, headers, status, code) in [
            (path.as_str(), &[("authorization", ann.as_str())][..], 403, "access.denied.exception"),
            ("/v1/other", &[one], 403, "access.denied.exception"),
            (&path, &[], 401, "token.missing.exception"),
            (&path, &[("authorization", &unknown)], 401, "token.invalid.exception"),
            (&path, &[one, one], 401, "token.invalid.exception"),
            (&path, &[one, ("x-http-method-override", "DELETE")], 400, "invalid.request.exception"),
            ("//healthz", &[one], 400, "invalid.request.exception"),
            ("/healthz;x", &[one], 400, "invalid.request.exception"),
        ] {
            let reply = scene.get(path, headers).await;
            assert_eq!(reply.status, status, "{path}: {reply:?}");
            assert_eq!(reply.json()["errorCode"], code, "{path}");
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.header("www-authenticate").is_empty(), status != 401);
        }
        let reply = send(scene.envoy.at("front"), Method::DELETE, &path, &[one], "").await;
        assert_eq!(reply.status, 403);
        assert_eq!(scene.upstream.reached(), before);
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_is_refused_in_its_own_words() {
    for engine in engines() {
        let scene = Scene::new(&engine).await;
        let get = pb::GetUserRequest { user_id: scene.ann.user_id.clone() };
        let user = UserServiceClient::new(scene.by(&scene.boss).await).get_user(get.clone()).await;
        assert_eq!(user.unwrap().into_inner().user.unwrap().user_id, scene.ann.user_id);
        // Ann may read herself, and not everybody, which is what the route asks for; the service itself would answer.
        let denied = UserServiceClient::new(scene.by(&scene.ann).await).get_user(get.clone()).await;
        let denied = denied.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
        assert!(denied.message().contains("access.denied.exception"), "{denied:?}");
        assert!(scene.service.users(&scene.ann).get_user(get.clone()).await.is_ok());
        let none = Person { token: stranger(), ..scene.ann.clone() };
        let denied = UserServiceClient::new(scene.by(&none).await).get_user(get).await.unwrap_err();
        assert_eq!(denied.code(), Code::Unauthenticated, "{denied:?}");
        // What has no route is denied, whoever asks.
        let mut accounts = AccountServiceClient::new(scene.by(&scene.boss).await);
        let denied = accounts.get_account(pb::GetAccountRequest::default()).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_nothing_goes_on_and_nothing_is_called_forbidden() {
    for engine in engines() {
        let Scene { service, acme, boss, upstream, envoy, .. } = Scene::new(&engine).await;
        let bearer = bearer(&boss);
        let path = format!("/v1/accounts/{acme}/gate-groups/7");
        let get = async || {
            let headers = [("authorization", bearer.as_str())];
            send(envoy.at("front"), Method::GET, &path, &headers, "").await.status
        };
        assert_eq!(get().await, 200);
        assert_eq!(upstream.reached(), 1);
        service.stop().await;
        assert_eq!(get().await, 503);
        assert_eq!(upstream.reached(), 1);
        envoy.until("http.front.ext_authz.error", |count| count == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_the_right_to_ask_gets_no_decision() {
    for engine in engines() {
        let scene = Scene::new(&engine).await;
        let envoy = Envoy::start(json!({
            "listeners": [listener("front", &[ext_authz(&scene.ann)], "upstream")],
            "clusters": [
                grpc_cluster("chancery", scene.service.grpc()),
                http_cluster("upstream", scene.upstream.at),
            ],
        }))
        .await;
        for path in ["/healthz", &scene.group()] {
            let bearer = bearer(&scene.boss);
            let headers = [("authorization", bearer.as_str())];
            let reply = send(envoy.at("front"), Method::GET, path, &headers, "").await;
            assert_eq!(reply.status, 503, "{path}");
        }
        assert_eq!(scene.upstream.reached(), 0);
        drop(envoy);
        scene.end().await;
    }
}
