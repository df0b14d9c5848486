//! `ExplainAuthorization`: why, and what would help.

use chancery::proto::v1 as pb;
use pb::{Missing, Obstacle, Reason, SuggestedChangeKind as Kind};
use tonic::Code;

use crate::support::{Person, Service, ask, engines, refused};

async fn explain(
    service: &Service,
    by: &Person,
    question: pb::AuthorizeRequest,
) -> pb::ExplainAuthorizationResponse {
    let request = pb::ExplainAuthorizationRequest {
        subject: question.subject,
        action: question.action,
        resource: question.resource,
        ..Default::default()
    };
    let answer = service.authorization(by).explain_authorization(request).await;
    answer.unwrap().into_inner()
}

fn denies(answer: &pb::ExplainAuthorizationResponse) -> Vec<Reason> {
    let denying = answer.steps.iter().filter(|step| step.denies);
    denying.map(pb::DecisionStep::reason).collect()
}

fn step(answer: &pb::ExplainAuthorizationResponse, reason: Reason) -> &pb::DecisionStep {
    answer.steps.iter().find(|step| step.reason() == reason).unwrap()
}

/// The kinds of change of each suggestion.
fn suggested(answer: &pb::ExplainAuthorizationResponse) -> Vec<Vec<Kind>> {
    let kinds = |one: &pb::Suggestion| one.changes.iter().map(pb::SuggestedChange::kind).collect();
    answer.suggestions.iter().map(kinds).collect()
}

async fn give(service: &Service, user: &Person, role: &str, expires: Option<i64>) {
    let seconds = crate::support::beginning().timestamp();
    let request = pb::AddUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        expire_time: expires
            .map(|after| prost_types::Timestamp { seconds: seconds + after, nanos: 0 }),
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(request).await.unwrap();
}

#[tokio::test]
async fn a_permit_names_every_grant_that_suffices() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER", "USER"]).await;
        let question = ask(&boss.user_id, "read", "account", &acme);
        let answer = explain(&service, &boss, question).await;
        assert!(answer.decision && answer.reason() == Reason::Permitted);
        let roles: Vec<&str> = answer.grants.iter().map(|grant| grant.role_type.as_str()).collect();
        assert_eq!(roles.len(), 2, "{roles:?}");
        assert!(denies(&answer).is_empty() && answer.steps.len() == 6);
        assert!(answer.suggestions.is_empty());
        assert!(answer.looked_at[0].covers);
        assert!(answer.looked_at.iter().any(|looked| !looked.covers));
    }
}

#[tokio::test]
async fn a_denial_says_what_is_missing_and_what_would_help_and_who_may_do_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &["USER"]).await;
        let question =
            ask(&ann.user_id, "create", "gate_group", &format!("account/{acme}/gate_group/-"));
        let answer = explain(&service, &boss, question.clone()).await;
        assert_eq!(answer.reason(), Reason::NoGrant);
        assert_eq!(answer.missing(), Missing::NotGranted);
        assert_eq!(denies(&answer), [Reason::NoGrant]);
        assert!(!answer.suggestions.is_empty());
        for suggestion in &answer.suggestions {
            let [change] = suggestion.changes.as_slice() else { panic!("{suggestion:?}") };
            assert!([Kind::AddRole, Kind::AssignDocument].contains(&change.kind()), "{change:?}");
        }
        // What is suggested can be done by whom it is said, and then it is permitted.
        let (change, maker) = answer
            .suggestions
            .iter()
            .flat_map(|one| &one.changes)
            .filter(|change| change.kind() == Kind::AddRole)
            .find_map(|change| Some((change, change.maker_user_ids.first()?)))
            .unwrap();
        assert_eq!(*maker, boss.user_id);
        let request = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: change.role_type.clone(),
            scope: change.scope.clone(),
            // Its token was made by somebody else.
            force: true,
            ..Default::default()
        };
        service.roles(&boss).add_user_role(request).await.unwrap();
        assert!(explain(&service, &boss, question).await.decision);
    }
}

