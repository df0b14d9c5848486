//! Figures, and what is made of them: `promtool` finds nothing to say against any of it, and no more is shown than there is.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use chancery::proto::v1 as pb;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::session_service_client::SessionServiceClient;
use pb::user_service_client::UserServiceClient;
use serde_json::Value;
use tempfile::TempDir;

use crate::secrets::figures;
use crate::server::{Server, connect, prepare};
use crate::support::Engine;

/// Runs `promtool`, which `.ci/tools promtool` puts on the path that `.ci/test` sets.
fn promtool(arguments: &[&str], input: &str) {
    let found = Command::new("promtool").arg("--version").output();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/promtool");
    let program = if found.is_ok() { "promtool" } else { own };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed: run `.ci/tools promtool`");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_to_say_against_the_figures() {
    let engine = Engine::Sqlite;
    let folder = TempDir::new().unwrap();
    let url = engine.fresh(&folder).await;
    let root = prepare(&url, folder.path(), &[]);
    let server = Server::start(&url, folder.path(), &[]);
    let by = connect(&server.address, &root).await;
    let own = UserServiceClient::new(by.clone()).get_user(pb::GetUserRequest::default()).await;
    let own = own.unwrap().into_inner().user.unwrap();
    let question = crate::support::ask(&own.user_id, "read", "account", &own.account_id);
    let mut asking = AuthorizationServiceClient::new(by);
    assert!(asking.authorize(question).await.unwrap().into_inner().decision);
    let request = pb::CreateSessionRequest {
        account: own.account_id.clone(),
        user_name: "nobody".to_owned(),
        password: "a wrong password".to_owned(),
        ..Default::default()
    };
    let nobody = connect(&server.address, "").await;
    SessionServiceClient::new(nobody).create_session(request).await.unwrap_err();
    let text = figures(&server.admin).await;
    let (_, text) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "chancery_decisions_total{decision=\"permit\",reason=\"PERMITTED\"} 1",
        "chancery_decisions_total{decision=\"deny\",reason=\"NO_GRANT\"} 0",
        "chancery_sign_ins_total{result=\"wrong\"} 1",
        "chancery_head_age_seconds ",
        "chancery_signing_key_age_seconds",
        "chancery_signing_key_life_seconds 7776000",
        "chancery_outbox_messages 0",
        "chancery_password_queue 0",
    ] {
        assert!(text.lines().any(|one| one.starts_with(line)), "no {line} in {text}");
    }
    // An HTTP/1.1 body that comes in pieces has their lengths in between.
    let page: Vec<&str> = text.lines().filter(|line| line.starts_with(['#', 'c'])).collect();
    promtool(&["check", "metrics"], &(page.join("\n") + "\n"));
}

#[test]
fn promtool_finds_nothing_to_say_against_the_alerts_and_each_fires_when_it_should() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");
}

/// Every text under the key `expr`, wherever it is.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("expr") {
                found.push(text.clone());
            }
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_what_prometheus_understands_and_the_program_has() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/chancery.json")).unwrap();
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() > 20);
    let rules = asked.iter().enumerate().map(|(n, asked)| {
        let asked = asked.replace("$__rate_interval", "5m");
        serde_json::json!({ "record": format!("asked:{n}"), "expr": asked })
    });
    let rules = serde_json::json!({
        "groups": [{ "name": "dashboard", "rules": rules.collect::<Vec<_>>() }]
    });
    // JSON is YAML.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules.to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()], "");

    let known: BTreeSet<&str> = chancery::telemetry::names().collect();
    for path in ["deploy/grafana/chancery.json", "deploy/prometheus/alerts.yml"] {
        let text = read(path);
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("chancery_"));
        for word in words {
            let name = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(known.contains(name), "{path} speaks of {word}, which the program has not");
        }
    }
}
