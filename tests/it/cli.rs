//! The program as it is called.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs a command in a folder, with nothing of this process's settings.
fn run<const N: usize>(folder: &Path, arguments: [&str; N], key: &str) -> Output {
    let ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("CHANCERY"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    if !key.is_empty() {
        command.env("CHANCERY_MASTER_KEY", key);
    }
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_bootstrap_that_is_refused_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let bootstrap = ["bootstrap", "--user-name", "admin", "--token-file", "token"];
    let done = run(folder.path(), bootstrap, "");
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && said.contains("migrate"), "{said}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
    // Nor beside a file without a schema.
    fs::write(folder.path().join("chancery.db"), "").unwrap();
    assert!(!run(folder.path(), bootstrap, "").status.success());
    assert_eq!(files(folder.path()), ["chancery.db"]);

    assert!(run(folder.path(), ["migrate"], "").status.success());
    assert!(run(folder.path(), bootstrap, "").status.success());
    let made = files(folder.path());
    assert!(
        ["chancery.key", "token"].iter().all(|file| made.contains(&(*file).to_owned())),
        "{made:?}"
    );
}

#[test]
fn a_master_key_that_is_none_is_refused_before_anything_is_made() {
    for command in ["config", "serve"] {
        let folder = TempDir::new().unwrap();
        let done = run(folder.path(), [command], "hush");
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains("master_key") && !said.contains("hush"), "{said}");
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}
