//! `MoveAccount`: where it may go, and who would gain.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{HOUSE, State, Tree, apply, created, get, move_to, put, revision, set_role, user};
use crate::support::{engines, refused};

#[tokio::test]
async fn an_account_moves_with_all_below_it_and_keeps_its_role() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        set_role(service, ann, &tree.left, "Developer").await.unwrap();
        let moved = move_to(service, ann, &tree.left, &tree.right).await.unwrap();
        assert_eq!((&moved.parent_account_id, moved.depth), (&tree.right, 4));
        assert_eq!((moved.role.as_str(), &moved.tenant_id), ("Developer", &tree.top));
        let low = get(service, ann, &tree.low).await.unwrap();
        assert_eq!((&low.parent_account_id, low.depth), (&tree.left, 5));
        let righty = service.person(&tree.right, "righty", &["ONBOARDING"]).await;
        refused(get(service, &righty, &tree.low).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        // Where it is already: nothing changes.
        let at = revision(service, &tree.top).await;
        service.advance(5);
        assert_eq!(move_to(service, ann, &tree.left, &tree.right).await.unwrap(), moved);
        assert_eq!(revision(service, &tree.top).await, at);
        tree.done().await;
    }
}

#[tokio::test]
async fn it_goes_neither_below_itself_nor_into_another_tenant() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, root) = (&tree.service, &tree.service.root);
        for (id, parent) in
            [(&tree.left, &tree.left), (&tree.left, &tree.low), (&tree.top, &tree.low)]
        {
            for by in [root, &tree.ann] {
                let asked = move_to(service, by, id, parent).await;
                refused(asked, Code::FailedPrecondition, "CYCLE");
            }
        }
        let other = service.tenant("Other").await;
        let below = service.account(&other, "Below").await;
        for (id, parent) in [
            (&tree.left, &other),
            (&tree.left, &below),
            (&tree.top, &other),
            (&tree.left, &root.account_id),
            (&tree.top, &root.account_id),
        ] {
            for by in [root, &tree.operator] {
                let asked = move_to(service, by, id, parent).await;
                refused(asked, Code::FailedPrecondition, "TENANT_BOUNDARY");
            }
            let asked = move_to(service, &tree.ann, id, parent).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        // Whoever may read both but move neither is told that, and an etag comes before the boundary.
        let auditor = service.person(&root.account_id, "auditor", &["AUDITOR"]).await;
        let asked = move_to(service, &auditor, &tree.left, &other).await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        let request = pb::MoveAccountRequest {
            account_id: tree.left.clone(),
            new_parent_account_id: other,
            etag: "old".to_owned(),
            ..Default::default()
        };
        let asked = service.accounts(root).move_account(request).await;
        refused(asked, Code::Aborted, "ETAG_MISMATCH");
        tree.done().await;
    }
}

#[tokio::test]
async fn it_needs_the_right_on_both_and_both_must_be_seen() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let asked = move_to(service, &tree.reader, &tree.low, &tree.right).await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for (id, parent) in [(&tree.low, &tree.right), (&tree.right, &tree.left)] {
            let asked = move_to(service, &lefty, id, parent).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        let absent = "acc_00000000000000000000000001".to_owned();
        for by in [&tree.ann, &service.root] {
            for (id, parent) in [(&tree.low, &absent), (&absent, &tree.low)] {
                let asked = move_to(service, by, id, parent).await;
                refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
            }
        }
        let request = pb::MoveAccountRequest {
            account_id: tree.low.clone(),
            new_parent_account_id: tree.right.clone(),
            etag: "old".to_owned(),
            ..Default::default()
        };
        let asked = service.accounts(&tree.ann).move_account(request).await;
        refused(asked, Code::Aborted, "ETAG_MISMATCH");
        tree.done().await;
    }
}

#[tokio::test]
async fn nobody_gains_by_a_move_what_the_mover_does_not_hold() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let mover = service.person(&tree.top, "mover", &["OPERATOR"]).await;
        // Those above the new place gain reach over what moves.
        let righty = service.person(&tree.right, "righty", &["SUPER_USER"]).await;
        let asked = move_to(service, &mover, &tree.low, &tree.right).await;
        refused(asked, Code::PermissionDenied, "ESCALATION");
        move_to(service, ann, &tree.low, &tree.right).await.unwrap();
        get(service, &righty, &tree.low).await.unwrap();
        // Back it comes: nobody but super users of the top, who were above before, is above then.
        move_to(service, &mover, &tree.low, &tree.left).await.unwrap();

        // Those who move gain what another ceiling leaves them.
        set_role(service, ann, &tree.left, "Developer").await.unwrap();
        service.person(&tree.low, "lowly", &["SUPER_USER"]).await;
        let asked = move_to(service, &mover, &tree.low, &tree.top).await;
        refused(asked, Code::PermissionDenied, "ESCALATION");
        move_to(service, ann, &tree.low, &tree.top).await.unwrap();
        tree.done().await;
    }
}

