//! What somebody changes past the program, before a ledger is pruned and after, is named.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::proof::{column, flipped, literal};
use super::*;
use crate::support::Person;

/// Chance that is the same at every run.
struct Picks(TestRunner);

impl Picks {
    fn new() -> Self {
        Self(TestRunner::deterministic())
    }

    fn one_of(&mut self, many: usize) -> usize {
        any::<prop::sample::Index>().new_tree(&mut self.0).unwrap().current().index(many)
    }
}

/// Everything that is kept of a ledger, put aside.
struct Aside<'m> {
    meddler: &'m Meddler,
    tenant: String,
}

const COLUMNS: &str =
    "account_id, at, actor, kind, entity, request_id, prev_hash, hash, format, body";
const KEPT: [&str; 3] = ["ledger", "ledger_checkpoints", "tenants"];

impl<'m> Aside<'m> {
    async fn of(meddler: &'m Meddler, tenant: &str) -> Self {
        for table in KEPT {
            meddler.run(&format!("create table kept_{table} as select * from {table}")).await;
        }
        Self { meddler, tenant: meddler.id(tenant) }
    }

    async fn put_back(&self) {
        for table in KEPT.iter().filter(|table| **table != "tenants") {
            self.meddler.run(&format!("delete from {table}")).await;
            self.meddler.run(&format!("insert into {table} select * from kept_{table}")).await;
        }
    }

    async fn run(&self, sql: &str) {
        self.meddler.run(&sql.replace("TENANT", &format!("tenant_id = {}", self.tenant))).await;
    }
}

fn names(told: &pb::VerifyLedgerResponse, what: &str) -> bool {
    told.faults.iter().any(|fault| fault.entity == what || fault.message.contains(what))
}

/// What is changed with entries, and what that is told by.
fn of_entries(upto: u64, newest: u64) -> [(String, &'static str); 5] {
    let (next, second) = (upto + 1, upto + 2);
    let delete = |which: String| format!("delete from ledger where TENANT and revision {which}");
    let insert = format!(
        "insert into ledger (tenant_id, revision, ordinal, {COLUMNS}) \
         select tenant_id, 1, ordinal, {COLUMNS} from ledger where TENANT and revision = {newest}"
    );
    [
        // The last, the first that is left, one in between, and all.
        (delete(format!("= {newest}")), "the tenant stands at"),
        (delete(format!("= {next}")), "missing before"),
        (delete(format!("= {second}")), "missing before"),
        (delete(format!("> {upto}")), "the tenant stands at"),
        // One that the checkpoint stands for.
        (insert, "though the checkpoint stands for it"),
    ]
}

/// What is changed of the checkpoint, and what that is told by: gone, of another revision, another text, another signature.
const OF_CHECKPOINT: [(&str, &str); 6] = [
    ("delete from ledger_checkpoints where TENANT", "missing before"),
    ("update ledger_checkpoints set revision = revision + 1 where TENANT", "ledger_checkpoints"),
    ("update ledger_checkpoints set revision = -1 where TENANT", "ledger_checkpoints"),
    (
        "update ledger_checkpoints set body = replace(body, '\"entries\":', '\"entries\":1') where TENANT",
        "ledger_checkpoints",
    ),
    ("update ledger_checkpoints set body = '{}' where TENANT", "ledger_checkpoints"),
    (
        "update ledger_checkpoints set signature = replace(signature, substr(signature, 9, 1), '') where TENANT",
        "ledger_checkpoints",
    ),
];

#[tokio::test]
async fn whatever_is_changed_of_what_is_left_or_of_what_stands_for_the_rest_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, upto) = half(&service).await;
        let meddler = Meddler::new(&service.url).await;
        let aside = Aside::of(&meddler, &acme).await;
        let newest = verify(&service, &acme).await.revision;
        let of_checkpoint = OF_CHECKPOINT.map(|(sql, named)| (sql.to_owned(), named));
        for (sql, named) in of_entries(upto, newest).into_iter().chain(of_checkpoint) {
            aside.run(&sql).await;
            let told = verify(&service, &acme).await;
            assert!(names(&told, named), "{sql}: {:?}", told.faults);
            aside.put_back().await;
        }
        // Two change places.
        let (next, second) = (upto + 1, upto + 2);
        for (from, to) in [(next, 1_000_000), (second, next), (1_000_000, second)] {
            let of = format!("where TENANT and revision = {from}");
            aside.run(&format!("update ledger set revision = {to} {of}")).await;
        }
        let told = verify(&service, &acme).await;
        let named = |at: u64| told.faults.iter().any(|fault| fault.revision == at);
        assert!(named(next) && named(second), "{:?}", told.faults);
        aside.put_back().await;
        assert_eq!(verify(&service, &acme).await.faults, []);
    }
}

