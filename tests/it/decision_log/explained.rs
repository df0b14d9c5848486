//! A decision that was made is explained by its id, to whoever may know.

use super::*;

#[tokio::test]
async fn what_another_tenant_was_answered_is_not_explained() {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "file", &[]).await;
        let acme = service.tenant("Acme").await;
        let sam = service.person(&acme, "sam", &[]).await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        let bolt = service.tenant("Bolt").await;
        let gateway = service.machine(&bolt, "gateway", &["core/DECISION_CLIENT"]).await;
        let question = ask(&sam.user_id, "read", "account", &acme);
        let answer = service.authorization(&gateway).authorize(question.clone()).await.unwrap();
        let theirs = answer.into_inner().decision_id;
        let refusal = explain(&service, &auditor, &theirs).await.unwrap_err();
        assert_eq!(refusal.code(), Code::NotFound, "{refusal:?}");
        assert!(explain(&service, &service.root, &theirs).await.is_ok());
        let answer = service.authorization(&service.root).authorize(question).await.unwrap();
        assert!(explain(&service, &auditor, &answer.into_inner().decision_id).await.is_ok());
        service.stop().await;
    }
}

#[tokio::test]
async fn a_decision_is_explained_by_its_id_and_it_is_said_whether_it_would_be_the_same() {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "memory", &[]).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &["MANAGE_USERS"]).await;
        let path = format!("account/{acme}/user/-");
        let then = service.decides(&ann.user_id, "create", "user", &path).await;
        assert!(then.decision);
        let told = explain(&service, &boss, &then.decision_id).await.unwrap();
        let recorded = told.recorded.clone().unwrap();
        assert!(told.decision && recorded.decision && recorded.same_now);
        assert_eq!(recorded.evaluated_revision, then.evaluated_revision);
        assert_eq!(recorded.consistency_token, then.consistency_token);
        assert_eq!(recorded.grants[0].role_type, "MANAGE_USERS");
        assert_eq!(recorded.grants[0].holder_user_id, ann.user_id);
        assert!(!told.steps.is_empty() && told.decision_id != then.decision_id);

        let take = pb::RemoveUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "MANAGE_USERS".to_owned(),
            force: true,
            ..Default::default()
        };
        service.roles(&boss).remove_user_role(take).await.unwrap();
        let told = explain(&service, &boss, &then.decision_id).await.unwrap();
        let recorded = told.recorded.clone().unwrap();
        assert!(!told.decision && recorded.decision && !recorded.same_now);
        assert_eq!((told.reason(), recorded.reason()), (Reason::NoGrant, Reason::Permitted));
        assert!(told.evaluated_revision > recorded.evaluated_revision);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_credential_is_known_again_and_an_ended_one_is_told() {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "memory", &[]).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let (token_id, token) = service.mint(&boss.user_id, &["account.read"]).await;
        let question = |action: &str| pb::AuthorizeRequest {
            subject: Some(pb::Subject { token: token.clone(), ..Default::default() }),
            ..ask("", action, "account", &acme)
        };
        let mut asking = service.authorization(&service.root);
        let scoped = asking.authorize(question("update")).await.unwrap().into_inner();
        assert_eq!(scoped.reason(), Reason::TokenScope);
        let told = explain(&service, &boss, &scoped.decision_id).await.unwrap();
        assert_eq!(told.reason(), Reason::TokenScope);
        assert!(told.recorded.unwrap().same_now);
        let delete = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
        service.tokens(&boss).delete_api_token(delete).await.unwrap();
        let told = explain(&service, &boss, &scoped.decision_id).await.unwrap();
        assert_eq!(told.reason(), Reason::TokenRevoked);
        assert!(!told.recorded.unwrap().same_now);
        // One that was nobody's still is.
        let question = pb::AuthorizeRequest {
            subject: Some(pb::Subject { token: stranger(), ..Default::default() }),
            ..ask("", "read", "account", &acme)
        };
        let dead = service.authorization(&boss).authorize(question).await.unwrap().into_inner();
        assert_eq!(dead.reason(), Reason::TokenInvalid);
        let told = explain(&service, &boss, &dead.decision_id).await.unwrap();
        assert_eq!(told.reason(), Reason::TokenInvalid);
        assert!(told.recorded.unwrap().same_now);
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_remembered_or_may_not_be_explained_is_not_there() {
    for engine in engines() {
        let more = [("decision_log.remember", "3")];
        let (service, _folder) = recording(&engine, "memory", &more).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let rival = service.person(&other, "rival", &["SUPER_USER"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let then = service.decides(&boss.user_id, "read", "account", &acme).await;
        let absent = explain(&service, &rival, "dec_01jh4z6s00e0080000000000zz").await;
        let absent = refused(absent, Code::NotFound, "DECISION_NOT_FOUND");
        let hidden = explain(&service, &rival, &then.decision_id).await;
        let hidden = refused(hidden, Code::NotFound, "DECISION_NOT_FOUND");
        let same = hidden.message().replace(&then.decision_id, "dec_01jh4z6s00e0080000000000zz");
        assert_eq!(absent.message(), same);
        let plain = explain(&service, &plain, &then.decision_id).await;
        refused(plain, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(explain(&service, &boss, &then.decision_id).await.is_ok());
        for _ in 0..3 {
            service.decides(&boss.user_id, "read", "account", &acme).await;
        }
        let gone = explain(&service, &boss, &then.decision_id).await;
        refused(gone, Code::NotFound, "DECISION_NOT_FOUND");

        let bad = explain(&service, &boss, "7").await;
        refused(bad, Code::InvalidArgument, "INVALID_FIELD");
        let both = pb::ExplainAuthorizationRequest {
            decision_id: then.decision_id.clone(),
            action: Some(pb::Action { name: "read".to_owned(), properties: None }),
            ..Default::default()
        };
        let both = service.authorization(&boss).explain_authorization(both).await;
        refused(both, Code::InvalidArgument, "INVALID_FIELD");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_records_nothing_knows_no_decision() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let then = service.decides(&boss.user_id, "read", "account", &acme).await;
        let told = explain(&service, &boss, &then.decision_id).await;
        refused(told, Code::NotFound, "DECISION_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_decision_about_a_permission_that_has_gone_cannot_be_explained() {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "memory", &[]).await;
        let file = |more: &str| {
            format!(
                "catalogue: shop\nversion: 1\nuses: [core]\nresource_types:\n  basket: {{ in: [account], actions: [read{more}] }}\n"
            )
        };
        let apply = |catalogue_yaml: String| pb::ApplyCatalogueRequest {
            catalogue_yaml,
            ..Default::default()
        };
        let root = service.root.clone();
        service.roles(&root).apply_catalogue(apply(file(", burn"))).await.unwrap();
        let acme = service.tenant("Acme").await;
        let path = format!("account/{acme}/basket/1");
        let then = service.decides(&root.user_id, "burn", "basket", &path).await;
        let next = file("").replace("version: 1", "version: 2");
        service.roles(&root).apply_catalogue(apply(next)).await.unwrap();
        let told = explain(&service, &root, &then.decision_id).await;
        refused(told, Code::InvalidArgument, "UNKNOWN_PERMISSION");
        service.stop().await;
    }
}

#[tokio::test]
async fn that_there_was_nobody_is_explained_to_the_tenant_that_asked_and_not_whether_there_is_elsewhere()
 {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "memory", &[]).await;
        let acme = service.tenant("Acme").await;
        let gateway = service.machine(&acme, "gateway", &["core/DECISION_CLIENT"]).await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let bolt = service.tenant("Bolt").await;
        let theirs = service.person(&bolt, "theirs", &[]).await;
        let rival = service.person(&bolt, "rival", &["core/AUDITOR"]).await;
        let mut told = Vec::new();
        for user_id in [&theirs.user_id, "usr_01jh4z6s00e0080000000000zz"] {
            for account in [&acme, &bolt] {
                let question = ask(user_id, "read", "account", account);
                let answer = service.authorization(&gateway).authorize(question).await.unwrap();
                let then = answer.into_inner();
                assert_eq!(then.reason(), Reason::SubjectUnknown);
                let mut one = explain(&service, &auditor, &then.decision_id).await.unwrap();
                let recorded = one.recorded.as_ref().unwrap();
                assert!(!one.decision && !recorded.decision && recorded.same_now);
                assert_eq!(one.reason(), Reason::SubjectUnknown);
                assert_eq!(recorded.reason(), Reason::SubjectUnknown);
                assert_eq!(recorded.consistency_token, then.consistency_token);
                one.decision_id.clear();
                told.push(one);
                let none = explain(&service, &plain, &then.decision_id).await;
                refused(none, Code::PermissionDenied, "ACCESS_DENIED");
                let none = explain(&service, &rival, &then.decision_id).await;
                refused(none, Code::NotFound, "DECISION_NOT_FOUND");
            }
        }
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn that_there_was_nobody_is_explained_alike_where_the_subject_is_out_of_sight_in_the_same_tenant()
 {
    for engine in engines() {
        let (service, _folder) = recording(&engine, "memory", &[]).await;
        let acme = service.tenant("Acme").await;
        let [one, other] =
            [service.account(&acme, "One").await, service.account(&acme, "Other").await];
        let gateway = service.machine(&one, "gateway", &["core/DECISION_CLIENT"]).await;
        let auditor = service.person(&one, "auditor", &["core/AUDITOR"]).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let hidden = service.person(&other, "hidden", &[]).await;
        let mut told = Vec::new();
        for user_id in [&hidden.user_id, "usr_01jh4z6s00e0080000000000zz"] {
            let question = ask(user_id, "read", "account", &one);
            let answer = service.authorization(&gateway).authorize(question).await.unwrap();
            let then = answer.into_inner();
            assert_eq!(then.reason(), Reason::SubjectUnknown);
            let mut explained = explain(&service, &auditor, &then.decision_id).await.unwrap();
            explained.decision_id.clear();
            told.push(explained);
            // Whoever may know more is told more.
            let more = explain(&service, &boss, &then.decision_id).await.unwrap();
            let known = *user_id == *hidden.user_id;
            assert_eq!(more.reason() == Reason::SubjectUnknown, !known, "{more:?}");
        }
        assert_eq!(told[0], told[1]);
        service.stop().await;
    }
}
