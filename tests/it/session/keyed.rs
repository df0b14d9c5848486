//! Service users that sign for themselves (`model.md` §9). The key cases of `voximplant.yaml` are among them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::*;
use crate::support::{beginning, engines, refused};

pub(super) fn create(of: &Person) -> pb::CreateServiceKeyRequest {
    pb::CreateServiceKeyRequest { user_id: of.user_id.clone(), ..Default::default() }
}

/// A key that was made: its public side, and what signs.
pub(super) struct Made {
    pub(super) key: pb::ServiceKey,
    pair: EcdsaKeyPair,
}

pub(super) async fn made(
    service: &Service,
    by: &Person,
    request: pb::CreateServiceKeyRequest,
) -> Made {
    let made = service.tokens(by).create_service_key(request).await.unwrap().into_inner();
    let pem: String = made.secret.lines().filter(|line| !line.starts_with("---")).collect();
    let der = STANDARD.decode(pem).unwrap();
    let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_pkcs8(of, &der, &SystemRandom::new()).unwrap();
    Made { key: made.service_key.unwrap(), pair }
}

impl Made {
    pub(super) fn claims(&self, at: i64) -> Value {
        json!({
            "iss": self.key.user_id, "sub": self.key.user_id, "aud": "http://localhost",
            "iat": at, "exp": at + 3600, "jti": uuid::Uuid::new_v4().to_string(),
        })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.key.key_id }), claims)
    }

    pub(super) fn sign_as(&self, head: &Value, claims: &Value) -> String {
        let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let said = format!("{head}.{claims}");
        let signed = self.pair.sign(&SystemRandom::new(), said.as_bytes()).unwrap();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signed.as_ref()))
    }
}

pub(super) async fn exchanged(
    service: &Service,
    assertion: &str,
) -> Result<pb::ExchangeTokenResponse, Status> {
    let request =
        pb::ExchangeTokenRequest { subject_token: assertion.to_owned(), ..Default::default() };
    let nobody = Person { token: String::new(), ..service.root.clone() };
    Ok(service.sessions(&nobody).exchange_token(request).await?.into_inner())
}