#[tokio::test]
async fn what_is_shared_downward_is_gained_by_those_who_move_below_it() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        apply(service, HOUSE).await;
        let clerk = service.person(&tree.low, "clerk", &["Clerk"]).await;
        let shelf = format!("account/{}/shelf/7", tree.right);
        assert!(!service.decides(&clerk.user_id, "read", "shelf", &shelf).await.decision);
        let mover = service.person(&tree.top, "mover", &["Mover"]).await;
        let asked = move_to(service, &mover, &tree.low, &tree.right).await;
        let status = refused(asked, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("shelf.read"), "{}", status.message());
        let keeper = service.person(&tree.top, "keeper", &["Keeper"]).await;
        move_to(service, &keeper, &tree.low, &tree.right).await.unwrap();
        assert!(service.decides(&clerk.user_id, "read", "shelf", &shelf).await.decision);
        tree.done().await;
    }
}

#[tokio::test]
async fn no_move_leads_out_of_a_stop_that_the_mover_could_not_lift() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        for (stop, start) in [(State::Suspend, State::Resume), (State::Quarantine, State::Release)]
        {
            stop.ask(service, &tree.operator, &tree.left).await.unwrap();
            let asked = move_to(service, ann, &tree.low, &tree.right).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            move_to(service, &service.root, &tree.low, &tree.right).await.unwrap();
            move_to(service, ann, &tree.low, &tree.left).await.unwrap();
            start.ask(service, &tree.operator, &tree.left).await.unwrap();
            // What was ordered from the mover's own account it may lead out of.
            stop.ask(service, ann, &tree.left).await.unwrap();
            move_to(service, ann, &tree.low, &tree.right).await.unwrap();
            move_to(service, ann, &tree.low, &tree.left).await.unwrap();
            start.ask(service, ann, &tree.left).await.unwrap();
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a_custom_role_stays_with_its_holders_and_its_name_alone_in_its_chain() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let role = async |account: &str, name: &str| {
            let role = pb::Role {
                name: Some(name.to_owned()),
                permits: vec!["user.read".to_owned()],
                assignable_to: vec![pb::Holder::Admin.into()],
                ..Default::default()
            };
            let request = pb::CreateRoleRequest {
                account_id: account.to_owned(),
                role: Some(role),
                ..Default::default()
            };
            let made = service.roles(&service.root).create_role(request).await.unwrap();
            made.into_inner().role.unwrap().role
        };
        let of_left = role(&tree.left, "night_watch").await;
        let watch = service.person(&tree.low, "watch", &[&of_left]).await;
        let asked = move_to(service, ann, &tree.low, &tree.right).await;
        refused(asked, Code::FailedPrecondition, "ROLE_IN_USE");
        let remove = pb::RemoveUserRoleRequest {
            user_id: watch.user_id.clone(),
            role_type: of_left,
            ..Default::default()
        };
        service.roles(&service.root).remove_user_role(remove).await.unwrap();

        role(&tree.low, "day_watch").await;
        role(&tree.right, "day_watch").await;
        let asked = move_to(service, ann, &tree.low, &tree.right).await;
        refused(asked, Code::AlreadyExists, "ROLE_NAME_TAKEN");
        move_to(service, ann, &tree.low, &tree.top).await.unwrap();
        tree.done().await;
    }
}

#[tokio::test]
async fn more_than_ten_thousand_users_do_not_move_at_once() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let users = (0..10_001).map(|n| created(user(&tree.low, n))).collect();
        put(service, &tree.top, users).await;
        for id in [&tree.left, &tree.low] {
            let asked = move_to(service, ann, id, &tree.right).await;
            refused(asked, Code::FailedPrecondition, "TOO_LARGE");
        }
        move_to(service, ann, &tree.right, &tree.low).await.unwrap();
        tree.done().await;
    }
}
