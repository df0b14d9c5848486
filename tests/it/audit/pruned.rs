//! Ledgers that do not reach back to their beginning: a signed checkpoint stands for what is gone, and the rest proves itself.

mod meddled;
mod readers;

use std::time::{Duration, Instant};

use chancery::crypto::{HeadKey, KeyRing, LedgerKey};
use chancery::model::{Clock as _, Revision};
use chancery::proto::v1 as pb;
use chancery::store::Pruning;
use chrono::TimeDelta;
use tonic::Code;

use super::exported::{check, export, head};
use super::proof::{lived_in, verify};
use super::{all, list};
use crate::meddle::Meddler;
use crate::support::{KEY, Service, engines, refused};

const DAY: i64 = 86_400;
/// What is sure to come is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(90);
/// Of a server that prunes by itself.
const SETTINGS: [(&str, &str); 3] =
    [("limits.changes_per_minute", "0"), ("ledger.keep_days", "30"), ("ledger.look_ms", "10")];

fn ledger_key() -> LedgerKey {
    LedgerKey::of(&KeyRing::from_base64(KEY).unwrap()).unwrap()
}

/// Prunes a ledger as a server does whose entries are kept for 30 days.
async fn prune(service: &Service, tenant: &str) -> Pruning {
    let before = service.clock.now() - TimeDelta::days(30);
    service.store.prune(tenant.parse().unwrap(), before, &ledger_key()).await.unwrap()
}

/// Does so where there is something to prune; up to which revision.
async fn pruned(service: &Service, tenant: &str) -> u64 {
    match prune(service, tenant).await {
        Pruning::Done(_, signed) => signed.checkpoint.revision.0,
        other => panic!("{other:?}"),
    }
}

/// A ledger of which the first half was pruned, and somebody who has come since.
async fn half(service: &Service) -> (String, u64) {
    let acme = lived_in(service).await;
    service.advance(40 * DAY);
    service.person(&acme, "late", &["SUPER_USER"]).await;
    service.person(&acme, "later", &[]).await;
    let upto = pruned(service, &acme).await;
    (acme, upto)
}

