//! `GetUser` and `ListUsers`.

use super::*;

async fn list(
    acme: &Acme,
    by: &Person,
    request: pb::ListUsersRequest,
) -> Result<pb::ListUsersResponse, Status> {
    Ok(acme.service.users(by).list_users(request).await?.into_inner())
}

fn ids(users: &[pb::User]) -> Vec<&str> {
    users.iter().map(|user| user.user_id.as_str()).collect()
}

fn count(users: &[pb::User]) -> usize {
    users.iter().map(|user| 1 + count(&user.children)).sum()
}

fn flat() -> pb::ListUsersRequest {
    pb::ListUsersRequest { flatten: true, ..Default::default() }
}

#[tokio::test]
async fn a_user_is_read_by_itself_and_by_who_may_and_by_nobody_else() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let bare = acme.below(&acme.manager, "bare", &[]).await;
        let own = acme.get(&bare, &bare.user_id).await.unwrap();
        // Whoever is above is not seen from below.
        assert!(own.parent_user_id.is_empty() && !own.root_user);
        let seen = acme.get(&acme.manager, &bare.user_id).await.unwrap();
        assert_eq!(seen.parent_user_id, acme.manager.user_id);
        let up = acme.get(&bare, &acme.manager.user_id).await;
        let hidden = refused(up, Code::NotFound, "USER_NOT_FOUND");
        let absent = refused(acme.get(&bare, &nobody()).await, Code::NotFound, "USER_NOT_FOUND");
        let blank = |status: &Status, id: &str| status.message().replace(id, "");
        assert_eq!(blank(&hidden, &acme.manager.user_id), blank(&absent, &nobody()));
        is_closed_to_strangers(&acme, |by| {
            let (acme, id) = (&acme, bare.user_id.clone());
            async move { acme.get(&by, &id).await }
        })
        .await;
    }
}

#[tokio::test]
async fn trees_hang_by_whoever_is_shown() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let a = acme.below(&acme.manager, "a", &[]).await;
        let b = acme.below(&a, "b", &[]).await;
        let c = acme.below(&b, "c", &[]).await;
        let d = acme.below(&acme.manager, "d", &[]).await;
        let trees = list(&acme, &acme.boss, pb::ListUsersRequest::default()).await.unwrap().users;
        assert_eq!(ids(&trees), [&acme.boss.user_id]);
        let manager = &trees[0].children[0];
        assert_eq!(ids(&manager.children), [&a.user_id, &d.user_id]);
        assert_eq!(ids(&manager.children[0].children[0].children), [&c.user_id]);
        // Who is filtered out is passed over: what hung below it hangs one further up.
        let filter = "NOT (user_name = \"a\" OR user_name = \"b\")".to_owned();
        let request = pb::ListUsersRequest { filter, ..Default::default() };
        let trees = list(&acme, &acme.boss, request).await.unwrap().users;
        assert_eq!(ids(&trees[0].children[0].children), [&c.user_id, &d.user_id]);
        acme.disable(&acme.boss, &b.user_id).await.unwrap();
        let request = pb::ListUsersRequest { active_only: true, ..Default::default() };
        let trees = list(&acme, &acme.boss, request).await.unwrap().users;
        assert_eq!(ids(&trees[0].children[0].children[0].children), [&c.user_id]);
        // Below one: all of them, itself not.
        let request =
            pb::ListUsersRequest { parent_user_id: a.user_id.clone(), ..Default::default() };
        let trees = list(&acme, &acme.boss, request.clone()).await.unwrap().users;
        assert_eq!(ids(&trees), [&b.user_id]);
        let request = pb::ListUsersRequest { flatten: true, ..request };
        let users = list(&acme, &acme.boss, request).await.unwrap().users;
        assert_eq!(ids(&users), [&b.user_id, &c.user_id]);
        // The manager is below nobody that it sees.
        let trees = list(&acme, &acme.manager, pb::ListUsersRequest::default()).await.unwrap();
        assert_eq!(ids(&trees.users), [&acme.manager.user_id]);
        assert_eq!(count(&trees.users), 5);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for at in 0..5 {
            acme.below(&acme.manager, &format!("one {at}"), &[]).await;
        }
        for flatten in [true, false] {
            let below = acme.manager.user_id.clone();
            let all = pb::ListUsersRequest { flatten, parent_user_id: below, ..Default::default() };
            let whole = list(&acme, &acme.boss, all.clone()).await.unwrap();
            assert!(whole.next_page_token.is_empty());
            let mut found = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = pb::ListUsersRequest { page_size: 2, page_token, ..all.clone() };
                let page = list(&acme, &acme.boss, request).await.unwrap();
                assert!(page.users.len() <= 2);
                found.extend(page.users);
                // Somebody comes meanwhile: at the end.
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(found, whole.users);
        }
    }
}

