//! Every statement that the store sends, on a filled database: none may walk through a whole table.
//!
//! The statements are those that every RPC and every upkeep of a running server sends, taken from the driver's log.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../it/examples.rs"]
mod examples;
mod fill;
#[expect(dead_code, reason = "shared with the tests of the service")]
#[path = "../it/meddle.rs"]
mod meddle;
#[path = "../it/raw.rs"]
mod raw;
#[expect(dead_code, clippy::expect_used, reason = "shared with the tests of the service")]
#[path = "../it/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Mutex;

use chancery::crypto::{KeyRing, LedgerKey};
use chancery::model::{AccountId, Clock as _, Identity, Revision};
use chancery::proto::v1 as pb;
use chrono::TimeDelta;
use prost::Message as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use uuid::Uuid;

use examples::{Scene, changing};
use fill::fill;
use meddle::Meddler;
use support::{Service, ask, engines};

/// A password that nobody guesses.
const PASSWORD: &str = "kaufhaus tiger lampe";

/// Tables that grow with use.
const BIG: [&str; 20] = [
    "activity",
    "tenants",
    "accounts",
    "users",
    "custom_roles",
    "role_grants",
    "api_tokens",
    "rights_documents",
    "assignments",
    "ledger",
    "ledger_checkpoints",
    "idempotency",
    "sessions",
    "refresh_tokens",
    "passwords",
    "sign_in_failures",
    "sign_in_sources",
    "outbox",
    "assertions",
    "right_uses",
];

/// The table that never does: of the platform's signing keys there are a few.
const SMALL: &str = "signing_keys";

/// The statements that were sent since it was last emptied.
static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Takes statements from the driver's log.
struct Listener;

#[derive(Default)]
struct Text {
    summary: String,
    statement: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            // Empty for a statement that is no longer than its summary.
            "db.statement" => value.trim().clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "sqlx::query" {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let statement = if text.statement.is_empty() { text.summary } else { text.statement };
        SENT.lock().unwrap().insert(statement);
    }
}

/// Has a server send everything that it can.
async fn use_everything(service: &Service) {
    let mut scene = Scene::new(service).await;
    for method in changing() {
        let [example, _] = scene.example(&method).await;
        for dry in [true, false] {
            let mut message = example.clone();
            raw::set(&mut message, "validate_only", prost_reflect::Value::Bool(dry));
            let id = prost_reflect::Value::String(Uuid::new_v4().to_string());
            raw::set(&mut message, "request_id", id);
            for _again in 0..2 {
                let by = service.by(&service.root.token);
                raw::call(by, &raw::path(&method), message.encode_to_vec()).await.unwrap();
            }
        }
    }
    let day =
        prost_types::Timestamp { seconds: support::beginning().timestamp() + 86_400, nanos: 0 };
    let short = pb::CreateApiTokenRequest { expire_time: Some(day), ..Default::default() };
    service.tokens(&service.root).create_api_token(short).await.unwrap();
    read_everything(service, &scene.tenant).await;
    sign_in(service, &scene.tenant).await;
    keep_up(service, scene.tenant.parse().unwrap()).await;
}

