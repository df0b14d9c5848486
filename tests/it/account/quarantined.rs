//! What `QuarantineAccount` and `ReleaseAccount` say of what they did.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{State, Tree};
use crate::cli::asked;
use crate::support::{Person, Service, beginning, engines};
use chancery::proto::v1 as pb;

/// What was asked for: the order, or that it is lifted.
async fn order(service: &Service, by: &Person, request: &Request) -> pb::QuarantineEffect {
    let reply = service.accounts(by).quarantine_account(request.clone()).await.unwrap();
    sorted(reply.into_inner().effect.unwrap())
}

async fn lift(service: &Service, by: &Person, request: &Request) -> pb::QuarantineEffect {
    let Request { account_id, request_id, validate_only, .. } = request.clone();
    let request =
        pb::ReleaseAccountRequest { account_id, request_id, validate_only, ..Default::default() };
    let reply = service.accounts(by).release_account(request).await.unwrap();
    sorted(reply.into_inner().effect.unwrap())
}

/// Puts what has no order of its own into one.
fn sorted(mut effect: pb::QuarantineEffect) -> pb::QuarantineEffect {
    let lists = [
        &mut effect.user_ids,
        &mut effect.credential_ids,
        &mut effect.session_ids,
        &mut effect.otherwise_stopped_account_ids,
    ];
    for ids in lists {
        ids.sort_unstable();
    }
    effect
}

type Request = pb::QuarantineAccountRequest;

fn of(account_id: &str) -> Request {
    Request { account_id: account_id.to_owned(), ..Default::default() }
}

/// A tree in which somebody is in each account: `left` and `low` work, `shut` below `left` is suspended.
struct House {
    tree: Tree,
    shut: String,
    /// What stopping `left` stops.
    effect: pb::QuarantineEffect,
}

impl House {
    async fn build(engine: &crate::support::Engine) -> Self {
        let tree = Tree::grow(engine).await;
        let service = &tree.service;
        let shut = service.account(&tree.left, "Shut").await;
        let gone = service.account(&tree.left, "Gone").await;
        let one = service.person(&tree.left, "one", &["SUPER_USER"]).await;
        let two = service.person(&tree.low, "two", &["USER"]).await;
        let robot = service.machine(&tree.low, "robot", &[]).await;
        service.person(&shut, "three", &[]).await;
        service.person(&gone, "four", &[]).await;
        service.person(&tree.right, "five", &[]).await;
        State::Suspend.ask(service, &tree.ann, &shut).await.unwrap();
        State::Close.ask(service, &tree.ann, &gone).await.unwrap();
        // Who can do nothing in any case is not stopped, nor is what has ended.
        let off = service.person(&tree.low, "off", &[]).await;
        let disable = pb::SetUserActiveRequest { user_id: off.user_id, ..Default::default() };
        service.users(&tree.ann).set_user_active(disable).await.unwrap();
        let over = beginning() + TimeDelta::seconds(60);
        let over = prost_types::Timestamp { seconds: over.timestamp(), nanos: 0 };
        let user_id = two.user_id.clone();
        let short =
            pb::CreateApiTokenRequest { user_id, expire_time: Some(over), ..Default::default() };
        service.tokens(&service.root).create_api_token(short).await.unwrap();
        service.advance(61);
        let sessions = [service.session(&one).await, service.session(&two).await];
        let users = [&one, &two, &robot];
        let effect = pb::QuarantineEffect {
            changed: true,
            account_count: 2,
            account_ids: vec![tree.left.clone(), tree.low.clone()],
            user_count: 3,
            user_ids: users.map(|user| user.user_id.clone()).to_vec(),
            credential_count: 3,
            credential_ids: users.map(|user| user.token_id.clone()).to_vec(),
            session_count: 2,
            session_ids: sessions.map(|session| session.session_id).to_vec(),
            otherwise_stopped_count: 1,
            otherwise_stopped_account_ids: vec![shut.clone()],
            others_affected: false,
            partial: false,
        };
        Self { tree, shut, effect: sorted(effect) }
    }
}