#[tokio::test]
async fn whichever_byte_of_what_is_left_or_of_the_checkpoint_is_another_it_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, _) = half(&service).await;
        let meddler = Meddler::new(&service.url).await;
        let aside = Aside::of(&meddler, &acme).await;
        let mut picks = Picks::new();
        for name in ["body", "hash", "prev_hash"] {
            let rows = column(&meddler, &aside.tenant, name).await;
            for _ in 0..6 {
                let (revision, ordinal, hex) = &rows[picks.one_of(rows.len())];
                let other = literal(&meddler, &flipped(hex, picks.one_of(hex.len()), 0));
                let of = format!("where TENANT and revision = {revision} and ordinal = {ordinal}");
                aside.run(&format!("update ledger set {name} = {other} {of}")).await;
                let told = verify(&service, &acme).await;
                let here = |fault: &pb::LedgerFault| i64::try_from(fault.revision) == Ok(*revision);
                assert!(told.faults.iter().any(here), "{name} {of}: {:?}", told.faults);
                aside.put_back().await;
            }
        }
        let body =
            format!("select body from ledger_checkpoints where tenant_id = {}", aside.tenant);
        let body: String = meddler.rows(&body).await.unwrap()[0].try_get_by_index(0).unwrap();
        for _ in 0..20 {
            let at = picks.one_of(body.len());
            let other = if &body[at..=at] == "7" { "8" } else { "7" };
            let text = format!("{}{other}{}", &body[..at], &body[at + 1..]);
            aside.run(&format!("update ledger_checkpoints set body = '{text}' where TENANT")).await;
            let told = verify(&service, &acme).await;
            assert!(names(&told, "ledger_checkpoints"), "{text}: {:?}", told.faults);
            aside.put_back().await;
        }
        assert_eq!(verify(&service, &acme).await.faults, []);
    }
}

/// A checkpoint that was signed once stands for no other ledger, and for no longer one.
#[tokio::test]
async fn a_checkpoint_of_another_ledger_or_of_another_time_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, first) = half(&service).await;
        let other = service.tenant("Other").await;
        service.person(&other, "somebody", &[]).await;
        service.advance(40 * DAY);
        service.person(&other, "else", &[]).await;
        pruned(&service, &other).await;
        let meddler = Meddler::new(&service.url).await;
        let (ours, theirs) = (meddler.id(&acme), meddler.id(&other));
        meddler.run("create table older as select * from ledger_checkpoints").await;
        service.person(&acme, "newest", &[]).await;
        assert!(pruned(&service, &acme).await > first);
        let put = async |from: &str, of: &str| {
            let column =
                |name: &str| format!("{name} = (select {name} from {from} where tenant_id = {of})");
            let all = [column("revision"), column("body"), column("signature")].join(", ");
            meddler
                .run(&format!("update ledger_checkpoints set {all} where tenant_id = {ours}"))
                .await;
        };
        meddler.run("create table newer as select * from ledger_checkpoints").await;
        put("older", &ours).await;
        let told = verify(&service, &acme).await;
        assert!(names(&told, "missing before"), "{:?}", told.faults);
        put("newer", &theirs).await;
        assert!(names(&verify(&service, &acme).await, "ledger_checkpoints"));
        put("newer", &ours).await;
        assert_eq!(verify(&service, &acme).await.faults, []);
    }
}

#[tokio::test]
async fn whatever_is_changed_of_an_export_of_what_is_left_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, _) = half(&service).await;
        let key = HeadKey::read(&head(&service, &acme).await.public_key_pem).unwrap();
        let (text, _) = export(&service, &service.root, &acme, 0).await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("{\"checkpoint\":"), "{}", lines[0]);
        let mut picks = Picks::new();
        for round in 0..150 {
            // Of the checkpoint as often as of all the others.
            let line = if round % 2 == 0 { 0 } else { picks.one_of(lines.len()) };
            let mut changed: Vec<char> = lines[line].chars().collect();
            let at = picks.one_of(changed.len());
            changed[at] = if changed[at] == 'e' { 'f' } else { 'e' };
            let changed: String = changed.into_iter().collect();
            let mut all = lines.clone();
            all[line] = &changed;
            let told = check(&key, all.into_iter());
            let first = told.flaws.first().unwrap_or_else(|| panic!("{changed} proves itself"));
            assert!(first.line == u64::try_from(line + 1).ok(), "{line}: {first}");
        }
        for gone in 0..lines.len() {
            let mut all = lines.clone();
            all.remove(gone);
            assert_ne!(check(&key, all.into_iter()).flaws, [], "without line {gone}");
            let mut all = lines.clone();
            let other = picks.one_of(lines.len());
            all.swap(gone, other);
            assert_eq!(check(&key, all.into_iter()).flaws.is_empty(), gone == other);
        }
    }
}

