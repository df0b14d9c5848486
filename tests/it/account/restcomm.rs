//! The acceptance cases of Restcomm that are about accounts, in the words of model.md: where the source answers 403 for
//! what the caller does not see, it is not found here (§10). `tests/held/cases.txt` lists all, those that stand elsewhere too.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{State, Tree, apply, create, entries, get, named, new, set_role, with};
use crate::support::{Person, Service, engines, refused};

/// The lists of an account's resources that the source speaks of, with what is done to what is in them.
const LISTS: [(&str, &[&str]); 9] = [
    ("application", &["create", "read", "delete"]),
    ("incoming_phone_number", &["create", "read", "delete"]),
    ("notification", &["read"]),
    ("recording", &["read", "delete"]),
    ("transcription", &["read", "delete"]),
    ("outgoing_caller_id", &["create", "read", "delete"]),
    ("client", &["create", "read", "delete"]),
    ("call", &["create", "read", "delete"]),
    ("sms_message", &["create", "read"]),
];

/// Asserts that somebody may do all of that in an account, or none of it, and for which reason.
async fn lists(service: &Service, user: &Person, account: &str, reason: pb::Reason) {
    for (kind, actions) in LISTS {
        for action in actions {
            let path = format!("account/{account}/{kind}/1");
            let answer = service.decides(&user.user_id, action, kind, &path).await;
            assert_eq!(answer.reason(), reason, "{kind}.{action}");
        }
    }
}

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
            lists(service, ann, id, pb::Reason::Permitted).await;
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
            lists(service, &lefty, beside, pb::Reason::NoGrant).await;
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

/// A14.
#[tokio::test]
async fn what_is_no_address_or_alias_is_refused() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let alias = |text: &str| pb::Account { login_alias: Some(text.to_owned()), ..named("x") };
        let email = |text: &str| pb::Account { email: Some(text.to_owned()), ..named("x") };
        for text in ["my?account", "my=account", "my@account@example.com"] {
            for account in [alias(text), email(text)] {
                let made = create(service, ann, with("", account)).await;
                refused(made, Code::InvalidArgument, "INVALID_FIELD");
            }
        }
        tree.done().await;
    }
}

/// A20: the text of the wire is the enum's name, whatever its case in the source.
#[tokio::test]
async fn an_account_that_is_set_to_active_is_active() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        State::Suspend.ask(service, ann, &tree.left).await.unwrap();
        for _ in 0..2 {
            let account = State::Resume.ask(service, ann, &tree.left).await.unwrap();
            assert_eq!(account.status(), pb::AccountStatus::Active);
        }
        tree.done().await;
    }
}

/// A23, A24, A26: what lay in a closed account is nobody's; the account itself can be read, and not changed.
#[tokio::test]
async fn a_tree_that_is_closed_from_the_top_leaves_nothing_to_reach() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let mut all = vec![tree.left.clone(), tree.low.clone()];
        for parent in [&tree.left, &tree.low, &tree.low, &tree.left] {
            all.push(service.account(parent, "More").await);
        }
        let inside = service.person(&tree.low, "inside", &["SUPER_USER"]).await;
        for id in &all {
            lists(service, ann, id, pb::Reason::Permitted).await;
        }
        State::Close.ask(service, ann, &tree.left).await.unwrap();
        assert_eq!(entries(service, &tree.top).await["account.close"], 6);
        for id in &all {
            lists(service, ann, id, pb::Reason::AccountNotActive).await;
            let closed = get(service, ann, id).await.unwrap();
            assert_eq!(closed.status(), pb::AccountStatus::Closed);
            let account = pb::Account { account_id: id.clone(), ..named("Other") };
            let request = pb::UpdateAccountRequest { account: Some(account), ..Default::default() };
            let updated = service.accounts(ann).update_account(request).await;
            refused(updated, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        }
        lists(service, &inside, &tree.low, pb::Reason::AccountNotActive).await;
        tree.done().await;
    }
}

/// A37, A38: an organization is a tenant here. An id of no form is refused, and one that nobody has is not found, as one unseen.
#[tokio::test]
async fn an_administrator_creates_accounts_in_its_own_organization_and_the_platform_in_any() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let other = service.tenant("Other").await;
        set_role(service, &service.root, &tree.top, "Administrator").await.unwrap();
        let child = service.person(&tree.left, "child", &["SUPER_USER"]).await;
        let foreign = create(service, &child, new(&other, "x")).await;
        refused(foreign, Code::NotFound, "ACCOUNT_NOT_FOUND");
        for (by, parent) in [(&child, &tree.left), (&service.root, &other)] {
            create(service, by, new(parent, "x")).await.unwrap();
        }
        for by in [&child, &service.root] {
            let unformed = create(service, by, new("blabla", "x")).await;
            refused(unformed, Code::InvalidArgument, "INVALID_FIELD");
            let unknown = create(service, by, new("acc_00000000000000000000000001", "x")).await;
            refused(unknown, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        tree.done().await;
    }
}

/// A39: the seed's counts are of its own accounts; here those of each tenant.
#[tokio::test]
async fn the_platform_lists_the_accounts_of_each_organization_and_nobody_else_those_of_another() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let other = service.tenant("Other").await;
        let alone = service.person(&other, "alone", &["SUPER_USER"]).await;
        let list = async |by: &Person, parent: &str| {
            let request = pb::ListAccountsRequest {
                parent_account_id: parent.to_owned(),
                recursive: true,
                ..Default::default()
            };
            service.accounts(by).list_accounts(request).await.map(|list| list.into_inner().accounts)
        };
        for (parent, count) in [(&tree.top, 3), (&other, 0), (&service.root.account_id, 5)] {
            assert_eq!(list(&service.root, parent).await.unwrap().len(), count);
        }
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for by in [&alone, &lefty] {
            for parent in [&tree.top, &service.root.account_id] {
                refused(list(by, parent).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
            }
        }
        tree.done().await;
    }
}

/// A42, A46: what belongs to the platform's owner is asked at the root account; organizations themselves are kept elsewhere.
#[tokio::test]
async fn what_is_the_platform_s_owner_s_is_no_administrator_s() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let root = &service.root.account_id;
        let second = service.person(root, "second", &["SUPER_USER"]).await;
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        set_role(service, &service.root, &tree.top, "Administrator").await.unwrap();
        set_role(service, &service.root, &tree.left, "Developer").await.unwrap();
        for (user, permitted) in
            [(&service.root, true), (&second, true), (&tree.ann, false), (&lefty, false)]
        {
            for (kind, action) in [("supervisor", "read"), ("organization", "create")] {
                let path = format!("account/{root}/{kind}/1");
                let answer = service.decides(&user.user_id, action, kind, &path).await;
                assert_eq!(answer.decision, permitted, "{kind} {}", user.user_id);
            }
        }
        // The same domain again: an alias is one account's, and a main account is made by the platform.
        let desk = || pb::Account { login_alias: Some("desk".to_owned()), ..named("Desk") };
        create(service, &service.root, with(root, desk())).await.unwrap();
        let again = create(service, &service.root, with(root, desk())).await;
        refused(again, Code::AlreadyExists, "LOGIN_ALIAS_TAKEN");
        let asked = create(service, &tree.ann, with(root, desk())).await;
        refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        tree.done().await;
    }
}