#[tokio::test]
async fn a_machine_signs_for_itself_and_gets_what_its_key_may() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let robot = service.machine(&acme, "robot", &["SUPER_USER"]).await;
        let request =
            pb::CreateServiceKeyRequest { scopes: vec!["user.read".to_owned()], ..create(&robot) };
        let key = made(&service, &boss, request).await;
        assert_eq!((&*key.key.algorithm, &key.key.user_id), ("ES256", &robot.user_id));
        let at = beginning().timestamp();
        let reply = exchanged(&service, &key.sign(&key.claims(at))).await.unwrap();
        assert_eq!((&reply.user_id, &reply.account_id), (&robot.user_id, &acme));
        let by = Person { token: reply.access_token.clone(), ..robot.clone() };
        let get = pb::GetUserRequest { user_id: boss.user_id.clone() };
        service.users(&by).get_user(get.clone()).await.unwrap();
        let rename = pb::UpdateUserRequest {
            user: Some(pb::User {
                user_id: boss.user_id.clone(),
                first_name: Some("B".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let more = service.users(&by).update_user(rename).await;
        refused(more, Code::PermissionDenied, "ACCESS_DENIED");
        let told = introspected(&service, &reply.access_token).await;
        assert!(told.active && told.kind() == pb::CredentialKind::Access);
        assert_eq!(told.expire_time.unwrap().seconds, at + 300);
        assert!(decides(&service, &reply.access_token, "read", &boss).await.decision);
        assert!(!decides(&service, &reply.access_token, "update", &boss).await.decision);
        service.advance(300);
        let late = service.users(&by).get_user(get).await;
        refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        service.verify(&acme).await;
        service.stop().await;
    }
}

/// Whoever made the key may have kept it.
#[tokio::test]
async fn what_is_made_with_a_key_is_known_to_whoever_made_the_key() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let ended =
            pb::DeleteApiTokenRequest { token_id: robot.token_id.clone(), ..Default::default() };
        service.tokens(&service.root).delete_api_token(ended).await.unwrap();
        let request =
            pb::CreateServiceKeyRequest { scopes: vec!["*".to_owned()], ..create(&robot) };
        let key = made(&service, &boss, request).await;
        let reply = exchanged(&service, &key.sign(&key.claims(beginning().timestamp()))).await;
        let by = Person { token: reply.unwrap().access_token, ..robot.clone() };
        let request =
            pb::CreateApiTokenRequest { scopes: vec!["*".to_owned()], ..Default::default() };
        let token = service.tokens(&by).create_api_token(request).await.unwrap().into_inner();
        let token = token.api_token.unwrap();
        assert_eq!(token.created_by, robot.user_id);
        let stop = pb::SetUserActiveRequest {
            user_id: robot.user_id.clone(),
            validate_only: true,
            ..Default::default()
        };
        let told = service.users(&boss).set_user_active(stop).await.unwrap().into_inner();
        let mut ending = told.preview.unwrap().tokens_ending;
        ending.sort_unstable();
        assert_eq!(ending, [&key.key.key_id, &token.token_id].map(String::clone));
        let give = pb::AddUserRoleRequest {
            user_id: robot.user_id.clone(),
            role_type: "AUDITOR".to_owned(),
            ..Default::default()
        };
        let given = service.roles(&service.root).add_user_role(give.clone()).await;
        let told = refused(given, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        assert!(told.message().contains(&key.key.key_id), "{}", told.message());
        let ended =
            pb::DeleteServiceKeyRequest { key_id: key.key.key_id.clone(), ..Default::default() };
        service.tokens(&boss).delete_service_key(ended).await.unwrap();
        let given = service.roles(&service.root).add_user_role(give.clone()).await;
        let told = refused(given, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        assert!(told.message().contains(&token.token_id), "{}", told.message());
        service.roles(&boss).add_user_role(give).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

/// V25: here one code says that an assertion is none, and the log why.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is refused, case by case")]
async fn an_assertion_counts_once_for_an_hour_at_most_and_to_whom_it_is_made() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let other = service.machine(&acme, "other", &[]).await;
        let key = made(&service, &service.root, create(&robot)).await;
        let theirs = made(&service, &service.root, create(&other)).await;
        let at = beginning().timestamp();
        let good = key.claims(at);
        let replica = service.replica().await;
        exchanged(&replica, &key.sign(&good)).await.unwrap();
        let again = exchanged(&service, &key.sign(&good)).await;
        refused(again, Code::Unauthenticated, "TOKEN_INVALID");

        for (name, value) in [
            ("aud", json!("https://another.example")),
            ("aud", json!(["http://localhost"])),
            ("exp", json!(at + 3601)),
            ("exp", json!(at)),
            ("exp", json!("1800000000")),
            ("exp", json!(f64::from(u32::try_from(at).unwrap()) + 0.5)),
            ("iat", json!(at + 61)),
            ("iat", json!(i64::MIN)),
            ("sub", json!(other.user_id)),
            ("iss", json!(other.user_id)),
            ("iss", json!("somebody")),
            ("jti", json!("")),
            ("jti", json!(null)),
        ] {
            let mut claims = key.claims(at);
            claims[name] = value.clone();
            let bad = exchanged(&service, &key.sign(&claims)).await;
            let bad = refused(bad, Code::Unauthenticated, "TOKEN_INVALID");
            assert!(!bad.message().is_empty(), "{name} = {value}");
        }
        let claims = key.claims(at);
        let kid = &key.key.key_id;
        for head in [
            json!({ "alg": "none", "kid": kid }),
            json!({ "alg": "HS256", "kid": kid }),
            json!({ "alg": "EdDSA", "kid": kid }),
            json!({ "alg": "ES256", "kid": theirs.key.key_id }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "ES256", "kid": "key_01h455vb4pex5vsknk084sn02q" }),
            json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }),
            json!({ "alg": "ES256", "kid": kid, "crit": ["b64"] }),
        ] {
            let bad = exchanged(&service, &key.sign_as(&head, &claims)).await;
            refused(bad, Code::Unauthenticated, "TOKEN_INVALID");
        }
        let bearer = Person { token: key.sign(&claims), ..robot.clone() };
        refused(called(&service, &bearer).await, Code::Unauthenticated, "TOKEN_INVALID");
        // A minute of difference between clocks is nobody's fault.
        exchanged(&service, &key.sign(&key.claims(at + 60))).await.unwrap();
        service.advance(3659);
        exchanged(&service, &key.sign(&claims)).await.unwrap();
        service.advance(1);
        let late = exchanged(&service, &key.sign(&key.claims(at))).await;
        refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        let request = pb::ExchangeTokenRequest {
            subject_token: "x".to_owned(),
            subject_token_type: "urn:example:nothing".to_owned(),
        };
        let unknown = service.sessions(&robot).exchange_token(request).await;
        refused(unknown, Code::InvalidArgument, "INVALID_FIELD");
        replica.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_key_that_is_ended_ends_what_came_of_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let reader = service.person(&acme, "reader", &["core/AUDITOR"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let key = made(&service, &boss, create(&robot)).await;
        let at = beginning().timestamp();
        let reply = exchanged(&service, &key.sign(&key.claims(at))).await.unwrap();
        let by = Person { token: reply.access_token, ..robot.clone() };
        called(&service, &by).await.unwrap();
        let delete =
            pb::DeleteServiceKeyRequest { key_id: key.key.key_id.clone(), ..Default::default() };
        let unseen = service.tokens(&plain).delete_service_key(delete.clone()).await;
        refused(unseen, Code::NotFound, "SERVICE_KEY_NOT_FOUND");
        let may_not = service.tokens(&reader).delete_service_key(delete.clone()).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");
        let as_token = pb::DeleteApiTokenRequest {
            token_id: key.key.key_id.replace("key_", "tok_"),
            ..Default::default()
        };
        let no_token = service.tokens(&boss).delete_api_token(as_token).await;
        refused(no_token, Code::NotFound, "TOKEN_NOT_FOUND");
        service.tokens(&boss).delete_service_key(delete).await.unwrap();
        refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_REVOKED");
        assert!(!is_valid(&service, &by.token).await);
        let gone = exchanged(&service, &key.sign(&key.claims(at))).await;
        refused(gone, Code::Unauthenticated, "TOKEN_INVALID");

        // A user who is disabled signs for nothing.
        let key = made(&service, &boss, create(&robot)).await;
        let off = pb::SetUserActiveRequest { user_id: robot.user_id.clone(), ..Default::default() };
        service.users(&boss).set_user_active(off).await.unwrap();
        let gone = exchanged(&service, &key.sign(&key.claims(at))).await;
        refused(gone, Code::Unauthenticated, "TOKEN_REVOKED");
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is refused, case by case")]
async fn keys_are_made_for_machines_within_what_their_maker_may() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let robot = service.machine(&acme, "robot", &["USER"]).await;
        let tokens = || service.tokens(&boss);
        let person = tokens().create_service_key(create(&plain)).await;
        refused(person, Code::InvalidArgument, "WRONG_USER_KIND");
        let unseen = service.tokens(&plain).create_service_key(create(&robot)).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");
        let scoped = |scope: &str| pb::CreateServiceKeyRequest {
            scopes: vec![scope.to_owned()],
            ..create(&robot)
        };
        let typo = tokens().create_service_key(scoped("user.raed")).await;
        refused(typo, Code::InvalidArgument, "UNKNOWN_PERMISSION");
        let unknown = tokens().create_service_key(scoped("role:SUPER_USER")).await;
        refused(unknown, Code::InvalidArgument, "UNKNOWN_ROLE");
        let (_, narrow) = service.mint(&boss.user_id, &["user.read"]).await;
        let narrow = Person { token: narrow, ..boss.clone() };
        let unnamed = service.tokens(&narrow).create_service_key(create(&robot)).await;
        refused(unnamed, Code::PermissionDenied, "ACCESS_DENIED");
        let wide = ["service_key.create", "user.read"];
        let (_, maker) = service.mint(&boss.user_id, &wide).await;
        let maker = Person { token: maker, ..boss.clone() };
        let more = service.tokens(&maker).create_service_key(scoped("user.update")).await;
        refused(more, Code::PermissionDenied, "ESCALATION");
        let named =
            || pb::CreateServiceKeyRequest { display_name: "ci".to_owned(), ..create(&robot) };
        for _ in 0..2 {
            tokens().create_service_key(named()).await.unwrap();
        }
        let third = tokens().create_service_key(named()).await;
        refused(third, Code::FailedPrecondition, "TOKEN_LIMIT");

        let mine = pb::ListServiceKeysRequest {
            user_id: robot.user_id.clone(),
            page_size: 1,
            ..Default::default()
        };
        let page = tokens().list_service_keys(mine.clone()).await.unwrap().into_inner();
        assert_eq!(page.service_keys.len(), 1);
        assert!(page.service_keys[0].public_key_pem.starts_with("-----BEGIN PUBLIC KEY-----"));
        let next = pb::ListServiceKeysRequest { page_token: page.next_page_token, ..mine.clone() };
        let rest = tokens().list_service_keys(next.clone()).await.unwrap().into_inner();
        assert_eq!((rest.service_keys.len(), &*rest.next_page_token), (1, ""));
        let others = service.tokens(&service.root).list_service_keys(next).await;
        refused(others, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        let unseen = service.tokens(&plain).list_service_keys(mine.clone()).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");
        let may_not = service.tokens(&narrow).list_service_keys(mine).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");
        let listed =
            pb::ListApiTokensRequest { user_id: robot.user_id.clone(), ..Default::default() };
        let listed = tokens().list_api_tokens(listed).await.unwrap().into_inner();
        assert_eq!(listed.api_tokens.len(), 1, "a key is no token");
        let bad = pb::CreateServiceKeyRequest {
            public_key_pem: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
                .to_owned(),
            ..create(&robot)
        };
        refused(tokens().create_service_key(bad).await, Code::InvalidArgument, "INVALID_FIELD");

        // One that was made elsewhere.
        let first = made(&service, &boss, create(&robot)).await;
        let own = pb::CreateServiceKeyRequest {
            public_key_pem: first.key.public_key_pem.clone(),
            ..create(&robot)
        };
        let registered = tokens().create_service_key(own).await.unwrap().into_inner();
        assert_eq!(registered.secret, "");
        let second = Made { key: registered.service_key.unwrap(), pair: first.pair };
        let claims = second.claims(beginning().timestamp());
        exchanged(&service, &second.sign(&claims)).await.unwrap();

        let close = pb::CloseAccountRequest { account_id: acme.clone(), ..Default::default() };
        service.accounts(&service.root).close_account(close).await.unwrap();
        let closed = service.tokens(&service.root).create_service_key(create(&robot)).await;
        refused(closed, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        service.verify(&acme).await;
        service.stop().await;
    }
}
