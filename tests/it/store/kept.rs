//! What is kept, and what is refused.

use chancery::model::{
    Account, AccountStatus, ApiToken, Change, ChangeKind, Clock, CustomRole, Image,
    RegionalSettings, Revision, RoleGrant, TokenId, User, UserId, fold,
};
use chancery::store::{Committed, Constraint, Error, ObjectId};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::support::{
    World, account, became, begin, gone, grant, made, made_grant, made_user, opening, postgres,
    role, shown, token, user,
};
use crate::support::engines;

#[tokio::test]
async fn what_is_put_is_kept_in_rows_and_ledger_and_both_say_the_same() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let (helpers, key) = (role(&w.clock, w.tenant), token(&w.clock, &w.ann));
        let long = format!("account/{}{}", w.tenant, "/gate_group/%2Flong".repeat(16));
        let held = grant(&w.ann, "core/MANAGE_USERS", None);
        let scoped = grant(&w.ann, "core/MANAGE_USERS", Some(long.clone()));
        let custom = grant(&w.ann, &helpers.id.to_string(), None);
        let sub = Account {
            email: Some("Sub@Example.com".to_owned()),
            login_alias: Some("SUB".to_owned()),
            suspended_from: Some(w.tenant),
            status: AccountStatus::Suspended,
            created_by: Some(w.ann.id),
            ..account(&w.clock, Some(&w.store.account(w.tenant).await.unwrap().unwrap()), "sub")
        };
        let mut tx = w.begin().await;
        tx.put(made(w.tenant, ChangeKind::AccountCreate, Image::Account(sub.clone()))).unwrap();
        tx.put(made(w.tenant, ChangeKind::RoleCreate, Image::Role(helpers.clone()))).unwrap();
        for one in [&held, &scoped, &custom] {
            tx.put(made_grant(one)).unwrap();
        }
        tx.put(made(w.tenant, ChangeKind::TokenCreate, Image::ApiToken(key.clone()))).unwrap();
        tx.set_digest(key.id, [7; 32]);
        let done = tx.commit(json!({})).await.unwrap();
        assert!(done.changed && done.opened.is_none());
        w.is_sound().await;

        let kept = w.store.world(w.tenant).await.unwrap();
        assert_eq!((kept.revision, kept.head), shown(&done.snapshot));
        assert_eq!(
            (kept.users.as_slice(), kept.roles.as_slice()),
            ([w.ann.clone()].as_slice(), [helpers.clone()].as_slice())
        );
        assert_eq!((kept.accounts.len(), kept.grants.len()), (2, 3));
        assert_eq!(kept.tokens, std::slice::from_ref(&key));
        assert_eq!(kept.catalogues, []);
        assert_eq!(w.store.account(sub.id).await.unwrap(), Some(sub.clone()));
        assert_eq!(w.store.user(w.ann.id).await.unwrap(), Some(w.ann.clone()));
        assert_eq!(
            w.store.users(&[w.ann.id, w.admin.id, UserId(Uuid::nil())]).await.unwrap().len(),
            2
        );
        assert_eq!(w.store.role(helpers.id).await.unwrap(), Some(helpers.clone()));
        let mut grants = w.store.grants_of(w.ann.id).await.unwrap();
        grants.sort_by_key(|grant| (grant.role.clone(), grant.scope.clone()));
        assert_eq!(grants, [held.clone(), scoped.clone(), custom.clone()]);
        let ledger = w.store.entries(w.tenant, Revision(2), 100).await.unwrap();
        assert_eq!(ledger.iter().map(|e| e.ordinal).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(ledger[3].change, made_grant(&scoped));
        assert!(!String::from_utf8_lossy(&ledger[5].body).contains("digest"));

        found_by_their_names(&w, &sub, &helpers, &key).await;
        changed_and_taken_away(&w, &done, &key, &helpers, &scoped, &custom).await;
    }
}

async fn found_by_their_names(w: &World, sub: &Account, helpers: &CustomRole, key: &ApiToken) {
    let found = w.store.token_by_digest(&[7; 32]).await.unwrap();
    assert_eq!(found, Some((key.id, w.ann.id, w.tenant)));
    assert_eq!(w.store.token_by_digest(&[8; 32]).await.unwrap(), None);
    for object in [
        ObjectId::Account(sub.id),
        ObjectId::User(w.ann.id),
        ObjectId::Role(helpers.id),
        ObjectId::Token(key.id),
    ] {
        assert_eq!(w.store.tenant_of(object).await.unwrap(), Some(w.tenant));
    }
    assert!(w.store.email_taken(&fold("sub@example.com").unwrap()).await.unwrap());
    assert!(w.store.alias_taken(&fold("sub").unwrap()).await.unwrap());
    assert!(!w.store.alias_taken(&fold("bus").unwrap()).await.unwrap());
    assert_eq!(w.store.main_accounts(None, 10).await.unwrap().len(), 1);
    assert_eq!(w.store.main_accounts(Some(w.tenant), 10).await.unwrap().len(), 0);
    assert_eq!(w.store.all_accounts(None, 2).await.unwrap().len(), 2);
}