/// Waits until a server has pruned further than a revision; what it finds then.
async fn further(service: &Service, tenant: &str, than: u64) -> pb::VerifyLedgerResponse {
    let began = Instant::now();
    loop {
        let told = verify(service, tenant).await;
        assert_eq!(told.faults, []);
        if told.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.revision > than) {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "nothing is pruned");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn verified_part(
    service: &Service,
    account_id: &str,
    (from, to): (u64, u64),
) -> Result<pb::VerifyLedgerResponse, tonic::Status> {
    let request = pb::VerifyLedgerRequest { account_id: account_id.to_owned(), from, to };
    Ok(service.audit(&service.root).verify_ledger(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_old_gives_way_to_a_checkpoint_by_itself_and_what_is_left_proves_itself() {
    for engine in engines() {
        let service = Service::start_with(&engine, &SETTINGS).await;
        let acme = lived_in(&service).await;
        let before = verify(&service, &acme).await;
        assert_eq!((before.checkpoint, &before.faults), (None, &Vec::new()));
        service.advance(40 * DAY);
        service.person(&acme, "late", &["SUPER_USER"]).await;
        let told = further(&service, &acme, 0).await;
        let checkpoint = told.checkpoint.clone().unwrap();
        // The last of what was old stays, since it is what stood thirty days ago.
        assert_eq!(checkpoint.revision, before.revision - 1);
        assert_eq!((checkpoint.entries > 0, told.compared), (true, true));
        assert!(told.revision > before.revision && told.entries > 0);
        let key = HeadKey::read(&head(&service, &acme).await.public_key_pem).unwrap();
        let signed = key.open_checkpoint(&checkpoint.checkpoint, &checkpoint.signature).unwrap();
        assert_eq!(signed.checkpoint.revision, Revision(checkpoint.revision));
        assert_eq!((&signed.key_id, &checkpoint.key_id), (&key.id, &key.id));
        assert!(signed.checkpoint.state.contains_key("user"), "{:?}", signed.checkpoint.state);

        // Once more: the next checkpoint stands for what the first did, and for more.
        service.advance(40 * DAY);
        service.person(&acme, "latest", &[]).await;
        let again = further(&service, &acme, checkpoint.revision).await;
        let second = again.checkpoint.unwrap();
        assert_eq!(second.revision, told.revision - 1);
        // What was made since the first is in the one or in the other.
        let meddler = Meddler::new(&service.url).await;
        let left = format!("select count(*) from ledger where tenant_id = {}", meddler.id(&acme));
        assert_eq!(u64::try_from(meddler.number(&left).await).unwrap(), again.entries);
        assert!(second.entries > checkpoint.entries);
        // The platform's own is pruned likewise, and another server takes both for what they are.
        further(&service, &service.root.account_id, 0).await;
        let replica = service.replica_with(&[("limits.changes_per_minute", "0")]).await;
        for tenant in [&acme, &service.root.account_id] {
            assert_eq!(verify(&replica, tenant).await.faults, []);
        }
        assert_eq!(list(&replica, &replica.root, all(&acme)).await[0].revision, told.revision);
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_stands_for_what_is_gone_counts_as_many_entries_as_there_were() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = lived_in(&service).await;
        service.advance(40 * DAY);
        service.person(&acme, "late", &[]).await;
        let whole = verify(&service, &acme).await;
        // Nothing is old enough as long as the last of it is what stood then.
        let early = service.clock.now() - TimeDelta::days(41);
        let none = service.store.prune(acme.parse().unwrap(), early, &ledger_key()).await.unwrap();
        assert!(matches!(none, Pruning::Nothing), "{none:?}");
        let upto = pruned(&service, &acme).await;
        let told = verify(&service, &acme).await;
        let checkpoint = told.checkpoint.unwrap();
        assert_eq!((checkpoint.revision, &told.faults), (upto, &Vec::new()));
        assert_eq!(checkpoint.entries + told.entries, whole.entries);
        assert_eq!((told.revision, &told.hash), (whole.revision, &whole.hash));
        assert!(matches!(prune(&service, &acme).await, Pruning::Nothing));

        // In parts: from where there is something, and not up to where there is nothing.
        let from_first = verified_part(&service, &acme, (1, 0)).await.unwrap();
        assert_eq!((from_first.entries, from_first.checkpoint.is_some()), (told.entries, true));
        let first = verified_part(&service, &acme, (0, upto + 1)).await.unwrap();
        let rest = verified_part(&service, &acme, (upto + 2, 0)).await.unwrap();
        assert_eq!((&first.faults, &rest.faults), (&Vec::new(), &Vec::new()));
        assert_eq!(first.entries + rest.entries, told.entries);
        assert_eq!((first.checkpoint.is_some(), rest.checkpoint), (true, None));
        for to in [1, upto] {
            let none = verified_part(&service, &acme, (0, to)).await;
            refused(none, Code::OutOfRange, "HISTORY_PRUNED");
        }
    }
}

/// What `ExportLedger` writes out of such a ledger.
#[tokio::test]
async fn an_export_begins_with_the_checkpoint_and_proves_what_is_left() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, upto) = half(&service).await;
        let key = HeadKey::read(&head(&service, &acme).await.public_key_pem).unwrap();
        let (text, newest) = export(&service, &service.root, &acme, 0).await.unwrap();
        let proof = check(&key, text.lines());
        assert_eq!(proof.flaws, []);
        assert_eq!((proof.behind, proof.revision), (Revision(upto), Revision(newest)));
        assert_eq!(proof.checkpoint.map(|checkpoint| checkpoint.revision), Some(Revision(upto)));
        assert_eq!(usize::try_from(proof.entries).unwrap(), text.lines().count() - 2);
        // On from there it is a head that stands for the rest, and from before there is no way.
        let (on, _) = export(&service, &service.root, &acme, upto).await.unwrap();
        let proof = check(&key, on.lines());
        assert_eq!(
            (&proof.flaws, proof.behind, proof.checkpoint),
            (&Vec::new(), Revision(upto), None)
        );
        for before in [1, upto - 1] {
            let told = export(&service, &service.root, &acme, before).await;
            refused(told, Code::OutOfRange, "HISTORY_PRUNED");
        }
        let beyond = export(&service, &service.root, &acme, newest + 1).await;
        refused(beyond, Code::InvalidArgument, "INVALID_FIELD");
        // One export goes on from another across a checkpoint.
        service.person(&acme, "newest", &[]).await;
        let (since, _) = export(&service, &service.root, &acme, newest).await.unwrap();
        let both = check(&key, text.lines().chain(since.lines()));
        assert_eq!((both.flaws, both.behind), (Vec::new(), Revision(upto)));
    }
}

#[tokio::test]
async fn a_pruning_that_breaks_off_has_changed_nothing_and_of_two_at_once_one_is_first() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = lived_in(&service).await;
        service.advance(40 * DAY);
        service.person(&acme, "late", &[]).await;
        let whole = verify(&service, &acme).await;
        let meddler = Meddler::new(&service.url).await;
        // The entries cannot be taken away, after the checkpoint was written.
        let (stop, go) = if meddler.is_sqlite() {
            (
                "create trigger stop before delete on ledger begin select raise(abort, 'stop'); end",
                "drop trigger stop",
            )
        } else {
            (
                "create function stop() returns trigger language plpgsql as $$ begin raise 'stop'; end $$; \
                 create trigger stop before delete on ledger execute function stop()",
                "drop trigger stop on ledger",
            )
        };
        meddler.run(stop).await;
        let before = service.clock.now() - TimeDelta::days(30);
        let tenant = acme.parse().unwrap();
        assert!(service.store.prune(tenant, before, &ledger_key()).await.is_err());
        assert_eq!(meddler.number("select count(*) from ledger_checkpoints").await, 0);
        assert_eq!(verify(&service, &acme).await, whole);
        meddler.run(go).await;
        let replica = service.replica().await;
        let (one, other) = tokio::join!(prune(&service, &acme), prune(&replica, &acme));
        let done = [one, other].map(|done| match done {
            Pruning::Done(count, _) => count,
            Pruning::Nothing => 0,
            Pruning::Faulty(found) => panic!("{found:?}"),
        });
        let told = verify(&service, &acme).await;
        assert_eq!(told.faults, []);
        assert_eq!(told.checkpoint.unwrap().entries, done.iter().sum::<u64>());
        assert_eq!(told.entries + done.iter().sum::<u64>(), whole.entries);
        replica.stop().await;
    }
}
