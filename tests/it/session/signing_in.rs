//! Opening a session with a password: one way in, and one answer to whoever does not get in.

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::support::{engines, refused};

const PASSWORD: &str = "a heron stands in the reeds";

/// V02: there is no other page than that of its own account.
#[tokio::test]
async fn who_knows_the_password_signs_in_at_its_own_account() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "Ann Ö", &["USER"]).await;
        service.password(&ann, PASSWORD).await;
        let alias = pb::UpdateAccountRequest {
            account: Some(pb::Account {
                account_id: acme.clone(),
                login_alias: Some("acme".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        service.accounts(&service.root).update_account(alias).await.unwrap();
        for (account, name) in [(&*acme, "Ann Ö"), ("acme", "ann o\u{308}"), ("ACME", " ANN Ö ")]
        {
            let reply = service.sign_in(account, name, PASSWORD).await.unwrap();
            assert_eq!(reply.account_display_name, "Acme");
            let session = reply.session.unwrap();
            assert_eq!((&session.user_id, &session.account_id), (&ann.user_id, &acme));
            assert_eq!(session.kind(), pb::SessionKind::Password);
            assert!(session.refresh_token.starts_with("chy_ref_"));
            called(&service, &ann.with(&session)).await.unwrap();
            service.refresh(&session.refresh_token).await.unwrap();
        }
        let listed = sessions_of(&service, &ann).await;
        assert_eq!((listed.len(), &*listed[0].source), (3, "127.0.0.1"));
        assert!(listed[0].user_agent.contains("tonic"), "{}", listed[0].user_agent);
        let hours = |session: &pb::Session| {
            let [from, to] = [session.create_time.unwrap(), session.expire_time.unwrap()];
            (to.seconds - from.seconds) / 3600
        };
        assert_eq!(hours(&listed[0]), 8);
        let request = pb::CreateSessionRequest {
            account: acme.clone(),
            user_name: "Ann Ö".to_owned(),
            password: PASSWORD.to_owned(),
            stay_logged_in: true,
        };
        let nobody = Person { token: String::new(), ..ann.clone() };
        let long = service.sessions(&nobody).create_session(request).await.unwrap().into_inner();
        assert_eq!(hours(&long.session.unwrap()), 14 * 24);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn who_names_no_account_signs_in_where_the_operator_says() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = service.root.clone();
        service.password(&root, PASSWORD).await;
        let nowhere = service.sign_in("", "admin", PASSWORD).await;
        refused(nowhere, Code::Unauthenticated, "SIGN_IN_FAILED");
        let account: &str = &root.account_id;
        let other = service.replica_with(&[("default_account", account)]).await;
        let session = other.sign_in("", "admin", PASSWORD).await.unwrap().session.unwrap();
        called(&other, &root.with(&session)).await.unwrap();
        other.stop().await;
        service.stop().await;
    }
}

/// A30: what people call an account is no name to sign in with.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is refused, case by case")]
async fn who_does_not_get_in_is_told_the_same_whatever_the_reason() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let stopped = service.tenant("Stopped").await;
        for name in ["right", "disabled", "deleted", "without"] {
            let person = service.person(&acme, name, &[]).await;
            if name != "without" {
                service.password(&person, PASSWORD).await;
            }
            let user_id = person.user_id.clone();
            if name == "disabled" {
                let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
                service.users(&service.root).set_user_active(off).await.unwrap();
            } else if name == "deleted" {
                let gone = pb::DeleteUserRequest { user_id, ..Default::default() };
                service.users(&service.root).delete_user(gone).await.unwrap();
            }
        }
        let robot = service.machine(&acme, "robot", &[]).await;
        service.password(&robot, PASSWORD).await;
        let sso = pb::CreateUserRequest {
            account_id: acme.clone(),
            sso: true,
            user: Some(pb::User {
                user_name: Some("sso".to_owned()),
                email: Some("sso@example.com".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let sso = service.users(&service.root).create_user(sso).await.unwrap().into_inner();
        let sso = Person { user_id: sso.user.unwrap().user_id, ..robot.clone() };
        service.password(&sso, PASSWORD).await;
        let late = service.person(&stopped, "late", &[]).await;
        service.password(&late, PASSWORD).await;
        let stop = pb::SuspendAccountRequest { account_id: stopped.clone(), ..Default::default() };
        service.accounts(&service.root).suspend_account(stop).await.unwrap();

        let mut answers = Vec::new();
        for (account, name, password) in [
            (&*acme, "right", "wrong"),
            (&acme, "right", ""),
            (&acme, "nobody", PASSWORD),
            (&acme, "disabled", PASSWORD),
            (&acme, "deleted", PASSWORD),
            (&acme, "without", PASSWORD),
            (&acme, "robot", PASSWORD),
            (&acme, "sso", PASSWORD),
            (&stopped, "late", PASSWORD),
            (&stopped, "right", PASSWORD),
            ("acc_01h455vb4pex5vsknk084sn02q", "right", PASSWORD),
            ("nowhere", "right", PASSWORD),
            // What people call an account names none.
            ("Acme", "right", PASSWORD),
            ("", "right", PASSWORD),
        ] {
            let answer = service.sign_in(account, name, password).await;
            if password.is_empty() {
                // That is no form of a request at all.
                refused(answer, Code::InvalidArgument, "INVALID_FIELD");
                continue;
            }
            let status = refused(answer, Code::Unauthenticated, "SIGN_IN_FAILED");
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
        service.sign_in(&acme, "right", PASSWORD).await.unwrap();
        service.stop().await;
    }
}

/// The old password was looked at, then came its end: what it opened is void.
#[tokio::test]
async fn what_began_before_all_sessions_were_ended_is_ended_too() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        service.password(&ann, PASSWORD).await;
        let one = service.sign_in(&acme, "ann", PASSWORD).await.unwrap().session.unwrap();
        service.sessions(&service.root).revoke_all_sessions(revoke_all(&ann)).await.unwrap();
        let dead = called(&service, &ann.with(&one)).await;
        refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
        // The clock has not moved, and yet who signs in now knows of it.
        let next = service.sign_in(&acme, "ann", PASSWORD).await.unwrap().session.unwrap();
        called(&service, &ann.with(&next)).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn when_too_many_sign_in_at_once_some_are_told_to_come_again() {
    for engine in engines() {
        let settings = [("passwords.hash_threads", "1"), ("passwords.queue", "1")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let names: Vec<String> = (0..40).map(|n| format!("nobody {n}")).collect();
        let tries = names.iter().map(|name| service.sign_in(&acme, name, PASSWORD));
        let answers = futures::future::join_all(tries).await;
        let full = answers
            .into_iter()
            .filter_map(Result::err)
            .find(|status| status.code() == Code::ResourceExhausted);
        let full = refused(full.map_or(Ok(()), Err), Code::ResourceExhausted, "LOGIN_QUEUE_FULL");
        assert!(full.get_error_details().retry_info().is_some());
        service.stop().await;
    }
}
