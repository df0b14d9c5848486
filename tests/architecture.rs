//! Keeps the rooms of `src/` in order: who may import whom, which room may touch
//! which library, and how long a file may grow.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Each room with the rooms it may import, lowest first. A room may import only
/// rooms that stand above it in this list, so the list cannot describe a circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("model", &[]),
    ("telemetry", &[]),
    ("outside", &["telemetry"]),
    ("decision", &["model"]),
    ("decision_log", &["model", "telemetry"]),
    ("crypto", &["model"]),
    ("store", &["model", "telemetry", "decision", "crypto"]),
    ("feed", &["model", "telemetry", "decision", "crypto", "store"]),
    ("post", &["model", "telemetry", "outside", "crypto", "store"]),
    ("issuers", &["model", "outside", "crypto"]),
    ("layers", &["proto", "model", "telemetry", "decision", "crypto", "store", "feed"]),
    (
        "rpc",
        &[
            "proto",
            "model",
            "telemetry",
            "decision",
            "decision_log",
            "crypto",
            "store",
            "feed",
            "issuers",
            "layers",
        ],
    ),
    ("authzen", &["proto", "layers"]),
    ("mesh", &["proto", "model", "telemetry", "decision", "crypto", "store", "feed", "layers"]),
    ("admin", &["telemetry", "feed"]),
    (
        "server",
        &[
            "proto",
            "model",
            "telemetry",
            "decision_log",
            "outside",
            "crypto",
            "store",
            "feed",
            "post",
            "issuers",
            "layers",
            "rpc",
            "authzen",
            "mesh",
            "admin",
        ],
    ),
    ("client", &["proto", "outside"]),
    (
        "config",
        &[
            "model",
            "telemetry",
            "outside",
            "decision_log",
            "crypto",
            "store",
            "feed",
            "post",
            "issuers",
            "layers",
            "rpc",
            "authzen",
            "mesh",
            "server",
        ],
    ),
    (
        "cli",
        &[
            "proto",
            "model",
            "telemetry",
            "outside",
            "decision",
            "crypto",
            "store",
            "feed",
            "post",
            "layers",
            "rpc",
            "mesh",
            "admin",
            "server",
            "client",
            "config",
        ],
    ),
    ("main", &["cli"]),
];

/// Each library that only some rooms may touch.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sea_orm", &["store"]),
    ("sea_orm_migration", &["store"]),
    ("migrations", &["store"]),
    ("tonic", &["proto", "telemetry", "layers", "rpc", "authzen", "mesh", "server", "client"]),
    ("tonic_web", &["layers"]),
    ("tower_http", &["layers"]),
    ("envoy_types", &["mesh", "server"]),
    ("axum", &["admin"]),
    ("clap", &["cli"]),
    ("figment", &["config"]),
    ("cel", &["model"]),
    ("argon2", &["crypto"]),
    ("zxcvbn", &["crypto"]),
    ("lettre", &["post"]),
    ("hyper_util", &["outside"]),
    ("hyper_rustls", &["outside"]),
    ("rustls", &["outside", "server"]),
    ("tokio_rustls", &["server"]),
    ("hmac", &["crypto"]),
    ("sha2", &["crypto"]),
    ("jsonwebtoken", &["crypto"]),
    (
        "tokio",
        &[
            "telemetry",
            "outside",
            "store",
            "feed",
            "post",
            "issuers",
            "layers",
            "rpc",
            "mesh",
            "admin",
            "server",
            "client",
            "cli",
        ],
    ),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
];

const LONGEST_FILE: usize = 400;

#[test]
fn the_list_of_rooms_has_no_circle() {
    for (at, (room, may)) in ROOMS.iter().enumerate() {
        for other in *may {
            let found = ROOMS[..at].iter().any(|(name, _)| name == other);
            assert!(found, "`{room}` may import `{other}`, which does not stand above it");
        }
    }
}

#[test]
fn every_import_goes_down() {
    let mut wrong = Vec::new();
    for (room, file) in sources() {
        let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            assert_eq!(room, "lib", "`{room}` is not in the list of rooms");
            continue;
        };
        let seen = Imports::of(&file);
        for other in seen.rooms.iter().filter(|r| **r != room && !may.contains(&r.as_str())) {
            wrong.push(format!("{}: `{room}` imports `{other}`", file.display()));
        }
        for library in &seen.libraries {
            let owner = LIBRARIES.iter().find(|(name, _)| name == library);
            if owner.is_some_and(|(_, rooms)| !rooms.contains(&room.as_str())) {
                wrong.push(format!("{}: `{room}` touches `{library}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    for (_, file) in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text
            .split("#[cfg(test)]")
            .next()
            .unwrap()
            .lines()
            .filter(|l| !l.trim().is_empty())
            .count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines; split it by noun", file.display());
    }
}

/// Every source file, with the room it stands in.
fn sources() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("src")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix("src").unwrap();
                let first = Path::new(inside.iter().next().unwrap());
                found.push((first.file_stem().unwrap().to_str().unwrap().to_owned(), path));
            }
        }
    }
    found
}

#[derive(Default)]
struct Imports {
    rooms: BTreeSet<String>,
    libraries: BTreeSet<String>,
}

impl Imports {
    fn of(file: &Path) -> Self {
        let mut imports = Self::default();
        imports.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
        imports
    }

    fn see(&mut self, first: &str, second: Option<String>) {
        if first == "crate" {
            self.rooms.extend(second);
        } else {
            self.libraries.insert(first.to_owned());
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = path.segments.iter().map(|s| s.ident.to_string());
        if let Some(first) = names.next() {
            self.see(&first, names.next());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let syn::UseTree::Path(path) = &item.tree else { return };
        let seconds: Vec<String> = heads(&path.tree);
        for second in seconds {
            self.see(&path.ident.to_string(), Some(second));
        }
    }
}

fn heads(tree: &syn::UseTree) -> Vec<String> {
    match tree {
        syn::UseTree::Path(path) => vec![path.ident.to_string()],
        syn::UseTree::Name(name) => vec![name.ident.to_string()],
        syn::UseTree::Rename(rename) => vec![rename.ident.to_string()],
        syn::UseTree::Glob(_) => Vec::new(),
        syn::UseTree::Group(group) => group.items.iter().flat_map(heads).collect(),
    }
}
