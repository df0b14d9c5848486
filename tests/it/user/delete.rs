//! `DeleteUser`.

use super::*;

fn delete(id: &str) -> pb::DeleteUserRequest {
    pb::DeleteUserRequest { user_id: id.to_owned(), ..Default::default() }
}

async fn run(
    acme: &Acme,
    by: &Person,
    request: pb::DeleteUserRequest,
) -> Result<pb::DeleteUserResponse, Status> {
    Ok(acme.service.users(by).delete_user(request).await?.into_inner())
}

#[tokio::test]
async fn a_user_goes_with_all_below_it_and_with_their_tokens() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.below(&acme.manager, "top", &["USER"]).await;
        let child = acme.below(&top, "child", &["USER"]).await;
        let reply = acme.delete(&acme.manager, &top.user_id).await.unwrap();
        let user = reply.user.unwrap();
        assert!(user.delete_time.is_some());
        assert_eq!((user.user_name(), user.roles.as_slice()), ("top", &texts(&["USER"])[..]));
        for gone in [&top, &child] {
            refused(acme.get(&acme.boss, &gone.user_id).await, Code::NotFound, "USER_NOT_FOUND");
            assert_eq!(
                acme.get(gone, &gone.user_id).await.unwrap_err().code(),
                Code::Unauthenticated
            );
            let asked =
                acme.service.decides(&gone.user_id, "account.read", "account", &acme.account).await;
            assert_eq!(asked.reason(), pb::Reason::SubjectUnknown);
        }
        refused(acme.delete(&acme.boss, &top.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn what_becomes_of_children_is_said_or_follows() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.below(&acme.manager, "top", &[]).await;
        let child = acme.below(&top, "child", &[]).await;
        let lone = pb::DeleteUserRequest { cascade_delete: Some(false), ..delete(&top.user_id) };
        let status = run(&acme, &acme.manager, lone.clone()).await;
        refused(status, Code::FailedPrecondition, "HAS_CHILDREN");
        let give = |to: &str| pb::DeleteUserRequest {
            reassign_user_id: to.to_owned(),
            ..delete(&top.user_id)
        };
        let both =
            pb::DeleteUserRequest { cascade_delete: Some(true), ..give(&acme.manager.user_id) };
        let status = run(&acme, &acme.manager, both).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        for to in [&top.user_id, &child.user_id] {
            let status = run(&acme, &acme.manager, give(to)).await;
            refused(status, Code::FailedPrecondition, "CYCLE");
        }
        refused(run(&acme, &acme.manager, give(&nobody())).await, Code::NotFound, "USER_NOT_FOUND");
        let explicit =
            pb::DeleteUserRequest { cascade_delete: Some(false), ..give(&acme.manager.user_id) };
        run(&acme, &acme.manager, explicit).await.unwrap();
        let child = acme.get(&acme.manager, &child.user_id).await.unwrap();
        assert_eq!(child.parent_user_id, acme.manager.user_id);
        let lone = pb::DeleteUserRequest { user_id: child.user_id, ..lone };
        run(&acme, &acme.manager, lone).await.unwrap();
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn who_takes_the_children_can_and_may() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.below(&acme.manager, "top", &[]).await;
        acme.below(&top, "child", &[]).await;
        let customer = pb::User {
            kind: Some(pb::UserKind::Application.into()),
            application_id: "app".to_owned(),
            ..named("customer")
        };
        let customer = acme.service.users(&acme.boss).create_user(new(customer)).await.unwrap();
        let customer = customer.into_inner().user.unwrap().user_id;
        let give = |to: &str| pb::DeleteUserRequest {
            reassign_user_id: to.to_owned(),
            ..delete(&top.user_id)
        };
        let status = run(&acme, &acme.boss, give(&customer)).await;
        refused(status, Code::InvalidArgument, "WRONG_USER_KIND");
        let below = acme.service.account(&acme.account, "Below").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let status = run(&acme, &acme.boss, give(&lower.user_id)).await;
        refused(status, Code::NotFound, "USER_NOT_FOUND");
        // Seen by the manager, but not to be moved to: it hangs beside, not below.
        let beside = acme.below(&acme.boss, "beside", &[]).await;
        let roles = ["USER", "MANAGE_USERS", "core/AUDITOR"];
        let seer = acme.below(&acme.boss, "seer", &roles).await;
        let own = acme.below(&seer, "own", &[]).await;
        let request =
            pb::DeleteUserRequest { reassign_user_id: beside.user_id, ..delete(&own.user_id) };
        refused(run(&acme, &seer, request).await, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn nobody_goes_by_his_own_hand_nor_with_others() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let own = acme.delete(&acme.boss, &acme.boss.user_id).await;
        refused(own, Code::PermissionDenied, "ACCESS_DENIED");
        let deputy = acme.below(&acme.manager, "deputy", &["SUPER_USER"]).await;
        let above = acme.delete(&deputy, &acme.manager.user_id).await;
        refused(above, Code::PermissionDenied, "ACCESS_DENIED");
        let give = pb::DeleteUserRequest {
            reassign_user_id: acme.boss.user_id.clone(),
            ..delete(&acme.manager.user_id)
        };
        let moved = run(&acme, &deputy, give).await;
        refused(moved, Code::PermissionDenied, "ACCESS_DENIED");
        // Whoever may delete only some of those that would go deletes none.
        let roles = ["USER", "MANAGE_USERS", "ACCESS_SIBLINGS"];
        let a = acme.below(&acme.boss, "a", &roles).await;
        let b = acme.below(&acme.boss, "b", &[]).await;
        let c = acme.below(&b, "c", &[]).await;
        refused(acme.delete(&a, &b.user_id).await, Code::PermissionDenied, "ACCESS_DENIED");
        acme.delete(&acme.boss, &c.user_id).await.unwrap();
        acme.delete(&a, &b.user_id).await.unwrap();
    }
}

#[tokio::test]
async fn what_hangs_deeper_than_the_forest_goes_is_not_handed_on() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.user_depth", "4")];
        let acme = Acme::of(Service::start_with(&engine, &settings).await).await;
        let top = acme.below(&acme.boss, "top", &[]).await;
        let child = acme.below(&top, "child", &[]).await;
        acme.below(&child, "grandchild", &[]).await;
        let third = acme.below(&acme.manager, "third", &[]).await;
        let give =
            pb::DeleteUserRequest { reassign_user_id: third.user_id, ..delete(&top.user_id) };
        let status = run(&acme, &acme.boss, give).await;
        refused(status, Code::FailedPrecondition, "DEPTH_LIMIT");
    }
}

