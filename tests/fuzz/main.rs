//! Every decoder of what strangers send keeps its law, on the corpus and on what is near it.
//!
//! The corpus is a folder a decoder, of small files that each mean something. What is near it is made of them by chance that is
//! the same at every run; a fuzzer looks further (`.ci/fuzz`), and what it finds becomes a file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod near;
mod targets;

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use near::Chance;
use targets::{ALL, Target};

/// No input may take longer, unoptimised and on however busy a machine; on a quiet one it is milliseconds.
const LONGEST: Duration = Duration::from_mins(1);
/// How long what is near the corpus of one target is looked at.
const NEAR: Duration = Duration::from_millis(400);

/// Of an input that breaks the law, so much is shown.
const MOST_SHOWN: usize = 4096;

/// The files of a target, by name.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new("tests/fuzz/corpus").join(target.name);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Holds one input against a target's law.
fn hold(target: &Target, name: &str, input: &[u8]) {
    let started = Instant::now();
    let kept = catch_unwind(|| (target.law)(input)).is_ok();
    let took = started.elapsed();
    let shown = input.get(..MOST_SHOWN).unwrap_or(input).escape_ascii();
    assert!(kept, "{} does not keep its law on {name}: b\"{shown}\"", target.name);
    assert!(took < LONGEST, "{} takes {took:?} on {name}: b\"{shown}\"", target.name);
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let names: BTreeSet<String> = ALL.iter().map(|target| target.name.to_owned()).collect();
    let folders = std::fs::read_dir("tests/fuzz/corpus").unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    assert_eq!(names, folders.collect());
    for target in &ALL {
        assert!(corpus(target).len() >= 4, "{} has next to no corpus", target.name);
    }
}

#[test]
fn what_is_in_the_corpus_keeps_the_law() {
    for target in &ALL {
        hold(target, "nothing", b"");
        for (name, input) in corpus(target) {
            hold(target, &name, &input);
        }
    }
}

#[test]
fn what_is_near_the_corpus_keeps_the_law() {
    for target in &ALL {
        let files: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let mut chance = Chance::default();
        let until = Instant::now() + NEAR;
        while Instant::now() < until {
            let input = chance.near(&files);
            hold(target, "what is near it", &input);
        }
    }
}
