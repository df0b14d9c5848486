//! `Authorize` and `BatchAuthorize`: the order of reasons, who may ask about whom, and names.

use chancery::proto::v1 as pb;
use pb::Reason;
use tonic::Code;

use crate::support::{Person, Service, ask, engines, refused};

async fn reason(service: &Service, by: &Person, request: pb::AuthorizeRequest) -> Reason {
    let answer = service.authorization(by).authorize(request).await.unwrap().into_inner();
    assert_eq!(answer.decision, answer.reason() == Reason::Permitted);
    answer.reason()
}

fn create(name: &str) -> pb::User {
    pb::User { user_name: Some(name.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn the_first_reason_in_the_order_of_the_model_is_the_answer() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let (own, root) = (format!("account/{acme}"), service.root.clone());
        let asks = |action: &str| ask(&ann.user_id, action, "account", &own);

        assert_eq!(reason(&service, &root, asks("read")).await, Reason::Permitted);
        let denied = service.decides(&ann.user_id, "suspend", "account", &own).await;
        assert_eq!((denied.reason(), denied.missing()), (Reason::NoGrant, pb::Missing::NotGranted));

        let nobody = "usr_01h455vb4pex5vsknk084sn02q";
        assert_eq!(
            reason(&service, &root, ask(nobody, "read", "account", &own)).await,
            Reason::SubjectUnknown
        );

        let give = |role: &str| pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: role.to_owned(),
            ..Default::default()
        };
        service.roles(&root).add_user_role(give("NO_ACCESS")).await.unwrap();
        assert_eq!(reason(&service, &root, asks("read")).await, Reason::NoAccess);

        let suspend = pb::SuspendAccountRequest { account_id: acme.clone(), ..Default::default() };
        service.accounts(&root).suspend_account(suspend).await.unwrap();
        assert_eq!(reason(&service, &root, asks("read")).await, Reason::AccountNotActive);

        let disable = pb::SetUserActiveRequest {
            user_id: ann.user_id.clone(),
            is_active: false,
            ..Default::default()
        };
        service.users(&root).set_user_active(disable).await.unwrap();
        assert_eq!(reason(&service, &root, asks("read")).await, Reason::SubjectDisabled);

        let delete = pb::DeleteUserRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.users(&root).delete_user(delete).await.unwrap();
        assert_eq!(reason(&service, &root, asks("read")).await, Reason::SubjectUnknown);
        service.verify(&acme).await;
    }
}

#[tokio::test]
async fn the_ceiling_of_an_account_is_over_everything_its_users_hold() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&below, "boss", &["SUPER_USER"]).await;
        let path = format!("account/{below}/recording/7");
        assert!(service.decides(&boss.user_id, "delete", "recording", &path).await.decision);

        let role = pb::SetAccountRoleRequest {
            account_id: acme.clone(),
            role: "ProvisioningAgent".to_owned(),
            ..Default::default()
        };
        service.accounts(&service.root).set_account_role(role).await.unwrap();
        let denied = service.decides(&boss.user_id, "delete", "recording", &path).await;
        assert_eq!(denied.reason(), Reason::AccountRoleCeiling);
        assert!(service.decides(&boss.user_id, "read", "recording", &path).await.decision);
    }
}

#[tokio::test]
async fn a_typo_is_an_error_and_never_a_deny() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let me = service.root.user_id.clone();
        let root = service.root.account_id.clone();
        let at = format!("account/{root}");
        let gate = format!("{at}/gate/5");
        for (action, kind, id, reason) in [
            ("raed", "account", at.as_str(), "UNKNOWN_PERMISSION"),
            ("read", "acount", at.as_str(), "UNKNOWN_PERMISSION"),
            ("read", "gate", gate.as_str(), "INVALID_PATH"),
            ("read", "gate_group", at.as_str(), "INVALID_PATH"),
            ("read", "gate_group", "a/b", "INVALID_PATH"),
            ("read", "account", "account/x", "INVALID_PATH"),
            ("", "account", at.as_str(), "INVALID_FIELD"),
        ] {
            let result =
                service.authorization(&service.root).authorize(ask(&me, action, kind, id)).await;
            refused(result, Code::InvalidArgument, reason);
        }
        let error = service
            .authorization(&service.root)
            .authorize(ask(&me, "raed", "account", &at))
            .await
            .unwrap_err();
        assert!(error.message().contains("account.read"), "{}", error.message());
    }
}

