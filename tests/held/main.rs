//! Four claims about the tests themselves: that every error which the protos list is shown by one, every rule at the edges,
//! every acceptance case of the source systems, and every fault that other systems of this kind were shipped with.
//!
//! The first is held by one file a service beside this one: under the name of the service, or of a method, each reason that
//! its comment lists, and the tests that show it. What stands under a service is listed for all its methods, and shown once.
//! The second is `edges.txt`: section by section what must hold, in a few words, and the tests that hold it. The third is
//! `cases.txt`: by the id that its source has for it each case, and the tests that are of it, or why there is none. The fourth is
//! `faults.txt`: what is asked of such systems, and what has gone wrong in them, each with the tests that would show it here, or why
//! there is none.
//!
//! A test is named by its module in `tests/it`, or by its file. That it says what it is named for is for people to see; that it
//! is there, and speaks of the reason and of the method, is seen here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chancery::proto;
use index::{Entry, Test, read};
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};

/// A service or a method, and a reason that its comment lists.
type Claim = (String, String);

fn services() -> Vec<ServiceDescriptor> {
    let pool = proto::pool().unwrap();
    pool.services().filter(|service| service.full_name().starts_with("chancery.")).collect()
}

fn methods() -> Vec<MethodDescriptor> {
    services().iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// The comment above what lies at a path of a file.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let found = locations.filter(|location| location.path == path);
    found.map(Location::leading_comments).collect()
}

/// Reads `* CODE/REASON, REASON: why` off the lines of a comment.
fn listed(comment: &str) -> Vec<(String, String)> {
    let items = comment.lines().filter_map(|line| line.trim().strip_prefix("* "));
    let errors = items.filter_map(|item| item.split_once(':')?.0.split_once('/'));
    let each = |(code, reasons): (&str, &str)| {
        let reasons = reasons.split(", ").map(|reason| (code.to_owned(), reason.to_owned()));
        reasons.collect::<Vec<_>>()
    };
    errors.flat_map(each).collect()
}

/// All that the comments of a service and of its methods list, with its code.
fn claims(service: &ServiceDescriptor) -> BTreeMap<Claim, String> {
    let file = service.parent_file();
    let file = file.file_descriptor_proto();
    let mut of = vec![(service.name().to_owned(), comment(file, service.path()))];
    let methods = service.methods();
    of.extend(methods.map(|method| (method.name().to_owned(), comment(file, method.path()))));
    let mut claims = BTreeMap::new();
    for (name, comment) in of {
        assert!(comment.contains("Errors"), "{name} says nothing of its errors");
        for (code, reason) in listed(&comment) {
            let twice = claims.insert((name.clone(), reason.clone()), code);
            assert!(twice.is_none(), "{name} lists {reason} twice");
        }
    }
    claims
}

/// The file of a service's index: `user.txt` for what `user.proto` declares.
fn file_of(service: &ServiceDescriptor) -> String {
    let file = service.parent_file();
    let name = Path::new(file.name()).file_stem().unwrap().to_string_lossy().into_owned();
    format!("{name}.txt")
}

fn claim(entry: &Entry) -> Claim {
    (entry.under.clone(), entry.what.clone())
}

#[test]
fn every_error_that_a_comment_lists_is_shown_and_no_other() {
    let mut faults = Vec::new();
    for service in services() {
        let file = file_of(&service);
        let entries = read(&file);
        let claims: BTreeSet<Claim> = claims(&service).into_keys().collect();
        let shown: BTreeSet<Claim> = entries.iter().map(claim).collect();
        assert_eq!(shown.len(), entries.len(), "{file} lists something twice");
        for (of, reason) in claims.difference(&shown) {
            faults.push(format!("{file}: nothing shows {of} {reason}"));
        }
        for (of, reason) in shown.difference(&claims) {
            faults.push(format!("{file}: the comment of {of} does not list {reason}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_test_that_shows_an_error_is_there_and_speaks_of_it() {
    let methods: BTreeSet<String> =
        methods().iter().map(|method| method.name().to_owned()).collect();
    let mut faults = Vec::new();
    for service in services() {
        let file = file_of(&service);
        for entry in read(&file) {
            let method = Some(&entry.under).filter(|under| methods.contains(*under));
            for test in &entry.tests {
                if let Err(why) = speaks(test, method, &entry.what) {
                    faults.push(format!("{file}: {} {}: {why}", entry.under, entry.what));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn speaks(test: &str, method: Option<&String>, reason: &str) -> Result<(), String> {
    let found = Test::find(test)?;
    if !found.says(reason) {
        return Err(format!("`{test}` does not mention the reason"));
    }
    match method {
        Some(method) if !found.calls(method) => {
            Err(format!("`{test}` does not mention the method"))
        }
        _ => Ok(()),
    }
}

#[test]
fn a_reason_has_one_code_everywhere() {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    for service in services() {
        for ((of, reason), code) in claims(&service) {
            let known = codes.entry(reason.clone()).or_insert_with(|| code.clone());
            assert_eq!(*known, code, "{of} {reason}");
        }
    }
}

#[test]
fn every_rule_at_the_edges_is_held() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in read("edges.txt") {
        if !seen.insert((entry.under.clone(), entry.what.clone())) {
            faults.push(format!("{}: `{}` twice", entry.under, entry.what));
        }
        for test in &entry.tests {
            if let Err(why) = Test::find(test) {
                faults.push(format!("{}: `{}`: {why}", entry.under, entry.what));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_acceptance_case_is_shown_or_said_to_be_none_of_ours_yet() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for case in read("cases.txt") {
        let id = &case.what;
        if !seen.insert(id.clone()) {
            faults.push(format!("{id} twice"));
        }
        let none =
            |test: &&String| ["later: ", "elsewhere: "].iter().any(|why| test.starts_with(why));
        for test in case.tests.iter().filter(|test| !none(test)) {
            match Test::find(test) {
                Ok(found) if found.says(id) || test.contains(&id.to_lowercase()) => {}
                Ok(_) => faults.push(format!("{id}: `{test}` does not mention it")),
                Err(why) => faults.push(format!("{id}: {why}")),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_fault_of_others_would_be_shown_or_is_said_to_be_none_of_ours() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for fault in read("faults.txt") {
        let id = &fault.what;
        if !seen.insert(id.clone()) {
            faults.push(format!("{id} twice"));
        }
        let none =
            |test: &&String| ["none: ", "elsewhere: "].iter().any(|why| test.starts_with(why));
        for test in fault.tests.iter().filter(|test| !none(test)) {
            if let Err(why) = Test::find(test) {
                faults.push(format!("{id}: {why}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
