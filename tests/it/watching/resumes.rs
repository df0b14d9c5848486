//! Streams that break off and go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chancery::model::{AccountId, Revision};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// So many writes are made while somebody watches.
const WRITES: u64 = 120;

/// Writes on and on from several hands, to several accounts.
fn writers(
    service: &Arc<Service>,
    accounts: &[String],
    over: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let hands = accounts.iter().cloned().map(|account| {
        let (service, over) = (Arc::clone(service), Arc::clone(over));
        tokio::spawn(async move {
            let mut round = 0;
            while !over.load(Ordering::Relaxed) {
                rename(&service, &account, &format!("Name {round}")).await;
                round += 1;
            }
        })
    });
    hands.collect()
}

/// What a ledger says, in the words of the stream.
async fn ledger(
    service: &Service,
    tenant: &str,
    after: u64,
    upto: u64,
) -> Vec<(u64, String, String)> {
    let tenant: AccountId = tenant.parse().unwrap();
    let mut found = Vec::new();
    let mut at = Revision(after);
    while at.0 < upto {
        for entry in service.store.entries(tenant, at, 1_000).await.unwrap() {
            at = entry.revision;
            found.push((
                entry.revision.0,
                entry.change.kind.name().to_owned(),
                entry.change.entity(),
            ));
        }
    }
    found.retain(|(revision, ..)| *revision <= upto);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_killed_and_goes_on_at_random_sees_every_entry_once_and_in_order() {
    for engine in engines() {
        let one = Arc::new(Service::start(&engine).await);
        let two = Arc::new(one.replica().await);
        let (acme, eve) = watched(&one).await;
        let below = one.account(&acme, "Below").await;
        let over = Arc::new(AtomicBool::new(false));
        let mut hands = writers(&one, &[acme.clone(), below.clone()], &over);
        hands.extend(writers(&two, &[below], &over));

        let mut runner = TestRunner::deterministic();
        let all = pb::WatchChangesRequest { subtree: true, ..of(&acme) };
        let mut watch = Watch::open(&one, &eve, all.clone()).await.unwrap();
        let mut last = watch.last.clone();
        let begun = {
            let mut again = Watch::open(
                &one,
                &eve,
                pb::WatchChangesRequest { resume_after: last.clone(), ..all.clone() },
            )
            .await
            .unwrap();
            again.write().await.unwrap().revision - 1
        };
        let (mut seen, mut at) = (Vec::new(), begun);
        while at < begun + WRITES {
            let reads = (0..30_usize).new_tree(&mut runner).unwrap().current();
            for _ in 0..reads {
                let told = watch.write().await.unwrap();
                assert_eq!(told.revision, at + 1, "nothing is left out or comes twice");
                at = told.revision;
                last.clone_from(&told.consistency_token);
                let changes = told.changes.into_iter();
                seen.extend(changes.map(|change| (at, change.kind, change.entity)));
            }
            // Killed, and begun anew behind what was read last, here or elsewhere.
            drop(watch);
            let there = any::<bool>().new_tree(&mut runner).unwrap().current();
            let resumed = pb::WatchChangesRequest { resume_after: last.clone(), ..all.clone() };
            let service = if there { &two } else { &one };
            watch = loop {
                match Watch::open(service, &eve, resumed.clone()).await {
                    Ok(watch) => break watch,
                    // The places of those that were killed are free a moment later.
                    Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status}"),
                }
            };
        }
        over.store(true, Ordering::Relaxed);
        for hand in hands {
            hand.await.unwrap();
        }
        assert_eq!(seen, ledger(&one, &acme, begun, at).await);
        one.verify(&acme).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_far_behind_reads_on_from_the_ledger_and_then_with_the_others() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        // From the very first of its writes on.
        let tenant: AccountId = acme.parse().unwrap();
        let first = service.store.entries(tenant, Revision(0), 1).await.unwrap();
        let mut hash8 = [0; 8];
        hash8.copy_from_slice(&first[0].prev_hash[..8]);
        let token = chancery::crypto::ConsistencyToken {
            tenant,
            revision: Revision(0),
            hash8,
            platform: Revision(1),
        };
        for round in 0..70 {
            rename(&service, &acme, &format!("Name {round}")).await;
        }
        let request = pb::WatchChangesRequest { resume_after: token.to_string(), ..of(&acme) };
        let mut watch = Watch::open(&service, &eve, request).await.unwrap();
        let mut quick = Watch::open(&service, &eve, of(&acme)).await.unwrap();
        let newest = rename(&service, &acme, "Newest").await;
        assert_eq!(quick.write().await.unwrap().consistency_token, newest);
        let mut seen = Vec::new();
        while watch.last != newest {
            let told = watch.write().await.unwrap();
            seen.extend(
                told.changes.into_iter().map(|change| (told.revision, change.kind, change.entity)),
            );
        }
        let upto = seen.last().unwrap().0;
        assert_eq!(seen, ledger(&service, &acme, 0, upto).await);
        let newest = rename(&service, &acme, "Newer").await;
        for watch in [&mut watch, &mut quick] {
            assert_eq!(watch.write().await.unwrap().consistency_token, newest);
        }
    }
}
