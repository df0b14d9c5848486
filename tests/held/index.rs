//! The indexes, and the tests that they name.

use std::fs;
use std::path::{Path, PathBuf};

/// What is claimed, and the tests that hold it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The heading that it stands under: a service, a method, a section.
    pub(crate) under: String,
    /// A reason, or a rule in a few words.
    pub(crate) what: String,
    /// At least one.
    pub(crate) tests: Vec<String>,
}

/// Reads an index: headings, under them at two spaces what is claimed, under that at four spaces one test a line.
pub(crate) fn read(file: &str) -> Vec<Entry> {
    let path = Path::new("tests/held").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut entries: Vec<Entry> = Vec::new();
    let mut under = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let words = line.trim().to_owned();
        match line.len() - line.trim_start().len() {
            0 => under = words,
            2 => entries.push(Entry { under: under.clone(), what: words, tests: Vec::new() }),
            4 => entries.last_mut().unwrap().tests.push(words),
            _ => panic!("{file}: `{line}` is neither a heading nor under one"),
        }
    }
    for entry in &entries {
        assert!(!entry.tests.is_empty(), "{file}: nothing holds {} {}", entry.under, entry.what);
    }
    entries
}

/// The source of a test: its own module, and those above it, where its helpers are.
#[derive(Debug)]
pub(crate) struct Test {
    source: String,
}

impl Test {
    /// Finds a test by `module::name`, a module of `tests/it`, or by `path/to/file.rs::name`.
    pub(crate) fn find(test: &str) -> Result<Self, String> {
        let (module, name) = test.rsplit_once("::").ok_or(format!("`{test}` names no module"))?;
        let files = if module.contains('/') { vec![PathBuf::from(module)] } else { files(module) };
        let own = files.first().ok_or(format!("`{test}`: there is no such module"))?;
        let own = fs::read_to_string(own).map_err(|error| format!("`{test}`: {error}"))?;
        if !is_test(&own, name) {
            return Err(format!("`{test}`: there is no such test"));
        }
        let source = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        Ok(Self { source })
    }

    /// Whether a word stands in it.
    pub(crate) fn says(&self, word: &str) -> bool {
        let part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut pieces = self.source.split(word).peekable();
        while let Some(before) = pieces.next() {
            let Some(after) = pieces.peek() else { return false };
            if !before.ends_with(part) && !after.starts_with(part) {
                return true;
            }
        }
        false
    }

    /// Whether it speaks of a method, or walks all of them.
    pub(crate) fn calls(&self, method: &str) -> bool {
        let walks = ["methods()", "changing()"].iter().any(|walk| self.source.contains(walk));
        walks || self.says(method) || self.says(&snake(method))
    }
}

/// Whether a file has a function of this name that is marked as a test.
fn is_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let before = before.strip_suffix("async ").unwrap_or(before).trim_end();
    let mut marks = before.lines().rev().take_while(|line| line.trim_start().starts_with("#["));
    marks.any(|mark| mark.contains("test"))
}

/// The files of a module of `tests/it` and of those above it, its own first.
fn files(module: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut parts: Vec<&str> = module.split("::").collect();
    while !parts.is_empty() {
        let path = Path::new("tests/it").join(parts.join("/"));
        let found = [path.with_extension("rs"), path.join("mod.rs")].into_iter();
        let found = found.filter(|path| path.is_file());
        files.extend(found);
        parts.pop();
    }
    files
}

/// `CreateUser` as a client's method is called.
fn snake(method: &str) -> String {
    let mut name = String::new();
    for letter in method.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
