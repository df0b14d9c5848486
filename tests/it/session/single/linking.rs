//! Who somebody is at the issuer: kept once, and changed by nothing but an end.

use super::*;
use crate::support::{beginning, said};

#[tokio::test]
async fn who_is_known_stays_so_whatever_becomes_of_address_and_name() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let ann = house.sso("ann", "ann@example.com").await;
        assert_eq!(house.who(&house.issuer.claims("a", "ann@example.com")).await, ann.user_id);
        // Somebody else gets the address at the issuer, and nothing of hers here.
        house.nobody(&house.issuer.claims("b", "ann@example.com")).await;
        // And she another one, there or here.
        assert_eq!(house.who(&house.issuer.claims("a", "ann@example.org")).await, ann.user_id);
        let mut without = house.issuer.claims("a", "");
        without.as_object_mut().unwrap().remove("email");
        assert_eq!(house.who(&without).await, ann.user_id);
        set_email(&house.service, &ann, "anna@example.com").await;
        assert_eq!(house.who(&house.issuer.claims("a", "ann@example.com")).await, ann.user_id);
        house.nobody(&house.issuer.claims("c", "anna@example.com")).await;
        // Whoever has her old address here now is not her, and waits for somebody else.
        let bob = house.sso("bob", "ann@example.com").await;
        assert_eq!(house.who(&house.issuer.claims("a", "ann@example.com")).await, ann.user_id);
        assert_eq!(house.who(&house.issuer.claims("b", "ann@example.com")).await, bob.user_id);
        // What the issuer calls somebody is held to the letter.
        house.nobody(&house.issuer.claims("A", "x@example.com")).await;
        house.nobody(&house.issuer.claims(" a", "x@example.com")).await;
        assert_eq!(house.links().await, 2);
        house.end().await;
    }
}

#[tokio::test]
async fn who_goes_or_signs_in_otherwise_leaves_nothing_of_it() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let (service, root) = (&house.service, &house.service.root);
        let ann = house.sso("ann", "ann@example.com").await;
        let said = || house.issuer.claims("a", "ann@example.com");
        assert_eq!(house.who(&said()).await, ann.user_id);
        let user_id = ann.user_id.clone();
        let gone = pb::DeleteUserRequest { user_id: user_id.clone(), ..Default::default() };
        service.users(root).delete_user(gone).await.unwrap();
        house.nobody(&said()).await;
        // Another takes the place: the same person, as a user of another name.
        let second = house.sso("ann2", "ann@example.com").await;
        assert_eq!(house.who(&said()).await, second.user_id);
        // The first comes back once its address is nobody else's, and without what it was known by.
        let back = pb::UndeleteUserRequest { user_id, ..Default::default() };
        let taken = service.users(root).undelete_user(back.clone()).await;
        refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
        set_email(service, &second, "second@example.com").await;
        service.users(root).undelete_user(back).await.unwrap();
        assert_eq!(house.who(&said()).await, second.user_id);

        // Of who signs in with a password again nothing is known, and sessions that were opened so are over, for ever.
        let session = house.opened(&said()).await.unwrap().session.unwrap();
        set_sso(service, &second, false).await;
        house.nobody(&said()).await;
        let over = called(service, &second.with(&session)).await;
        refused(over, Code::Unauthenticated, "TOKEN_REVOKED");
        set_sso(service, &second, true).await;
        let over = service.refresh(&session.refresh_token).await;
        refused(over, Code::Unauthenticated, "TOKEN_INVALID");
        service.advance(5);
        let said = || {
            let mut later = said();
            later["iat"] = json!(beginning().timestamp() + 5);
            later
        };
        set_email(service, &ann, "first@example.com").await;
        set_email(service, &second, "ann@example.com").await;
        assert_eq!(house.who(&said()).await, second.user_id);
        assert_eq!(house.links().await, 3);
        house.end().await;
    }
}

/// Who writes somebody's address beside another user neither keeps that one out nor gets that one's sign-in.
#[tokio::test]
async fn an_address_is_of_one_user_who_signs_in_so() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let service = &house.service;
        let ann = house.sso("ann", "ann@example.com").await;
        let eve = house.sso("eve", "eve@example.com").await;
        let taken = |name: &str, user_id: &str, sso: Option<bool>| pb::User {
            user_name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            user_id: user_id.to_owned(),
            email: Some("ANN@example.com".to_owned()).filter(|_| sso.is_none()),
            sso,
            ..Default::default()
        };
        let update = async |user: pb::User| {
            let request = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
            service.users(&service.root).update_user(request).await
        };
        let create = async |name: &str, sso: bool, dry: bool| {
            let request = pb::CreateUserRequest {
                account_id: house.acme.clone(),
                sso,
                user: Some(taken(name, "", None)),
                validate_only: dry,
                ..Default::default()
            };
            service.users(&service.root).create_user(request).await
        };
        for dry in [true, false] {
            let made = create("ann2", true, dry).await;
            refused(made, Code::AlreadyExists, "EMAIL_TAKEN");
        }
        refused(update(taken("", &eve.user_id, None)).await, Code::AlreadyExists, "EMAIL_TAKEN");
        // Who signs in with a password may have the same, until it is to sign in so.
        let local = create("local", false, false).await.unwrap().into_inner().user.unwrap();
        let late = update(taken("", &local.user_id, Some(true))).await;
        refused(late, Code::AlreadyExists, "EMAIL_TAKEN");
        // So too once she is known, and with her own address nothing is wrong.
        let said = house.issuer.claims("a", "ann@example.com");
        assert_eq!(house.who(&said).await, ann.user_id);
        refused(update(taken("", &eve.user_id, None)).await, Code::AlreadyExists, "EMAIL_TAKEN");
        update(taken("", &ann.user_id, None)).await.unwrap();
        house.end().await;
    }
}