#[tokio::test]
async fn the_failing_link_of_each_grant_is_told() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let ann = service.person(&acme, "ann", &[]).await;
        give(&service, &ann, "MANAGE_USERS", Some(60)).await;
        service.advance(61);
        let root = service.root.clone();
        let path = format!("account/{acme}/user/-");
        let answer = explain(&service, &root, ask(&ann.user_id, "create", "user", &path)).await;
        assert_eq!(answer.missing(), Missing::GrantExpired);
        assert!(answer.looked_at[0].grant.as_ref().unwrap().expire_time.is_some());
        assert_eq!(suggested(&answer)[0], [Kind::RenewRole]);
        let path = format!("account/{below}/user/-");
        let answer = explain(&service, &root, ask(&ann.user_id, "create", "user", &path)).await;
        assert_eq!(answer.missing(), Missing::OutOfReach);
        let path = format!("account/{acme}/user/{}", ann.user_id);
        let answer = explain(&service, &root, ask(&ann.user_id, "delete", "user", &path)).await;
        assert_eq!(answer.missing(), Missing::WrongRelation);
        assert_eq!(step(&answer, Reason::NoGrant).obstacle(), Obstacle::NeverOnOneself);
        assert!(answer.suggestions.is_empty() && answer.looked_at.is_empty());
    }
}

#[tokio::test]
async fn two_changes_are_suggested_where_one_is_not_enough() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let ann = service.person(&below, "ann", &["USER"]).await;
        let root = service.root.clone();
        let stop = pb::SuspendAccountRequest { account_id: acme.clone(), ..Default::default() };
        service.accounts(&root).suspend_account(stop).await.unwrap();
        let question = |action: &str| ask(&ann.user_id, action, "account", &below);
        let answer = explain(&service, &root, question("read")).await;
        assert_eq!(answer.reason(), Reason::AccountNotActive);
        let stopped = &step(&answer, Reason::AccountNotActive).accounts;
        assert_eq!(stopped.len(), 1);
        assert_eq!(
            (stopped[0].account_id.as_str(), stopped[0].status.as_str()),
            (acme.as_str(), "SUSPENDED")
        );
        assert_eq!(suggested(&answer), [vec![Kind::ResumeAccount]]);
        assert_eq!(
            answer.suggestions[0].changes[0].maker_user_ids,
            std::slice::from_ref(&root.user_id)
        );
        let answer = explain(&service, &root, question("suspend")).await;
        assert_eq!(denies(&answer), [Reason::AccountNotActive, Reason::NoGrant]);
        assert!(!answer.suggestions.is_empty());
        for kinds in suggested(&answer) {
            assert_eq!(kinds, [Kind::ResumeAccount, Kind::AddRole]);
        }
    }
}

#[tokio::test]
async fn a_disabled_and_suppressed_subject_is_told_of_both() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER", "NO_ACCESS"]).await;
        let root = service.root.clone();
        let off = pb::SetUserActiveRequest {
            user_id: ann.user_id.clone(),
            is_active: false,
            ..Default::default()
        };
        service.users(&root).set_user_active(off).await.unwrap();
        let answer = explain(&service, &root, ask(&ann.user_id, "read", "account", &acme)).await;
        assert_eq!(denies(&answer), [Reason::SubjectDisabled, Reason::NoAccess]);
        assert_eq!(step(&answer, Reason::NoAccess).suppressed_by[0].role_type, "NO_ACCESS");
        assert_eq!(suggested(&answer), [vec![Kind::EnableUser, Kind::RemoveRole]]);
    }
}

#[tokio::test]
async fn the_scopes_of_a_credential_are_told_as_the_last_step() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let (_, narrow) = service.mint(&boss.user_id, &["user.read"]).await;
        let mut question = ask("", "read", "account", &acme);
        let subject = question.subject.as_mut().unwrap();
        subject.r#type = "token".to_owned();
        subject.token = narrow;
        let answer = explain(&service, &service.root, question).await;
        assert_eq!(denies(&answer), [Reason::TokenScope]);
        assert_eq!(suggested(&answer), [vec![Kind::UseWiderToken]]);
    }
}

