//! A ledger as a file: what it proves to somebody who has the public key and nothing else.

use chancery::crypto::HeadKey;
use chancery::crypto::proof::{Checker, Proof};
use chancery::proto::v1 as pb;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tonic::{Code, Status};

use super::proof::lived_in;
use crate::meddle::Meddler;
use crate::support::{Person, Service, engines, refused};

pub(super) async fn export(
    service: &Service,
    by: &Person,
    account_id: &str,
    resume_after: u64,
) -> Result<(String, u64), Status> {
    let request = pb::ExportLedgerRequest { account_id: account_id.to_owned(), resume_after };
    let mut parts = service.audit(by).export_ledger(request).await?.into_inner();
    let (mut text, mut revision) = (String::new(), resume_after);
    while let Some(part) = parts.message().await? {
        assert!(part.lines.ends_with('\n') && part.revision >= revision);
        text.push_str(&part.lines);
        revision = part.revision;
    }
    Ok((text, revision))
}

pub(super) async fn head(service: &Service, account_id: &str) -> pb::GetLedgerHeadResponse {
    let request = pb::GetLedgerHeadRequest { account_id: account_id.to_owned() };
    service.audit(&service.root).get_ledger_head(request).await.unwrap().into_inner()
}

pub(super) fn check<'l>(key: &HeadKey, lines: impl Iterator<Item = &'l str>) -> Proof {
    let mut checker = Checker::new(Some(key.clone()));
    lines.for_each(|line| checker.line(line));
    checker.end()
}

#[tokio::test]
async fn an_export_proves_itself_and_whatever_is_changed_of_it_is_named() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = lived_in(&service).await;
        let head = head(&service, &acme).await;
        let key = HeadKey::read(&head.public_key_pem).unwrap();
        assert_eq!(key.id, head.key_id);
        let signed = key.open(&head.head, &head.signature).unwrap();
        assert_eq!(
            (signed.head.revision.0, signed.head.account.to_string()),
            (head.revision, acme.clone())
        );

        let (text, revision) = export(&service, &service.root, &acme, 0).await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let proof = check(&key, lines.iter().copied());
        assert_eq!(proof.flaws, []);
        assert_eq!((proof.revision.0, proof.behind.0), (head.revision, 0));
        assert_eq!(revision, head.revision);
        assert_eq!(usize::try_from(proof.entries).unwrap(), lines.len() - 1);
        assert_eq!(chancery::crypto::chain::hex(&proof.hash), head.hash);

        let mut runner = TestRunner::deterministic();
        let index = any::<prop::sample::Index>();
        let mut pick = |many: usize| index.new_tree(&mut runner).unwrap().current().index(many);
        for _ in 0..200 {
            // One letter is another.
            let line = pick(lines.len());
            let mut changed: Vec<char> = lines[line].chars().collect();
            let at = pick(changed.len());
            changed[at] = if changed[at] == 'e' { 'f' } else { 'e' };
            let changed: String = changed.into_iter().collect();
            let mut all = lines.clone();
            all[line] = &changed;
            let told = check(&key, all.into_iter());
            let first = told.flaws.first().unwrap_or_else(|| panic!("{changed} proves itself"));
            // Where it is the hash itself, the next line shows it as well.
            assert!(first.line == u64::try_from(line + 1).ok(), "{line}: {first}");
        }
        for _ in 0..20 {
            // A line is missing; two change places.
            let gone = pick(lines.len());
            let mut all = lines.clone();
            all.remove(gone);
            assert_ne!(check(&key, all.into_iter()).flaws, [], "without line {gone}");
            let (one, other) = (pick(lines.len() - 1), pick(lines.len() - 1));
            let mut all = lines.clone();
            all.swap(one, other);
            assert_eq!(check(&key, all.into_iter()).flaws.is_empty(), one == other);
        }
        // The last entry, and the head with it; and what another key has signed.
        assert_ne!(check(&key, lines[..lines.len() - 2].iter().copied()).flaws, []);
        let pem = std::fs::read_to_string("tests/fuzz/corpus/public_keys/ed25519").unwrap();
        let told = check(&HeadKey::read(&pem).unwrap(), lines.iter().copied());
        assert!(told.flaws[0].why.contains("another key"), "{}", told.flaws[0]);
        assert_eq!(told.flaws[0].line, u64::try_from(lines.len()).ok());
        assert_ne!(check(&key, std::iter::empty()).flaws, []);
    }
}

