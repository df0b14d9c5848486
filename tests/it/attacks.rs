//! Ways that were tried to come by more than one holds, or to see more than one may. Each was open once.

use chancery::proto::v1 as pb;
use pb::Reason;
use tonic::Code;

use crate::support::{Person, Service, ask, engines, refused};

fn give(to: &Person, role: &str, scope: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest {
        user_id: to.user_id.clone(),
        role_type: role.to_owned(),
        scope: scope.to_owned(),
        force: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn nothing_is_planted_under_a_suppression() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let clerk = service.person_under(&acme, Some(&boss), "clerk", &["ONBOARDING"]).await;
        let victim = service.person_under(&acme, Some(&boss), "victim", &["USER"]).await;
        service.roles(&boss).add_user_role(give(&victim, "NO_ACCESS", "")).await.unwrap();
        let planted = service.roles(&clerk).add_user_role(give(&victim, "SUPER_USER", "")).await;
        refused(planted, Code::PermissionDenied, "ESCALATION");

        let user = pb::User {
            user_name: Some("planted".to_owned()),
            roles: vec!["NO_ACCESS".to_owned(), "SUPER_USER".to_owned()],
            ..Default::default()
        };
        let manager = service.person_under(&acme, Some(&boss), "m", &["MANAGE_USERS"]).await;
        let request = pb::CreateUserRequest { user: Some(user), ..Default::default() };
        let planted = service.users(&manager).create_user(request).await;
        refused(planted, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn a_suppressed_user_is_no_easier_to_take_over() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let manager = service.person(&acme, "m", &["MANAGE_USERS"]).await;
        let strong = service.person_under(&acme, Some(&manager), "s", &["ONBOARDING"]).await;
        let update = || pb::UpdateUserRequest {
            user: Some(pb::User {
                user_id: strong.user_id.clone(),
                email: Some("evil@example.com".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let taken = service.users(&manager).update_user(update()).await;
        refused(taken, Code::PermissionDenied, "ESCALATION");
        service.roles(&manager).add_user_role(give(&strong, "NO_ACCESS", "")).await.unwrap();
        let taken = service.users(&manager).update_user(update()).await;
        refused(taken, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn what_widens_one_sibling_does_not_cover_widening_all() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let manager = service.person_under(&acme, Some(&boss), "m", &["MANAGE_USERS"]).await;
        let one = service.person_under(&acme, Some(&boss), "one", &["USER"]).await;
        let clerk = service.person_under(&acme, Some(&boss), "clerk", &["ONBOARDING"]).await;
        let scope = format!("account/{acme}/user/{}", one.user_id);
        let narrow = give(&manager, "ACCESS_SIBLINGS", &scope);
        service.roles(&boss).add_user_role(narrow).await.unwrap();
        let wide = service.roles(&clerk).add_user_role(give(&manager, "ACCESS_SIBLINGS", "")).await;
        refused(wide, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn a_move_does_not_justify_itself_nor_show_what_was_not_seen() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let roles = &["MANAGE_USERS", "ACCESS_SIBLINGS"];
        let mover = service.person_under(&acme, Some(&boss), "c", roles).await;
        let sibling = service.person_under(&acme, Some(&boss), "x", &["MANAGE_USERS"]).await;
        let below = service.person_under(&acme, Some(&sibling), "n", &["USER"]).await;

        let request = pb::MoveUserRequest {
            user_id: sibling.user_id.clone(),
            parent_user_id: mover.user_id.clone(),
            ..Default::default()
        };
        let result = service.users(&mover).move_user(request).await;
        refused(result, Code::PermissionDenied, "ESCALATION");

        let request = pb::ReassignChildrenRequest {
            old_user_id: sibling.user_id.clone(),
            reassign_user_id: mover.user_id.clone(),
            validate_only: true,
            ..Default::default()
        };
        if let Ok(shown) = service.users(&mover).reassign_children(request).await {
            let users = shown.into_inner().users;
            assert!(users.iter().all(|user| user.user_id != below.user_id), "{users:?}");
        }
    }
}

#[tokio::test]
async fn who_holds_nothing_asks_about_nobody_else() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let plain = service.person_under(&acme, Some(&boss), "plain", &[]).await;
        for subject in [boss.user_id.as_str(), "boss", "nosuch"] {
            let asked = ask(subject, "read", "account", &acme);
            let answer = service.authorization(&plain).authorize(asked).await;
            refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let own = ask(&plain.user_id, "read", "account", &acme);
        let answer = service.authorization(&plain).authorize(own).await.unwrap().into_inner();
        assert_eq!(answer.reason(), Reason::NoGrant);
    }
}

#[tokio::test]
async fn a_thousand_typos_hold_up_nobody() {
    let service = Service::start(&engines()[0]).await;
    let me = service.root.user_id.clone();
    let item = pb::EvaluationRequest {
        resource: Some(pb::Resource {
            r#type: "z".repeat(120),
            id: "x".to_owned(),
            properties: None,
        }),
        ..Default::default()
    };
    let defaults = ask(&me, "z", "z", "x");
    let batch = pb::BatchAuthorizeRequest {
        subject: defaults.subject,
        action: defaults.action,
        evaluations: vec![item; 1000],
        ..Default::default()
    };
    let answer = service.authorization(&service.root).batch_authorize(batch).await.unwrap();
    assert_eq!(answer.into_inner().evaluations.len(), 1000);
}

#[tokio::test]
async fn an_order_from_above_is_not_lifted_from_below() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for by in [&boss, &service.root] {
            let request =
                pb::QuarantineAccountRequest { account_id: below.clone(), ..Default::default() };
            service.accounts(by).quarantine_account(request).await.unwrap();
        }
        let request = pb::ReleaseAccountRequest { account_id: below.clone(), ..Default::default() };
        let released = service.accounts(&boss).release_account(request).await;
        refused(released, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn what_a_token_makes_does_not_outlive_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let end = crate::support::beginning().timestamp() + 3600;
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let make = |expire_time| pb::CreateApiTokenRequest {
            scopes: vec!["*".to_owned()],
            expire_time,
            ..Default::default()
        };
        let short = service.tokens(&boss).create_api_token(make(at(end))).await.unwrap();
        let short = Person { token: short.into_inner().secret, ..boss };
        let child = service.tokens(&short).create_api_token(make(None)).await.unwrap().into_inner();
        assert_eq!(child.api_token.unwrap().expire_time.unwrap().seconds, end);
        let longer = service.tokens(&short).create_api_token(make(at(end + 1))).await;
        refused(longer, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn an_alias_is_no_id_and_a_made_up_token_no_history() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let account = pb::Account {
            display_name: Some("x".to_owned()),
            login_alias: Some(acme.clone()),
            ..Default::default()
        };
        let request = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
        let made = service.accounts(&service.root).create_account(request).await;
        refused(made, Code::InvalidArgument, "INVALID_FIELD");

        let token = chancery::crypto::ConsistencyToken {
            tenant: "acc_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            revision: chancery::model::Revision(7),
            hash8: [7; 8],
            platform: chancery::model::Revision(1),
        };
        let mut question = ask(&service.root.user_id, "read", "account", &acme);
        question.consistency = Some(pb::Consistency {
            requirement: Some(pb::consistency::Requirement::AtLeast(token.to_string())),
        });
        let answer = service.authorization(&service.root).authorize(question).await;
        refused(answer, Code::FailedPrecondition, "TOKEN_OF_OTHER_HISTORY");
    }
}