/// A statement, what takes it back, and what it is told by.
type Change = (String, String, String);

/// What somebody could change of rows: of those that no entry is about since the checkpoint, and of one that an entry is about.
fn of_rows(meddler: &Meddler, acme: &str, [ann, bob]: [&Person; 2]) -> [Change; 5] {
    let (a, b) = (meddler.user(&ann.user_id), meddler.user(&bob.user_id));
    let of = format!("where tenant_id = {}", meddler.id(acme));
    let turn = format!("update users set enabled = not enabled where id = {a}");
    let name = |name: &str| format!("update accounts set display_name = '{name}' {of}");
    let first = |name: &str| format!("update users set first_name = '{name}' where id = {b}");
    [
        (turn.clone(), turn, "user".to_owned()),
        (
            format!("update role_grants set user_id = {b} {of} and user_id = {a}"),
            format!("update role_grants set user_id = {a} {of} and role like '%SUPER_USER'"),
            "role_grant".to_owned(),
        ),
        (
            format!("delete from role_grants {of} and user_id = {a}"),
            "insert into role_grants select * from held".to_owned(),
            "role_grant".to_owned(),
        ),
        (name("Other"), name("Acme"), "account".to_owned()),
        // What an entry speaks of is named itself.
        (first("Eve"), first("Bob"), format!("user/{}", bob.user_id)),
    ]
}

#[tokio::test]
async fn a_row_that_no_entry_speaks_of_any_more_does_not_change_unseen() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        let bob = service.person(&acme, "bob", &["USER"]).await;
        service.advance(40 * DAY);
        service.person(&acme, "late", &[]).await;
        pruned(&service, &acme).await;
        let user = pb::User {
            user_id: bob.user_id.clone(),
            first_name: Some("Bob".to_owned()),
            ..Default::default()
        };
        let rename = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
        service.users(&service.root).update_user(rename).await.unwrap();
        assert_eq!(verify(&service, &acme).await.faults, []);
        let meddler = Meddler::new(&service.url).await;
        let held = format!("where user_id = {}", meddler.user(&ann.user_id));
        meddler.run(&format!("create table held as select * from role_grants {held}")).await;
        let all = of_rows(&meddler, &acme, [&ann, &bob]);
        for (sql, back, entity) in &all {
            meddler.run(sql).await;
            let told = verify(&service, &acme).await;
            let places: Vec<(u64, &str)> =
                told.faults.iter().map(|fault| (fault.revision, fault.entity.as_str())).collect();
            assert_eq!(places, [(0, entity.as_str())], "{sql}");
            meddler.run(back).await;
        }
        assert_eq!(verify(&service, &acme).await.faults, []);
        // And the next checkpoint is not made of what was changed past the first.
        meddler.run(&all[0].0).await;
        service.advance(40 * DAY);
        service.person(&acme, "latest", &[]).await;
        assert!(matches!(prune(&service, &acme).await, Pruning::Faulty(_)));
    }
}

#[tokio::test]
async fn nothing_is_signed_that_is_not_what_was_written() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &[]).await;
        service.advance(40 * DAY);
        service.person(&acme, "late", &[]).await;
        let meddler = Meddler::new(&service.url).await;
        let of = format!("where tenant_id = {}", meddler.id(&acme));
        let count = format!("select count(*) from ledger {of}");
        let there = meddler.number(&count).await;
        let flip = format!(
            "update ledger set kind = 'user.update' {of} and kind = 'user.create' and revision = 2"
        );
        meddler.run(&flip).await;
        match prune(&service, &acme).await {
            Pruning::Faulty(found) => assert_eq!(found.faults[0].revision, Some(Revision(2))),
            other => panic!("{other:?}"),
        }
        assert_eq!(meddler.number(&count).await, there);
        assert_eq!(meddler.number("select count(*) from ledger_checkpoints").await, 0);
    }
}
