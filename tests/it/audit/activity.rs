//! What was done that changed nothing.

use chancery::proto::v1 as pb;
use pb::ActivityKind as Kind;
use prost_types::Timestamp;
use tonic::Code;

use crate::support::{Person, Service, beginning, engines, refused};

const PASSWORD: &str = "kaufhaus tiger lampe";

async fn list(
    service: &Service,
    by: &Person,
    request: pb::ListActivityRequest,
) -> Vec<pb::Activity> {
    service.audit(by).list_activity(request).await.unwrap().into_inner().activities
}

fn of(account_id: &str) -> pb::ListActivityRequest {
    pb::ListActivityRequest { account_id: account_id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn sign_ins_failures_denials_and_uses_are_listed_with_who_and_from_where() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        service.password(&ann, PASSWORD).await;
        for (name, password) in
            [("ann", "wrong"), ("ann", "wrong"), ("nobody", "wrong"), ("ann", PASSWORD)]
        {
            let told = service.sign_in(&acme, name, password).await;
            assert_eq!(told.is_ok(), password == PASSWORD);
        }
        let delete =
            || pb::DeleteUserRequest { user_id: boss.user_id.clone(), ..Default::default() };
        for _ in 0..3 {
            refused(
                service.users(&ann).delete_user(delete()).await,
                Code::NotFound,
                "USER_NOT_FOUND",
            );
        }
        let own = pb::ListUsersRequest::default();
        refused(service.users(&ann).list_users(own).await, Code::PermissionDenied, "ACCESS_DENIED");

        let all = list(&service, &boss, of(&acme)).await;
        let told = |kind: pb::ActivityKind, user: &str, what: &str| {
            let found = all
                .iter()
                .find(|one| one.kind() == kind && one.user_id == user && one.what == what);
            let one = found.unwrap_or_else(|| panic!("no {kind:?} {user} {what} in {all:?}"));
            assert_eq!((one.source.as_str(), &one.account_id), ("127.0.0.1", &acme));
            assert_eq!(one.time.unwrap().seconds, beginning().timestamp());
            one.count
        };
        assert_eq!(told(Kind::SignIn, &ann.user_id, "PASSWORD"), 1);
        assert_eq!(told(Kind::SignInFailed, &ann.user_id, "PASSWORD"), 2);
        assert_eq!(told(Kind::SignInFailed, "", "PASSWORD"), 1);
        assert_eq!(told(Kind::Denied, &ann.user_id, "UserService/DeleteUser"), 3);
        assert_eq!(told(Kind::Denied, &ann.user_id, "UserService/ListUsers"), 1);
        assert_eq!(told(Kind::TokenUsed, &ann.user_id, &ann.token_id), 1);
        assert_eq!(told(Kind::TokenUsed, &boss.user_id, &boss.token_id), 1);
        // None of it is in a ledger, and what is secret is in neither.
        service.verify(&acme).await;
        let text = format!("{all:?}");
        for secret in [PASSWORD, "wrong", ann.token.as_str(), boss.token.as_str()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

fn ids(of: &[pb::Activity]) -> Vec<String> {
    of.iter().map(|one| one.activity_id.clone()).collect()
}

/// Pages join to the whole, and a page's token is good for its own list alone.
async fn is_paged(service: &Service, boss: &Person, all: &[pb::Activity]) {
    let acme = &boss.account_id;
    let mut paged = Vec::new();
    let mut request = of(acme);
    request.set_order(pb::AuditOrder::NewestFirst);
    request.page_size = 2;
    loop {
        let page = service.audit(boss).list_activity(request.clone()).await.unwrap().into_inner();
        assert!(page.activities.len() <= 2);
        paged.extend(ids(&page.activities));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    paged.reverse();
    paged.retain(|id| ids(all).contains(id));
    assert_eq!(paged, ids(all));
    let mut other = of(acme);
    other.page_size = 1;
    let page = service.audit(boss).list_activity(other.clone()).await.unwrap().into_inner();
    other.page_token = page.next_page_token;
    other.user_id.clone_from(&boss.user_id);
    refused(
        service.audit(boss).list_activity(other).await,
        Code::InvalidArgument,
        "INVALID_PAGE_TOKEN",
    );
}

#[tokio::test]
async fn activity_is_found_by_time_kind_and_user_and_paged_either_way() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        for _ in 0..3 {
            let own = pb::ListUsersRequest::default();
            refused(
                service.users(&ann).list_users(own).await,
                Code::PermissionDenied,
                "ACCESS_DENIED",
            );
            // Listed is written down, so that the next is another.
            list(&service, &boss, of(&acme)).await;
            service.advance(10);
        }
        let all = list(&service, &boss, of(&acme)).await;
        let is = async |change: &dyn Fn(&mut pb::ListActivityRequest),
                        keep: &dyn Fn(&pb::Activity) -> bool| {
            let mut request = of(&acme);
            change(&mut request);
            request.set_order(pb::AuditOrder::OldestFirst);
            // Asking is a use as well, of which there was none yet when all were asked for.
            let told = list(&service, &boss, request).await;
            let told: Vec<String> =
                ids(&told).into_iter().filter(|id| ids(&all).contains(id)).collect();
            let kept: Vec<pb::Activity> = all.iter().filter(|one| keep(one)).cloned().collect();
            assert!(!kept.is_empty() && kept.len() < all.len());
            assert_eq!(told, ids(&kept));
        };
        let at =
            |seconds: i64| Some(Timestamp { seconds: beginning().timestamp() + seconds, nanos: 0 });
        let when = |one: &pb::Activity| one.time.unwrap().seconds - beginning().timestamp();
        let denied = pb::ActivityKind::Denied;
        is(&|r| r.kinds = vec![denied.into()], &|one| one.kind() == denied).await;
        is(&|r| r.user_id.clone_from(&ann.user_id), &|one| one.user_id == ann.user_id).await;
        is(&|r| r.start_time = at(10), &|one| when(one) >= 10).await;
        is(&|r| r.end_time = at(10), &|one| when(one) < 10).await;

        is_paged(&service, &boss, &all).await;
        let mut turned = of(&acme);
        (turned.start_time, turned.end_time) = (at(2), at(1));
        refused(
            service.audit(&boss).list_activity(turned).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        // After a while it is forgotten.
        let until = chancery::model::Clock::now(&*service.clock);
        assert!(service.store.forget_activity(until).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn activity_is_shown_to_who_may_read_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let other = service.tenant("Other").await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        assert!(!list(&service, &auditor, pb::ListActivityRequest::default()).await.is_empty());
        let mut audit = service.audit(&auditor);
        refused(audit.list_activity(of(&other)).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let mut audit = service.audit(&plain);
        refused(audit.list_activity(of(&acme)).await, Code::PermissionDenied, "ACCESS_DENIED");
    }
}
