//! `MoveUser` and `ReassignChildren`.

use super::*;

fn reassign(from: &str, to: &str) -> pb::ReassignChildrenRequest {
    pb::ReassignChildrenRequest {
        old_user_id: from.to_owned(),
        reassign_user_id: to.to_owned(),
        ..Default::default()
    }
}

async fn run(
    acme: &Acme,
    by: &Person,
    request: pb::ReassignChildrenRequest,
) -> Result<Vec<pb::User>, Status> {
    Ok(acme.service.users(by).reassign_children(request).await?.into_inner().users)
}

#[tokio::test]
async fn a_user_moves_with_all_below_it() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.below(&acme.manager, "top", &[]).await;
        let child = acme.below(&top, "child", &[]).await;
        let to = acme.below(&acme.manager, "to", &["USER", "MANAGE_USERS"]).await;
        refused(acme.get(&to, &child.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        let moved = acme.move_to(&acme.manager, &top.user_id, &to.user_id).await.unwrap();
        assert_eq!(moved.parent_user_id, to.user_id);
        assert_eq!(acme.get(&to, &child.user_id).await.unwrap().parent_user_id, top.user_id);
        let before = acme.revision().await;
        acme.move_to(&acme.manager, &top.user_id, &to.user_id).await.unwrap();
        assert_eq!(acme.revision().await, before, "it hangs there already");
        // To the top: only by who may make root users.
        let up = acme.move_to(&acme.manager, &top.user_id, "").await;
        refused(up, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(acme.move_to(&acme.boss, &top.user_id, "").await.unwrap().root_user);
        refused(acme.get(&to, &child.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn both_ends_of_a_move_lie_in_one_account_and_are_seen() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &[]).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let hidden = acme.below(&acme.boss, "hidden", &[]).await;
        let cases = [
            (&acme.boss, &u.user_id, &lower.user_id),
            (&acme.boss, &lower.user_id, &u.user_id),
            // Not below oneself from another account, either.
            (&acme.boss, &lower.user_id, &acme.boss.user_id),
            (&acme.manager, &u.user_id, &hidden.user_id),
            (&acme.manager, &hidden.user_id, &u.user_id),
            (&acme.boss, &u.user_id, &nobody()),
        ];
        for (by, id, to) in cases {
            let status = acme.move_to(by, id, to).await;
            refused(status, Code::NotFound, "USER_NOT_FOUND");
            let status = run(&acme, by, reassign(id, to)).await;
            refused(status, Code::NotFound, "USER_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn nobody_moves_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let deputy = acme.below(&acme.manager, "deputy", &["SUPER_USER"]).await;
        let own = acme.move_to(&deputy, &deputy.user_id, &acme.boss.user_id).await;
        refused(own, Code::PermissionDenied, "ACCESS_DENIED");
        let among = run(&acme, &deputy, reassign(&acme.manager.user_id, &acme.boss.user_id)).await;
        refused(among, Code::PermissionDenied, "ACCESS_DENIED");
        // Seen, but not one's own to move.
        let reader = acme.below(&acme.boss, "reader", &["core/AUDITOR"]).await;
        let denied = acme.move_to(&reader, &deputy.user_id, &acme.boss.user_id).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let denied = run(&acme, &reader, reassign(&acme.manager.user_id, &acme.boss.user_id)).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn end_customers_hang_nowhere() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let customer = pb::User {
            kind: Some(pb::UserKind::Application.into()),
            application_id: "app".to_owned(),
            ..named("customer")
        };
        let made = acme.service.users(&acme.boss).create_user(new(customer)).await.unwrap();
        let customer = made.into_inner().user.unwrap().user_id;
        let u = acme.below(&acme.manager, "u", &[]).await;
        for (id, to) in [(&customer, &u.user_id), (&u.user_id, &customer)] {
            let status = acme.move_to(&acme.boss, id, to).await;
            refused(status, Code::InvalidArgument, "WRONG_USER_KIND");
        }
        let status = run(&acme, &acme.boss, reassign(&acme.manager.user_id, &customer)).await;
        refused(status, Code::InvalidArgument, "WRONG_USER_KIND");
    }
}

#[tokio::test]
async fn circles_and_depths_are_refused() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.user_depth", "4")];
        let acme = Acme::of(Service::start_with(&engine, &settings).await).await;
        let a = acme.below(&acme.boss, "a", &[]).await;
        let b = acme.below(&a, "b", &[]).await;
        let c = acme.below(&b, "c", &[]).await;
        let own = acme.move_to(&acme.boss, &a.user_id, &a.user_id).await;
        refused(own, Code::FailedPrecondition, "CYCLE");
        let deep = acme.move_to(&acme.boss, &a.user_id, &c.user_id).await;
        refused(deep, Code::FailedPrecondition, "CYCLE");
        for to in [&b.user_id, &c.user_id] {
            let status = run(&acme, &acme.boss, reassign(&a.user_id, to)).await;
            refused(status, Code::FailedPrecondition, "CYCLE");
        }
        let deep = acme.move_to(&acme.boss, &a.user_id, &acme.manager.user_id).await;
        refused(deep, Code::FailedPrecondition, "DEPTH_LIMIT");
        let third = acme.below(&acme.manager, "third", &[]).await;
        let deep = run(&acme, &acme.boss, reassign(&a.user_id, &third.user_id)).await;
        refused(deep, Code::FailedPrecondition, "DEPTH_LIMIT");
    }
}

#[tokio::test]
async fn who_comes_below_oneself_holds_no_more_than_oneself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let roles = ["USER", "MANAGE_USERS", "ACCESS_SIBLINGS"];
        let a = acme.below(&acme.boss, "a", &roles).await;
        let weak = acme.below(&acme.boss, "weak", &["USER"]).await;
        let strong = acme.below(&acme.boss, "strong", &["USER", "MANAGE_RIGHTS"]).await;
        let status = acme.move_to(&a, &strong.user_id, &a.user_id).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        // Nor with somebody above who holds nothing.
        let carrier = acme.below(&acme.boss, "carrier", &[]).await;
        acme.move_to(&acme.boss, &strong.user_id, &carrier.user_id).await.unwrap();
        let status = acme.move_to(&a, &carrier.user_id, &a.user_id).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let status = run(&acme, &a, reassign(&carrier.user_id, &a.user_id)).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        let give = pb::DeleteUserRequest {
            user_id: carrier.user_id,
            reassign_user_id: a.user_id.clone(),
            ..Default::default()
        };
        let status = acme.service.users(&a).delete_user(give).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        acme.move_to(&a, &weak.user_id, &a.user_id).await.unwrap();
    }
}