#[tokio::test]
async fn what_a_quarantine_stops_is_told_before_at_it_after_it_and_when_it_is_lifted() {
    for engine in engines() {
        let House { tree, effect, .. } = House::build(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        let unchanged = pb::QuarantineEffect { changed: false, ..effect.clone() };
        let dry = Request { validate_only: true, ..of(left) };
        assert_eq!(order(service, ann, &dry).await, effect);
        assert_eq!(lift(service, ann, &dry).await, pb::QuarantineEffect::default());
        let named = Request { request_id: Uuid::new_v4().to_string(), ..of(left) };
        assert_eq!(order(service, ann, &named).await, effect);
        assert_eq!(order(service, ann, &named).await, effect, "the same request again");
        assert_eq!(order(service, ann, &of(left)).await, unchanged, "another, of the same");
        assert_eq!(order(service, &tree.operator, &dry).await, unchanged, "from above");

        assert_eq!(lift(service, ann, &dry).await, effect);
        let named = Request { request_id: Uuid::new_v4().to_string(), ..of(left) };
        assert_eq!(lift(service, ann, &named).await, effect);
        assert_eq!(lift(service, ann, &named).await, effect, "the same request again");
        assert_eq!(lift(service, ann, &of(left)).await, pb::QuarantineEffect::default());
        tree.done().await;
    }
}

#[tokio::test]
async fn what_something_else_stops_is_told_apart_and_what_is_not_seen_is_left_out() {
    for engine in engines() {
        let House { tree, shut, effect } = House::build(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, &tree.left);
        let (token_id, token) = service.mint(&ann.user_id, &["account.*"]).await;
        let narrow = Person { token, token_id, ..ann.clone() };
        let told = order(service, &narrow, &Request { validate_only: true, ..of(left) }).await;
        let accounts = pb::QuarantineEffect {
            changed: true,
            account_count: 2,
            account_ids: effect.account_ids.clone(),
            otherwise_stopped_count: 1,
            otherwise_stopped_account_ids: vec![shut.clone()],
            others_affected: true,
            ..Default::default()
        };
        assert_eq!(told, accounts);
        // Whoever stops the account that it is in itself is told all the same.
        let top = order(service, ann, &of(&tree.top)).await;
        assert!(top.account_ids.contains(&tree.top) && top.user_ids.contains(&ann.user_id));
        assert!(!top.others_affected);
        lift(service, &tree.operator, &of(&tree.top)).await;

        State::Suspend.ask(service, ann, left).await.unwrap();
        let told = order(service, ann, &of(left)).await;
        let mut all = vec![left.clone(), tree.low.clone(), shut.clone()];
        all.sort_unstable();
        assert_eq!((told.account_count, told.user_count, told.otherwise_stopped_count), (0, 0, 3));
        assert_eq!(told.otherwise_stopped_account_ids, all);
        tree.done().await;
    }
}

#[tokio::test]
async fn an_account_is_stopped_and_let_go_on_the_command_line() {
    for engine in engines() {
        let House { tree, effect, .. } = House::build(&engine).await;
        let (service, ann, left) = (&tree.service, &tree.ann, tree.left.as_str());
        let by = async |arguments: &[&str]| {
            let (good, told, said) = asked(service, &ann.token, arguments).await;
            assert!(good, "{said}");
            told
        };
        let told = by(&["quarantine", left, "--dry-run"]).await;
        let first =
            format!("{left} “Left” would be in quarantine\n├─ 2 accounts stopped\n│  ├─ {left}\n");
        assert!(told.starts_with(&first), "{told}");
        for line in [
            "├─ 3 users who can do nothing, nor sign in\n",
            "├─ 3 API tokens or service keys refused\n",
            "├─ 2 sessions refused\n",
            "├─ 1 account stopped by something else in any case\n",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert!(effect.session_ids.iter().all(|id| told.contains(id)), "{told}");
        let told = by(&["quarantine", left, "--json"]).await;
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&json["changed"], &json["quarantined"]), (&true.into(), &true.into()));
        assert_eq!(json["effectiveStatus"], "QUARANTINED");
        assert_eq!(json["userIds"], serde_json::json!(effect.user_ids));
        let told = by(&["quarantine", left]).await;
        assert!(told.starts_with(&format!("{left} “Left” was in quarantine already\n")), "{told}");
        let told = by(&["release", left]).await;
        assert!(told.contains("is out of quarantine now\n├─ 2 accounts working again\n"), "{told}");
        let told = by(&["release", left]).await;
        assert!(told.contains("was in no quarantine\n├─ no account working again\n"), "{told}");
        let (good, _, said) = asked(service, &tree.reader.token, &["quarantine", left]).await;
        assert!(!good && said.contains("PermissionDenied"), "{said}");
        tree.done().await;
    }
}
