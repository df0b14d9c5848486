//! `UndeleteUser`.

use super::*;

const DAY: i64 = 24 * 60 * 60;

fn back(id: &str) -> pb::UndeleteUserRequest {
    pb::UndeleteUserRequest { user_id: id.to_owned(), ..Default::default() }
}

async fn undelete(acme: &Acme, by: &Person, id: &str) -> Result<pb::User, Status> {
    let reply = acme.service.users(by).undelete_user(back(id)).await?;
    Ok(reply.into_inner().user.unwrap())
}

#[tokio::test]
async fn a_user_comes_back_with_its_roles_and_without_its_tokens_or_those_below() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &["USER"]).await;
        let child = acme.below(&u, "child", &[]).await;
        acme.delete(&acme.manager, &u.user_id).await.unwrap();
        let early = undelete(&acme, &acme.manager, &child.user_id).await;
        refused(early, Code::FailedPrecondition, "PARENT_DELETED");
        let user = undelete(&acme, &acme.manager, &u.user_id).await.unwrap();
        assert_eq!(user.roles, ["USER"]);
        assert!(user.enabled() && user.delete_time.is_none());
        assert_eq!(user.parent_user_id, acme.manager.user_id);
        assert_eq!(acme.get(&u, &u.user_id).await.unwrap_err().code(), Code::Unauthenticated);
        refused(acme.get(&acme.boss, &child.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        undelete(&acme, &acme.manager, &child.user_id).await.unwrap();
        // Not deleted: nothing changes.
        let before = acme.revision().await;
        undelete(&acme, &acme.manager, &child.user_id).await.unwrap();
        assert_eq!(acme.revision().await, before);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn after_thirty_days_nobody_comes_back() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &[]).await;
        let v = acme.below(&acme.manager, "v", &[]).await;
        acme.delete(&acme.boss, &u.user_id).await.unwrap();
        acme.service.advance(1);
        acme.delete(&acme.boss, &v.user_id).await.unwrap();
        acme.service.advance(30 * DAY - 1);
        let late = undelete(&acme, &acme.boss, &u.user_id).await;
        refused(late, Code::NotFound, "USER_NOT_FOUND");
        undelete(&acme, &acme.boss, &v.user_id).await.unwrap();
        let never = undelete(&acme, &acme.boss, &nobody()).await;
        refused(never, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn nobody_brings_back_somebody_stronger_than_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let strong = acme.below(&acme.manager, "strong", &["MANAGE_RIGHTS"]).await;
        acme.delete(&acme.manager, &strong.user_id).await.unwrap();
        let status = undelete(&acme, &acme.manager, &strong.user_id).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        undelete(&acme, &acme.boss, &strong.user_id).await.unwrap();
        // Seen and there, but not one's own to bring back.
        let reader = acme.below(&acme.boss, "reader", &["core/AUDITOR"]).await;
        let status = undelete(&acme, &reader, &strong.user_id).await;
        refused(status, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn the_user_above_may_have_moved_down_to_the_bottom() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.user_depth", "3")];
        let acme = Acme::of(Service::start_with(&engine, &settings).await).await;
        let p = acme.below(&acme.boss, "p", &[]).await;
        let c = acme.below(&p, "c", &[]).await;
        acme.delete(&acme.boss, &c.user_id).await.unwrap();
        acme.move_to(&acme.boss, &p.user_id, &acme.manager.user_id).await.unwrap();
        let status = undelete(&acme, &acme.boss, &c.user_id).await;
        refused(status, Code::FailedPrecondition, "DEPTH_LIMIT");
    }
}

#[tokio::test]
async fn a_stale_etag_a_repeat_and_a_rehearsal() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &["USER"]).await;
        let etag = acme.delete(&acme.boss, &u.user_id).await.unwrap().user.unwrap().etag;
        let mut users = acme.service.users(&acme.boss);
        let stale = pb::UndeleteUserRequest { etag: "older".to_owned(), ..back(&u.user_id) };
        refused(users.undelete_user(stale).await, Code::Aborted, "ETAG_MISMATCH");
        let before = acme.revision().await;
        let rehearsal = pb::UndeleteUserRequest { validate_only: true, ..back(&u.user_id) };
        let would = users.undelete_user(rehearsal).await.unwrap().into_inner();
        assert!(would.user.unwrap().delete_time.is_none());
        assert_eq!(acme.revision().await, before);
        let request = pb::UndeleteUserRequest { etag, request_id: once(), ..back(&u.user_id) };
        let first = users.undelete_user(request.clone()).await.unwrap().into_inner().user;
        let again = users.undelete_user(request).await.unwrap().into_inner().user;
        assert_eq!(first, again);
        assert_eq!(acme.revision().await, before + 1);
    }
}

#[tokio::test]
async fn strangers_bring_nobody_back_and_in_a_closed_account_nobody_comes() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        acme.delete(&acme.boss, &id).await.unwrap();
        is_closed_to_strangers(&acme, |by| {
            let (acme, id) = (&acme, id.clone());
            async move { undelete(acme, &by, &id).await }
        })
        .await;
        acme.close().await;
        let root = acme.service.root.clone();
        let status = undelete(&acme, &root, &id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}
