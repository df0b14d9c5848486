//! Suspending, resuming, closing, quarantine and release.

use chancery::proto::v1 as pb;
use pb::AccountStatus as Is;
use tonic::Code;

use super::State::{Close, Quarantine, Release, Resume, Suspend};
use super::{State, Tree, create, entries, get, new, revision, with};
use crate::support::{engines, refused};

#[tokio::test]
async fn a_suspension_stops_the_tree_below_and_lifting_it_gives_each_its_own_back() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let effective = async |id: &str| get(service, ann, id).await.unwrap().effective_status();
        Suspend.ask(service, ann, &tree.low).await.unwrap();
        let left = Suspend.ask(service, ann, &tree.left).await.unwrap();
        assert_eq!((left.status(), left.effective_status()), (Is::Suspended, Is::Suspended));
        let pending = pb::Account { status: Some(Is::Pending.into()), ..super::named("p") };
        let pending = create(service, ann, with(&tree.left, pending)).await.unwrap();
        assert_eq!(pending.effective_status(), Is::Suspended, "the gravest counts");
        let left = Quarantine.ask(service, ann, &tree.left).await.unwrap();
        assert!(left.quarantined && left.status() == Is::Suspended);
        assert_eq!(left.effective_status(), Is::Quarantined);
        assert_eq!(effective(&tree.low).await, Is::Quarantined);
        assert_eq!(effective(&tree.right).await, Is::Active);

        assert!(!Release.ask(service, ann, &tree.left).await.unwrap().quarantined);
        Resume.ask(service, ann, &tree.left).await.unwrap();
        assert_eq!(effective(&tree.left).await, Is::Active);
        assert_eq!(effective(&tree.low).await, Is::Suspended, "of its own");
        assert_eq!(effective(&pending.account_id).await, Is::Pending);
        let opened = Resume.ask(service, ann, &pending.account_id).await.unwrap();
        assert_eq!(opened.status(), Is::Active);
        tree.done().await;
    }
}

#[tokio::test]
async fn whoever_is_in_a_stopped_account_may_nothing_at_once_and_again_once_it_works() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let low = service.person(&tree.low, "low", &["SUPER_USER"]).await;
        for (stop, start) in [(Suspend, Resume), (Quarantine, Release)] {
            stop.ask(service, ann, &tree.left).await.unwrap();
            // A28
            refused(get(service, &low, "").await, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
            start.ask(service, ann, &tree.left).await.unwrap();
            get(service, &low, "").await.unwrap();
        }
        Close.ask(service, ann, &tree.left).await.unwrap();
        refused(get(service, &low, "").await, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
        tree.done().await;
    }
}

#[tokio::test]
async fn closing_ends_everything_below_for_good_and_writes_one_entry_an_account() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        Close.ask(service, ann, &tree.low).await.unwrap();
        create(service, ann, new(&tree.left, "more")).await.unwrap();
        let before = revision(service, &tree.top).await;
        let left = Close.ask(service, ann, &tree.left).await.unwrap();
        assert_eq!((left.status(), left.effective_status()), (Is::Closed, Is::Closed));
        assert_eq!(revision(service, &tree.top).await, before + 1, "one write");
        // A24: one for each account that was not closed yet.
        assert_eq!(entries(service, &tree.top).await["account.close"], 3);
        // A23: the rows stay readable from above.
        assert_eq!(get(service, ann, &tree.low).await.unwrap().status(), Is::Closed);
        assert_eq!(get(service, ann, &tree.top).await.unwrap().status(), Is::Active);

        assert_eq!(Close.ask(service, ann, &tree.left).await.unwrap(), left);
        assert_eq!(revision(service, &tree.top).await, before + 1, "closed already");
        for id in [&tree.left, &tree.low] {
            for state in [Suspend, Resume, Quarantine, Release] {
                // A26
                let asked = state.ask(service, ann, id).await;
                refused(asked, Code::FailedPrecondition, "ACCOUNT_CLOSED");
            }
            let asked = super::set_role(service, ann, id, "Developer").await;
            refused(asked, Code::FailedPrecondition, "ACCOUNT_CLOSED");
            let asked = super::move_to(service, ann, id, &tree.right).await;
            refused(asked, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        }
        let asked = super::move_to(service, ann, &tree.right, &tree.left).await;
        refused(asked, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        tree.done().await;
    }
}