/// A session at the issuer that is older than the end of all here, on a stolen device for one, opens none.
#[tokio::test]
async fn a_sign_in_is_as_old_as_the_issuer_says_it_is() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let (service, root) = (&house.service, &house.service.root);
        let ann = house.sso("ann", "ann@example.com").await;
        let give = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "SUPER_USER".to_owned(),
            ..Default::default()
        };
        service.roles(root).add_user_role(give).await.unwrap();
        let at = beginning().timestamp();
        let said = |iat: i64, auth_time: Value| {
            let mut claims = house.issuer.claims("a", "ann@example.com");
            claims["iat"] = json!(iat);
            claims["auth_time"] = auth_time;
            claims
        };
        let mint =
            || pb::CreateApiTokenRequest { user_id: ann.user_id.clone(), ..Default::default() };
        // Long ago: a session, and none that makes tokens.
        let old = house.opened(&said(at, json!(at - 601))).await.unwrap().session.unwrap();
        called(service, &ann.with(&old)).await.unwrap();
        let late = service.tokens(&ann.with(&old)).create_api_token(mint()).await;
        refused(late, Code::PermissionDenied, "ACCESS_DENIED");
        for recent in [json!(at - 300), json!(at + 30), json!(null)] {
            let session = house.opened(&said(at, recent)).await.unwrap().session.unwrap();
            service.tokens(&ann.with(&session)).create_api_token(mint()).await.unwrap();
        }
        for none in [json!("yesterday"), json!(-1), json!(0.5), json!([at])] {
            let bad = house.opened(&said(at, none)).await;
            refused(bad, Code::Unauthenticated, "TOKEN_INVALID");
        }
        service.advance(60);
        service.sessions(root).revoke_all_sessions(revoke_all(&ann)).await.unwrap();
        service.advance(60);
        house.nobody(&said(at + 120, json!(at))).await;
        house.nobody(&said(at + 120, json!(at + 60))).await;
        house.opened(&said(at + 120, json!(at + 61))).await.unwrap();
        house.end().await;
    }
}

/// A password opened it: it is not gone on with by one who has to prove at the issuer who it is.
#[tokio::test]
async fn a_session_goes_on_only_while_its_user_may_sign_in_as_it_did() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let service = &house.service;
        let ann = service.person(&house.acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        set_sso(service, &ann, true).await;
        let over = called(service, &ann.with(&session)).await;
        refused(over, Code::Unauthenticated, "TOKEN_REVOKED");
        set_sso(service, &ann, false).await;
        let over = service.refresh(&session.refresh_token).await;
        refused(over, Code::Unauthenticated, "TOKEN_INVALID");
        house.end().await;
    }
}

#[tokio::test]
async fn of_many_first_times_at_once_one_is_the_first() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let other = house.service.replica().await;
        let ann = house.sso("ann", "ann@example.com").await;
        // Half of them say that they are somebody else with her address.
        let tokens: Vec<String> = (0..12)
            .map(|n| house.key.sign(&house.issuer.claims(["a", "b"][n / 2 % 2], "ann@example.com")))
            .collect();
        let tries = tokens
            .iter()
            .enumerate()
            .map(|(n, token)| exchanged(if n % 2 == 0 { &house.service } else { &other }, token));
        let answers = futures::future::join_all(tries).await;
        let (in_, out): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((in_.len(), out.len()), (6, 6));
        assert!(in_.into_iter().all(|one| one.unwrap().user_id == ann.user_id));
        for status in out.into_iter().filter_map(Result::err) {
            assert_eq!(said(&status), (Code::Unauthenticated, "SIGN_IN_FAILED".to_owned()));
        }
        assert_eq!(house.links().await, 1);
        other.stop().await;
        house.end().await;
    }
}

