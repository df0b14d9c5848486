//! The role of an account: chosen at creation, changed by `SetAccountRole`, and what it keeps everybody below from.

use chancery::proto::v1 as pb;
use tonic::{Code, Status};

use super::{HOUSE, State, Tree, apply, create, get, named, revision, set_role, with};
use crate::support::{Person, Service, engines, refused};

async fn child(
    service: &Service,
    by: &Person,
    parent: &str,
    role: &str,
) -> Result<pb::Account, Status> {
    let account = pb::Account { role: role.to_owned(), ..named("child") };
    create(service, by, with(parent, account)).await
}

#[tokio::test]
async fn a_child_gets_the_role_asked_for_where_it_may_be_chosen_and_else_its_parents() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        assert_eq!(child(service, ann, &tree.left, "").await.unwrap().role, "");
        assert_eq!(child(service, ann, &tree.left, "Developer").await.unwrap().role, "Developer");
        let full = child(service, ann, &tree.left, "restcomm/ProvisioningAgent").await.unwrap();
        assert_eq!(full.role, "ProvisioningAgent", "answered bare");

        apply(service, HOUSE).await;
        set_role(service, ann, &tree.left, "Reseller").await.unwrap();
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        // Not within the parent's ceiling, and not from above the parent.
        assert_eq!(child(service, &lefty, "", "Administrator").await.unwrap().role, "Reseller");
        assert_eq!(child(service, &lefty, "", "Reseller").await.unwrap().role, "Reseller");
        assert_eq!(child(service, &lefty, "", "").await.unwrap().role, "Reseller");
        // From above, but beyond the ceiling of the caller's own account.
        assert_eq!(
            child(service, &lefty, &tree.low, "Administrator").await.unwrap().role,
            "",
            "the parent has none of its own"
        );
        // From above, with none of its own.
        let chosen = child(service, ann, &tree.left, "Administrator").await.unwrap();
        assert_eq!(chosen.role, "Administrator");
        // From above, yet without the right to set roles there.
        let maker = service.mint(&ann.user_id, &["account.create", "account.read"]).await;
        let maker = Person { token: maker.1, ..ann.clone() };
        let given = child(service, &maker, &tree.left, "Administrator").await.unwrap();
        assert_eq!(given.role, "Reseller");
        tree.done().await;
    }
}

#[tokio::test]
async fn a_role_that_is_none_or_not_for_accounts_is_refused_whoever_asks() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        for (role, reason) in [
            ("Nobody", "UNKNOWN_ROLE"),
            ("rol_00000000000000000000000001", "UNKNOWN_ROLE"),
            ("developer", "UNKNOWN_ROLE"),
            ("SUPER_USER", "ROLE_NOT_ASSIGNABLE"),
            ("voximplant/Developer", "ROLE_NOT_ASSIGNABLE"),
        ] {
            // A50
            let asked = set_role(service, ann, &tree.left, role).await;
            refused(asked, Code::InvalidArgument, reason);
            let asked = child(service, ann, &tree.left, role).await;
            refused(asked, Code::InvalidArgument, reason);
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn whoever_created_an_account_changes_its_role_at_any_time_and_it_holds_at_once() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let made = child(service, ann, &tree.left, "Developer").await.unwrap().account_id;
        let dev = service.person(&made, "dev", &["SUPER_USER"]).await;
        // The creator's own right to set roles is not needed, but the right to create where the account lies.
        let maker = service.mint(&ann.user_id, &["account.create", "account.read"]).await;
        let maker = Person { token: maker.1, ..ann.clone() };
        // A08
        for (role, deletes, creates) in [
            ("Administrator", true, true),
            ("ProvisioningAgent", false, false),
            ("Developer", true, false),
        ] {
            assert_eq!(set_role(service, &maker, &made, role).await.unwrap().role, role);
            let may = async |action: &str, kind: &str, id: &str| {
                service.decides(&dev.user_id, action, kind, id).await.decision
            };
            let recording = format!("account/{made}/recording/7");
            assert_eq!(may("delete", "recording", &recording).await, deletes, "{role}");
            assert_eq!(may("create", "account", &made).await, creates, "{role}");
        }
        let other = service.person(&tree.top, "other", &["ONBOARDING"]).await;
        let asked = set_role(service, &other, &made, "Administrator").await;
        refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let asked = set_role(service, &tree.reader, &made, "Administrator").await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        tree.done().await;
    }
}

#[tokio::test]
async fn nobody_changes_the_role_of_his_own_account_or_of_one_he_does_not_stand_above() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        // A09
        let asked = set_role(service, &tree.ann, &tree.top, "Administrator").await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for role in ["Developer", ""] {
            let asked = set_role(service, &lefty, &tree.left, role).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            // A10
            for beside in [&tree.right, &tree.top] {
                let asked = set_role(service, &lefty, beside, role).await;
                refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
            }
        }
        // What lies below its own it may change, and so may whoever stands above its own.
        set_role(service, &lefty, &tree.low, "Developer").await.unwrap();
        set_role(service, &service.root, &tree.top, "Administrator").await.unwrap();
        tree.done().await;
    }
}

#[tokio::test]
async fn a_ceiling_is_raised_no_higher_than_the_setters_own() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        apply(service, HOUSE).await;
        set_role(service, ann, &tree.left, "Reseller").await.unwrap();
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        set_role(service, &lefty, &tree.low, "Reseller").await.unwrap();
        for beyond in ["Administrator", "Developer", ""] {
            let asked = set_role(service, &lefty, &tree.low, beyond).await;
            let status = refused(asked, Code::PermissionDenied, "ESCALATION");
            assert!(status.message().contains('.'), "{}", status.message());
        }
        // The right is asked first, then the name, then the ceiling, then the etag, then the state.
        let stale = |role: &str| pb::SetAccountRoleRequest {
            account_id: tree.low.clone(),
            role: role.to_owned(),
            etag: "old".to_owned(),
            ..Default::default()
        };
        let mut client = service.accounts(&lefty);
        let asked = client.set_account_role(stale("Nobody")).await;
        refused(asked, Code::InvalidArgument, "UNKNOWN_ROLE");
        let asked = client.set_account_role(stale("Administrator")).await;
        refused(asked, Code::PermissionDenied, "ESCALATION");
        let asked = client.set_account_role(stale("Reseller")).await;
        refused(asked, Code::Aborted, "ETAG_MISMATCH");

        let at = revision(service, &tree.top).await;
        let same = set_role(service, &lefty, &tree.low, "Reseller").await.unwrap();
        assert_eq!(same, get(service, ann, &tree.low).await.unwrap());
        assert_eq!(revision(service, &tree.top).await, at, "held already");
        assert_eq!(set_role(service, ann, &tree.low, "").await.unwrap().role, "");
        State::Close.ask(service, ann, &tree.low).await.unwrap();
        let asked = client.set_account_role(stale("Administrator")).await;
        refused(asked, Code::PermissionDenied, "ESCALATION");
        tree.done().await;
    }
}