async fn changed_and_taken_away(
    w: &World,
    done: &Committed,
    key: &ApiToken,
    helpers: &CustomRole,
    scoped: &RoleGrant,
    custom: &RoleGrant,
) {
    w.clock.advance(TimeDelta::microseconds(1));
    let mut tx = begin(&w.store, opening(&done.snapshot)).await;
    let later = User { enabled: false, update_time: w.clock.now(), ..w.ann.clone() };
    let last = User { delete_time: Some(w.clock.now()), ..later.clone() };
    tx.put(became(&w.ann, &later)).unwrap();
    tx.put(became(&later, &last)).unwrap();
    assert_eq!(tx.user(w.ann.id).await.unwrap(), Some(last.clone()));
    let ended = ApiToken { expire_time: Some(w.clock.now()), ..key.clone() };
    tx.put(Change {
        account: w.tenant,
        kind: ChangeKind::TokenExpire,
        before: Some(Image::ApiToken(key.clone())),
        after: Some(Image::ApiToken(ended.clone())),
    })
    .unwrap();
    for one in [scoped, custom] {
        tx.put(gone(w.tenant, ChangeKind::RoleRevoke, Image::RoleGrant(one.clone()))).unwrap();
    }
    tx.put(gone(w.tenant, ChangeKind::RoleDelete, Image::Role(helpers.clone()))).unwrap();
    let passing = user(&w.clock, w.tenant, "passing by");
    tx.put(made_grant(scoped)).unwrap();
    tx.put(gone(w.tenant, ChangeKind::RoleRevoke, Image::RoleGrant(scoped.clone()))).unwrap();
    tx.put(made_user(&passing)).unwrap();
    tx.put(became(&passing, &User { enabled: false, ..passing.clone() })).unwrap();
    let _ = tx.commit(json!({})).await.unwrap();
    w.is_sound().await;
    assert_eq!(w.store.user(w.ann.id).await.unwrap(), Some(last));
    assert_eq!(w.store.token(key.id).await.unwrap().unwrap().token, ended);
    assert_eq!(w.store.grants_of(w.ann.id).await.unwrap().len(), 1);
    assert!(w.store.token_by_digest(&[7; 32]).await.unwrap().is_some());

    let mut tx = w.begin().await;
    assert_eq!(tx.world().revision(), Revision(4), "an old snapshot is brought up to date");
    tx.put(gone(w.tenant, ChangeKind::TokenDelete, Image::ApiToken(ended))).unwrap();
    let _ = tx.commit(json!({})).await.unwrap();
    w.is_sound().await;
    assert_eq!(w.store.token(key.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_must_be_unique_is_named_when_it_is_taken() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let main = w.store.account(w.tenant).await.unwrap().unwrap();
        let named = Account {
            email: Some("Taken@example.com".to_owned()),
            login_alias: Some("taken".to_owned()),
            ..account(&w.clock, Some(&main), "one")
        };
        let (helpers, key) = (role(&w.clock, w.tenant), token(&w.clock, &w.ann));
        let held = grant(&w.ann, "core/MANAGE_USERS", None);
        let mut tx = w.begin().await;
        tx.put(made(w.tenant, ChangeKind::AccountCreate, Image::Account(named))).unwrap();
        tx.put(made(w.tenant, ChangeKind::RoleCreate, Image::Role(helpers))).unwrap();
        tx.put(made_grant(&held)).unwrap();
        tx.put(made(w.tenant, ChangeKind::TokenCreate, Image::ApiToken(key.clone()))).unwrap();
        tx.set_digest(key.id, [7; 32]);
        let _ = tx.commit(json!({})).await.unwrap();

        let other = |email: Option<&str>, alias: Option<&str>| {
            let account = Account {
                email: email.map(str::to_owned),
                login_alias: alias.map(str::to_owned),
                ..account(&w.clock, Some(&main), "two")
            };
            made(w.tenant, ChangeKind::AccountCreate, Image::Account(account))
        };
        let second = token(&w.clock, &w.ann);
        let cases = [
            (made_user(&user(&w.clock, w.tenant, " ANN ")), Constraint::UserName),
            (other(Some("taken@EXAMPLE.com"), None), Constraint::Email),
            (other(None, Some("TAKEN")), Constraint::LoginAlias),
            (
                made(w.tenant, ChangeKind::RoleCreate, Image::Role(role(&w.clock, w.tenant))),
                Constraint::RoleName,
            ),
            (made_grant(&held), Constraint::Grant),
            (
                made(w.tenant, ChangeKind::TokenCreate, Image::ApiToken(second.clone())),
                Constraint::TokenDigest,
            ),
        ];
        for (change, wanted) in cases {
            let mut tx = w.begin().await;
            tx.put(change).unwrap();
            tx.set_digest(second.id, [7; 32]);
            match tx.commit(json!({})).await {
                Err(Error::Taken { constraint }) => assert_eq!(constraint, wanted),
                other => panic!("{wanted:?}: {other:?}"),
            }
        }
        a_change_of_a_name_meets_the_same_rule(&w).await;
        w.is_sound().await;
    }
}

async fn a_change_of_a_name_meets_the_same_rule(w: &World) {
    let bob = user(&w.clock, w.tenant, "Bob");
    let mut tx = w.begin().await;
    tx.put(made_user(&bob)).unwrap();
    let _ = tx.commit(json!({})).await.unwrap();
    let mut tx = w.begin().await;
    tx.put(became(&bob, &User { user_name: "ann".to_owned(), ..bob.clone() })).unwrap();
    let error = tx.commit(json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Taken { constraint: Constraint::UserName }));
}