#[tokio::test]
async fn an_export_goes_on_where_another_ended() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["SUPER_USER"]).await;
        let key = HeadKey::read(&head(&service, &acme).await.public_key_pem).unwrap();
        let (first, revision) = export(&service, &service.root, &acme, 0).await.unwrap();
        service.person(&acme, "bob", &[]).await;
        let (second, newest) = export(&service, &service.root, &acme, revision).await.unwrap();
        assert!(newest > revision);
        // By itself it proves what came since, and says so; together they prove all.
        let alone = check(&key, second.lines());
        assert_eq!((alone.flaws, alone.behind.0, alone.revision.0), (Vec::new(), revision, newest));
        let both = check(&key, first.lines().chain(second.lines()));
        assert_eq!((both.flaws, both.behind.0, both.revision.0), (Vec::new(), 0, newest));
        // What does not begin with the first entry, nor with a head, proves nothing of what came before.
        let bare = check(&key, second.lines().skip(1));
        assert!(bare.flaws[0].why.contains("missing"), "{}", bare.flaws[0]);
        // Where there is nothing new, that is told, signed.
        let (none, same) = export(&service, &service.root, &acme, newest).await.unwrap();
        assert_eq!((none.lines().count(), same), (2, newest));
        assert_eq!(check(&key, none.lines()).flaws, []);
        let beyond = export(&service, &service.root, &acme, newest + 1).await;
        refused(beyond, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn what_the_store_was_made_to_say_since_shows_in_an_export() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &[]).await;
        let key = HeadKey::read(&head(&service, &acme).await.public_key_pem).unwrap();
        let meddler = Meddler::new(&service.url).await;
        let newest = head(&service, &acme).await.revision;
        let of = format!("kind = 'api_token.create' and revision = {newest}");
        meddler.run(&format!("update ledger set hash = prev_hash where {of}")).await;
        let (text, _) = export(&service, &service.root, &acme, 0).await.unwrap();
        let told = check(&key, text.lines());
        assert!(told.flaws.iter().any(|flaw| flaw.place.is_some_and(|(at, _)| at.0 == newest)));
    }
}

/// What waits in between has an end, so that a part which is not read yet is judged when it is about to be sent.
#[tokio::test]
async fn an_export_under_way_ends_with_the_right_to_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let auditor = service.person(&acme, "auditor", &["core/AUDITOR"]).await;
        for n in 0..20 {
            service.person(&acme, &format!("user {n}"), &[]).await;
        }
        // Entries as long as none is: nobody looks at them here.
        let meddler = Meddler::new(&service.url).await;
        let long = if meddler.is_sqlite() {
            "cast(hex(zeroblob(200000)) as blob)"
        } else {
            "convert_to(repeat('0', 400000), 'UTF8')"
        };
        meddler.run(&format!("update ledger set body = {long} where revision > 1")).await;
        let request = pb::ExportLedgerRequest { account_id: acme, ..Default::default() };
        let mut parts = service.audit(&auditor).export_ledger(request).await.unwrap().into_inner();
        assert!(parts.message().await.unwrap().is_some());
        let remove = pb::RemoveUserRoleRequest {
            user_id: auditor.user_id.clone(),
            role_type: "core/AUDITOR".to_owned(),
            ..Default::default()
        };
        service.roles(&service.root).remove_user_role(remove).await.unwrap();
        let ended = loop {
            match parts.message().await {
                Ok(Some(part)) => assert!(!part.lines.contains("signature"), "it came to its end"),
                other => break other,
            }
        };
        refused(ended, Code::PermissionDenied, "ACCESS_DENIED");
    }
}
