//! Access tokens at every door: what is none, and what has ended, is told alike.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::KeyRing;
use tonic::Code;

use super::*;
use crate::support::{KEY, engines, refused};

#[tokio::test]
async fn what_is_signed_by_another_or_not_at_all_is_no_credential() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let token = &session.access_token;
        let parts: Vec<&str> = token.split('.').collect();
        let head = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let other = Service::start(&engine).await;
        let their = other.tenant("Acme").await;
        let their = other.person(&their, "ann", &[]).await;
        let foreign = other.session(&their).await.access_token;
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims = String::from_utf8(claims).unwrap();
        let boss = claims.replace(&ann.user_id, &service.root.user_id);
        for forged in [
            foreign.clone(),
            format!("{}.{}.", head(r#"{"alg":"none","typ":"at+jwt"}"#), parts[1]),
            format!("{}.{}.{}", parts[0], head(&boss), parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], foreign.split('.').next_back().unwrap()),
            format!("{token}x"),
            token[..token.len() - 1].to_owned(),
            "a.b.c".to_owned(),
            "..".to_owned(),
        ] {
            let by = Person { token: forged.clone(), ..ann.clone() };
            refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_INVALID");
            assert!(!is_valid(&service, &forged).await, "{forged}");
            assert!(!introspected(&service, &forged).await.active);
            let answer = decides(&service, &forged, "read", &ann).await;
            assert_eq!(answer.reason(), pb::Reason::TokenInvalid);
        }
        assert!(is_valid(&service, token).await);
        other.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_for_another_audience_or_of_another_issuer_is_none() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        for setting in [("tokens.audience", "another"), ("base_url", "https://another.example")] {
            let other = service.replica_with(&[setting]).await;
            let by = ann.with(&session);
            refused(called(&other, &by).await, Code::Unauthenticated, "TOKEN_INVALID");
            other.stop().await;
        }
        service.stop().await;
    }
}

/// A writer of the store plants nothing: no key that he has, and no refresh token that he knows.
#[tokio::test]
async fn what_is_planted_in_the_store_is_worth_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let root = service.store.world(service.root.account_id.parse().unwrap()).await.unwrap();
        let keys = root.signing_keys;
        assert_eq!(keys.len(), 1);
        let ring = KeyRing::from_base64(KEY).unwrap();
        assert_eq!(service.store.open_signing_keys(&keys, &ring).await.unwrap().len(), 1);
        // A key that was made to live on, or sealed under another master key, does not open.
        let mut later = keys.clone();
        later[0].activate_time += chrono::TimeDelta::seconds(1);
        assert_eq!(service.store.open_signing_keys(&later, &ring).await.unwrap().len(), 0);
        let theirs = KeyRing::from_base64("/////////////////////////////////////////v8=");
        let theirs = theirs.unwrap();
        assert_eq!(service.store.open_signing_keys(&keys, &theirs).await.unwrap().len(), 0);
        assert!(is_valid(&service, &session.access_token).await);
        service.stop().await;
    }
}

/// What the four who answer say of one credential: a call, and whoever validates it, introspects it or decides by it.
async fn doors(service: &Service, by: &Person, about: &Person) -> [bool; 4] {
    let answer = decides(service, &by.token, "read", about).await;
    [
        called(service, by).await.is_ok(),
        is_valid(service, &by.token).await,
        introspected(service, &by.token).await.active,
        answer.decision,
    ]
}

/// S3: whatever stops a user stops each kind of credential at each door, here and on another replica.
#[tokio::test]
async fn whatever_ends_a_credential_ends_it_at_every_door() {
    type Event = (&'static str, [bool; 3]);
    // For each: does the API token, the session, the assumed session go on?
    const EVENTS: [Event; 7] = [
        ("nothing", [true, true, true]),
        ("disable", [false, false, false]),
        ("delete", [false, false, false]),
        ("suspend", [false, false, false]),
        ("offboard", [false, false, false]),
        ("revoke all", [true, false, false]),
        ("token deleted", [false, true, true]),
    ];
    for engine in engines() {
        let service = Service::start(&engine).await;
        let replica = service.replica().await;
        for (event, goes_on) in EVENTS {
            let acme = service.tenant(event).await;
            let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
            let ann = service.person_under(&acme, Some(&boss), "ann", &["USER"]).await;
            let session = service.session(&ann).await;
            let (_, assumed) = assumed(&service, &boss, &ann).await;
            let credentials = [ann.clone(), ann.with(&session), assumed];
            for by in &credentials {
                assert_eq!(doors(&service, by, &ann).await, [true; 4], "{event}, before");
                assert_eq!(doors(&replica, by, &ann).await, [true; 4], "{event}, before, there");
            }
            happens(&service, event, &acme, &ann).await;
            for (by, goes_on) in credentials.iter().zip(goes_on) {
                assert_eq!(doors(&service, by, &ann).await, [goes_on; 4], "{event}");
                let began = std::time::Instant::now();
                while doors(&replica, by, &ann).await != [goes_on; 4] {
                    assert!(began.elapsed().as_secs() < 5, "{event}, there");
                }
            }
            let refresh = service.refresh(&session.refresh_token).await;
            assert_eq!(refresh.is_ok(), goes_on[1], "{event}, refresh");
        }
        replica.stop().await;
        service.stop().await;
    }
}

async fn happens(service: &Service, event: &str, account: &str, ann: &Person) {
    let (root, user_id) = (&service.root, ann.user_id.clone());
    match event {
        "disable" => {
            let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
            service.users(root).set_user_active(off).await.unwrap();
        }
        "delete" => {
            let gone = pb::DeleteUserRequest { user_id, ..Default::default() };
            service.users(root).delete_user(gone).await.unwrap();
        }
        "offboard" => {
            let off = pb::OffboardUserRequest { user_id, ..Default::default() };
            service.users(root).offboard_user(off).await.unwrap();
        }
        "suspend" => {
            let account_id = account.to_owned();
            let stop = pb::SuspendAccountRequest { account_id, ..Default::default() };
            service.accounts(root).suspend_account(stop).await.unwrap();
        }
        "revoke all" => {
            service.sessions(root).revoke_all_sessions(revoke_all(ann)).await.unwrap();
        }
        "token deleted" => {
            let token_id = ann.token_id.clone();
            let delete = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
            service.tokens(root).delete_api_token(delete).await.unwrap();
        }
        _ => {}
    }
}
