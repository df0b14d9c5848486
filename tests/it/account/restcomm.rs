//! The acceptance cases of Restcomm that are about accounts, in the words of model.md: where the source answers 403 for
//! what the caller does not see, it is not found here (§10). A13–A15 stand in `create`, A08–A10 and A50 in `roles`, A11 in
//! `create`, A23, A24, A26 and A28 in `states`.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{State, Tree, apply, create, get, named, new, set_role, with};
use crate::support::{engines, refused};

#[tokio::test]
async fn a01_an_administrator_creates_sub_accounts_and_reads_what_is_theirs() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        set_role(service, &service.root, &tree.top, "Administrator").await.unwrap();
        for name in ["one", "two", "three"] {
            let made = create(service, ann, new("", name)).await.unwrap();
            assert_eq!(made.role, "Administrator", "its parent's");
            let id = &made.account_id;
            get(service, ann, id).await.unwrap();
            // A35
            for kind in ["recording", "client", "notification"] {
                let path = format!("account/{id}/{kind}/1");
                let answer = service.decides(&ann.user_id, "read", kind, &path).await;
                assert!(answer.decision, "{path}");
            }
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a02_a_developer_account_manages_no_sub_accounts() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let dev = service.person(&tree.left, "dev", &["SUPER_USER"]).await;
        set_role(service, &tree.ann, &tree.left, "Developer").await.unwrap();
        // A41, its second half: a Developer account manages no sub-accounts.
        let own = create(service, &dev, new("", "x")).await;
        refused(own, Code::PermissionDenied, "ACCESS_DENIED");
        // Its role reaches its own account alone: what lies below is not even seen.
        refused(
            create(service, &dev, new(&tree.low, "x")).await,
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        );
        for state in State::ALL {
            let asked = state.ask(service, &dev, &tree.low).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
            let asked = state.ask(service, &dev, &tree.left).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        }
        // A03, A04, A07
        for (role, action, kind, permitted) in [
            ("Developer", "read", "organization", false),
            ("Developer", "read", "outgoing_caller_id", false),
            ("Developer", "delete", "recording", true),
            ("ProvisioningAgent", "delete", "recording", false),
            ("ProvisioningAgent", "read", "recording", true),
        ] {
            set_role(service, &tree.ann, &tree.left, role).await.unwrap();
            let path = format!("account/{}/{kind}/1", tree.left);
            let answer = service.decides(&dev.user_id, action, kind, &path).await;
            assert_eq!(answer.decision, permitted, "{role} {action} {kind}");
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a32_a36_neither_siblings_nor_those_above_are_reached() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for beside in [&tree.right, &tree.top] {
            refused(get(service, &lefty, beside).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
            for (action, kind) in
                [("read", "recording"), ("delete", "recording"), ("create", "client")]
            {
                let path = format!("account/{beside}/{kind}/1");
                let answer = service.decides(&lefty.user_id, action, kind, &path).await;
                assert!(!answer.decision, "{path}");
            }
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a33_a34_a_role_of_all_over_accounts_reads_and_updates_its_own_and_none_does_not() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let yaml = r#"
catalogue: cases
version: 1
uses: [core]
roles:
  accounts_only:
    description: "`*:Accounts`"
    assignable_to: [account]
    permits: ["account.*"]
  Guest:
    description: Nothing of accounts
    assignable_to: [account]
    permits: [catalogue.read]
"#;
        apply(service, yaml).await;
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        set_role(service, &tree.ann, &tree.left, "accounts_only").await.unwrap();
        get(service, &lefty, "").await.unwrap();
        let account = pb::Account { account_id: tree.left.clone(), ..named("Mine") };
        let request = pb::UpdateAccountRequest { account: Some(account), ..Default::default() };
        service.accounts(&lefty).update_account(request).await.unwrap();

        set_role(service, &tree.ann, &tree.left, "Guest").await.unwrap();
        refused(get(service, &lefty, "").await, Code::PermissionDenied, "ACCESS_DENIED");
        let mut client = service.accounts(&lefty);
        let list = client.list_accounts(pb::ListAccountsRequest::default()).await;
        refused(list, Code::PermissionDenied, "ACCESS_DENIED");
        tree.done().await;
    }
}

#[tokio::test]
async fn a41_an_administrators_user_chooses_the_role_of_a_child() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        set_role(service, &service.root, &tree.top, "Administrator").await.unwrap();
        let account = pb::Account { role: "Developer".to_owned(), ..named("x") };
        let made = create(service, ann, with("", account)).await.unwrap();
        assert_eq!(made.role, "Developer");
        tree.done().await;
    }
}

#[tokio::test]
async fn a48_a_closed_child_stays_closed_when_its_parent_is_resumed() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        State::Close.ask(service, ann, &tree.low).await.unwrap();
        State::Suspend.ask(service, ann, &tree.left).await.unwrap();
        State::Resume.ask(service, ann, &tree.left).await.unwrap();
        let low = get(service, ann, &tree.low).await.unwrap();
        assert_eq!(low.effective_status(), pb::AccountStatus::Closed);
        assert_eq!(
            get(service, ann, &tree.left).await.unwrap().status(),
            pb::AccountStatus::Active
        );
        tree.done().await;
    }
}
