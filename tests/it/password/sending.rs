//! Links that an administrator sends.

use super::*;
use crate::support::engines;

fn to(user_id: &str) -> pb::SendPasswordResetRequest {
    pb::SendPasswordResetRequest { user_id: user_id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn an_administrator_sends_a_link_and_never_sees_it() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let request =
            pb::SendPasswordResetRequest { return_path: BACK.to_owned(), ..to(&ann.user_id) };
        let sent = service.sessions(&boss).send_password_reset(request).await.unwrap().into_inner();
        assert!(!sent.consistency_token.is_empty());
        let told = hook.next().await;
        assert_eq!((&told["kind"], &told["to"]), (&"reset".into(), &"ann@example.com".into()));
        assert!(told["link"].as_str().unwrap().ends_with("%2Fwelcome"));
        assert!(!format!("{sent:?}").contains(&token(&told)[8..20]));
        // What she has is good until she uses it.
        has(&service, &ann, GOOD, OTHER).await;
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_only_rehearsed_is_not_sent() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (ann, first) = invited(&service, &hook, &acme, "ann").await;
        let request = pb::SendPasswordResetRequest { validate_only: true, ..to(&ann.user_id) };
        let sessions = || service.sessions(&service.root);
        let told = sessions().send_password_reset(request).await.unwrap().into_inner();
        assert!(told.preview.is_some() && told.consistency_token.is_empty());
        let request_id = uuid::Uuid::new_v4().to_string();
        set(&service, &first, GOOD).await.unwrap();
        for _ in 0..2 {
            let request_id = request_id.clone();
            let request = pb::SendPasswordResetRequest { request_id, ..to(&ann.user_id) };
            sessions().send_password_reset(request).await.unwrap();
        }
        hook.next().await;
        invited(&service, &hook, &acme, "bob").await;
        assert!(hook.is_quiet().await, "what was asked for twice is sent once");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_link_is_sent_by_whoever_may_to_whoever_can_use_it() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let umbrella = service.tenant("Umbrella").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &[]).await;
        let (ann, _) = invited(&service, &hook, &acme, "ann").await;
        let (far, _) = invited(&service, &hook, &umbrella, "far").await;
        let send = |by: &Person, id: &str| {
            let mut sessions = service.sessions(by);
            let request = to(id);
            async move { sessions.send_password_reset(request).await }
        };
        refused(send(&boss, &far.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        refused(send(&user, &ann.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        refused(send(&user, &user.user_id).await, Code::PermissionDenied, "ACCESS_DENIED");
        let bad = pb::SendPasswordResetRequest {
            return_path: "https://evil.example".to_owned(),
            ..to(&ann.user_id)
        };
        let bad = service.sessions(&boss).send_password_reset(bad).await;
        refused(bad, Code::InvalidArgument, "INVALID_FIELD");
        let machine = service.machine(&acme, "machine", &[]).await;
        let told = send(&boss, &machine.user_id).await;
        refused(told, Code::InvalidArgument, "WRONG_USER_KIND");
        for (user, reason) in [
            (pb::User { email: None, ..somebody("mute") }, "NO_EMAIL"),
            (pb::User { sso: Some(true), ..somebody("elsewhere") }, "NO_LOCAL_PASSWORD"),
            (pb::User { enabled: Some(false), ..somebody("off") }, "USER_DISABLED"),
        ] {
            let user = made(&service, &acme, user).await;
            let told = send(&boss, &user.user_id).await;
            refused(told, Code::FailedPrecondition, reason);
        }
        let below = service.account(&acme, "Below").await;
        let (bob, _) = invited(&service, &hook, &below, "bob").await;
        let close = pb::CloseAccountRequest { account_id: below, ..Default::default() };
        service.accounts(&service.root).close_account(close).await.unwrap();
        let told = send(&service.root, &bob.user_id).await;
        refused(told, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        assert!(hook.is_quiet().await);
        service.stop().await;
    }
}

/// Whoever has the mail read, or the address changed before, would be the user (`edges.md` §2).
#[tokio::test]
async fn nobody_sends_a_link_to_a_user_who_holds_more() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let role = pb::Role {
            name: Some("helpdesk".to_owned()),
            permits: vec!["user.read".to_owned(), "user.reset_password".to_owned()],
            on: Some(pb::Relation::Account.into()),
            ..Default::default()
        };
        let request = pb::CreateRoleRequest {
            account_id: acme.clone(),
            role: Some(role),
            ..Default::default()
        };
        let made = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
        let helper = service.person(&acme, "helper", &[&made.role.unwrap().role]).await;
        let (ann, _) = invited(&service, &hook, &acme, "ann").await;
        let (boss, _) = invited(&service, &hook, &acme, "boss").await;
        let request = pb::AddUserRoleRequest {
            user_id: boss.user_id.clone(),
            role_type: "SUPER_USER".to_owned(),
            force: true,
            ..Default::default()
        };
        service.roles(&service.root).add_user_role(request).await.unwrap();
        let send = |id: &str| {
            let mut sessions = service.sessions(&helper);
            let request = to(id);
            async move { sessions.send_password_reset(request).await }
        };
        send(&ann.user_id).await.unwrap();
        assert_eq!(hook.next().await["to"], "ann@example.com");
        refused(send(&boss.user_id).await, Code::PermissionDenied, "ESCALATION");
        assert!(hook.is_quiet().await);
        service.stop().await;
    }
}