#[tokio::test]
async fn who_may_not_explain_is_refused_and_what_lies_outside_does_not_exist() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let umbrella = service.tenant("Umbrella").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let eve = service.person(&umbrella, "eve", &["SUPER_USER"]).await;
        let explorer = service.machine(&acme, "explorer", &["DECISION_EXPLORER"]).await;
        let mine = ask(&ann.user_id, "read", "account", &acme);
        let request = pb::ExplainAuthorizationRequest {
            subject: mine.subject.clone(),
            action: mine.action.clone(),
            resource: mine.resource.clone(),
            ..Default::default()
        };
        let result = service.authorization(&ann).explain_authorization(request.clone()).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(explain(&service, &explorer, mine).await.decision);
        let theirs =
            explain(&service, &explorer, ask(&eve.user_id, "read", "account", &acme)).await;
        assert_eq!(theirs.reason(), Reason::SubjectUnknown);
        assert!(theirs.steps.is_empty() && theirs.looked_at.is_empty());
        let there =
            explain(&service, &explorer, ask(&ann.user_id, "read", "account", &umbrella)).await;
        assert_eq!(there.reason(), Reason::NoGrant);
        assert!(there.steps.is_empty() && there.suggestions.is_empty());
        // The explorer reads no users: none is named, not even as one who may help.
        let path = format!("account/{acme}/user/-");
        let answer = explain(&service, &explorer, ask(&ann.user_id, "create", "user", &path)).await;
        let makers = answer.suggestions.iter().flat_map(|one| &one.changes);
        assert!(makers.into_iter().all(|change| change.maker_user_ids.is_empty()));
        let holders = answer.looked_at.iter().filter_map(|looked| looked.grant.as_ref());
        assert!(holders.into_iter().all(|grant| grant.holder_user_id.is_empty()));
        // Missing parts are named.
        let bare = pb::ExplainAuthorizationRequest { subject: None, ..request };
        let result = service.authorization(&explorer).explain_authorization(bare).await;
        refused(result, Code::InvalidArgument, "INVALID_FIELD");
    }
}

/// Writes a document of the boss's that gives reading of one group.
async fn document(service: &Service, boss: &Person, cascade: bool) -> String {
    let request = pb::CreateRightsDocumentRequest {
        user_id: boss.user_id.clone(),
        rights_document: Some(pb::RightsDocument {
            rights_doc_name: Some(format!("group five {cascade}")),
            cascade: Some(cascade),
            resource_permissions: vec![pb::ResourcePermissions {
                resource_type: "GATE_GROUP".to_owned(),
                resource_id: "5".to_owned(),
                permissions: vec!["READ".to_owned()],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = service.rights(&service.root).create_rights_document(request).await;
    made.unwrap().into_inner().rights_document.unwrap().rights_doc_id
}

#[tokio::test]
async fn a_document_is_suggested_and_once_assigned_above_told_with_its_holder() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        let root = service.root.clone();
        let group = format!("account/{acme}/gate_group/5");
        let question = ask(&ann.user_id, "read", "gate_group", &group);
        let doc = document(&service, &boss, true).await;
        let answer = explain(&service, &root, question.clone()).await;
        let first = &answer.suggestions[0].changes[0];
        assert_eq!((first.kind(), &first.rights_doc_id), (Kind::AssignDocument, &doc));
        assert!(first.maker_user_ids.contains(&boss.user_id));

        let request = pb::AssignRightsDocumentRequest {
            rights_doc_id: doc.clone(),
            user_ids: vec![boss.user_id.clone()],
            force: true,
            ..Default::default()
        };
        service.rights(&root).assign_rights_document(request).await.unwrap();
        let answer = explain(&service, &root, question).await;
        assert!(answer.decision);
        assert_eq!(answer.grants.len(), 1);
        let grant = &answer.grants[0];
        assert_eq!((&grant.rights_doc_id, &grant.holder_user_id), (&doc, &boss.user_id));
        // On another group the document does not count, and it is told why.
        let other =
            ask(&ann.user_id, "read", "gate_group", &format!("account/{acme}/gate_group/6"));
        let answer = explain(&service, &root, other).await;
        assert_eq!(answer.missing(), Missing::OutOfScope);
        assert_eq!(answer.looked_at[0].grant.as_ref().unwrap().rights_doc_id, doc);
    }
}
