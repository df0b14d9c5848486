//! `ListAccounts`: what is below what, as far as the caller sees it, page by page.

use chancery::proto::v1 as pb;
use tonic::{Code, Status};

use super::{State, Tree};
use crate::support::{Person, Service, engines, refused};

async fn list(
    service: &Service,
    by: &Person,
    request: pb::ListAccountsRequest,
) -> Result<pb::ListAccountsResponse, Status> {
    Ok(service.accounts(by).list_accounts(request).await?.into_inner())
}

fn below(parent: &str, recursive: bool) -> pb::ListAccountsRequest {
    pb::ListAccountsRequest {
        parent_account_id: parent.to_owned(),
        recursive,
        ..Default::default()
    }
}

async fn ids(service: &Service, by: &Person, request: pb::ListAccountsRequest) -> Vec<String> {
    let page = list(service, by, request).await.unwrap();
    assert!(page.next_page_token.is_empty());
    page.accounts.into_iter().map(|account| account.account_id).collect()
}

#[tokio::test]
async fn children_are_listed_or_with_recursive_all_below_in_the_order_of_ids() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        let (top, left, low, right) = (&tree.top, &tree.left, &tree.low, &tree.right);
        assert_eq!(ids(service, ann, below("", false)).await, [left, right].map(String::clone));
        let all = [left, low, right].map(String::clone);
        assert_eq!(ids(service, ann, below(top, true)).await, all);
        assert_eq!(&ids(service, ann, below(left, true)).await, std::slice::from_ref(low));
        assert!(ids(service, ann, below(low, true)).await.is_empty());

        let shown = list(service, ann, below(top, true)).await.unwrap().accounts;
        for account in shown {
            let read = super::get(service, ann, &account.account_id).await.unwrap();
            assert_eq!(account, read);
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn the_platform_lists_main_accounts_or_everything_with_their_effective_states() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let other = service.tenant("Other").await;
        let beneath = service.account(&other, "Beneath").await;
        State::Suspend.ask(service, &service.root, &other).await.unwrap();
        for by in [&service.root, &tree.operator] {
            let main = ids(service, by, below("", false)).await;
            assert_eq!(main, [&tree.top, &other].map(String::clone));
            let all = ids(service, by, below("", true)).await;
            let wanted = [&tree.top, &tree.left, &tree.low, &tree.right, &other, &beneath];
            assert_eq!(all, wanted.map(String::clone));
        }
        for account in list(service, &tree.operator, below("", true)).await.unwrap().accounts {
            let read = super::get(service, &tree.operator, &account.account_id).await.unwrap();
            assert_eq!(account, read);
        }
        // Who reads the root account alone sees nothing below it.
        let clerk = service.person(&service.root.account_id, "clerk", &["ONBOARDING"]).await;
        assert!(ids(service, &clerk, below("", true)).await.is_empty());
        service.verify(&other).await;
        tree.done().await;
    }
}

#[tokio::test]
async fn who_made_an_account_is_named_to_those_alone_who_see_that_user() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let made = super::create(service, &tree.ann, super::new(&tree.left, "New")).await.unwrap();
        assert_eq!(made.created_by, tree.ann.user_id);
        // He reads his own account, and its users, and nothing above.
        let clerk = service.person(&made.account_id, "clerk", &["ONBOARDING"]).await;
        let shown = super::get(service, &clerk, &made.account_id).await.unwrap();
        assert_eq!(shown, pb::Account { created_by: String::new(), ..made.clone() });
        for (by, parent) in [
            (&tree.ann, &tree.left),
            (&tree.operator, &tree.left),
            (&tree.operator, &service.root.account_id),
        ] {
            assert_eq!(super::get(service, by, &made.account_id).await.unwrap(), made);
            let listed = list(service, by, below(parent, true)).await.unwrap().accounts;
            assert!(listed.contains(&made));
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn a_status_narrows_the_list_to_accounts_of_that_status_of_their_own() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        State::Suspend.ask(service, ann, &tree.left).await.unwrap();
        State::Quarantine.ask(service, ann, &tree.right).await.unwrap();
        for (status, wanted) in [
            (pb::AccountStatus::Active, vec![tree.low.clone(), tree.right.clone()]),
            (pb::AccountStatus::Suspended, vec![tree.left.clone()]),
            (pb::AccountStatus::Quarantined, vec![tree.right.clone()]),
            (pb::AccountStatus::Pending, vec![]),
            (pb::AccountStatus::Closed, vec![]),
        ] {
            let request =
                pb::ListAccountsRequest { status: status.into(), ..below(&tree.top, true) };
            assert_eq!(ids(service, ann, request.clone()).await, wanted, "{status:?}");
            let of_all = pb::ListAccountsRequest { parent_account_id: String::new(), ..request };
            let mut found = ids(service, &service.root, of_all).await;
            found.retain(|id| *id != tree.top);
            assert_eq!(found, wanted, "{status:?}");
        }
        let odd = pb::ListAccountsRequest { status: 9, ..below(&tree.top, true) };
        refused(list(service, ann, odd).await, Code::InvalidArgument, "INVALID_FIELD");
        tree.done().await;
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_and_belong_to_one_caller_and_one_list() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        for n in 0..4 {
            service.account(&tree.top, &format!("More {n}")).await;
        }
        for (by, parent, recursive) in [
            (&tree.ann, &tree.top, true),
            (&tree.ann, &tree.top, false),
            (&service.root, &service.root.account_id, true),
        ] {
            let whole = ids(service, by, below(parent, recursive)).await;
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = pb::ListAccountsRequest {
                    page_size: 3,
                    page_token: page_token.clone(),
                    ..below(parent, recursive)
                };
                let page = list(service, by, request).await.unwrap();
                assert!(page.accounts.len() <= 3);
                found.extend(page.accounts.into_iter().map(|account| account.account_id));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(found, whole);
        }
        let first = pb::ListAccountsRequest { page_size: 2, ..below(&tree.top, true) };
        let page_token = list(service, &tree.ann, first).await.unwrap().next_page_token;
        let next = pb::ListAccountsRequest { page_token, ..below(&tree.top, true) };
        let sized = pb::ListAccountsRequest { page_size: 7, ..next.clone() };
        list(service, &tree.ann, sized).await.unwrap();
        let other = pb::ListAccountsRequest { recursive: false, ..next.clone() };
        for (by, request) in [
            (&tree.reader, next.clone()),
            (&tree.ann, other),
            (&tree.ann, pb::ListAccountsRequest { page_token: "nonsense".to_owned(), ..next }),
        ] {
            let asked = list(service, by, request).await;
            refused(asked, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        tree.done().await;
    }
}

#[tokio::test]
async fn nobody_lists_below_an_account_that_he_does_not_read() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let lefty = service.person(&tree.left, "lefty", &["SUPER_USER"]).await;
        for unseen in [&tree.top, &tree.right, &service.root.account_id] {
            let asked = list(service, &lefty, below(unseen, true)).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        let plain = service.person(&tree.left, "plain", &[]).await;
        let asked = list(service, &plain, below("", false)).await;
        refused(asked, Code::PermissionDenied, "ACCESS_DENIED");
        // Who reads its own account alone is shown nothing of what lies below.
        let clerk = service.person(&tree.left, "clerk", &["ONBOARDING"]).await;
        assert!(ids(service, &clerk, below("", true)).await.is_empty());
        tree.done().await;
    }
}
