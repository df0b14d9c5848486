//! How often a write goes to its server and back while others wait for it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use chancery::proto::v1 as pb;
use prost::Message as _;
use prost_reflect::Value;
use tonic::Code;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::examples::{Scene, changing};
use crate::raw::{call, path, set};
use crate::support::{Engine, Person, Service, engines};

/// Behind the statement that takes the lock, `COMMIT` included.
const MOST: usize = 5;

/// What polls and probes ask, on connections of their own; they may come between.
const BESIDE: [&str; 5] =
    ["store_time", "service_state", "seaql_migrations", "information_schema", "pg_notify"];

/// What an administrator of the tenant changes in any case.
const OWN: [&str; 9] = [
    "AddUserRole",
    "RemoveUserRole",
    "CreateUser",
    "UpdateUser",
    "DeleteUser",
    "SetAccountRole",
    "SuspendAccount",
    "CreateApiToken",
    "AssignRightsDocument",
];

/// Takes the statements of requests from the driver's log, in their order.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Text {
    summary: String,
    statement: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Listener {
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        // What happens by itself is in no request's span.
        if event.metadata().target() != "sqlx::query" || context.event_span(event).is_none() {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let statement = if text.statement.is_empty() { text.summary } else { text.statement };
        if !BESIDE.iter().any(|word| statement.contains(word)) {
            self.0.lock().unwrap().push(statement);
        }
    }
}

impl Listener {
    fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    /// Complains if too much was sent behind the statement that takes the lock.
    fn complaint(&self, what: &str) -> Option<String> {
        let sent = self.0.lock().unwrap();
        let lock = |sql: &String| sql.contains("SET \"revision\"");
        let locked = sent.iter().position(lock).unwrap_or_else(|| panic!("{what}: {sent:#?}"));
        let mut under: Vec<&String> = sent.iter().skip(locked + 1).collect();
        let kept = under.iter().position(|sql| *sql == "COMMIT");
        under.truncate(kept.unwrap_or_else(|| panic!("{what}: {sent:#?}")) + 1);
        (under.len() > MOST).then(|| format!("{what}: {under:#?}"))
    }
}

#[tokio::test]
async fn a_lock_is_held_for_five_ways_to_the_server_and_back_at_most() {
    let listener = Listener::default();
    // While there is one alone, `tracing` asks the thread that first comes by whether anybody listens: another test's.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let heard = tracing_subscriber::registry().with(listener.clone());
    let _heard = tracing::subscriber::set_default(heard);
    for engine in engines().into_iter().filter(|engine| matches!(engine, Engine::Postgres(_))) {
        let service = Service::start(&engine).await;
        let mut scene = Scene::new(&service).await;
        let own = service.person(&scene.tenant, "own", &["SUPER_USER"]).await;
        let mut faults = Vec::new();
        for (by, is_own) in [(&service.root, false), (&own, true)] {
            for method in changing() {
                let [mut example, _] = scene.example(&method).await;
                let id = Value::String(Uuid::new_v4().to_string());
                assert!(set(&mut example, "request_id", id));
                set(&mut example, "force", Value::Bool(true));
                listener.forget();
                let (caller, path) = (service.by(&by.token), path(&method));
                let sent = call(caller, &path, example.encode_to_vec()).await;
                let what = format!("{} by {}", method.name(), if is_own { "own" } else { "root" });
                match sent {
                    Ok(_) => faults.extend(listener.complaint(&what)),
                    // Some is the operator's alone.
                    Err(status) => {
                        let may = !is_own || OWN.contains(&method.name());
                        let refused = [Code::PermissionDenied, Code::NotFound];
                        assert!(!may && refused.contains(&status.code()), "{what} {status}");
                    }
                }
            }
        }
        let tenant = scene.tenant.clone();
        for (n, by) in [&service.root, &own].into_iter().enumerate() {
            faults.extend(leaving(&service, &listener, &tenant, by, n).await);
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// Those who go have roles, tokens, somebody below them, and documents given and owned.
async fn leaving(
    service: &Service,
    listener: &Listener,
    tenant: &str,
    by: &Person,
    n: usize,
) -> Vec<String> {
    let mut faults = Vec::new();
    for act in ["offboard", "delete"] {
        let name = |what: &str| format!("{act} {what} {n}");
        let top = service.person(tenant, &name("top"), &["USER"]).await;
        let below = service.person_under(tenant, Some(&top), &name("below"), &["USER"]).await;
        for owner in [&top, &below] {
            let document = pb::CreateRightsDocumentRequest {
                user_id: owner.user_id.clone(),
                rights_document: Some(pb::RightsDocument {
                    rights_doc_name: Some(name("document")),
                    account_permissions: vec!["READ".to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            };
            let mut rights = service.rights(&service.root);
            let made = rights.create_rights_document(document).await.unwrap().into_inner();
            let assign = pb::AssignRightsDocumentRequest {
                rights_doc_id: made.rights_document.unwrap().rights_doc_id,
                user_ids: vec![top.user_id.clone()],
                force: true,
                ..Default::default()
            };
            rights.assign_rights_document(assign).await.unwrap();
        }
        listener.forget();
        let (user_id, request_id) = (top.user_id, Uuid::new_v4().to_string());
        if act == "delete" {
            let request = pb::DeleteUserRequest {
                user_id,
                request_id,
                cascade_delete: Some(true),
                ..Default::default()
            };
            service.users(by).delete_user(request).await.unwrap();
        } else {
            let request = pb::OffboardUserRequest { user_id, request_id, ..Default::default() };
            service.users(by).offboard_user(request).await.unwrap();
        }
        faults.extend(listener.complaint(&name("all")));
    }
    faults
}