#[tokio::test]
async fn more_than_a_lock_is_held_for_neither_go_nor_move() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let crowded = acme.below(&acme.boss, "crowded", &[]).await;
        let other = acme.below(&acme.boss, "other", &[]).await;
        acme.crowd(&crowded.user_id, 10_001).await;
        let status = acme.delete(&acme.boss, &crowded.user_id).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let give = pb::DeleteUserRequest {
            reassign_user_id: other.user_id.clone(),
            ..delete(&crowded.user_id)
        };
        let status = run(&acme, &acme.boss, give).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let status = acme.move_to(&acme.boss, &crowded.user_id, &other.user_id).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
        let request = pb::ReassignChildrenRequest {
            old_user_id: crowded.user_id,
            reassign_user_id: other.user_id,
            ..Default::default()
        };
        let mut users = acme.service.users(&acme.boss);
        let status = users.reassign_children(request).await;
        refused(status, Code::FailedPrecondition, "TOO_LARGE");
    }
}

#[tokio::test]
async fn a_stale_etag_a_repeat_and_a_rehearsal() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &[]).await;
        let etag = acme.get(&acme.boss, &u.user_id).await.unwrap().etag;
        let stale = pb::DeleteUserRequest { etag: "an older one".to_owned(), ..delete(&u.user_id) };
        refused(run(&acme, &acme.boss, stale).await, Code::Aborted, "ETAG_MISMATCH");
        let before = acme.revision().await;
        let rehearsal = pb::DeleteUserRequest { validate_only: true, ..delete(&u.user_id) };
        let would = run(&acme, &acme.boss, rehearsal).await.unwrap();
        assert_eq!(would.user.unwrap().user_id, u.user_id);
        assert_eq!(acme.revision().await, before);
        let request = pb::DeleteUserRequest { etag, request_id: once(), ..delete(&u.user_id) };
        let first = run(&acme, &acme.boss, request.clone()).await.unwrap().user.unwrap();
        let again = run(&acme, &acme.boss, request).await.unwrap().user.unwrap();
        assert_eq!((first.user_id, first.delete_time), (again.user_id, again.delete_time));
        assert_eq!(acme.revision().await, before + 1);
    }
}

#[tokio::test]
async fn strangers_delete_nobody_and_in_a_closed_account_nobody_goes() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        is_closed_to_strangers(&acme, |by| {
            let (acme, id) = (&acme, id.clone());
            async move { acme.delete(&by, &id).await }
        })
        .await;
        acme.close().await;
        let root = acme.service.root.clone();
        let status = acme.delete(&root, &id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}
