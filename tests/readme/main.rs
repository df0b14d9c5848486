//! The README's walk, run as it stands there, against the real program; and what else the pages say that can go stale.
//!
//! `README_UPDATE=1 cargo test --test readme` writes what the commands print now into the README, after a change of either.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod page;
mod walk;

use std::fs;
use std::path::Path;

use regex::Regex;

use page::{Page, Plain, Step};
use walk::{Server, chancery};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_readme_is_true() {
    let page = Page::read();
    let mut steps = page.steps().into_iter();
    let first = steps.next().expect("a console block that serves");
    let arguments = first.command.strip_prefix("cargo run --release -- ");
    assert_eq!(arguments, Some("serve"), "the README's first command serves");
    let steps: Vec<Step> = steps.collect();

    let mut server = Server::start();
    let welcome = server.welcome();
    let printed = server.walk(&steps);

    let all: Vec<(Step, String)> =
        [(first, welcome)].into_iter().chain(steps.into_iter().zip(printed)).collect();
    for (step, printed) in &all {
        assert!(!printed.contains("ERROR:"), "`{}` does not work:\n\n{printed}", step.command);
    }
    if std::env::var_os("README_UPDATE").is_some() {
        page.rewrite(&all);
        return;
    }
    let (mut of_page, mut of_run) = (Plain::default(), Plain::default());
    for (step, printed) in &all {
        let (expected, found) = (of_page.of(&page.text(&step.output)), of_run.of(printed));
        assert!(
            expected == found,
            "`{}` prints\n\n{printed}\n\nwhich is not what the README shows from line {}. If that is how it should be, \
             run `README_UPDATE=1 cargo test --test readme`. The server's log:\n\n{}",
            step.command,
            step.output.start + 1,
            server.log(),
        );
    }
}

#[test]
fn every_setting_is_in_the_readme_with_its_name_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = chancery(&folder).arg("config").output().unwrap();
    let settings: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    let mut rows: Vec<String> = flat("", &settings);
    // What has no default is not in the list.
    for unset in [
        "master_key",
        "master_key_file",
        "default_account",
        "passwords.blocklist_file",
        "mail.sender",
        "mail.from",
        "mail.smtp_url",
        "mail.webhook_url",
        "mail.webhook_secret",
        "tls.cert_file",
        "tls.key_file",
        "tls.client_ca_file",
        "authzen.url",
        "telemetry.otlp_endpoint",
        "decision_log.file",
    ] {
        rows.push(row(unset, ""));
    }
    let page = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for row in &rows {
        assert!(page.contains(row.as_str()), "the README's table of settings lacks `{row}`");
    }
    let listed =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("| `CHANCERY_"));
    assert_eq!(listed.count(), rows.len(), "the README's table has rows that are no settings");
}

#[test]
fn every_file_and_function_that_the_pages_name_is_there() {
    let code = sources(&Path::new(ROOT).join("src"));
    let span = Regex::new("`([^`\n]+)`").unwrap();
    let file = Regex::new(r"^(src|tests|proto|migrations|benches|deploy|\.ci)/[\w./]+$").unwrap();
    let function = Regex::new(r"^(?:[A-Z]\w*::|decision::)([a-z_]+)$").unwrap();
    for name in ["README.md", "ARCHITECTURE.md"] {
        let page = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        for named in span.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()) {
            if file.is_match(named) {
                assert!(
                    Path::new(ROOT).join(named).exists(),
                    "{name} names `{named}`, which is not there"
                );
            } else if let Some(found) = function.captures(named) {
                let start = format!("fn {}", found.get(1).unwrap().as_str());
                let there = code.split(&start).skip(1).any(|rest| rest.starts_with(['(', '<']));
                assert!(there, "{name} names `{named}`, which is no function");
            }
        }
    }
}

/// All code below a folder.
fn sources(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    code
}

/// The rows that a table of settings has.
fn flat(above: &str, table: &toml::Table) -> Vec<String> {
    let mut rows = Vec::new();
    for (key, value) in table {
        let key = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            toml::Value::Table(inner) => rows.extend(flat(&key, inner)),
            toml::Value::String(text) => rows.push(row(&key, text)),
            other => rows.push(row(&key, &other.to_string())),
        }
    }
    rows
}

fn row(key: &str, default: &str) -> String {
    let variable = key.to_ascii_uppercase().replace('.', "__");
    let default = if default.is_empty() { " ".to_owned() } else { format!(" `{default}` ") };
    format!("| `{key}` | `CHANCERY_{variable}` |{default}|")
}