#[tokio::test]
async fn a_token_use_is_noted_and_never_goes_back() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let keys: Vec<ApiToken> = (0..450).map(|_| token(&w.clock, &w.ann)).collect();
        let mut tx = w.begin().await;
        for (n, key) in (0_u32..).zip(&keys) {
            let mut digest = [1; 32];
            digest[..4].copy_from_slice(&n.to_be_bytes());
            tx.put(made(w.tenant, ChangeKind::TokenCreate, Image::ApiToken(key.clone()))).unwrap();
            tx.set_digest(key.id, digest);
        }
        let _ = tx.commit(json!({})).await.unwrap();
        let at = |micros| w.clock.now() + TimeDelta::microseconds(micros);
        let used = async |key: &ApiToken| -> Option<DateTime<Utc>> {
            w.store.token(key.id).await.unwrap().unwrap().last_used_time
        };
        let all: Vec<_> = keys.iter().map(|key| (key.id, at(100_000))).collect();
        w.store.touch_tokens(&all).await.unwrap();
        assert_eq!(used(&keys[449]).await, Some(at(100_000)));
        let some = [(keys[0].id, at(7)), (keys[1].id, at(100_001)), (keys[1].id, at(5))];
        w.store.touch_tokens(&some).await.unwrap();
        assert_eq!(used(&keys[0]).await, Some(at(100_000)));
        assert_eq!(used(&keys[1]).await, Some(at(100_001)));
        w.store.touch_tokens(&[(TokenId(Uuid::nil()), at(1))]).await.unwrap();

        let page = w.store.tokens_of(w.ann.id, Some(keys[9].id), 5).await.unwrap();
        let ids: Vec<TokenId> = page.iter().map(|kept| kept.token.id).collect();
        assert_eq!(ids, keys[10..15].iter().map(|key| key.id).collect::<Vec<_>>());
        w.is_sound().await;
    }
}

#[tokio::test]
async fn thousands_of_rows_are_read_and_written_in_pages() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let users: Vec<User> =
            (0..4_500).map(|n| user(&w.clock, w.tenant, &format!("user {n}"))).collect();
        let grants: Vec<RoleGrant> =
            users.iter().map(|user| grant(user, "core/MANAGE_USERS", None)).collect();
        for (users, grants) in users.chunks(1_500).zip(grants.chunks(1_500)) {
            let mut tx = w.begin().await;
            for (user, grant) in users.iter().zip(grants) {
                tx.put(made_user(user)).unwrap();
                tx.put(made_grant(grant)).unwrap();
            }
            let _ = tx.commit(json!({})).await.unwrap();
        }
        let mut tx = w.begin().await;
        for (user, grant) in users.iter().zip(&grants).take(1_500) {
            tx.put(became(user, &User { enabled: false, ..user.clone() })).unwrap();
            let image = Image::RoleGrant(grant.clone());
            tx.put(gone(w.tenant, ChangeKind::RoleRevoke, image)).unwrap();
        }
        let done = tx.commit(json!({})).await.unwrap();
        let world = w.store.world(w.tenant).await.unwrap();
        assert_eq!((world.users.len(), world.grants.len()), (4_501, 3_000));
        assert_eq!((world.revision, world.head), shown(&done.snapshot));
        assert!(world.users.is_sorted_by_key(|user| user.id));
        w.is_sound().await;
    }
}

#[tokio::test]
async fn what_postgres_cannot_keep_is_refused_and_not_a_fault() {
    for engine in postgres() {
        let w = World::new(&engine).await;
        refuses_what_it_cannot_keep(&w).await;
    }
}

async fn refuses_what_it_cannot_keep(w: &World) {
    let long: String =
        (0..9_000).map(|n| char::from_u32(0x4e00 + n * 7 % 20_000).unwrap()).collect();
    for bad in [
        User { first_name: "a\0b".to_owned(), ..user(&w.clock, w.tenant, "a") },
        User {
            regional_settings: RegionalSettings { language: "\0".to_owned(), ..Default::default() },
            ..user(&w.clock, w.tenant, "b")
        },
        user(&w.clock, w.tenant, &long),
    ] {
        let mut tx = w.begin().await;
        tx.put(made_user(&bad)).unwrap();
        let error = tx.commit(json!({})).await.unwrap_err();
        assert!(matches!(error, Error::TooLong), "{error:?}");
    }
    w.is_sound().await;
}