async fn read_everything(service: &Service, tenant: &str) {
    let root = &service.root;
    let person = service.person(tenant, "reader", &["SUPER_USER"]).await;
    for by in [root, &person] {
        for (recursive, parent) in [(false, ""), (true, ""), (false, tenant), (true, tenant)] {
            let request = pb::ListAccountsRequest {
                parent_account_id: parent.to_owned(),
                recursive,
                page_size: 5,
                ..Default::default()
            };
            let page = service.accounts(by).list_accounts(request.clone()).await.unwrap();
            let page_token = page.into_inner().next_page_token;
            let next = pb::ListAccountsRequest { page_token, ..request };
            service.accounts(by).list_accounts(next).await.unwrap();
        }
        let get = pb::GetAccountRequest { account_id: tenant.to_owned() };
        service.accounts(by).get_account(get).await.unwrap();
        for flatten in [false, true] {
            let request = pb::ListUsersRequest {
                account_id: tenant.to_owned(),
                flatten,
                page_size: 5,
                ..Default::default()
            };
            let page = service.users(by).list_users(request.clone()).await.unwrap();
            let page_token = page.into_inner().next_page_token;
            let next = pb::ListUsersRequest { page_token, ..request };
            service.users(by).list_users(next).await.unwrap();
        }
        let get = pb::GetUserRequest { user_id: person.user_id.clone() };
        service.users(by).get_user(get).await.unwrap();
        let check = pb::CheckUserNameAvailabilityRequest {
            account_id: tenant.to_owned(),
            user_name: "reader".to_owned(),
        };
        service.users(by).check_user_name_availability(check).await.unwrap();
        let of = pb::ListUserRolesRequest { user_id: person.user_id.clone(), ..Default::default() };
        service.roles(by).list_user_roles(of).await.unwrap();
        let of = pb::ListRolesRequest { account_id: tenant.to_owned(), ..Default::default() };
        service.roles(by).list_roles(of).await.unwrap();
        read_tokens(service, by, &person).await;
        read_documents(service, by, &person.user_id).await;
        read_audit(service, by, tenant).await;
        read_activity(service, by, tenant).await;
        let own = format!("account/{tenant}");
        let mut question = ask(&person.user_id, "read", "account", &own);
        question.consistency =
            Some(pb::Consistency { requirement: Some(pb::consistency::Requirement::Full(true)) });
        service.authorization(by).authorize(question.clone()).await.unwrap();
        ask_of_then(service, by, tenant, question).await;
    }
}

async fn read_tokens(service: &Service, by: &support::Person, person: &support::Person) {
    let of = pb::ListApiTokensRequest {
        user_id: person.user_id.clone(),
        page_size: 1,
        ..Default::default()
    };
    service.tokens(by).list_api_tokens(of).await.unwrap();
    let about = pb::IntrospectTokenRequest { token: person.token.clone() };
    service.tokens(by).introspect_token(about).await.unwrap();
    let soon = pb::ListExpiringRequest { page_size: 1, ..Default::default() };
    service.tokens(by).list_expiring(soon).await.unwrap();
}

/// Asks of a time that something has changed since.
async fn ask_of_then(
    service: &Service,
    by: &support::Person,
    tenant: &str,
    mut question: pb::AuthorizeRequest,
) {
    let now = chancery::model::Clock::now(&*service.clock);
    let then = prost_types::Timestamp { seconds: now.timestamp(), nanos: 0 };
    service.advance(1);
    service.account(tenant, &format!("After {}", then.seconds)).await;
    let requirement = Some(pb::consistency::Requirement::AsOf(then));
    question.consistency = Some(pb::Consistency { requirement });
    service.authorization(by).authorize(question).await.unwrap();
}

/// What a user does with a password, and a guesser without one.
async fn sign_in(service: &Service, tenant: &str) {
    let ann = service.person(tenant, "signer", &[]).await;
    service.password(&ann, PASSWORD).await;
    for (name, password) in [("signer", "wrong"), ("nobody", "wrong"), ("signer", PASSWORD)] {
        let told = service.sign_in(tenant, name, password).await;
        assert_eq!(told.is_ok(), password == PASSWORD);
    }
    let session = service.sign_in(tenant, "signer", PASSWORD).await.unwrap().session.unwrap();
    let mut sessions = service.sessions(&ann);
    let refresh = pb::RefreshSessionRequest { refresh_token: session.refresh_token };
    sessions.refresh_session(refresh).await.unwrap();
    let of = pb::ListSessionsRequest { page_size: 1, ..Default::default() };
    sessions.list_sessions(of).await.unwrap();
    for user_name in ["signer", "nobody"] {
        let ask = pb::RequestPasswordResetRequest {
            account: tenant.to_owned(),
            user_name: user_name.to_owned(),
            ..Default::default()
        };
        sessions.request_password_reset(ask).await.unwrap();
    }
    let by = ann.with(&service.session(&ann).await);
    let change = pb::ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "regen zwiebel turm 9".to_owned(),
        ..Default::default()
    };
    service.sessions(&by).change_password(change).await.unwrap();
}

