//! Invitations, and what is asked for by name.

use pb::session_service_client::SessionServiceClient;
use tonic::Request;
use tonic::transport::Channel;

use super::*;
use crate::support::engines;

#[tokio::test]
async fn an_invitation_says_what_is_needed_and_leads_to_the_configured_address() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let request = pb::CreateUserRequest {
            account_id: acme.clone(),
            user: Some(somebody("ann")),
            return_uri: BACK.to_owned(),
            ..Default::default()
        };
        let made = service.users(&service.root).create_user(request).await.unwrap().into_inner();
        let told = hook.next().await;
        assert_eq!(told["kind"], "invite");
        assert_eq!(told["to"], "ann@example.com");
        assert_eq!(told["user_id"], made.user.unwrap().user_id);
        assert_eq!(told["user_name"], "ann");
        assert_eq!(told["account_id"], acme);
        assert_eq!(told["account_name"], "Acme");
        let token = token(&told);
        let back = "https%3A%2F%2Fapp.example%2Fwelcome";
        let link = format!("https://id.example/reset-password#token={token}&return_uri={back}");
        assert_eq!(told["link"], link);
        service.stop().await;
    }
}

/// What a request says of hosts is not what links begin with.
#[tokio::test]
async fn a_link_leads_where_the_operator_says_whatever_a_request_says() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        invited(&service, &hook, &acme, "ann").await;
        let evil = "evil.example";
        let at = Channel::from_shared(format!("http://{}", service.grpc())).unwrap();
        let channel =
            at.origin(format!("https://{evil}").parse().unwrap()).connect().await.unwrap();
        let mut request = Request::new(pb::RequestPasswordResetRequest {
            account: acme.clone(),
            user_name: "ann".to_owned(),
            ..Default::default()
        });
        for name in ["host", "x-forwarded-host", "x-forwarded-server", "x-original-host", "origin"]
        {
            request.metadata_mut().insert(name, evil.parse().unwrap());
        }
        let forwarded = format!("host={evil};proto=https").parse().unwrap();
        request.metadata_mut().insert("forwarded", forwarded);
        SessionServiceClient::new(channel).request_password_reset(request).await.unwrap();
        let told = hook.next().await;
        let link = told["link"].as_str().unwrap();
        assert!(link.starts_with("https://id.example/reset-password#token="), "{link}");
        assert!(!link.contains(evil));
        service.stop().await;
    }
}

/// They are sent by whoever may, and are no credential that the sender holds (`edges.md` §5).
#[tokio::test]
async fn invitations_and_links_of_others_stop_no_grant() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = made(&service, &acme, somebody("ann")).await;
        let give = |role: &str| pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: role.to_owned(),
            ..Default::default()
        };
        // Both are the platform's doing, and both are out.
        hook.next().await;
        service.roles(&boss).add_user_role(give("USER")).await.unwrap();
        let link =
            pb::SendPasswordResetRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.sessions(&service.root).send_password_reset(link).await.unwrap();
        hook.next().await;
        service.roles(&boss).add_user_role(give("AUDITOR")).await.unwrap();
        service.mint(&ann.user_id, &["*"]).await;
        let given = service.roles(&boss).add_user_role(give("MANAGE_USERS")).await;
        refused(given, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        service.stop().await;
    }
}

#[tokio::test]
async fn nobody_is_invited_who_signs_in_otherwise_or_cannot_be_reached() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let machine = pb::User { kind: Some(pb::UserKind::Service.into()), ..somebody("machine") };
        for user in [
            machine,
            pb::User { email: None, ..somebody("quiet") },
            pb::User { sso: Some(true), ..somebody("elsewhere") },
            pb::User { enabled: Some(false), ..somebody("disabled") },
        ] {
            made(&service, &acme, user).await;
        }
        // Whatever was sent would have been sent before this.
        invited(&service, &hook, &acme, "ann").await;
        assert!(hook.is_quiet().await);
        service.stop().await;
    }
}

