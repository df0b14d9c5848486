//! `MoveAccount` between accounts that are stopped or not yet opened, and what holds an account where it is.

use chancery::proto::v1 as pb;
use pb::AccountStatus as Is;
use tonic::Code;

use super::{HOUSE, State, Tree, apply, create, get, move_to, named, with};
use crate::support::{Person, Service, engines, refused};

#[tokio::test]
async fn who_may_move_but_not_lift_a_stop_moves_nothing_out_from_under_it() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        apply(service, HOUSE).await;
        let mover = service.person(&tree.top, "mover", &["Mover"]).await;
        for (stop, start) in [(State::Suspend, State::Resume), (State::Quarantine, State::Release)]
        {
            stop.ask(service, ann, &tree.left).await.unwrap();
            let asked = move_to(service, &mover, &tree.low, &tree.right).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            start.ask(service, ann, &tree.left).await.unwrap();
        }
        move_to(service, &mover, &tree.low, &tree.right).await.unwrap();
        tree.done().await;
    }
}

#[tokio::test]
async fn what_is_below_a_pending_account_waits_with_it_and_is_opened_by_who_may_open() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        apply(service, HOUSE).await;
        let mover = service.person(&tree.top, "mover", &["Mover"]).await;
        let pending = pb::Account { status: Some(Is::Pending.into()), ..named("Pending") };
        let pending = create(service, ann, with(&tree.top, pending)).await.unwrap().account_id;

        let below = move_to(service, &mover, &tree.low, &pending).await.unwrap();
        assert_eq!((below.status(), below.effective_status()), (Is::Active, Is::Pending));
        let asked = move_to(service, &mover, &tree.low, &tree.left).await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        assert_eq!(get(service, ann, &tree.low).await.unwrap().effective_status(), Is::Pending);
        let back = move_to(service, ann, &tree.low, &tree.left).await.unwrap();
        assert_eq!(back.effective_status(), Is::Active);
        tree.done().await;
    }
}

async fn role(service: &Service, account: &str, name: &str, includes: &[&str]) -> String {
    let role = pb::Role {
        name: Some(name.to_owned()),
        permits: vec!["user.read".to_owned()],
        includes: includes.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    };
    let account_id = account.to_owned();
    let request = pb::CreateRoleRequest { account_id, role: Some(role), ..Default::default() };
    let made = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
    made.role.unwrap().role
}

async fn delete(service: &Service, user: &Person) {
    let request = pb::DeleteUserRequest { user_id: user.user_id.clone(), ..Default::default() };
    service.users(&service.root).delete_user(request).await.unwrap();
}

#[tokio::test]
async fn a_custom_role_holds_back_the_roles_that_include_it_and_holders_who_may_come_back() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let of_left = role(service, &tree.left, "night_watch", &[]).await;
        let above = role(service, &tree.low, "all_watches", &[&of_left]).await;
        let asked = move_to(service, ann, &tree.low, &tree.right).await;
        refused(asked, Code::FailedPrecondition, "ROLE_IN_USE");
        let gone = pb::DeleteRoleRequest { role: above, ..Default::default() };
        service.roles(ann).delete_role(gone).await.unwrap();

        let watch = service.person(&tree.low, "watch", &[&of_left]).await;
        delete(service, &watch).await;
        let asked = move_to(service, ann, &tree.low, &tree.right).await;
        refused(asked, Code::FailedPrecondition, "ROLE_IN_USE");
        // Whoever was deleted longer ago never comes back.
        service.advance(30 * 24 * 3600);
        move_to(service, ann, &tree.low, &tree.right).await.unwrap();
        tree.done().await;
    }
}