#[tokio::test]
async fn types_and_actions_are_read_in_any_case_and_ids_byte_for_byte() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for (action, kind, id) in [
            ("READ", "GATE_GROUP", "5".to_owned()),
            ("gate_group.READ", "gate_group", format!("ACCOUNT/{acme}/Gate_Group/5")),
            ("create", "gate", format!("account/{acme}/gate_group/5/gate/-")),
            ("gate_group.create", "account", acme.clone()),
            ("read", "account", acme.clone()),
        ] {
            let answer = service.decides(&boss.user_id, action, kind, &id).await;
            assert!(answer.decision, "{action} {kind} {id}: {:?}", answer.reason());
        }
        let by_name = ask("BOSS", "read", "account", &acme);
        assert_eq!(reason(&service, &boss, by_name).await, Reason::Permitted);
    }
}

#[tokio::test]
async fn a_user_asks_about_itself_and_a_decision_client_about_its_tree() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let umbrella = service.tenant("Umbrella").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let bob = service.person(&below, "bob", &["USER"]).await;
        let eve = service.person(&umbrella, "eve", &["SUPER_USER"]).await;
        let client = service.machine(&acme, "gateway", &["DECISION_CLIENT"]).await;

        // About oneself: yes; about another: refused to one who holds the permission nowhere else.
        assert_eq!(
            reason(&service, &ann, ask(&ann.user_id, "read", "account", &acme)).await,
            Reason::Permitted
        );
        let result = service
            .authorization(&ann)
            .authorize(ask(&bob.user_id, "read", "account", &below))
            .await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");

        // Within its tree the client is answered; outside it, nobody is known and nothing granted.
        assert_eq!(
            reason(&service, &client, ask(&ann.user_id, "read", "account", &acme)).await,
            Reason::Permitted
        );
        assert_eq!(
            reason(&service, &client, ask(&bob.user_id, "read", "account", &below)).await,
            Reason::Permitted
        );
        assert_eq!(
            reason(&service, &client, ask(&eve.user_id, "read", "account", &umbrella)).await,
            Reason::SubjectUnknown
        );
        assert_eq!(
            reason(&service, &client, ask(&ann.user_id, "read", "account", &umbrella)).await,
            Reason::NoGrant
        );
        let nowhere = "acc_01h455vb4pex5vsknk084sn02q";
        assert_eq!(
            reason(&service, &client, ask(&ann.user_id, "read", "account", nowhere)).await,
            Reason::NoGrant
        );
    }
}

#[tokio::test]
async fn a_credential_is_a_subject_and_its_scopes_bound_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let (_, narrow) = service.mint(&boss.user_id, &["user.read"]).await;
        let with = |token: &str, action: &str| pb::AuthorizeRequest {
            subject: Some(pb::Subject {
                r#type: "token".to_owned(),
                token: token.to_owned(),
                ..Default::default()
            }),
            ..ask("", action, "account", &acme)
        };
        let root = service.root.clone();
        assert_eq!(reason(&service, &root, with(&boss.token, "read")).await, Reason::Permitted);
        assert_eq!(reason(&service, &root, with(&narrow, "read")).await, Reason::TokenScope);
        assert_eq!(
            reason(&service, &root, with("chy_pat_nonsense", "read")).await,
            Reason::TokenInvalid
        );

        let mut two = with(&narrow, "read");
        two.subject.as_mut().unwrap().r#type = "user".to_owned();
        two.subject.as_mut().unwrap().id = root.user_id.clone();
        let result = service.authorization(&root).authorize(two).await;
        refused(result, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn a_batch_answers_each_item_and_stops_where_it_is_told_to() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let item = |action: &str| pb::EvaluationRequest {
            action: Some(pb::Action { name: action.to_owned(), properties: None }),
            ..Default::default()
        };
        let defaults = ask(&ann.user_id, "read", "account", &acme);
        let batch = |semantic: &str, items: &[&str]| pb::BatchAuthorizeRequest {
            subject: defaults.subject.clone(),
            action: defaults.action.clone(),
            resource: defaults.resource.clone(),
            evaluations: items.iter().map(|action| item(action)).collect(),
            options: Some(pb::EvaluationOptions { evaluations_semantic: semantic.to_owned() }),
            ..Default::default()
        };
        let mut client = service.authorization(&service.root);
        let mut decisions = async |semantic: &str, items: &[&str]| {
            let answer = client.batch_authorize(batch(semantic, items)).await.unwrap().into_inner();
            answer.evaluations.iter().map(|one| one.decision).collect::<Vec<_>>()
        };
        let all = ["read", "suspend", "nonsense", "read"];
        assert_eq!(decisions("execute_all", &all).await, [true, false, false, true]);
        assert_eq!(decisions("deny_on_first_deny", &all).await, [true, false]);
        assert_eq!(
            decisions("permit_on_first_permit", &["suspend", "read", "read"]).await,
            [false, true]
        );
        assert_eq!(decisions("", &[]).await, [true]);

        let answer = client.batch_authorize(batch("", &all)).await.unwrap().into_inner();
        let context = answer.evaluations[2].context.clone().unwrap();
        let text = format!("{context:?}");
        assert!(text.contains("UNKNOWN_PERMISSION") && text.contains("action.name"), "{text}");
        // A batch is its singles.
        for (one, action) in answer.evaluations.iter().zip(all) {
            let single = service.authorization(&service.root);
            let single = { single }.authorize(ask(&ann.user_id, action, "account", &acme)).await;
            assert_eq!(single.is_ok_and(|single| single.into_inner().decision), one.decision);
        }
    }
}

