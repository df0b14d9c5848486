//! A whole verification, as `VerifyLedger` does it: the chain, what each entry says of what stood before, and the rows.

use std::sync::Arc;
use std::time::Instant;

use benches::figures::{self, Spread, rounds};
use benches::stored::config;
use chancery::model::SystemClock;
use chancery::store::Store;

use super::Filled;

pub(crate) async fn measure(all: &[Filled], entries: usize) {
    println!(
        "\n# Entries that are verified a second, {} interleaved rounds, of {entries}\n",
        rounds()
    );
    let mut stores = Vec::new();
    for filled in all {
        let config = config(&filled.stored.url);
        stores.push(Box::pin(Store::open(&config.store(), Arc::new(SystemClock))).await.unwrap());
    }
    let mut rates = vec![Vec::new(); all.len()];
    for round in 0..=rounds() {
        for (at, filled) in all.iter().enumerate() {
            let began = Instant::now();
            let verified = stores[at].verify(filled.many.tenant()).await.unwrap();
            let took = began.elapsed();
            assert_eq!((&verified.faults[..], verified.compared), (&[][..], true));
            assert!(verified.entries >= u64::try_from(entries).unwrap());
            if round > 0 {
                rates[at].push(verified.entries as f64 / took.as_secs_f64());
            }
        }
    }
    figures::heading();
    for (filled, rates) in all.iter().zip(rates) {
        let what = format!("a ledger of {entries} is verified, {}", filled.name);
        figures::tell(&what, "entries a second", Spread::of(rates));
    }
    for store in stores {
        store.close().await.unwrap();
    }
}