#[tokio::test]
async fn the_status_held_already_is_no_change_and_pending_is_not_suspended() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let pending = pb::Account { status: Some(Is::Pending.into()), ..super::named("p") };
        let pending = create(service, ann, with(&tree.left, pending)).await.unwrap().account_id;
        let asked = Suspend.ask(service, ann, &pending).await;
        refused(asked, Code::FailedPrecondition, "INVALID_TRANSITION");
        Quarantine.ask(service, ann, &pending).await.unwrap();
        Suspend.ask(service, ann, &tree.low).await.unwrap();

        let at = revision(service, &tree.top).await;
        service.advance(5);
        for (state, id) in [
            (Resume, &tree.left),
            (Release, &tree.left),
            (Suspend, &tree.low),
            (Quarantine, &pending),
        ] {
            let before = get(service, ann, id).await.unwrap();
            assert_eq!(state.ask(service, ann, id).await.unwrap(), before, "{state:?}");
        }
        assert_eq!(revision(service, &tree.top).await, at);
        tree.done().await;
    }
}

#[tokio::test]
async fn the_root_account_is_never_stopped() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, root) = (&tree.service, &tree.service.root);
        for state in [Suspend, Close, Quarantine] {
            let asked = state.ask(service, root, &root.account_id).await;
            refused(asked, Code::FailedPrecondition, "ROOT_ACCOUNT");
        }
        for state in [Resume, Release] {
            let same = state.ask(service, root, &root.account_id).await.unwrap();
            assert_eq!((same.status(), same.depth), (Is::Active, 1));
        }
        let asked = super::set_role(service, root, &root.account_id, "Administrator").await;
        refused(asked, Code::FailedPrecondition, "ROOT_ACCOUNT");
        for parent in [&tree.top, &tree.low, &root.account_id] {
            let asked = super::move_to(service, root, &root.account_id, parent).await;
            refused(asked, Code::FailedPrecondition, "ROOT_ACCOUNT");
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn what_was_ordered_from_above_is_not_lifted_from_below() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for (stop, start) in [(Suspend, Resume), (Quarantine, Release)] {
            stop.ask(service, ann, &tree.low).await.unwrap();
            let asked = start.ask(service, &lefty, &tree.low).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            start.ask(service, ann, &tree.low).await.unwrap();

            stop.ask(service, &tree.operator, &tree.low).await.unwrap();
            // The platform's own order stays with the platform.
            let asked = start.ask(service, ann, &tree.low).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            start.ask(service, &service.root, &tree.low).await.unwrap();

            stop.ask(service, &lefty, &tree.low).await.unwrap();
            start.ask(service, ann, &tree.low).await.unwrap();
            stop.ask(service, &lefty, &tree.low).await.unwrap();
            start.ask(service, &lefty, &tree.low).await.unwrap();
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn who_may_not_is_refused_and_who_does_not_see_it_does_not_find_it() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let righty = service.person(&tree.right, "righty", &["SUPER_USER"]).await;
        let stranger = service.tenant("Other").await;
        let stranger = service.person(&stranger, "stranger", &["SUPER_USER"]).await;
        for state in State::ALL {
            let asked = state.ask(service, &tree.reader, &tree.left).await;
            refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
            for unseeing in [&righty, &stranger] {
                let asked = state.ask(service, unseeing, &tree.left).await;
                refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
            }
            let asked = state.at(service, &tree.ann, &tree.left, "old").await;
            refused(asked, Code::Aborted, "ETAG_MISMATCH");
            let asked = state.ask(service, &tree.ann, "").await;
            refused(asked, Code::InvalidArgument, "INVALID_FIELD");
        }
        for state in [Suspend, Resume, Quarantine, Release, Close] {
            let etag = get(service, &tree.ann, &tree.left).await.unwrap().etag;
            state.at(service, &tree.ann, &tree.left, &etag).await.unwrap();
        }
        tree.done().await;
    }
}