#[tokio::test]
async fn etags_repeats_and_rehearsals_of_moves() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let p = acme.below(&acme.boss, "p", &[]).await;
        let c = acme.below(&p, "c", &[]).await;
        let to = acme.manager.user_id.clone();
        let mut users = acme.service.users(&acme.boss);
        let move_c = pb::MoveUserRequest {
            user_id: c.user_id.clone(),
            parent_user_id: to.clone(),
            ..Default::default()
        };
        let stale = pb::MoveUserRequest { etag: "older".to_owned(), ..move_c.clone() };
        refused(users.move_user(stale).await, Code::Aborted, "ETAG_MISMATCH");
        let stale =
            pb::ReassignChildrenRequest { etag: "older".to_owned(), ..reassign(&p.user_id, &to) };
        refused(users.reassign_children(stale).await, Code::Aborted, "ETAG_MISMATCH");

        let before = acme.revision().await;
        let dry = pb::MoveUserRequest { validate_only: true, ..move_c.clone() };
        let would = users.move_user(dry).await.unwrap().into_inner().user.unwrap();
        assert_eq!(would.parent_user_id, to);
        let dry = pb::ReassignChildrenRequest { validate_only: true, ..reassign(&p.user_id, &to) };
        let would = users.reassign_children(dry).await.unwrap().into_inner();
        assert_eq!(would.users[0].parent_user_id, to);
        assert_eq!(would.preview.unwrap().revision, before);
        assert_eq!(acme.revision().await, before);

        let request =
            pb::ReassignChildrenRequest { request_id: once(), ..reassign(&p.user_id, &to) };
        let first = users.reassign_children(request.clone()).await.unwrap().into_inner().users;
        let again = users.reassign_children(request).await.unwrap().into_inner().users;
        assert_eq!(first, again);
        assert_eq!(first.len(), 1);
        let request =
            pb::MoveUserRequest { request_id: once(), parent_user_id: p.user_id.clone(), ..move_c };
        users.move_user(request.clone()).await.unwrap();
        users.move_user(request).await.unwrap();
        assert_eq!(acme.revision().await, before + 2);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn strangers_move_nobody_and_in_a_closed_account_nobody_moves() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &[]).await;
        let v = acme.below(&acme.manager, "v", &[]).await;
        is_closed_to_strangers(&acme, |by| {
            let (acme, u, v) = (&acme, u.user_id.clone(), v.user_id.clone());
            async move {
                let moved = acme.move_to(&by, &u, &v).await.map(drop);
                let given = run(acme, &by, reassign(&u, &v)).await.map(drop);
                assert_eq!(
                    moved.as_ref().unwrap_err().message(),
                    given.as_ref().unwrap_err().message()
                );
                moved
            }
        })
        .await;
        acme.close().await;
        let root = acme.service.root.clone();
        let status = acme.move_to(&root, &u.user_id, &v.user_id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let status = run(&acme, &root, reassign(&acme.manager.user_id, &v.user_id)).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}
