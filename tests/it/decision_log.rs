//! What is recorded of decisions, and how one that was made is explained.

mod explained;
mod records;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use chancery::telemetry;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use pb::Reason;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::Value as Json;
use tonic::{Code, Request};

use crate::mesh::{ROUTES, Told, held};
use crate::support::{Person, Service, ask, engines, refused, stranger};

const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a service that records, into a file of its own where `sink` is `file`.
async fn recording(
    engine: &crate::support::Engine,
    sink: &str,
    more: &[(&'static str, &str)],
) -> (Service, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decisions.jsonl");
    let mut settings = vec![
        ("limits.changes_per_minute", "0"),
        ("decision_log.sink", sink),
        ("decision_log.file", file.to_str().unwrap()),
    ];
    settings.extend_from_slice(more);
    (Service::start_with(engine, &settings).await, folder)
}

fn read(folder: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(folder.join("decisions.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Stops the service, which writes what is left, and reads all there is.
async fn stopped(service: Service, folder: &Path) -> Vec<Json> {
    service.stop().await;
    read(folder)
}

fn record<'r>(records: &'r [Json], id: &str) -> &'r Json {
    let found: Vec<&Json> = records.iter().filter(|one| one["decision_id"] == id).collect();
    assert_eq!(found.len(), 1, "{id} is recorded once");
    found[0]
}

fn context(key: &str, text: &str) -> Struct {
    let value = Value { kind: Some(Kind::StringValue(text.to_owned())) };
    Struct { fields: [(key.to_owned(), value)].into_iter().collect() }
}

async fn explain(
    service: &Service,
    by: &Person,
    id: &str,
) -> Result<pb::ExplainAuthorizationResponse, tonic::Status> {
    let request =
        pb::ExplainAuthorizationRequest { decision_id: id.to_owned(), ..Default::default() };
    Ok(service.authorization(by).explain_authorization(request).await?.into_inner())
}

/// Looks at the record of what `boss` of `acme` may, as `root` has asked it by a request of this trace.
fn is_told(found: &Json, root: &Person, boss: &Person, acme: &str, trace: &str, revision: u64) {
    assert_eq!(found["version"], 1);
    assert_eq!(found["door"], "Authorize");
    assert_eq!((&found["request_id"], &found["trace_id"]), (&"asked-once".into(), &trace.into()));
    assert_eq!(found["caller"]["user_id"], root.user_id);
    assert_eq!(found["caller"]["token_id"], root.token_id);
    assert_eq!(found["subject"]["id"], boss.user_id);
    assert_eq!(found["subject"]["account_id"], acme);
    assert_eq!(found["action"], "account.read");
    assert_eq!(found["resource"], format!("account/{acme}"));
    assert_eq!(found["properties"], serde_json::json!({ "context": ["ticket"] }));
    assert_eq!((&found["decision"], &found["reason"]), (&true.into(), &"PERMITTED".into()));
    assert_eq!(found["grants"][0]["kind"], "ROLE", "{found}");
    assert_eq!(found["grants"][0]["holder_user_id"], boss.user_id);
    assert_eq!((&found["tenant_id"], &found["revision"]), (&acme.into(), &revision.into()));
    assert_eq!(found["time"], "2027-01-15T08:00:00.000000Z");
}
