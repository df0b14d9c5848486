//! Verification by the server: what is wrong is named with its place.

use chancery::proto::v1 as pb;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tonic::{Code, Status};

use crate::examples::{Scene, changing};
use crate::meddle::Meddler;
use crate::raw::{call, path};
use crate::support::{Person, Service, engines, refused};
use prost::Message as _;

pub(super) async fn verify(service: &Service, account_id: &str) -> pb::VerifyLedgerResponse {
    let request =
        pb::VerifyLedgerRequest { account_id: account_id.to_owned(), ..Default::default() };
    service.audit(&service.root).verify_ledger(request).await.unwrap().into_inner()
}

/// A service in whose ledgers there is something of everything.
pub(super) async fn lived_in(service: &Service) -> String {
    let mut scene = Scene::new(service).await;
    for method in changing() {
        let [example, _] = scene.example(&method).await;
        let by = service.by(&service.root.token);
        call(by, &path(&method), example.encode_to_vec()).await.unwrap();
    }
    scene.tenant
}

#[tokio::test]
async fn a_ledger_is_named_by_its_main_account_and_verified_by_who_may() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let other = service.tenant("Other").await;
        let below = service.account(&acme, "Below").await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let all = async |by: &Person, account: &str| -> [Result<(), Status>; 3] {
            let account_id = account.to_owned();
            let mut audit = service.audit(by);
            let verify =
                pb::VerifyLedgerRequest { account_id: account_id.clone(), ..Default::default() };
            let export =
                pb::ExportLedgerRequest { account_id: account_id.clone(), ..Default::default() };
            [
                audit.verify_ledger(verify).await.map(drop),
                audit.get_ledger_head(pb::GetLedgerHeadRequest { account_id }).await.map(drop),
                audit.export_ledger(export).await.map(drop),
            ]
        };
        for answer in all(&auditor, &acme).await.into_iter().chain(all(&auditor, "").await) {
            answer.unwrap();
        }
        for answer in
            all(&service.root, "").await.into_iter().chain(all(&service.root, &acme).await)
        {
            answer.unwrap();
        }
        for answer in all(&auditor, &other).await {
            refused(answer, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        for answer in all(&plain, &acme).await {
            refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
        }
        for answer in all(&auditor, &below).await {
            let status = refused(answer, Code::InvalidArgument, "NOT_A_MAIN_ACCOUNT");
            assert!(status.message().contains(&acme), "{}", status.message());
        }
    }
}

#[tokio::test]
async fn a_ledger_is_verified_in_parts() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = lived_in(&service).await;
        let whole = verify(&service, &acme).await;
        assert_eq!((&whole.faults, whole.fault_count, whole.compared), (&Vec::new(), 0, true));
        let part = async |from: u64, to: u64| {
            let request = pb::VerifyLedgerRequest { account_id: acme.clone(), from, to };
            service.audit(&service.root).verify_ledger(request).await
        };
        let middle = whole.revision / 2;
        let first = part(0, middle).await.unwrap().into_inner();
        assert_eq!((first.revision, first.compared, &first.faults), (middle, false, &Vec::new()));
        let second = part(middle + 1, 0).await.unwrap().into_inner();
        assert_eq!(
            (second.revision, second.compared, &second.faults),
            (whole.revision, true, &Vec::new())
        );
        assert_eq!(first.entries + second.entries, whole.entries);
        assert_eq!(second.hash, whole.hash);
        refused(part(3, 2).await, Code::InvalidArgument, "INVALID_FIELD");
        // What is not there yet is nothing to be verified, however far that is.
        let none = part(whole.revision + 1, 0).await.unwrap().into_inner();
        assert_eq!((none.entries, &none.faults), (0, &Vec::new()));
        for from in [whole.revision + 2, u64::MAX] {
            refused(part(from, 0).await, Code::InvalidArgument, "INVALID_FIELD");
        }
        let all = part(0, u64::MAX).await.unwrap().into_inner();
        assert_eq!(all, whole);
        let root = verify(&service, &service.root.account_id).await;
        assert_eq!(root.faults, []);
    }
}

/// A binary value as a statement holds it.
pub(super) fn literal(meddler: &Meddler, hex: &str) -> String {
    if meddler.is_sqlite() { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
}

/// The rows of a ledger: revision, ordinal, and a column in hexadecimal digits.
pub(super) async fn column(
    meddler: &Meddler,
    tenant: &str,
    column: &str,
) -> Vec<(i64, i32, String)> {
    let shown = if meddler.is_sqlite() {
        format!("hex({column})")
    } else {
        format!("encode({column}, 'hex')")
    };
    let sql = format!(
        "select revision, ordinal, {shown} from ledger where tenant_id = {tenant} order by revision, ordinal"
    );
    let rows = meddler.rows(&sql).await.unwrap();
    rows.iter()
        .map(|row| {
            let at = |place| row.try_get_by_index::<i64>(place);
            let ordinal = row.try_get_by_index::<i32>(1).unwrap();
            (at(0).unwrap(), ordinal, row.try_get_by_index(2).unwrap())
        })
        .collect()
}

pub(super) fn flipped(hex: &str, at: usize, bit: u32) -> String {
    let digit = u8::from_str_radix(&hex[at..=at], 16).unwrap() ^ (1 << bit);
    format!("{}{digit:x}{}", &hex[..at], &hex[at + 1..])
}

#[tokio::test]
async fn whichever_byte_of_the_ledger_is_flipped_its_entry_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = lived_in(&service).await;
        let meddler = Meddler::new(&service.url).await;
        let tenant = meddler.id(&acme);
        let mut runner = TestRunner::deterministic();
        for name in ["body", "hash", "prev_hash"] {
            let rows = column(&meddler, &tenant, name).await;
            let picks = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u32..4);
            for _ in 0..12 {
                let (row, at, bit) = picks.new_tree(&mut runner).unwrap().current();
                let (revision, ordinal, hex) = row.get(&rows);
                let other = flipped(hex, at.index(hex.len()), bit);
                let put = async |hex: &str| {
                    let value = literal(&meddler, hex);
                    let of = format!(
                        "tenant_id = {tenant} and revision = {revision} and ordinal = {ordinal}"
                    );
                    meddler.run(&format!("update ledger set {name} = {value} where {of}")).await;
                };
                put(&other).await;
                let told = verify(&service, &acme).await;
                let named = told.faults.iter().any(|fault| {
                    i64::try_from(fault.revision) == Ok(*revision)
                        && fault.ordinal.map(u32::cast_signed) == Some(*ordinal)
                });
                assert!(named, "{name} {revision}.{ordinal}: {:?}", told.faults);
                put(hex).await;
            }
        }
        assert_eq!(verify(&service, &acme).await.faults, []);
    }
}

