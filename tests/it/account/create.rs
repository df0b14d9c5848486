//! `CreateAccount` and `GetAccount`.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{State, Tree, create, entries, get, named, new, with};
use crate::support::{Service, engines, refused};

#[tokio::test]
async fn a_new_account_has_what_was_asked_and_an_address_to_sign_in_at() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let wanted = pb::Account {
            display_name: Some("NTTアドバンステクノロジ".to_owned()),
            email: Some("Desk@Example.com".to_owned()),
            login_alias: Some("Desk-1".to_owned()),
            role: "Developer".to_owned(),
            status: Some(pb::AccountStatus::Pending.into()),
            // Fields that are the service's are passed over.
            account_id: tree.top.clone(),
            depth: 7,
            quarantined: true,
            ..Default::default()
        };
        let made = create(&tree.service, &tree.ann, with(&tree.left, wanted)).await.unwrap();
        assert_eq!(made.display_name(), "NTTアドバンステクノロジ", "A15: stored unchanged");
        assert_eq!((made.email(), made.login_alias()), ("Desk@Example.com", "Desk-1"));
        assert_eq!(made.role, "Developer");
        assert_eq!(made.status(), pb::AccountStatus::Pending);
        assert_eq!(made.effective_status(), pb::AccountStatus::Pending);
        assert_eq!((made.parent_account_id.as_str(), made.depth), (tree.left.as_str(), 4));
        assert_eq!((&made.tenant_id, &made.created_by), (&tree.top, &tree.ann.user_id));
        assert!(made.login_uri.ends_with("/login/Desk-1"), "{}", made.login_uri);
        assert!(!made.quarantined && made.account_id != tree.top && !made.etag.is_empty());
        assert_eq!(made.create_time, made.update_time);
        assert_eq!(get(&tree.service, &tree.ann, &made.account_id).await.unwrap(), made);

        let own = get(&tree.service, &tree.ann, "").await.unwrap();
        assert_eq!(own.account_id, tree.top, "absent: the caller's");
        assert!(own.login_uri.ends_with(&format!("/login/{}", tree.top)), "{}", own.login_uri);
        tree.done().await;
    }
}

#[tokio::test]
async fn a_main_account_opens_a_tenant_with_a_ledger_of_its_own() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let root = &tree.service.root.account_id;
        let made = create(&tree.service, &tree.operator, new(root, "Second")).await.unwrap();
        assert_eq!((&made.tenant_id, &made.parent_account_id), (&made.account_id, root));
        assert_eq!((made.depth, &made.created_by), (2, &tree.operator.user_id));
        assert_eq!(made.effective_status(), pb::AccountStatus::Active);
        assert_eq!(get(&tree.service, &tree.operator, &made.account_id).await.unwrap(), made);
        assert_eq!(entries(&tree.service, &made.account_id).await, [("account.create", 1)].into());
        assert_eq!(entries(&tree.service, root).await["tenant.open"], 2);
        tree.service.verify(&made.account_id).await;

        // Nobody of another tenant sees it.
        let unseen = get(&tree.service, &tree.ann, &made.account_id).await;
        refused(unseen, Code::NotFound, "ACCOUNT_NOT_FOUND");
        // Without a parent named it is the caller's account that gets one.
        let below = create(&tree.service, &tree.ann, new("", "Third")).await.unwrap();
        assert_eq!(below.parent_account_id, tree.top);
        tree.done().await;
    }
}

#[tokio::test]
async fn a_name_is_needed_and_the_status_is_active_or_pending() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        for (account, field) in [
            (pb::Account::default(), "account.display_name"),
            (named(""), "account.display_name"),
            (named(&"x".repeat(257)), "account.display_name"),
            (pb::Account { status: Some(3), ..named("x") }, "account.status"),
            (pb::Account { status: Some(4), ..named("x") }, "account.status"),
            (pb::Account { status: Some(5), ..named("x") }, "account.status"),
            (pb::Account { status: Some(9), ..named("x") }, "account.status"),
            (pb::Account { email: Some("my=account".to_owned()), ..named("x") }, "account.email"),
            (pb::Account { email: Some("a@b@c.com".to_owned()), ..named("x") }, "account.email"),
            (
                pb::Account { login_alias: Some("my?account".to_owned()), ..named("x") },
                "account.login_alias",
            ),
            (
                pb::Account { login_alias: Some("a".to_owned()), ..named("x") },
                "account.login_alias",
            ),
        ] {
            let status = create(service, ann, with(&tree.top, account)).await.unwrap_err();
            let status = refused::<()>(Err(status), Code::InvalidArgument, "INVALID_FIELD");
            assert!(status.message().starts_with(field), "{}", status.message());
        }
        let mut bare = new("acc_not_an_id", "x");
        refused(create(service, ann, bare.clone()).await, Code::InvalidArgument, "INVALID_FIELD");
        bare.parent_account_id.clear();
        bare.account = None;
        refused(create(service, ann, bare).await, Code::InvalidArgument, "INVALID_FIELD");
        tree.done().await;
    }
}

