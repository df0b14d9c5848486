//! `UpdateAccount` and its mask.

use chancery::proto::v1 as pb;
use prost_types::FieldMask;
use tonic::{Code, Status};

use super::{State, Tree, get, named, revision};
use crate::support::{Person, Service, engines, refused};

async fn update(
    service: &Service,
    by: &Person,
    account: pb::Account,
    mask: &[&str],
) -> Result<pb::Account, Status> {
    let paths: Vec<String> = mask.iter().map(|path| (*path).to_owned()).collect();
    let request = pb::UpdateAccountRequest {
        account: Some(account),
        update_mask: (!paths.is_empty()).then_some(FieldMask { paths }),
        ..Default::default()
    };
    let reply = service.accounts(by).update_account(request).await?.into_inner();
    Ok(reply.account.expect("what was changed"))
}

fn of(id: &str) -> pb::Account {
    pb::Account { account_id: id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn without_a_mask_what_is_set_changes_and_nothing_else() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        let before = get(service, ann, left).await.unwrap();
        service.advance(5);
        let email = pb::Account { email: Some("left@example.com".to_owned()), ..of(left) };
        let after = update(service, ann, email, &[]).await.unwrap();
        assert_eq!((after.email(), after.display_name()), ("left@example.com", "Left"));
        assert_eq!(after.create_time, before.create_time);
        assert_ne!((&after.update_time, &after.etag), (&before.update_time, &before.etag));

        // What this RPC does not change is passed over, without a mask and under `*`.
        let all = pb::Account {
            status: Some(pb::AccountStatus::Suspended.into()),
            role: "Developer".to_owned(),
            parent_account_id: tree.right.clone(),
            quarantined: true,
            login_alias: Some("the-left".to_owned()),
            ..of(left)
        };
        let after = update(service, ann, all.clone(), &[]).await.unwrap();
        assert_eq!((after.email(), after.login_alias()), ("left@example.com", "the-left"));
        assert_eq!((after.role.as_str(), after.status()), ("", pb::AccountStatus::Active));
        assert_eq!(after.parent_account_id, tree.top);
        let all = pb::Account { display_name: Some("All".to_owned()), ..all };
        let after = update(service, ann, all, &["*"]).await.unwrap();
        assert_eq!((after.display_name(), after.login_alias()), ("All", "the-left"));
        assert_eq!(after.email, None, "`*` names every field, and this one was absent");
        assert_eq!(get(service, ann, left).await.unwrap(), after);
        tree.done().await;
    }
}

#[tokio::test]
async fn a_field_that_is_named_changes_and_one_that_is_named_and_absent_goes() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        let both = pb::Account {
            email: Some("left@example.com".to_owned()),
            login_alias: Some("the-left".to_owned()),
            ..of(left)
        };
        let after = update(service, ann, both.clone(), &["login_alias"]).await.unwrap();
        assert_eq!((after.email.as_deref(), after.login_alias()), (None, "the-left"));
        update(service, ann, both, &["email", "login_alias"]).await.unwrap();
        let after = update(service, ann, of(left), &["login_alias"]).await.unwrap();
        assert_eq!((after.email(), after.login_alias.as_deref()), ("left@example.com", None));
        assert!(after.login_uri.ends_with(left.as_str()));

        // Nothing of it changes, so nothing is written, however it is asked.
        let at = revision(service, &tree.top).await;
        service.advance(5);
        for mask in [&[] as &[&str], &["email"], &["*"]] {
            let same = update(service, ann, after.clone(), mask).await.unwrap();
            assert_eq!(same, after);
        }
        assert_eq!(revision(service, &tree.top).await, at);

        for mask in [&["display_name"] as &[&str], &["*"]] {
            let unnamed = update(service, ann, of(left), mask).await;
            refused(unnamed, Code::InvalidArgument, "INVALID_FIELD");
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a_field_that_another_rpc_changes_is_refused_with_the_name_of_that_rpc() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        for (path, rpc) in [
            ("role", "SetAccountRole"),
            ("status", "SuspendAccount"),
            ("quarantined", "QuarantineAccount"),
            ("parent_account_id", "MoveAccount"),
            ("depth", "MoveAccount"),
            ("account_id", "account_id"),
            ("tenant_id", "tenant_id"),
            ("effective_status", "effective_status"),
            ("login_uri", "login_alias"),
            ("created_by", "created_by"),
            ("create_time", "create_time"),
            ("update_time", "update_time"),
            ("etag", "etag"),
        ] {
            let asked = update(service, ann, of(left), &["email", path]).await;
            let status = refused(asked, Code::InvalidArgument, "FIELD_READ_ONLY");
            assert!(status.message().contains(rpc), "{path}: {}", status.message());
        }
        for paths in [&["nonsense"] as &[&str], &["email.host"], &[""], &["*", "email"]] {
            let asked = update(service, ann, of(left), paths).await;
            refused(asked, Code::InvalidArgument, "INVALID_FIELD");
        }
        refused(
            update(service, ann, named("x"), &[]).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        tree.done().await;
    }
}

#[tokio::test]
async fn what_another_account_has_is_taken_and_what_oneself_has_is_not() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        let email = |id: &str, text: &str| pb::Account { email: Some(text.to_owned()), ..of(id) };
        let alias =
            |id: &str, text: &str| pb::Account { login_alias: Some(text.to_owned()), ..of(id) };
        let other = service.tenant("Other").await;
        let root = &service.root;
        update(service, root, email(&other, "x@example.com"), &[]).await.unwrap();
        update(service, root, alias(&other, "xx-1"), &[]).await.unwrap();
        let taken = update(service, ann, email(left, "X@Example.com"), &[]).await;
        refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
        let taken = update(service, ann, alias(left, "XX-1"), &[]).await;
        refused(taken, Code::AlreadyExists, "LOGIN_ALIAS_TAKEN");
        let own = update(service, root, email(&other, "X@EXAMPLE.com"), &[]).await.unwrap();
        assert_eq!(own.email(), "X@EXAMPLE.com", "spelled anew");
        // What was given up is free again.
        update(service, root, of(&other), &["email"]).await.unwrap();
        update(service, ann, email(left, "x@example.com"), &[]).await.unwrap();
        service.verify(&other).await;
        tree.done().await;
    }
}

#[tokio::test]
async fn who_may_not_update_is_refused_and_a_closed_account_stays_as_it_is() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, left) = (&tree.service, &tree.left);
        let renamed = || pb::Account { account_id: left.clone(), ..named("New") };
        let lefty = service.person(left, "lefty", &["ONBOARDING"]).await;
        for seen in [&tree.reader, &lefty] {
            let asked = update(service, seen, renamed(), &[]).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let righty = service.person(&tree.right, "righty", &["SUPER_USER"]).await;
        let asked = update(service, &righty, renamed(), &[]).await;
        refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let stale = pb::Account { etag: "old".to_owned(), ..renamed() };
        let asked = update(service, &tree.ann, stale.clone(), &[]).await;
        refused(asked, Code::Aborted, "ETAG_MISMATCH");
        let fresh = get(service, &tree.ann, left).await.unwrap().etag;
        update(service, &tree.ann, pb::Account { etag: fresh, ..renamed() }, &[]).await.unwrap();
        State::Close.ask(service, &tree.ann, left).await.unwrap();
        let asked = update(service, &tree.ann, renamed(), &[]).await;
        refused(asked, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let asked = update(service, &tree.ann, stale, &[]).await;
        refused(asked, Code::Aborted, "ETAG_MISMATCH");
        tree.done().await;
    }
}
