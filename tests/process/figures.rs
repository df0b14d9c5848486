//! Figures, and what is made of them: `promtool` finds nothing to say against any of it, and no more is shown than there is.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use chancery::proto::v1 as pb;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use pb::account_service_client::AccountServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::session_service_client::SessionServiceClient;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::secrets::figures;
use crate::server::{PATIENCE, Server, connect, prepare};
use crate::support::{Engine, engines};
use crate::traces::held;

/// Runs `promtool`, which `.ci/tools promtool` puts on the path that `.ci/test` sets.
fn promtool(arguments: &[&str], input: &str) {
    let found = Command::new("promtool").arg("--version").output();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/promtool");
    let program = if found.is_ok() { "promtool" } else { own };
    let mut child = Command::new(program)
        .args(arguments)
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

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the page of figures once all that is wanted is on it: some are taken by what goes on by itself.
pub(crate) async fn page(server: &Server, wanted: &[&str]) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = figures(&server.admin).await;
        let (_, page) = text.split_once("\r\n\r\n").unwrap();
        let is_there = |wanted: &str| page.lines().any(|line| line.starts_with(wanted));
        let missing = wanted.iter().find(|wanted| !is_there(wanted));
        let Some(missing) = missing else { return page.to_owned() };
        assert!(Instant::now() < until, "no `{missing}` in {page}");
        tokio::task::yield_now().await;
    }
}

/// Starts a server, and has it do what counts once.
async fn busy(engine: &Engine, folder: &TempDir) -> Server {
    let url = engine.fresh(folder).await;
    let root = prepare(&url, folder.path(), &[]);
    let server = Server::start(&url, folder.path(), &[]);
    let by = connect(&server.address, &root).await;
    let mut own = AccountServiceClient::new(by.clone());
    let own = own.get_account(pb::GetAccountRequest::default()).await.unwrap();
    let account = own.into_inner().account.unwrap().account_id;
    let subject = pb::Subject { token: root.clone(), ..Default::default() };
    let question = pb::AuthorizeRequest {
        subject: Some(subject),
        ..crate::support::ask("", "read", "account", &account)
    };
    let mut asking = AuthorizationServiceClient::new(by.clone());
    assert!(asking.authorize(question).await.unwrap().into_inner().decision);
    AuthorizationClient::new(by).check(held("/", &root)).await.unwrap();
    let request = pb::CreateSessionRequest {
        account,
        user_name: "nobody".to_owned(),
        password: "a wrong password".to_owned(),
        ..Default::default()
    };
    let nobody = connect(&server.address, "").await;
    SessionServiceClient::new(nobody).create_session(request).await.unwrap_err();
    server
}

/// Starts a server that has a certificate.
async fn certified(folder: &TempDir) -> Server {
    let key = KeyPair::generate().unwrap();
    let names = vec!["chancery.internal".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let files = [("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let settings = [("CHANCERY_TLS__CERT_FILE", "cert.pem"), ("CHANCERY_TLS__KEY_FILE", "key.pem")];
    let url = Engine::Sqlite.fresh(folder).await;
    prepare(&url, folder.path(), &settings);
    Server::start(&url, folder.path(), &settings)
}

/// What the dashboard and the alerts ask for, by the file that asks.
fn asked() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for path in ["deploy/grafana/chancery.json", "deploy/prometheus/alerts.yml"] {
        let text = read(path);
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("chancery_"));
        let names = words.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned());
        found.extend(names.map(|name| (path, name)));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_to_say_against_the_figures_and_all_that_is_asked_for_is_there() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let engine = engines().pop().unwrap();
    let server = busy(&engine, &folders[0]).await;
    let mut wanted = vec![
        "chancery_decisions_total{decision=\"permit\",reason=\"PERMITTED\"} 1",
        "chancery_decisions_total{decision=\"deny\",reason=\"NO_GRANT\"} 0",
        "chancery_mesh_checks_total{outcome=\"denied\"} 1",
        "chancery_sign_ins_total{result=\"wrong\"} 1",
        "chancery_change_lag_seconds_bucket",
        "chancery_head_age_seconds ",
        "chancery_signing_key_age_seconds",
        "chancery_signing_key_life_seconds 7776000",
        "chancery_outbox_messages 0",
        "chancery_credentials_expiring{kind=\"service_key\",within=\"7d\"} 0",
        "chancery_grants_expired 0",
        "chancery_password_queue 0",
    ];
    // A store that is a file has no clock of its own.
    let skew = "chancery_clock_skew_seconds";
    let has_clock = matches!(engine, Engine::Postgres(_));
    wanted.extend(has_clock.then_some(skew));
    let text = page(&server, &wanted).await;
    promtool(&["check", "metrics"], &text);
    let certified = certified(&folders[1]).await;
    let expiry = "chancery_tls_certificate_expiry_timestamp_seconds ";
    let text = text + &page(&certified, &[expiry]).await;
    let shown = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let shown: BTreeSet<&str> = shown.collect();
    for (path, name) in asked().into_iter().filter(|(_, name)| has_clock || name != skew) {
        assert!(shown.contains(name.as_str()), "{path} asks for {name}, which no server shows");
    }
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
fn the_dashboard_asks_what_prometheus_understands() {
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
}

#[test]
fn every_alert_and_every_row_of_the_dashboard_is_explained_beside_it() {
    let rules = read("deploy/prometheus/alerts.yml");
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let page = read("deploy/prometheus/README.md");
    let told = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let told: Vec<&str> = told.map(|(name, _)| name).collect();
    assert_eq!(alerts.collect::<Vec<_>>(), told);
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/chancery.json")).unwrap();
    let rows = dashboard["panels"].as_array().unwrap().iter().filter(|one| one["type"] == "row");
    let page = read("deploy/grafana/README.md");
    for row in rows {
        let title = row["title"].as_str().unwrap();
        assert!(page.contains(&format!("| {title} |")), "{title}");
    }
}
