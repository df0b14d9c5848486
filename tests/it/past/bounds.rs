//! Which times can be asked about, and who may.

use super::*;
use crate::meddle::Meddler;

/// Puts a hundred thousand entries into the ledger of the tenant of an account of this name, as parts of a revision that is
/// there.
async fn swell(meddler: &Meddler, name: &str, revision: &str) {
    let columns = "account_id, at, actor, kind, entity, request_id, prev_hash, hash, format, body";
    let tenant = format!("select tenant_id from accounts where display_name = '{name}'");
    let numbers = "with recursive numbers(n) as \
        (select 1 union all select n + 1 from numbers where n < 100001)";
    let of = format!("tenant_id = ({tenant}) and ordinal = 0 and revision = ({revision})");
    meddler
        .run(&format!(
            "insert into ledger (tenant_id, revision, ordinal, {columns}) {numbers} \
             select tenant_id, revision, n, {columns} from ledger, numbers where {of}"
        ))
        .await;
}

#[tokio::test]
async fn a_time_that_takes_too_much_is_refused() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let meddler = Meddler::new(&told.service.url).await;
        let newest = "select revision from tenants where id = \
            (select tenant_id from accounts where display_name = 'Acme')";
        swell(&meddler, "Acme", "1").await;
        // From now backwards it is not far.
        let then = asked(&told.service, &told.boss, &told.question(), &told.times[1]).await;
        assert!(then.unwrap().decision);
        swell(&meddler, "Acme", newest).await;
        let then = asked(&told.service, &told.boss, &told.question(), &told.times[0]).await;
        refused(then, Code::OutOfRange, "HISTORY_TOO_FAR");
        let request = pb::GetEffectiveRightsRequest {
            user_id: told.ann.user_id.clone(),
            as_of: Some(told.times[0]),
            ..Default::default()
        };
        let then = told.service.rights(&told.boss).get_effective_rights(request).await;
        refused(then, Code::OutOfRange, "HISTORY_TOO_FAR");
    }
}

/// That a time has not come is told to everybody alike: by it nobody learns whether somebody may ask of another time.
#[tokio::test]
async fn what_is_to_come_is_refused_alike_to_whoever_may_and_may_not_ask_of_another_time() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let service = &told.service;
        let client = service.machine(&told.acme, "client", &["DECISION_CLIENT"]).await;
        let question = told.question();
        let mut soon = now(service);
        soon.seconds += 60;
        for time in [soon, prost_types::Timestamp { seconds: i64::MAX, nanos: -1 }] {
            for by in [&told.boss, &client, &told.ann] {
                let then = asked(service, by, &question, &time).await;
                refused(then, Code::InvalidArgument, "INVALID_FIELD");
                let request = pb::ExplainAuthorizationRequest {
                    subject: question.subject.clone(),
                    action: question.action.clone(),
                    resource: question.resource.clone(),
                    consistency: at(&time),
                    ..Default::default()
                };
                let then = service.authorization(by).explain_authorization(request).await;
                refused(then, Code::InvalidArgument, "INVALID_FIELD");
                // Who may not read these rights as of now is told that, of whatever time it asks.
                if by.user_id != told.boss.user_id {
                    continue;
                }
                let request = pb::GetEffectiveRightsRequest {
                    user_id: by.user_id.clone(),
                    as_of: Some(time),
                    ..Default::default()
                };
                let then = service.rights(by).get_effective_rights(request).await;
                refused(then, Code::InvalidArgument, "INVALID_FIELD");
            }
        }
    }
}

