//! Signing in by an identity provider (`edges.md` §2, SSO).

mod faults;
mod issuer;
mod keys;
mod kinds;
mod linking;

use chancery::model::Revision;
use serde_json::{Value, json};
use tonic::Code;

use super::*;
use crate::support::{Engine, engines, refused};
use issuer::{CLIENT, Issuer, Key};

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// A service, a tenant with the login alias `acme`, and the issuer by which its users sign in.
struct House {
    service: Service,
    acme: String,
    issuer: Issuer,
    key: Key,
}

impl House {
    async fn start(engine: &Engine) -> Self {
        Self::that(engine, "").await
    }

    /// Starts one of whose issuer more is said in the settings.
    async fn that(engine: &Engine, more: &str) -> Self {
        let key = Key::es256("one");
        let issuer = Issuer::start(&[&key]).await;
        let issuers = issuer.that("acme", more);
        let settings = [("sso.issuers", &*issuers), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(engine, &settings).await;
        let acme = service.tenant("Acme").await;
        alias(&service, &acme, "acme").await;
        Self { service, acme, issuer, key }
    }

    /// Makes a user of Acme who is to sign in by the issuer.
    async fn sso(&self, name: &str, email: &str) -> Person {
        sso_user(&self.service, &self.acme, name, email).await
    }

    /// Signs in with what the issuer says.
    async fn opened(&self, claims: &Value) -> Result<pb::ExchangeTokenResponse, Status> {
        exchanged(&self.service, &self.key.sign(claims)).await
    }

    /// Signs in and returns whose session it is.
    async fn who(&self, claims: &Value) -> String {
        self.opened(claims).await.unwrap().user_id
    }

    async fn nobody(&self, claims: &Value) -> Status {
        refused(self.opened(claims).await, Code::Unauthenticated, "SIGN_IN_FAILED")
    }

    /// Tells how often an identity was linked.
    async fn links(&self) -> usize {
        let acme = self.acme.parse().unwrap();
        let all = self.service.store.entries(acme, Revision::default(), 1_000).await.unwrap();
        let links = all.iter().filter(|entry| entry.change.kind.name() == "user.link_identity");
        assert!(links.clone().all(|entry| entry.actor.is_none() && entry.source == "127.0.0.1"));
        links.count()
    }

    async fn end(self) {
        self.service.verify(&self.acme).await;
        self.service.stop().await;
    }
}

async fn alias(service: &Service, account: &str, alias: &str) {
    let account = pb::Account {
        account_id: account.to_owned(),
        login_alias: Some(alias.to_owned()),
        ..Default::default()
    };
    let request = pb::UpdateAccountRequest { account: Some(account), ..Default::default() };
    service.accounts(&service.root).update_account(request).await.unwrap();
}

async fn sso_user(service: &Service, account: &str, name: &str, email: &str) -> Person {
    let user = pb::User {
        user_name: Some(name.to_owned()),
        email: Some(email.to_owned()),
        ..Default::default()
    };
    let request = pb::CreateUserRequest {
        account_id: account.to_owned(),
        sso: true,
        user: Some(user),
        ..Default::default()
    };
    let made = service.users(&service.root).create_user(request).await.unwrap().into_inner();
    let (user_id, account_id) = (made.user.unwrap().user_id, account.to_owned());
    Person { user_id, account_id, token: String::new(), token_id: String::new() }
}

async fn exchanged(service: &Service, token: &str) -> Result<pb::ExchangeTokenResponse, Status> {
    let request = pb::ExchangeTokenRequest {
        subject_token: token.to_owned(),
        subject_token_type: ID_TOKEN.to_owned(),
    };
    let nobody = Person { token: String::new(), ..service.root.clone() };
    Ok(service.sessions(&nobody).exchange_token(request).await?.into_inner())
}

#[tokio::test]
async fn whom_the_issuer_knows_gets_a_session_like_any_other() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let service = &house.service;
        let ann = house.sso("ann", "Ann@Example.com").await;
        let said = house.issuer.claims("248289761001", "ann@example.COM");
        let reply = house.opened(&said).await.unwrap();
        let session = reply.session.unwrap();
        assert_eq!((&reply.user_id, &reply.account_id), (&ann.user_id, &house.acme));
        assert_eq!((&session.user_id, &session.account_id), (&ann.user_id, &house.acme));
        assert_eq!(reply.access_token, session.access_token);
        assert_eq!(reply.expire_time, session.access_token_expire_time);
        assert_eq!(session.kind(), pb::SessionKind::Sso);
        let [from, to] = [session.create_time.unwrap(), session.expire_time.unwrap()];
        assert_eq!((to.seconds - from.seconds) / 3600, 8);
        let by = ann.with(&session);
        called(service, &by).await.unwrap();
        let told = introspected(service, &session.access_token).await;
        assert!(told.active && told.kind() == pb::CredentialKind::Access);
        assert!(is_valid(service, &session.access_token).await);

        let next = service.refresh(&session.refresh_token).await.unwrap();
        let listed = sessions_of(service, &ann).await;
        assert_eq!((listed.len(), &*listed[0].source), (1, "127.0.0.1"));
        assert!(listed[0].user_agent.contains("tonic"), "{}", listed[0].user_agent);
        assert_eq!(listed[0].kind(), pb::SessionKind::Sso);
        service.sessions(&service.root).revoke_session(revoke(&session)).await.unwrap();
        let dead = called(service, &ann.with(&next)).await;
        refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
        let over = service.refresh(&next.refresh_token).await;
        refused(over, Code::Unauthenticated, "TOKEN_INVALID");

        // By the same person, later: a session, and no second link.
        let again = house.issuer.claims("248289761001", "ann@example.com");
        assert_eq!(house.who(&again).await, ann.user_id);
        assert_eq!(house.links().await, 1);
        house.end().await;
    }
}

