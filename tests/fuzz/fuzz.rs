//! The laws of decoders under libFuzzer; the environment names which one, in `DECODER`.

#![no_main]

mod targets;

use std::sync::LazyLock;

use targets::ALL;

static LAW: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("DECODER").unwrap_or_default();
    let target = ALL.iter().find(|target| target.name == name);
    target.expect("DECODER names a folder of the corpus").law
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (*LAW)(input));