#[tokio::test]
async fn what_is_to_come_and_what_had_not_begun_is_refused() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let (service, boss) = (&told.service, &told.boss);
        let mut soon = now(service);
        soon.nanos += 1_000;
        let question = told.question();
        let then = asked(service, boss, &question, &soon).await;
        refused(then, Code::InvalidArgument, "INVALID_FIELD");
        service.advance(60);
        let late = service.tenant("Late").await;
        let ben = service.person(&late, "ben", &["SUPER_USER"]).await;
        for (by, seconds) in [(&ben, 30), (&told.boss, 10_000), (&service.root, 10_000)] {
            let time = prost_types::Timestamp { seconds: now(service).seconds - seconds, nanos: 0 };
            let asks = ask(&by.user_id, "read", "account", &format!("account/{}", by.account_id));
            let then = asked(service, by, &asks, &time).await;
            refused(then, Code::OutOfRange, "HISTORY_NOT_BEGUN");
            let request = pb::BatchAuthorizeRequest {
                subject: asks.subject,
                action: asks.action,
                resource: asks.resource,
                consistency: at(&time),
                ..Default::default()
            };
            let then = service.authorization(by).batch_authorize(request).await;
            refused(then, Code::OutOfRange, "HISTORY_NOT_BEGUN");
        }
        // Another tenant's was there already, and who was not is nobody.
        let before = prost_types::Timestamp { seconds: now(service).seconds - 30, nanos: 0 };
        let asks = ask(&ben.user_id, "read", "account", &format!("account/{late}"));
        let then = asked(service, &service.root, &asks, &before).await;
        refused(then, Code::OutOfRange, "HISTORY_NOT_BEGUN");
        let new = service.person(&told.acme, "new", &["SUPER_USER"]).await;
        let asks = ask(&new.user_id, "read", "account", &format!("account/{}", told.acme));
        let then = asked(service, boss, &asks, &before).await.unwrap();
        assert_eq!(then.reason(), Reason::SubjectUnknown);
    }
}

#[tokio::test]
async fn what_the_ledger_holds_no_more_is_refused_and_the_rest_is_made_backwards() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let service = &told.service;
        let newest = asked(service, &told.boss, &told.question(), &told.times[0]).await.unwrap();
        let meddler = Meddler::new(&service.url).await;
        let tenant = "select tenant_id from accounts where display_name = 'Acme'";
        let old = newest.evaluated_revision - 1;
        meddler
            .run(&format!("delete from ledger where tenant_id = ({tenant}) and revision <= {old}"))
            .await;
        let replica = service.replica().await;
        for (time, permitted) in told.times.iter().zip([false, true, false]) {
            let then = asked(&replica, &told.boss, &told.question(), time).await.unwrap();
            assert_eq!(then.decision, permitted);
        }
        // All of it was made at one time, but for what is left.
        meddler
            .run(&format!(
                "delete from ledger where tenant_id = ({tenant}) and revision <= {}",
                old + 1
            ))
            .await;
        let then = asked(&replica, &told.boss, &told.question(), &told.times[0]).await;
        refused(then, Code::OutOfRange, "HISTORY_PRUNED");
        replica.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_explain_asks_about_no_other_time_and_not_of_what_lies_outside() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let (service, time) = (&told.service, &told.times[1]);
        let umbrella = service.tenant("Umbrella").await;
        let eve = service.machine(&umbrella, "eve", &["DECISION_EXPLORER"]).await;
        let client = service.machine(&told.acme, "client", &["DECISION_CLIENT"]).await;
        service.advance(1);
        let question = told.question();
        assert!(service.authorization(&client).authorize(question.clone()).await.is_ok());
        for by in [&client, &told.ann] {
            let then = asked(service, by, &question, time).await;
            refused(then, Code::PermissionDenied, "ACCESS_DENIED");
            let request = pb::BatchAuthorizeRequest {
                subject: question.subject.clone(),
                action: question.action.clone(),
                resource: question.resource.clone(),
                consistency: at(time),
                ..Default::default()
            };
            let then = service.authorization(by).batch_authorize(request).await;
            refused(then, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let then = asked(service, &eve, &question, &now(service)).await.unwrap();
        assert_eq!((then.decision, then.reason()), (false, Reason::SubjectUnknown));
        // A credential stands for nobody then, and a search is about now.
        let subject = pb::Subject { token: told.ann.token.clone(), ..Default::default() };
        let by_token = pb::AuthorizeRequest { subject: Some(subject), ..question.clone() };
        let then = asked(service, &told.boss, &by_token, time).await;
        refused(then, Code::InvalidArgument, "INVALID_FIELD");
        let request = pb::SearchActionsRequest {
            subject: question.subject.clone(),
            resource: question.resource.clone(),
            consistency: at(time),
            ..Default::default()
        };
        let then = service.authorization(&told.boss).search_actions(request).await;
        refused(then, Code::InvalidArgument, "INVALID_FIELD");
    }
}