#[tokio::test]
async fn each_way_to_sign_that_is_allowed_is_verified_and_no_other() {
    for engine in engines() {
        let keys = [Key::es256("e"), Key::ed_dsa("d"), Key::rs256("r")];
        let house = House::start(&engine).await;
        house.issuer.show(&[&keys[0], &keys[1], &keys[2]]);
        // What else is in the set spoils nothing.
        let mut set: Value = json!({ "keys": [
            { "kty": "oct", "kid": "shared", "k": "c2VjcmV0" }, { "kty": "EC", "crv": "P-521", "kid": "far" }, 7, {},
            { "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" },
        ] });
        for key in &keys {
            set["keys"].as_array_mut().unwrap().push(key.jwk());
        }
        let mut for_secrets = Key::ed_dsa("enc").jwk();
        for_secrets["use"] = json!("enc");
        set["keys"].as_array_mut().unwrap().push(for_secrets);
        house.issuer.answer("jwks", 200, &set.to_string());
        house.service.advance(10);
        let ann = house.sso("ann", "ann@example.com").await;
        let said = || house.issuer.claims("a", "ann@example.com");
        for key in &keys {
            let reply = exchanged(&house.service, &key.sign(&said())).await.unwrap();
            assert_eq!(reply.user_id, ann.user_id, "{}", key.alg());
        }
        let fixed = json!({ "keys": [keys[0].jwk(), keys[1].jwk(), keys[2].jwk()] }).to_string();
        let more = format!(", jwks = '{fixed}', algorithms = ['EdDSA']");
        let issuers = house.issuer.that("acme", &more);
        let strict = house.service.replica_with(&[("sso.issuers", &issuers)]).await;
        for key in &keys {
            let reply = exchanged(&strict, &key.sign(&said())).await;
            match key.alg() {
                "EdDSA" => drop(reply.unwrap()),
                _ => drop(refused(reply, Code::Unauthenticated, "TOKEN_INVALID")),
            }
        }
        strict.stop().await;
        house.end().await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of who does not get in, case by case")]
async fn who_does_not_get_in_is_told_the_same_whatever_the_reason() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let service = &house.service;
        let other = service.tenant("Other").await;
        let root = &service.root;
        for (name, sso) in [("disabled", true), ("deleted", true), ("local", true)] {
            let person = house.sso(name, &format!("{name}@example.com")).await;
            let user_id = person.user_id.clone();
            assert!(sso);
            match name {
                "disabled" => {
                    let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
                    service.users(root).set_user_active(off).await.unwrap();
                }
                "deleted" => {
                    let gone = pb::DeleteUserRequest { user_id, ..Default::default() };
                    service.users(root).delete_user(gone).await.unwrap();
                }
                _ => set_sso(service, &person, false).await,
            }
        }
        sso_user(service, &other, "elsewhere", "elsewhere@example.com").await;
        house.sso("ann", "ann@example.com").await;
        let claims = |email: &str| house.issuer.claims(&format!("of {email}"), email);
        let but = |name: &str, value: Value| {
            let mut claims = claims("ann@example.com");
            claims[name] = value;
            claims
        };
        let mut answers = Vec::new();
        for said in [
            claims("disabled@example.com"),
            claims("deleted@example.com"),
            claims("local@example.com"),
            claims("elsewhere@example.com"),
            claims("unknown@example.com"),
            but("email_verified", json!(false)),
            but("email_verified", json!("true")),
            but("email_verified", json!(null)),
            but("email_verified", json!(1)),
            but("email", json!(null)),
            but("email", json!(["ann@example.com"])),
            but("email", json!("")),
            but("email", json!(" ann@example.com")),
            but("email", json!("ann@example.com\n")),
            // Letters that look alike, or that a laxer folding takes for the same, are others.
            but("email", json!("\u{ff41}nn@example.com")),
            but("email", json!("ann@example.co\u{217f}")),
            but("email", json!("%@example.com")),
        ] {
            let status = house.nobody(&said).await;
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert_eq!(house.links().await, 0);
        let stop =
            pb::SuspendAccountRequest { account_id: house.acme.clone(), ..Default::default() };
        service.accounts(root).suspend_account(stop).await.unwrap();
        let status = house.nobody(&claims("ann@example.com")).await;
        answers.push((status.message().to_owned(), status.details().to_vec()));
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
        let go_on =
            pb::ResumeAccountRequest { account_id: house.acme.clone(), ..Default::default() };
        service.accounts(root).resume_account(go_on).await.unwrap();
        house.opened(&claims("ann@example.com")).await.unwrap();
        house.end().await;
    }
}

async fn set_sso(service: &Service, of: &Person, sso: bool) {
    let user = pb::User { user_id: of.user_id.clone(), sso: Some(sso), ..Default::default() };
    let request = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
    service.users(&service.root).update_user(request).await.unwrap();
}

async fn set_email(service: &Service, of: &Person, email: &str) {
    let user = pb::User {
        user_id: of.user_id.clone(),
        email: Some(email.to_owned()),
        ..Default::default()
    };
    let request = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
    service.users(&service.root).update_user(request).await.unwrap();
}

/// What an operator vouches for is taken from the claim that it names.
#[tokio::test]
async fn the_address_is_looked_for_where_the_operator_says() {
    for engine in engines() {
        let house = House::that(&engine, ", claim = 'upn'").await;
        let ann = house.sso("ann", "ann@example.com").await;
        let mut said = house.issuer.claims("a", "ann@example.com");
        house.nobody(&said).await;
        said["upn"] = json!("Ann@example.com");
        said["email_verified"] = json!(false);
        assert_eq!(house.who(&said).await, ann.user_id);
        house.end().await;
    }
}