#[tokio::test]
async fn an_email_and_an_alias_are_given_once_on_the_whole_platform_closed_accounts_included() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, root) = (&tree.service, &tree.service.root);
        let email = |text: &str| pb::Account { email: Some(text.to_owned()), ..named("x") };
        let alias = |text: &str| pb::Account { login_alias: Some(text.to_owned()), ..named("x") };
        let other = service.tenant("Other").await;
        let first = create(service, root, with(&other, email("desk@example.com"))).await.unwrap();
        create(service, root, with(&other, alias("desk"))).await.unwrap();
        State::Close.ask(service, root, &first.account_id).await.unwrap();

        for (account, reason) in [
            (email("desk@example.com"), "EMAIL_TAKEN"),
            (email("DESK@Example.COM"), "EMAIL_TAKEN"),
            (alias("desk"), "LOGIN_ALIAS_TAKEN"),
            (alias("DesK"), "LOGIN_ALIAS_TAKEN"),
        ] {
            for parent in [&tree.top, &root.account_id] {
                let request = with(parent, account.clone());
                let dry = pb::CreateAccountRequest { validate_only: true, ..request.clone() };
                let rehearsed = service.accounts(root).create_account(dry).await;
                refused(rehearsed, Code::AlreadyExists, reason);
                refused(create(service, root, request).await, Code::AlreadyExists, reason);
            }
        }
        let all = pb::ListAccountsRequest { recursive: true, ..Default::default() };
        let all = service.accounts(root).list_accounts(all).await.unwrap().into_inner();
        assert_eq!(all.accounts.len(), 7, "A13: nothing created");
        tree.done().await;
    }
}

#[tokio::test]
async fn who_may_not_create_is_refused_and_who_does_not_see_the_parent_does_not_find_it() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        refused(
            create(service, &tree.reader, new(&tree.left, "x")).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for unseen in [&tree.right, &tree.top, &service.root.account_id, &nobody()] {
            refused(
                create(service, &lefty, new(unseen, "x")).await,
                Code::NotFound,
                "ACCOUNT_NOT_FOUND",
            );
        }
        create(service, &lefty, new(&tree.low, "x")).await.unwrap();
        let plain = service.person(&tree.left, "plain", &[]).await;
        refused(
            create(service, &plain, new("", "x")).await,
            Code::PermissionDenied,
            "ACCESS_DENIED",
        );
        refused(get(service, &plain, "").await, Code::PermissionDenied, "ACCESS_DENIED");
        refused(get(service, &plain, &tree.low).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(get(service, &lefty, &nobody()).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        refused(get(service, &lefty, "acc_1").await, Code::InvalidArgument, "INVALID_FIELD");
        tree.done().await;
    }
}

/// An id that nothing has.
fn nobody() -> String {
    "acc_00000000000000000000000001".to_owned()
}

#[tokio::test]
async fn nothing_is_created_below_a_closed_account_but_well_below_a_suspended_one() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        State::Suspend.ask(service, ann, &tree.left).await.unwrap();
        let made = create(service, ann, new(&tree.low, "x")).await.unwrap();
        assert_eq!(made.status(), pb::AccountStatus::Active);
        assert_eq!(made.effective_status(), pb::AccountStatus::Suspended);
        State::Close.ask(service, ann, &tree.left).await.unwrap();
        for closed in [&tree.left, &tree.low] {
            refused(
                create(service, ann, new(closed, "x")).await,
                Code::FailedPrecondition,
                "ACCOUNT_CLOSED",
            );
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn the_tree_is_as_deep_as_the_operator_lets_it_be() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.account_depth", "4")];
        let tree = Tree::of(Service::start_with(&engine, &settings).await).await;
        let (service, ann) = (&tree.service, &tree.ann);
        // A11; the depth is a setting here, and three levels in the source.
        let low = create(service, ann, new(&tree.low, "x")).await;
        refused(low, Code::FailedPrecondition, "DEPTH_LIMIT");
        let right = create(service, ann, new(&tree.right, "x")).await.unwrap();
        assert_eq!(right.depth, 4);
        let too_deep = move_left(&tree).await;
        refused(too_deep, Code::FailedPrecondition, "DEPTH_LIMIT");
        tree.done().await;
    }
}

/// `left` has something below it, and would stand at the limit itself.
async fn move_left(tree: &Tree) -> Result<pb::Account, tonic::Status> {
    super::move_to(&tree.service, &tree.ann, &tree.left, &tree.right).await
}