#[tokio::test]
async fn who_asks_for_a_link_is_told_nothing_and_only_who_is_there_gets_one() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let users = || service.users(&service.root);
        invited(&service, &hook, &acme, "ann").await;
        let user = pb::User { sso: Some(true), ..somebody("elsewhere") };
        made(&service, &acme, user).await;
        let off = made(&service, &acme, pb::User { enabled: Some(false), ..somebody("off") }).await;
        let gone = made(&service, &acme, pb::User { email: None, ..somebody("gone") }).await;
        let request = pb::DeleteUserRequest { user_id: gone.user_id, ..Default::default() };
        users().delete_user(request).await.unwrap();
        assert!(!off.enabled());
        let nowhere = "acc_01h455vb4pex5vsknk084sn02q";
        let names = ["nobody", "elsewhere", "off", "gone", "\u{7}", "ann"];
        for (account, name) in names.map(|name| (acme.as_str(), name)).into_iter().chain([
            (nowhere, "ann"),
            ("no-such-alias", "ann"),
            ("", "ann"),
        ]) {
            let request = pb::RequestPasswordResetRequest {
                account: account.to_owned(),
                user_name: name.to_owned(),
                return_path: BACK.to_owned(),
            };
            let answer = service.sessions(&nobody()).request_password_reset(request).await.unwrap();
            let keys: Vec<_> = answer.metadata().keys().map(|key| format!("{key:?}")).collect();
            assert!(!keys.iter().any(|key| key.contains("chancery")), "{keys:?}");
            assert_eq!(answer.into_inner(), pb::RequestPasswordResetResponse {});
        }
        let told = hook.next().await;
        assert_eq!((&told["kind"], &told["to"]), (&"reset".into(), &"ann@example.com".into()));
        assert!(hook.is_quiet().await);
        let request = pb::RequestPasswordResetRequest {
            account: acme,
            user_name: "ann".to_owned(),
            return_path: format!("{BACK}/"),
        };
        let told = service.sessions(&nobody()).request_password_reset(request).await;
        let told = refused(told, Code::InvalidArgument, "INVALID_FIELD");
        assert!(told.message().starts_with("return_path: "), "{}", told.message());
        service.stop().await;
    }
}

#[tokio::test]
async fn an_alias_and_the_default_account_lead_to_an_account_as_its_id_does() {
    for engine in engines() {
        let settings = [("default_account", "Acme.Phones")];
        let (service, hook) = start_with(&engine, &settings).await;
        let account = pb::Account {
            display_name: Some("Acme".to_owned()),
            login_alias: Some("acme.phones".to_owned()),
            ..Default::default()
        };
        let request = pb::CreateAccountRequest {
            parent_account_id: service.root.account_id.clone(),
            account: Some(account),
            ..Default::default()
        };
        let made = service.accounts(&service.root).create_account(request).await.unwrap();
        let acme = made.into_inner().account.unwrap().account_id;
        invited(&service, &hook, &acme, "ann").await;
        for named in [acme.as_str(), "ACME.phones", ""] {
            ask(&service, named, "ann").await.unwrap();
            assert_eq!(hook.next().await["to"], "ann@example.com");
        }
        service.stop().await;
    }
}

/// However it is written, a name is one name (P17), and in an hour it is sent three links.
#[tokio::test]
async fn all_spellings_of_a_name_are_sent_three_links_in_an_hour_together() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let email = Some("ann@example.com".to_owned());
        made(&service, &acme, pb::User { email, ..somebody("ännchen") }).await;
        hook.next().await;
        for name in ["Ännchen", " ännchen ", "a\u{308}nnchen"] {
            ask(&service, &acme, name).await.unwrap();
            assert_eq!(hook.next().await["user_name"], "ännchen");
        }
        // The fourth is sent, and the next one has to wait for a second: nobody is told.
        ask(&service, &acme, "ÄNNCHEN").await.unwrap();
        hook.next().await;
        ask(&service, &acme, "ännchen").await.unwrap();
        invited(&service, &hook, &acme, "bob").await;
        assert!(hook.is_quiet().await);
        service.advance(3601);
        ask(&service, &acme, "ännchen").await.unwrap();
        hook.next().await;
        service.stop().await;
    }
}