/// What somebody who may write the database could change of each table, and how it is put back.
const ROWS: [(&str, &str, &str); 12] = [
    (
        "accounts",
        "display_name = display_name || 'x'",
        "display_name = substr(display_name, 1, length(display_name) - 1)",
    ),
    (
        "users",
        "first_name = first_name || 'x'",
        "first_name = substr(first_name, 1, length(first_name) - 1)",
    ),
    ("users", "enabled = not enabled", "enabled = not enabled"),
    ("users", "kind = 'SERVICE'", "kind = 'ADMIN'"),
    ("role_grants", "role = role || 'x'", "role = substr(role, 1, length(role) - 1)"),
    (
        "custom_roles",
        "description = description || 'x'",
        "description = substr(description, 1, length(description) - 1)",
    ),
    ("custom_roles", "active = not active", "active = not active"),
    ("custom_roles", "reach = 'nowhere'", "reach = 'account'"),
    (
        "api_tokens",
        "display_name = display_name || 'x'",
        "display_name = substr(display_name, 1, length(display_name) - 1)",
    ),
    ("rights_documents", "is_master = not is_master", "is_master = not is_master"),
    ("tenants", "revision = revision + 1", "revision = revision - 1"),
    ("assignments", "created_by = null", ""),
];

#[tokio::test]
async fn whichever_row_is_changed_it_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let mut scene = Scene::new(&service).await;
        let acme = scene.tenant.clone();
        for method in changing().iter().filter(|method| {
            ["CreateRole", "CreateUser", "AssignRightsDocument"].contains(&method.name())
        }) {
            let [example, _] = scene.example(method).await;
            let by = service.by(&service.root.token);
            call(by, &path(method), example.encode_to_vec()).await.unwrap();
        }
        let meddler = Meddler::new(&service.url).await;
        let tenant = meddler.id(&acme);
        for (table, there, back) in ROWS {
            let key = if table == "tenants" { "id" } else { "tenant_id" };
            meddler.run(&format!("update {table} set {there} where {key} = {tenant}")).await;
            let told = verify(&service, &acme).await;
            assert!(!told.faults.is_empty(), "{table}: {there}");
            assert!(
                told.faults.iter().all(|fault| fault.revision == 0),
                "{table}: {:?}",
                told.faults
            );
            if table != "tenants" {
                assert!(
                    told.faults.iter().all(|fault| !fault.entity.is_empty()),
                    "{:?}",
                    told.faults
                );
            }
            if !back.is_empty() {
                meddler.run(&format!("update {table} set {back} where {key} = {tenant}")).await;
                assert_eq!(verify(&service, &acme).await.faults, [], "{table}: {back}");
            }
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_dropped_or_changes_places_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        service.person(&acme, "bob", &[]).await;
        let meddler = Meddler::new(&service.url).await;
        let tenant = meddler.id(&acme);
        let newest = verify(&service, &acme).await.revision;
        // Two that change places: each is a sound entry, and none is where it was.
        let swap = [(2, 1_000_000), (3, 2), (1_000_000, 3)];
        for (from, to) in swap {
            meddler.run(&format!("update ledger set revision = {to} where tenant_id = {tenant} and revision = {from}")).await;
        }
        let told = verify(&service, &acme).await;
        let places: Vec<u64> = told.faults.iter().map(|fault| fault.revision).collect();
        assert!(places.contains(&2) && places.contains(&3), "{:?}", told.faults);
        for (from, to) in swap {
            meddler.run(&format!("update ledger set revision = {to} where tenant_id = {tenant} and revision = {from}")).await;
        }
        assert_eq!(verify(&service, &acme).await.faults, []);
        // The last one, with all that it said.
        meddler
            .run(&format!("delete from ledger where tenant_id = {tenant} and revision = {newest}"))
            .await;
        let told = verify(&service, &acme).await;
        assert_eq!(told.revision, newest - 1);
        let stands = format!("the tenant stands at revision {newest}");
        assert!(told.faults.iter().any(|fault| fault.message == stands), "{:?}", told.faults);
        // And one in the middle.
        meddler
            .run(&format!("delete from ledger where tenant_id = {tenant} and revision = 2"))
            .await;
        let told = verify(&service, &acme).await;
        let missing = told.faults.iter().find(|fault| fault.message.contains("missing")).unwrap();
        assert_eq!((missing.revision, missing.ordinal), (3, Some(0)));
        drop(ann);
    }
}