/// Of what ends a user's sessions nothing is left in a token that the issuer had signed by then.
#[tokio::test]
async fn what_was_signed_before_all_sessions_ended_opens_none() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let (service, root) = (&house.service, &house.service.root);
        let ann = house.sso("ann", "ann@example.com").await;
        let signed = |at: i64| {
            let mut claims = house.issuer.claims("a", "ann@example.com");
            claims["iat"] = json!(at);
            claims
        };
        let at = beginning().timestamp();
        service.advance(60);
        house.nobody_yet(&ann, &signed(at)).await;
        let first = house.opened(&signed(at + 60)).await.unwrap().session.unwrap();
        service.advance(60);
        service.sessions(root).revoke_all_sessions(revoke_all(&ann)).await.unwrap();
        let dead = called(service, &ann.with(&first)).await;
        refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
        house.nobody(&signed(at + 60)).await;
        house.nobody(&signed(at + 120)).await;
        // The issuer's clock may be ahead of ours: what is signed later, or says so, is not from before.
        let next = house.opened(&signed(at + 121)).await;
        drop(refused(next, Code::Unauthenticated, "SIGN_IN_FAILED"));
        service.advance(1);
        house.opened(&signed(at + 121)).await.unwrap();

        let user_id = ann.user_id.clone();
        let off = pb::SetUserActiveRequest { user_id: user_id.clone(), ..Default::default() };
        service.advance(60);
        service.users(root).set_user_active(off).await.unwrap();
        house.nobody(&signed(at + 181)).await;
        let on = pb::SetUserActiveRequest { user_id, is_active: true, ..Default::default() };
        service.users(root).set_user_active(on).await.unwrap();
        house.nobody(&signed(at + 181)).await;
        service.advance(1);
        house.opened(&signed(at + 182)).await.unwrap();
        house.end().await;
    }
}

impl House {
    /// Ends the sessions of a user who has none yet: not even the first comes of what was signed before that.
    async fn nobody_yet(&self, of: &Person, claims: &Value) {
        let sessions = &mut self.service.sessions(&self.service.root);
        self.service.advance(-30);
        sessions.revoke_all_sessions(revoke_all(of)).await.unwrap();
        self.service.advance(30);
        self.nobody(claims).await;
        assert_eq!(self.links().await, 0);
    }
}

/// Making a token takes a recent sign-in (`edges.md` §2), and what the issuer has signed is as old as it is.
#[tokio::test]
async fn a_sign_in_is_as_recent_as_what_the_issuer_has_signed() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let service = &house.service;
        let ann = house.sso("ann", "ann@example.com").await;
        let give = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "SUPER_USER".to_owned(),
            ..Default::default()
        };
        service.roles(&service.root).add_user_role(give).await.unwrap();
        service.advance(540);
        let said = house.issuer.claims("a", "ann@example.com");
        let session = house.opened(&said).await.unwrap().session.unwrap();
        let by = ann.with(&session);
        let mint =
            || pb::CreateApiTokenRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.tokens(&by).create_api_token(mint()).await.unwrap();
        service.advance(61);
        let late = service.tokens(&by).create_api_token(mint()).await;
        refused(late, Code::PermissionDenied, "ACCESS_DENIED");
        house.end().await;
    }
}

#[tokio::test]
async fn an_issuer_is_one_accounts_by_id_or_alias() {
    for engine in engines() {
        let house = House::start(&engine).await;
        let other = house.service.tenant("Other").await;
        let there = sso_user(&house.service, &other, "ann", "ann@example.com").await;
        let here = house.sso("ann", "ann@example.com").await;
        let said = || house.key.sign(&house.issuer.claims("a", "ann@example.com"));
        let by_id = house.service.replica_with(&[("sso.issuers", &house.issuer.of(&other))]).await;
        assert_eq!(exchanged(&by_id, &said()).await.unwrap().user_id, there.user_id);
        assert_eq!(exchanged(&house.service, &said()).await.unwrap().user_id, here.user_id);
        let nowhere =
            house.service.replica_with(&[("sso.issuers", &house.issuer.of("nowhere"))]).await;
        let nobody = exchanged(&nowhere, &said()).await;
        refused(nobody, Code::Unauthenticated, "SIGN_IN_FAILED");
        by_id.stop().await;
        nowhere.stop().await;
        house.service.verify(&other).await;
        house.end().await;
    }
}

/// Addresses that were there before it was known how to find them are found.
#[tokio::test]
async fn who_was_there_before_is_found_by_the_address_as_well() {
    use sea_orm_migration::MigratorTrait as _;
    for engine in engines() {
        let house = House::start(&engine).await;
        let ann = house.sso("ann", "Ann@Example.COM").await;
        let db = sea_orm::Database::connect(&house.service.url).await.unwrap();
        // Down to before `m0009_identities`.
        migrations::Migrator::down(&db, Some(2)).await.unwrap();
        migrations::Migrator::up(&db, None).await.unwrap();
        db.close().await.unwrap();
        let later = house.service.replica().await;
        let said = house.key.sign(&house.issuer.claims("a", "ann@example.com"));
        assert_eq!(exchanged(&later, &said).await.unwrap().user_id, ann.user_id);
        later.stop().await;
        house.end().await;
    }
}