async fn read_documents(service: &Service, by: &support::Person, user_id: &str) {
    let rights = || service.rights(by);
    let write = pb::CreateRightsDocumentRequest {
        user_id: user_id.to_owned(),
        rights_document: Some(pb::RightsDocument {
            rights_doc_name: Some("read".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = rights().create_rights_document(write).await.unwrap().into_inner();
    let rights_doc_id = made.rights_document.unwrap().rights_doc_id;
    if by.user_id != user_id {
        let assign = pb::AssignRightsDocumentRequest {
            rights_doc_id: rights_doc_id.clone(),
            user_ids: vec![user_id.to_owned()],
            ..Default::default()
        };
        rights().assign_rights_document(assign).await.unwrap();
    }
    let get =
        pb::GetRightsDocumentRequest { rights_doc_id: rights_doc_id.clone(), ..Default::default() };
    rights().get_rights_document(get).await.unwrap();
    let of = pb::ListRightsDocumentAssignmentsRequest { rights_doc_id, ..Default::default() };
    rights().list_rights_document_assignments(of).await.unwrap();
    let user_id = user_id.to_owned();
    let of = pb::ListRightsDocumentsRequest { user_id: user_id.clone(), ..Default::default() };
    rights().list_rights_documents(of).await.unwrap();
    let of =
        pb::ListAssignedRightsDocumentsRequest { user_id: user_id.clone(), ..Default::default() };
    rights().list_assigned_rights_documents(of).await.unwrap();
    rights().get_aggregated_rights(pb::GetAggregatedRightsRequest { user_id }).await.unwrap();
}

/// Each filter by itself, and all of them, either way and page by page.
async fn read_audit(service: &Service, by: &support::Person, tenant: &str) {
    let plain = pb::ListAuditEventsRequest {
        account_id: tenant.to_owned(),
        page_size: 2,
        ..Default::default()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let time = support::beginning().timestamp();
    let time = |by: i64| Some(prost_types::Timestamp { seconds: time + by, nanos: 0 });
    let all = pb::ListAuditEventsRequest {
        subtree: true,
        start_time: time(-60),
        end_time: time(86_400 * 365),
        actions: words(&["user.create", "user.update"]),
        entities: words(&["user", "role_grant"]),
        actor: by.user_id.clone(),
        entity_id: by.user_id.clone(),
        ..plain.clone()
    };
    let subtree = pb::ListAuditEventsRequest { subtree: true, ..plain.clone() };
    for request in [
        plain.clone(),
        subtree.clone(),
        pb::ListAuditEventsRequest { start_time: all.start_time, ..subtree.clone() },
        pb::ListAuditEventsRequest { end_time: all.end_time, ..subtree.clone() },
        pb::ListAuditEventsRequest { actions: words(&["user.create"]), ..subtree.clone() },
        pb::ListAuditEventsRequest { actions: all.actions.clone(), ..subtree.clone() },
        pb::ListAuditEventsRequest { entities: all.entities.clone(), ..subtree.clone() },
        pb::ListAuditEventsRequest { actor: all.actor.clone(), ..subtree.clone() },
        pb::ListAuditEventsRequest { entity_id: all.entity_id.clone(), ..subtree },
        pb::ListAuditEventsRequest { actor: all.actor.clone(), ..plain },
        all,
    ] {
        for order in [pb::AuditOrder::OldestFirst, pb::AuditOrder::NewestFirst] {
            let mut request = request.clone();
            request.set_order(order);
            let mut audit = service.audit(by);
            let page = audit.list_audit_events(request.clone()).await.unwrap().into_inner();
            let next = pb::ListAuditEventsRequest { page_token: page.next_page_token, ..request };
            audit.list_audit_events(next).await.unwrap();
        }
    }
}

async fn read_activity(service: &Service, by: &support::Person, tenant: &str) {
    let plain = pb::ListActivityRequest {
        account_id: tenant.to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let at = prost_types::Timestamp { seconds: support::beginning().timestamp() - 60, nanos: 0 };
    let all = pb::ListActivityRequest {
        start_time: Some(at),
        end_time: Some(prost_types::Timestamp { seconds: at.seconds + 86_400 * 365, ..at }),
        kinds: vec![pb::ActivityKind::TokenUsed.into(), pb::ActivityKind::Denied.into()],
        user_id: by.user_id.clone(),
        ..plain.clone()
    };
    let unused = pb::ListUnusedRightsRequest {
        account_id: tenant.to_owned(),
        days: 30,
        ..Default::default()
    };
    service.audit(by).list_unused_rights(unused).await.unwrap();
    for request in [plain, all] {
        for order in [pb::AuditOrder::OldestFirst, pb::AuditOrder::NewestFirst] {
            let mut request = request.clone();
            request.set_order(order);
            let mut audit = service.audit(by);
            let page = audit.list_activity(request.clone()).await.unwrap().into_inner();
            let next = pb::ListActivityRequest { page_token: page.next_page_token, ..request };
            audit.list_activity(next).await.unwrap();
        }
    }
}

/// What happens by itself, and what no RPC does yet.
async fn keep_up(service: &Service, tenant: AccountId) {
    let (store, now) = (&service.store, service.clock.now());
    let root: AccountId = service.root.account_id.parse().unwrap();
    let uses = [(service.root.token_id.parse().unwrap(), now)];
    store.touch_tokens(&uses).await.unwrap();
    store.forget_activity(now - TimeDelta::days(90)).await.unwrap();
    store.entries_behind(tenant, Revision(1)).await.unwrap();
    store.written(tenant, Revision(1), 1).await.unwrap();
    store.forget_requests(now - TimeDelta::hours(25)).await.unwrap();
    store.forget_sessions().await.unwrap();
    store.forget_assertions().await.unwrap();
    store.forget_sign_ins(now - TimeDelta::days(30)).await.unwrap();
    store.forget_messages(now - TimeDelta::days(1)).await.unwrap();
    store.write_uses().await.unwrap();
    store.forget_uses(now - TimeDelta::days(400)).await.unwrap();
    store.claim_messages(2).await.unwrap();
    store.ends(now, now + TimeDelta::days(30), 10).await.unwrap();
    store.heads(&[root, tenant]).await.unwrap();
    store.probe().await.unwrap();
    let there = Identity { issuer: "https://id.example".to_owned(), subject: "a".to_owned() };
    store.user_of_identity(tenant, &there).await.unwrap();
    store.user_awaiting(tenant, "somebody@example.com").await.unwrap();
    store.hash_at(tenant, Revision(1)).await.unwrap();
    store.entries(tenant, Revision(1), 1).await.unwrap();
    store.verify(tenant).await.unwrap();
    let key = LedgerKey::of(&KeyRing::from_base64(support::KEY).unwrap()).unwrap();
    for days in [0, 1] {
        // Two times, since the first checkpoint is put there and the second in its place.
        service.advance(86_400 * days);
        service.account(&service.root.account_id, &format!("Main {days}")).await;
        store.prune(root, service.clock.now(), &key).await.unwrap();
    }
    store.tenants_behind(None, 1).await.unwrap();
    store.tenants_behind(Some(tenant), 1).await.unwrap();
    store.world(root).await.unwrap();
    let replica = service.replica().await;
    replica.stop().await;
}

/// Tells what is wrong with the plan of a statement; nothing if all is well or it has none.
async fn wrong(meddler: &Meddler, sql: &str) -> Option<String> {
    let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if !["select", "insert", "update", "delete", "with"].contains(&first.as_str()) {
        return None;
    }
    // A row of given values is looked for by its unique keys alone: there is nothing to plan.
    if first == "insert" && !sql.to_ascii_lowercase().contains("select") {
        return None;
    }
    let plan = plan(meddler, sql).await;
    let walks = |line: &&String| {
        let line = line.trim_start_matches(['-', '>', ' ']);
        let table = line.strip_prefix("SCAN ").or_else(|| line.strip_prefix("Seq Scan on "));
        let table = table.and_then(|rest| rest.split_whitespace().next());
        // In the order of an index, page by page, is no walk through the whole.
        let paged = line.contains(" USING ") && sql.to_ascii_lowercase().contains(" limit ");
        table.is_some_and(|table| BIG.contains(&table)) && !paged
    };
    let sorts = |line: &&String| {
        let line = line.trim_start_matches(['-', '>', ' ']);
        let sorted = line.contains("TEMP B-TREE FOR ORDER BY") || line.starts_with("Sort");
        sorted && sql.to_ascii_lowercase().contains(" limit ")
    };
    let small = plan.iter().any(|line| line.split_whitespace().any(|word| word == SMALL));
    let found = plan.iter().any(|line| walks(&line) || (sorts(&line) && !small));
    found.then(|| format!("{sql}\n    {}", plan.join("\n    ")))
}

async fn plan(meddler: &Meddler, sql: &str) -> Vec<String> {
    if meddler.is_sqlite() {
        let rows = meddler.rows(&format!("explain query plan {sql}")).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        return rows.iter().map(|row| row.try_get_by_index(3).unwrap()).collect();
    }
    let values = sql.split('$').skip(1).filter_map(|rest| {
        let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse::<usize>().ok()
    });
    let values = values.max().unwrap_or_default();
    // The driver says what type a value has; of the values that a CASE chooses from, nothing else does.
    let typed = sql.replacen("THEN $2 ", "THEN $2::timestamptz ", 1);
    meddler.run(&format!("prepare asked as {typed}")).await;
    let list = vec!["null"; values].join(", ");
    let call = if values == 0 { String::new() } else { format!("({list})") };
    let rows = meddler.rows(&format!("explain (costs off) execute asked{call}")).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    meddler.run("deallocate asked").await;
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_statement_walks_through_a_table_that_grows() {
    tracing_subscriber::registry().with(Listener).init();
    for engine in engines() {
        let service = Service::start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        fill(&meddler).await;
        SENT.lock().unwrap().clear();
        use_everything(&service).await;
        let sent = std::mem::take(&mut *SENT.lock().unwrap());
        assert!(sent.len() > 40, "the log told of {} statements only", sent.len());
        // The log may tell statements only because they hold no values.
        for value in ["reader", "USER", "Scene", "account.read", "acc_", "usr_"] {
            let telling: Vec<&String> = sent.iter().filter(|sql| sql.contains(value)).collect();
            assert!(telling.is_empty(), "`{value}` is in {telling:?}");
        }
        if !meddler.is_sqlite() {
            // The plan that stands for all values, not one for the nulls that stand in for them.
            meddler.run("set plan_cache_mode = force_generic_plan").await;
        }
        let walk = "select id from users where first_name = 'x'";
        assert!(wrong(&meddler, walk).await.is_some(), "a walk is not noticed");
        let mut faults = Vec::new();
        for sql in &sent {
            faults.extend(wrong(&meddler, sql).await);
        }
        assert!(
            faults.is_empty(),
            "{} of {}:\n\n{}",
            faults.len(),
            sent.len(),
            faults.join("\n\n")
        );
    }
}
