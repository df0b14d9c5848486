//! TLS, and workloads that are service users (`edges.md` §5, `api.md`, Caller identity).

mod forwarded;
mod served;

use std::sync::Arc;

use chancery::model::Revision;
use chancery::proto::v1 as pb;
use chancery::store::Entry;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::certificates::{Authority, Files, Pair, channel, workload};
use crate::support::{Engine, Person, Service, engines, refused};

const SHOP: &str = "spiffe://prod.example/ns/shop/sa/web";
const PERSON: &str = "spiffe://prod.example/ns/shop/sa/person";
const NOBODY: &str = "spiffe://prod.example/ns/shop/sa/nobody";
const GATE: &str = "spiffe://prod.example/ns/mesh/sa/gate";

/// A service in plain text, and another on the same store that encrypts; a tenant, and who is in it.
struct Scene {
    plain: Service,
    secure: Service,
    acme: String,
    /// The service user that the shop is.
    robot: Person,
    /// A person; its workload never gets in.
    ann: Person,
    servers: Authority,
    clients: Authority,
    files: Files,
}

impl Scene {
    async fn new(engine: &Engine, auth: &str) -> Self {
        Self::with(engine, auth, &[]).await
    }

    async fn with(engine: &Engine, auth: &str, more: &[(&'static str, &str)]) -> Self {
        let plain = Service::start(engine).await;
        let acme = plain.tenant("Acme").await;
        let robot = plain.machine(&acme, "robot", &["SUPER_USER"]).await;
        let ann = plain.person(&acme, "ann", &["SUPER_USER"]).await;
        let (servers, clients) = (Authority::new(), Authority::new());
        let files = Files::new(plain.folder.path(), &servers.server(), &clients);
        let peers = peers(&[
            (SHOP, &robot.user_id),
            (PERSON, &ann.user_id),
            (NOBODY, "usr_00000000000000000000000000"),
        ]);
        let text = |file: &std::path::Path| file.display().to_string();
        let (cert, key, issuers) = (text(&files.cert), text(&files.key), text(&files.issuers));
        let mut settings = vec![
            ("limits.changes_per_minute", "0"),
            ("tls.cert_file", &cert),
            ("tls.key_file", &key),
            ("tls.client_ca_file", &issuers),
            ("tls.client_auth", auth),
            ("tls.peers", &peers),
        ];
        settings.extend_from_slice(more);
        let mut secure = plain.replica_with(&settings).await;
        // Whoever calls it without further ado shows no certificate.
        secure.channel = channel(secure.grpc(), &servers, None);
        Self { plain, secure, acme, robot, ann, servers, clients, files }
    }

    fn channel(&self, own: &Pair) -> Channel {
        channel(self.secure.grpc(), &self.servers, Some(own))
    }

    /// The certificate of a workload, from who may issue it.
    fn pair(&self, id: &'static str) -> Pair {
        self.clients.client(&workload(id))
    }

    /// The entries of the tenant that are about a user of this name.
    async fn entries(&self, name: &str) -> Vec<Entry> {
        let all = self.plain.store.entries(self.acme.parse().unwrap(), Revision::default(), 10_000);
        let named = |entry: &Entry| String::from_utf8_lossy(&entry.body).contains(name);
        all.await.unwrap().into_iter().filter(named).collect()
    }

    async fn stop(self) {
        self.secure.stop().await;
        self.plain.stop().await;
    }
}

/// Writes which workload is which user as the environment would.
fn peers(pairs: &[(&str, &str)]) -> String {
    let peer =
        |(id, user): &(&str, &str)| format!("{{spiffe_id = \"{id}\", user_id = \"{user}\"}}");
    format!("[{}]", pairs.iter().map(peer).collect::<Vec<_>>().join(", "))
}

/// Makes a user by whoever the channel stands for; with a bearer, if there is one.
async fn make(
    channel: &Channel,
    bearer: &str,
    account: &str,
    name: &str,
) -> Result<String, tonic::Status> {
    make_with(channel, bearer, &[], account, name).await
}

async fn make_with(
    channel: &Channel,
    bearer: &str,
    headers: &[(&'static str, &str)],
    account: &str,
    name: &str,
) -> Result<String, tonic::Status> {
    let user = pb::User { user_name: Some(name.to_owned()), root_user: true, ..Default::default() };
    let mut request = tonic::Request::new(pb::CreateUserRequest {
        account_id: account.to_owned(),
        user: Some(user),
        ..Default::default()
    });
    let bearer = (!bearer.is_empty()).then(|| ("authorization", format!("Bearer {bearer}")));
    let others = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in bearer.into_iter().chain(others) {
        request.metadata_mut().append(name, value.parse().unwrap());
    }
    let mut users = pb::user_service_client::UserServiceClient::new(channel.clone());
    let made = users.create_user(request).await?.into_inner();
    Ok(made.user.unwrap().user_id)
}

/// Asserts that a call never came to the service.
#[track_caller]
fn cut<T: std::fmt::Debug>(result: Result<T, tonic::Status>) {
    use tonic_types::StatusExt as _;
    let status = result.expect_err("this should never have come through");
    assert!(status.get_error_details().error_info().is_none(), "{status:?}");
    // All of them are its own client's words, by when it notices.
    let cut = [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled];
    assert!(cut.contains(&status.code()), "{status:?}");
}

#[tokio::test]
async fn a_workload_is_the_service_user_that_its_id_stands_for() {
    for engine in engines() {
        let scene = Scene::new(&engine, "required").await;
        let shop = scene.channel(&scene.pair(SHOP));
        make(&shop, "", &scene.acme, "by-shop").await.unwrap();
        let [entry] = &scene.entries("by-shop").await[..] else { panic!("one entry") };
        assert_eq!(entry.actor.unwrap().to_string(), scene.robot.user_id);
        assert_eq!(entry.source, format!("127.0.0.1 {SHOP}"));
        // A stranger, a person, and a user whom nobody has made: each id is one of our own issuer's.
        for (id, code, reason) in [
            ("spiffe://prod.example/ns/shop/sa/web2", Code::Unauthenticated, "TOKEN_MISSING"),
            ("spiffe://prod.example/ns/shop/sa", Code::Unauthenticated, "TOKEN_MISSING"),
            ("spiffe://other.example/ns/shop/sa/web", Code::Unauthenticated, "TOKEN_MISSING"),
            (PERSON, Code::Unauthenticated, "TOKEN_MISSING"),
            (NOBODY, Code::Unauthenticated, "TOKEN_REVOKED"),
        ] {
            let other = scene.channel(&scene.pair(id));
            refused(make(&other, "", &scene.acme, "no").await, code, reason);
        }
        scene.stop().await;
    }
}

#[tokio::test]
async fn who_names_more_than_one_workload_names_none() {
    let scene = Scene::new(&Engine::Sqlite, "required").await;
    for two in [
        workload(SHOP).and("spiffe://prod.example/ns/shop/sa/other"),
        workload("https://prod.example/shop").and(SHOP),
        workload(SHOP).and(SHOP),
        workload("https://prod.example/shop"),
    ] {
        let channel = scene.channel(&scene.clients.client(&two));
        let answer = make(&channel, "", &scene.acme, "no").await;
        refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
    }
    scene.stop().await;
}

#[tokio::test]
async fn nobody_comes_in_with_a_certificate_that_is_not_good_or_with_none() {
    for auth in ["required", "optional"] {
        let scene = Scene::new(&Engine::Sqlite, auth).await;
        // Another issuer's, and one that is over.
        for bad in [
            Authority::new().client(&workload(SHOP)),
            scene.clients.client(&workload(SHOP).until(2025)),
        ] {
            cut(make(&scene.channel(&bad), "", &scene.acme, "no").await);
            cut(make(&scene.channel(&bad), &scene.robot.token, &scene.acme, "no").await);
        }
        let bare = &scene.secure.channel;
        if auth == "required" {
            cut(make(bare, &scene.robot.token, &scene.acme, "no").await);
        } else {
            let answer = make(bare, "", &scene.acme, "no").await;
            refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
            make(bare, &scene.robot.token, &scene.acme, "by-token").await.unwrap();
            make(&scene.channel(&scene.pair(SHOP)), "", &scene.acme, "by-shop").await.unwrap();
        }
        scene.stop().await;
    }
}

#[tokio::test]
async fn an_identity_ends_with_its_certificate_though_the_connection_lasts() {
    let scene = Scene::new(&Engine::Sqlite, "required").await;
    let shop = scene.channel(&scene.clients.client(&workload(SHOP).until(2028)));
    make(&shop, "", &scene.acme, "before").await.unwrap();
    // Into the year 2028.
    scene.secure.advance(400 * 86_400);
    scene.plain.advance(400 * 86_400);
    let answer = make(&shop, "", &scene.acme, "after").await;
    refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
    scene.stop().await;
}

#[tokio::test]
async fn a_bearer_beside_a_workload_is_the_caller() {
    for engine in engines() {
        let scene = Scene::new(&engine, "required").await;
        let shop = scene.channel(&scene.pair(SHOP));
        make(&shop, &scene.ann.token, &scene.acme, "by-ann").await.unwrap();
        let [entry] = &scene.entries("by-ann").await[..] else { panic!("one entry") };
        assert_eq!(entry.actor.unwrap().to_string(), scene.ann.user_id);
        assert_eq!(entry.source, format!("127.0.0.1 {SHOP}"));
        // One that is not good is not made good by the workload.
        let answer = make(&shop, &crate::support::stranger(), &scene.acme, "no").await;
        refused(answer, Code::Unauthenticated, "TOKEN_INVALID");
        // And a workload that is nobody's does not stand in the way of one that is.
        let other = scene.channel(&scene.pair("spiffe://prod.example/else"));
        make(&other, &scene.ann.token, &scene.acme, "by-ann-2").await.unwrap();
        scene.stop().await;
    }
}

#[tokio::test]
async fn a_workload_makes_no_credentials_and_acts_as_nobody_else() {
    for engine in engines() {
        let scene = Scene::new(&engine, "required").await;
        let shop = scene.channel(&scene.pair(SHOP));
        let mut tokens = pb::token_service_client::TokenServiceClient::new(shop.clone());
        for user in [&scene.robot, &scene.ann] {
            let request =
                pb::CreateApiTokenRequest { user_id: user.user_id.clone(), ..Default::default() };
            let answer = tokens.create_api_token(request).await;
            refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let rotate = pb::RotateApiTokenRequest {
            token_id: scene.robot.token_id.clone(),
            ..Default::default()
        };
        let answer = tokens.rotate_api_token(rotate).await;
        refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        let assume = pb::AssumeUserRequest {
            user_id: scene.ann.user_id.clone(),
            reason: "to help".to_owned(),
            ..Default::default()
        };
        let mut sessions = pb::session_service_client::SessionServiceClient::new(shop);
        let answer = sessions.assume_user(assume).await;
        refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        scene.stop().await;
    }
}

#[tokio::test]
async fn what_becomes_of_the_user_becomes_of_the_workload_at_once() {
    for engine in engines() {
        let scene = Scene::new(&engine, "optional").await;
        let shop = scene.channel(&scene.pair(SHOP));
        let root = &scene.secure.root;
        let (user_id, account_id) = (scene.robot.user_id.clone(), scene.acme.clone());
        let active = |active| pb::SetUserActiveRequest {
            user_id: user_id.clone(),
            is_active: active,
            ..Default::default()
        };
        make(&shop, "", &scene.acme, "first").await.unwrap();
        scene.secure.users(root).set_user_active(active(false)).await.unwrap();
        let answer = make(&shop, "", &scene.acme, "no").await;
        refused(answer, Code::Unauthenticated, "TOKEN_REVOKED");
        scene.secure.users(root).set_user_active(active(true)).await.unwrap();
        make(&shop, "", &scene.acme, "second").await.unwrap();

        let suspend =
            pb::SuspendAccountRequest { account_id: account_id.clone(), ..Default::default() };
        scene.secure.accounts(root).suspend_account(suspend).await.unwrap();
        let answer = make(&shop, "", &scene.acme, "no").await;
        refused(answer, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
        let resume = pb::ResumeAccountRequest { account_id, ..Default::default() };
        scene.secure.accounts(root).resume_account(resume).await.unwrap();

        let less = pb::RemoveUserRoleRequest {
            user_id: user_id.clone(),
            role_type: "SUPER_USER".to_owned(),
            ..Default::default()
        };
        scene.secure.roles(root).remove_user_role(less).await.unwrap();
        let answer = make(&shop, "", &scene.acme, "no").await.unwrap_err();
        assert!(matches!(answer.code(), Code::PermissionDenied | Code::NotFound), "{answer:?}");
        let gone = pb::DeleteUserRequest { user_id, ..Default::default() };
        scene.secure.users(root).delete_user(gone).await.unwrap();
        let answer = make(&shop, "", &scene.acme, "no").await;
        refused(answer, Code::Unauthenticated, "TOKEN_REVOKED");
        scene.stop().await;
    }
}