#[tokio::test]
async fn a_change_is_seen_by_whoever_asks_with_its_token_on_any_replica() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let other = service.replica().await;
        for round in 0..5 {
            let request = pb::CreateUserRequest {
                account_id: acme.clone(),
                user: Some(pb::User {
                    roles: vec!["USER".to_owned()],
                    ..create(&format!("u{round}"))
                }),
                ..Default::default()
            };
            let made = service.users(&boss).create_user(request).await.unwrap().into_inner();
            let mut question = ask(&made.user.unwrap().user_id, "read", "account", &acme);
            question.consistency = Some(pb::Consistency {
                requirement: Some(pb::consistency::Requirement::AtLeast(made.consistency_token)),
            });
            let answer = other.authorization(&other.root).authorize(question).await.unwrap();
            assert!(answer.metadata().contains_key("chancery-revision"));
            assert!(answer.into_inner().decision, "round {round}");
        }
        // A token of another line of history is refused at once.
        let mut question = ask(&boss.user_id, "read", "account", &acme);
        let fresh = Service::start(&engine).await;
        let elsewhere = fresh.tenant("Acme").await;
        let answer = fresh.decides(&fresh.root.user_id, "read", "account", &elsewhere).await;
        question.consistency = Some(pb::Consistency {
            requirement: Some(pb::consistency::Requirement::AtLeast(answer.consistency_token)),
        });
        assert!(service.authorization(&boss).authorize(question).await.is_err());
        other.stop().await;
    }
}

#[tokio::test]
async fn a_batch_fails_as_a_whole_only_by_its_envelope() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = service.root.clone();
        let own = ask(&root.user_id, "read", "account", &root.account_id);
        let batch = || pb::BatchAuthorizeRequest {
            subject: own.subject.clone(),
            action: own.action.clone(),
            resource: own.resource.clone(),
            ..Default::default()
        };
        let semantic =
            |word: &str| Some(pb::EvaluationOptions { evaluations_semantic: word.to_owned() });
        let many = vec![pb::EvaluationRequest::default(); 1001];
        let lost = chancery::crypto::ConsistencyToken {
            tenant: root.account_id.parse().unwrap(),
            revision: chancery::model::Revision(1),
            hash8: [7; 8],
            platform: chancery::model::Revision(1),
        };
        let at_least = |token: String| {
            let requirement = Some(pb::consistency::Requirement::AtLeast(token));
            Some(pb::Consistency { requirement })
        };
        let malformed = (Code::InvalidArgument, "INVALID_FIELD");
        let other = (Code::FailedPrecondition, "TOKEN_OF_OTHER_HISTORY");
        for (request, (code, reason)) in [
            (pb::BatchAuthorizeRequest { evaluations: many, ..batch() }, malformed),
            (pb::BatchAuthorizeRequest { options: semantic("first"), ..batch() }, malformed),
            (
                pb::BatchAuthorizeRequest { consistency: at_least("x".to_owned()), ..batch() },
                malformed,
            ),
            (
                pb::BatchAuthorizeRequest { consistency: at_least(lost.to_string()), ..batch() },
                other,
            ),
        ] {
            let answer = service.authorization(&root).batch_authorize(request).await;
            refused(answer, code, reason);
        }
        let fine = pb::BatchAuthorizeRequest { options: semantic("execute_all"), ..batch() };
        let answer = service.authorization(&root).batch_authorize(fine.clone()).await.unwrap();
        // A token has seen two histories: of the platform's as little may be lost as of the tenant's.
        let token = answer.get_ref().evaluations[0].consistency_token.clone();
        let seen: chancery::crypto::ConsistencyToken = token.parse().unwrap();
        let ahead = chancery::crypto::ConsistencyToken { platform: seen.platform.next(), ..seen };
        let request =
            pb::BatchAuthorizeRequest { consistency: at_least(ahead.to_string()), ..fine };
        let lost = service.authorization(&root).batch_authorize(request).await;
        refused(lost, other.0, other.1);
        assert!(answer.into_inner().evaluations[0].decision);
    }
}
