//! What is asked about, and who hears how much of it.

use chancery::proto::v1 as pb;
use pb::{Missing, Reason};
use tonic::Code;

use super::{named, role};
use crate::support::{Person, Service, ask, engines, refused};

async fn answer(
    service: &Service,
    by: &Person,
    asked: pb::AuthorizeRequest,
) -> pb::AuthorizeResponse {
    service.authorization(by).authorize(asked).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_path_that_contradicts_the_row_grants_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let there = service.person(&below, "there", &[]).await;
        let user = |account: &str| format!("account/{account}/user/{}", there.user_id);
        let right = service.decides(&boss.user_id, "read", "user", &user(&below)).await;
        assert_eq!(right.reason(), Reason::Permitted);
        let wrong = service.decides(&boss.user_id, "read", "user", &user(&acme)).await;
        assert_eq!(wrong.reason(), Reason::NoGrant);
    }
}

#[tokio::test]
async fn one_not_named_is_anybody_below_or_beside_and_never_oneself() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let path = format!("account/{acme}/user/-");
        for (on, name, covered) in [
            (pb::Relation::Self_, "on_self", false),
            (pb::Relation::Subtree, "on_subtree", true),
            (pb::Relation::Siblings, "on_siblings", true),
            (pb::Relation::Account, "on_account", true),
        ] {
            let reads = pb::Role { on: Some(on.into()), ..named(name, &["user.list"]) };
            let id = role(&service, &acme, reads).await;
            let holder = service.person(&acme, name, &[&id]).await;
            let told = service.decides(&holder.user_id, "list", "user", &path).await;
            assert_eq!(told.decision, covered, "{name}: {:?}", told.reason());
        }
    }
}

#[tokio::test]
async fn an_id_is_short_and_a_dash_of_its_own_is_encoded() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let group = |id: &str| format!("account/{acme}/gate_group/{id}");
        let asked = |id: &str| ask(&boss.user_id, "read", "gate_group", &group(id));
        for fine in ["-", "%2D", "a%2Fb", "a%25b", "ü", &"x".repeat(128), &"%41".repeat(128)] {
            let told = answer(&service, &service.root, asked(fine)).await;
            assert!(told.decision, "{fine}: {:?}", told.reason());
        }
        for bad in ["", "%", "%2", "%zz", "%ff", &"x".repeat(129), &"ü".repeat(65)] {
            let told = service.authorization(&service.root).authorize(asked(bad)).await;
            refused(told, Code::InvalidArgument, "INVALID_PATH");
        }
        // What names an id in its place does not cover one that is not named, and `%2D` is a name.
        let clerk = service.person(&acme, "clerk", &[]).await;
        let gates = role(&service, &acme, named("gates", &["gate_group.read"])).await;
        let scoped =
            pb::AddUserRoleRequest { scope: group("%2D"), ..super::give(&clerk.user_id, &gates) };
        service.roles(&service.root).add_user_role(scoped).await.unwrap();
        for (id, covered) in [("%2D", true), ("-", false)] {
            let told = service.decides(&clerk.user_id, "read", "gate_group", &group(id)).await;
            assert_eq!(told.decision, covered, "{id}");
        }
    }
}

#[tokio::test]
async fn an_account_as_a_subject_holds_its_own_role_and_nothing_without_one() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let path = format!("account/{acme}/recording/7");
        let asked = |action: &str| {
            let mut asked = ask(&acme, action, "recording", &path);
            asked.subject.as_mut().unwrap().r#type = "account".to_owned();
            asked
        };
        let bare = answer(&service, &service.root, asked("read")).await;
        assert_eq!((bare.reason(), bare.missing()), (Reason::NoGrant, Missing::NotGranted));
        let request = pb::SetAccountRoleRequest {
            account_id: acme.clone(),
            role: "ProvisioningAgent".to_owned(),
            ..Default::default()
        };
        service.accounts(&service.root).set_account_role(request).await.unwrap();
        let reads = answer(&service, &service.root, asked("read")).await;
        assert_eq!(reads.reason(), Reason::Permitted);
        let deletes = answer(&service, &service.root, asked("delete")).await;
        assert!(!deletes.decision);
    }
}

#[tokio::test]
async fn about_oneself_one_hears_reasons_only_of_accounts_that_one_may_read() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let plain = service.person(&acme, "plain", &["USER"]).await;
        let reader = service.person(&acme, "reader", &["AUDITOR"]).await;
        let suspend = pb::SuspendAccountRequest { account_id: below.clone(), ..Default::default() };
        service.accounts(&service.root).suspend_account(suspend).await.unwrap();
        let path = format!("account/{below}/recording/7");
        for (person, reason) in [(&plain, Reason::NoGrant), (&reader, Reason::AccountNotActive)] {
            let own = ask(&person.user_id, "read", "recording", &path);
            let told = answer(&service, person, own).await;
            assert_eq!((told.reason(), told.missing()), (reason, Missing::Unspecified));
        }
        // On one's own account the nearest missing link is told.
        let own = ask(&plain.user_id, "suspend", "account", &acme);
        let told = answer(&service, &plain, own).await;
        assert_eq!((told.reason(), told.missing()), (Reason::NoGrant, Missing::NotGranted));
    }
}

#[tokio::test]
async fn grants_are_named_to_who_may_explain_on_both_sides() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["WFO_ACCESS"]).await;
        let client = service.machine(&acme, "client", &["DECISION_CLIENT"]).await;
        let explorer = service.machine(&acme, "explorer", &["DECISION_EXPLORER"]).await;
        let path = format!("account/{acme}");
        let asked = || pb::AuthorizeRequest {
            explain: true,
            ..ask(&ann.user_id, "integration.list_users", "account", &path)
        };
        let told = answer(&service, &explorer, asked()).await;
        assert!(told.decision);
        assert_eq!(told.grants.len(), 1);
        assert_eq!(told.grants[0].role_type, "WFO_ACCESS");
        // The explorer does not see the user, and so does not hear who holds it.
        assert_eq!(told.grants[0].holder_user_id, "");
        let told = answer(&service, &service.root, asked()).await;
        assert_eq!(told.grants[0].holder_user_id, ann.user_id);
        let told = service.authorization(&client).authorize(asked()).await;
        refused(told, Code::PermissionDenied, "ACCESS_DENIED");
        let plain = pb::AuthorizeRequest { explain: false, ..asked() };
        assert!(answer(&service, &client, plain).await.grants.is_empty());
    }
}

#[tokio::test]
async fn all_questions_of_a_batch_are_answered_at_one_revision() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let own = ask(&ann.user_id, "read", "account", &acme);
        let request = pb::BatchAuthorizeRequest {
            subject: own.subject,
            action: own.action,
            resource: own.resource,
            evaluations: vec![pb::EvaluationRequest::default(); 1000],
            ..Default::default()
        };
        let disable =
            pb::SetUserActiveRequest { user_id: ann.user_id.clone(), ..Default::default() };
        let mut asker = service.authorization(&service.root);
        let mut users = service.users(&service.root);
        let (batch, disabled) =
            tokio::join!(asker.batch_authorize(request), users.set_user_active(disable));
        disabled.unwrap();
        let batch = batch.unwrap().into_inner();
        let first = &batch.evaluations[0];
        assert_eq!(batch.evaluations.len(), 1000);
        for one in &batch.evaluations {
            assert_eq!(
                (one.decision, one.evaluated_revision, &one.consistency_token),
                (first.decision, batch.evaluated_revision, &batch.consistency_token)
            );
        }
    }
}
