//! Roles that accounts make: what may not be done with them while they are in use, and how many may use them.

use chancery::model::{Change, ChangeKind, Image, RoleGrant, RoleRef};
use chancery::proto::v1 as pb;
use tonic::Code;

use super::{delete, made, role, texts, update};
use crate::account::{created, put, user};
use crate::support::{Person, Service, beginning, engines, refused};

fn of(id: &str) -> pb::Role {
    pb::Role { role: id.to_owned(), ..Default::default() }
}

async fn goes(service: &Service, by: &Person, user: &Person) {
    let request = pb::DeleteUserRequest { user_id: user.user_id.clone(), ..Default::default() };
    service.users(by).delete_user(request).await.unwrap();
}

#[tokio::test]
async fn a_role_that_only_another_role_includes_is_in_use() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let base = made(&service, &acme, role("base", &["recording.*"])).await;
        let includes = texts(&["base"]);
        let wider = made(&service, &acme, pb::Role { includes, ..role("wider", &[]) }).await;
        let kept = service.roles(&boss).delete_role(delete("base")).await;
        let status = refused(kept, Code::FailedPrecondition, "ROLE_IN_USE");
        assert!(status.message().contains(&wider.role), "{}", status.message());
        let forced = pb::DeleteRoleRequest { force: true, ..delete(&base.role) };
        service.roles(&boss).delete_role(forced).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_of_who_was_deleted_and_may_come_back_is_in_use() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let machine = service.machine(&acme, "machine", &["own"]).await;
        goes(&service, &boss, &machine).await;

        let kept = service.roles(&boss).delete_role(delete("own")).await;
        refused(kept, Code::FailedPrecondition, "ROLE_IN_USE");
        let people = pb::Role { assignable_to: vec![pb::Holder::Admin.into()], ..of(&own.role) };
        let kept = service.roles(&boss).update_role(update(people, &[])).await;
        refused(kept, Code::FailedPrecondition, "ROLE_IN_USE");
        let forced = pb::DeleteRoleRequest { force: true, ..delete("own") };
        service.roles(&boss).delete_role(forced).await.unwrap();
        // Whoever comes back then comes back without it.
        let back = pb::UndeleteUserRequest { user_id: machine.user_id, ..Default::default() };
        let back = service.users(&boss).undelete_user(back).await.unwrap().into_inner();
        assert!(back.user.unwrap().roles.is_empty());
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_an_edited_role_names_is_looked_up_like_that_of_a_new_one() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let included = pb::Role { includes: texts(&["USER", "NO_SUCH"]), ..of(&own.role) };
        let when = pb::Role { when: Some("true &&".to_owned()), ..of(&own.role) };
        for (changed, reason, field) in [
            (included, "UNKNOWN_ROLE", "role.includes[1]"),
            (when, "INVALID_CONDITION", "role.when"),
        ] {
            let result = service.roles(&boss).update_role(update(changed, &[])).await;
            let status = refused(result, Code::InvalidArgument, reason);
            assert!(status.message().starts_with(field), "{}", status.message());
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_a_role_comes_to_is_limited_when_it_is_edited_and_a_taken_name_is_told_last() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let seven = ["USER", "MANAGE_USERS", "MANAGE_RIGHTS", "WFO_ACCESS", "ACCESS_AUDIT_LOG"];
        made(&service, &acme, pb::Role { includes: texts(&seven), ..role("bunch", &[]) }).await;
        // Each of these comes to six others: eleven of them are more than 64.
        let mut bunches = Vec::new();
        for place in 0..11 {
            let includes = texts(&["bunch"]);
            let name = format!("bunch_{place}");
            bunches
                .push(made(&service, &acme, pb::Role { includes, ..role(&name, &[]) }).await.role);
        }
        let few = pb::Role { includes: bunches[..9].to_vec(), ..role("few", &[]) };
        let few = made(&service, &acme, few).await;
        let all = pb::Role { includes: bunches.clone(), ..of(&few.role) };
        let result = service.roles(&boss).update_role(update(all, &[])).await;
        refused(result, Code::FailedPrecondition, "TOO_LARGE");
        // One below that is included counts for those above.
        let more = texts(&["USER", "MANAGE_USERS", "WFO_ACCESS", "bunch_9", "bunch_10"]);
        let more = pb::Role { includes: more, ..of(&bunches[0]) };
        let result = service.roles(&boss).update_role(update(more, &[])).await;
        refused(result, Code::FailedPrecondition, "TOO_LARGE");

        let both = pb::Role { includes: bunches, ..role("few", &[]) };
        let result = service.roles(&boss).create_role(super::create("", both)).await;
        refused(result, Code::FailedPrecondition, "TOO_LARGE");
        service.stop().await;
    }
}

/// More users with a role than one change touches.
fn crowd(acme: &str, role: &pb::Role) -> Vec<Change> {
    let role = RoleRef::Custom(role.role.parse().unwrap());
    let one = |n| {
        let user = user(acme, n);
        let grant = RoleGrant {
            user: user.id,
            account: user.account,
            role: role.clone(),
            scope: None,
            expire_time: None,
            create_time: beginning(),
            created_by: None,
        };
        let (account, kind) = (user.account, ChangeKind::RoleAssign);
        let given = Change { account, kind, before: None, after: Some(Image::RoleGrant(grant)) };
        [created(user), given]
    };
    (0..10_001).flat_map(one).collect()
}

#[tokio::test]
async fn a_role_of_more_than_ten_thousand_users_is_neither_given_anew_nor_taken_at_once() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        for part in crowd(&acme, &own).chunks(4_000) {
            put(&service, &acme, part.to_vec()).await;
        }

        let wider = || pb::Role { permits: texts(&["recording.*"]), ..of(&own.role) };
        let result = service.roles(&boss).update_role(update(wider(), &[])).await;
        refused(result, Code::FailedPrecondition, "TOO_LARGE");
        let forced = pb::DeleteRoleRequest { force: true, ..delete("own") };
        let result = service.roles(&boss).delete_role(forced).await;
        refused(result, Code::FailedPrecondition, "TOO_LARGE");
        // That it is another role by now is said first.
        let stale = pb::Role { etag: "old".to_owned(), ..wider() };
        let result = service.roles(&boss).update_role(update(stale, &[])).await;
        refused(result, Code::Aborted, "ETAG_MISMATCH");
        // Words give nobody anything.
        let words = pb::Role { description: Some("of many".to_owned()), ..of(&own.role) };
        service.roles(&boss).update_role(update(words, &[])).await.unwrap();
        service.stop().await;
    }
}