#[tokio::test]
async fn a_page_token_is_of_one_list_and_one_caller() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let request = pb::ListUsersRequest { page_size: 1, ..flat() };
        let page = list(&acme, &acme.boss, request.clone()).await.unwrap();
        let next = pb::ListUsersRequest { page_token: page.next_page_token, ..request };
        let other = pb::ListUsersRequest { active_only: true, ..next.clone() };
        let noise = pb::ListUsersRequest { page_token: "x".to_owned(), ..next.clone() };
        for (by, request) in
            [(&acme.boss, other), (&acme.boss, noise), (&acme.manager, next.clone())]
        {
            let page = list(&acme, by, request).await;
            refused(page, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        let larger = pb::ListUsersRequest { page_size: 1000, ..next };
        assert_eq!(
            ids(&list(&acme, &acme.boss, larger).await.unwrap().users),
            [&acme.manager.user_id]
        );
    }
}

#[tokio::test]
async fn a_page_ends_with_a_thousand_and_says_what_it_left_out() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let crowd = acme.crowd(&acme.manager.user_id, 1200).await;
        let trees = list(&acme, &acme.boss, pb::ListUsersRequest::default()).await.unwrap();
        assert_eq!(count(&trees.users), 1000);
        assert!(trees.next_page_token.is_empty());
        let manager = &trees.users[0].children[0];
        assert!(manager.children_truncated && !trees.users[0].children_truncated);
        // Below the one that was cut they are all found, a thousand to a page.
        let mut request = pb::ListUsersRequest {
            parent_user_id: acme.manager.user_id.clone(),
            page_size: 1_000_000,
            ..Default::default()
        };
        let first = list(&acme, &acme.boss, request.clone()).await.unwrap();
        request.page_token = first.next_page_token;
        let second = list(&acme, &acme.boss, request).await.unwrap();
        let found: Vec<String> =
            first.users.into_iter().chain(second.users).map(|user| user.user_id).collect();
        assert_eq!(found, crowd.iter().map(ToString::to_string).collect::<Vec<_>>());
        // Of the deleted nobody is listed.
        acme.delete(&acme.manager, &crowd[0].to_string()).await.unwrap();
        let request = pb::ListUsersRequest { page_size: 1000, ..flat() };
        let page = list(&acme, &acme.manager, request).await.unwrap();
        assert_eq!(page.users.len(), 1000);
        assert!(!ids(&page.users).contains(&crowd[0].to_string().as_str()));
    }
}

#[tokio::test]
async fn filters_name_what_they_may() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let filtered = |filter: &str| pb::ListUsersRequest { filter: filter.to_owned(), ..flat() };
        let found = list(&acme, &acme.boss, filtered("user_name = BOSS")).await.unwrap().users;
        assert_eq!(ids(&found), [&acme.boss.user_id]);
        for bad in ["password = \"x\"", "user_name", "((((((((((enabled = true))))))))))", "a b"] {
            let page = list(&acme, &acme.boss, filtered(bad)).await;
            refused(page, Code::InvalidArgument, "INVALID_FILTER");
        }
        let long = list(&acme, &acme.boss, filtered(&"x".repeat(1025))).await;
        refused(long, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn a_list_is_of_an_account_that_is_seen() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let other = acme.service.tenant("Other").await;
        let stranger = acme.service.person(&other, "stranger", &["SUPER_USER"]).await;
        let there = pb::ListUsersRequest { account_id: acme.account.clone(), ..flat() };
        let page = list(&acme, &stranger, there.clone()).await;
        refused(page, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let below = pb::ListUsersRequest { parent_user_id: stranger.user_id.clone(), ..flat() };
        refused(list(&acme, &acme.boss, below).await, Code::NotFound, "USER_NOT_FOUND");
        let above = pb::ListUsersRequest { parent_user_id: acme.boss.user_id.clone(), ..flat() };
        refused(list(&acme, &acme.manager, above).await, Code::NotFound, "USER_NOT_FOUND");
        let from_above = list(&acme, &acme.service.root, there).await.unwrap();
        assert_eq!(from_above.users.len(), 2);
        let nobody = Person { token: String::new(), ..acme.boss.clone() };
        refused(list(&acme, &nobody, flat()).await, Code::Unauthenticated, "TOKEN_MISSING");
    }
}
