//! Every changing RPC, from the descriptors: rehearsed it leaves no trace, and sent twice it is done once.

use std::fmt::Write as _;

use chancery::model::AccountId;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::examples::{Scene, changing};
use crate::meddle::{Meddler, TABLES};
use crate::raw::{call, methods, path, set};
use crate::support::{Service, engines, refused};

async fn send(
    service: &Service,
    method: &MethodDescriptor,
    message: &DynamicMessage,
) -> Result<DynamicMessage, Status> {
    send_by(service, &service.root.token, method, message).await
}

async fn send_by(
    service: &Service,
    token: &str,
    method: &MethodDescriptor,
    message: &DynamicMessage,
) -> Result<DynamicMessage, Status> {
    let by = service.by(token);
    let bytes = call(by, &path(method), message.encode_to_vec()).await?;
    Ok(DynamicMessage::decode(method.output(), bytes).unwrap())
}

/// Everything that is kept, as text: how many rows each table has, and what every tenant is made of.
async fn kept(service: &Service, meddler: &Meddler) -> String {
    let mut text = String::new();
    for table in TABLES {
        let rows = meddler.number(&format!("select count(*) from {table}")).await;
        let _ = writeln!(text, "{table}: {rows}");
    }
    let root: AccountId = service.root.account_id.parse().unwrap();
    let mut tenants = vec![root];
    tenants.extend(service.store.main_accounts(None, 100).await.unwrap().iter().map(|a| a.id));
    for tenant in tenants {
        let _ = writeln!(text, "{:#?}", service.store.world(tenant).await.unwrap());
    }
    text
}

fn named(message: &DynamicMessage, request_id: Uuid) -> DynamicMessage {
    let mut message = message.clone();
    assert!(set(&mut message, "request_id", Value::String(request_id.to_string())));
    message
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether an answer says again what the first one said: the same objects, of which something may be gone.
fn repeats(again: &DynamicMessage, first: &DynamicMessage) -> bool {
    again.fields().all(|(field, value)| match (value, &*first.get_field(&field)) {
        (Value::Message(again), Value::Message(first)) => repeats(again, first),
        (again, first) => again == first,
    }) && first.fields().all(|(field, value)| match value {
        // An object that was told of is told of again, at least by its id.
        Value::Message(_) => {
            field.name() == "preview" || is_time(&field) || again.has_field(&field)
        }
        _ => true,
    })
}

fn is_time(field: &prost_reflect::FieldDescriptor) -> bool {
    field.name().ends_with("_time")
}

fn shown(message: &DynamicMessage) -> String {
    let parts = message.fields().map(|(field, value)| match value {
        Value::Message(inner) => format!("{}: {{{}}}", field.name(), shown(inner)),
        value => format!("{}: {value:?}", field.name()),
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn what_is_rehearsed_leaves_no_trace() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        let mut scene = Scene::new(&service).await;
        for method in changing() {
            let name = method.full_name().to_owned();
            let [example, _] = scene.example(&method).await;
            let mut dry = named(&example, Uuid::new_v4());
            assert!(set(&mut dry, "validate_only", Value::Bool(true)));
            let before = kept(&service, &meddler).await;
            let answer =
                send(&service, &method, &dry).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(kept(&service, &meddler).await, before, "{name}");
            assert_eq!(text(&answer, "consistency_token"), "", "{name}");
            assert_eq!(text(&answer, "secret"), "", "{name}");
            assert!(answer.has_field_by_name("preview"), "{name}");
            // And it takes nobody's place: the same request, in earnest, is done.
            let mut earnest = dry.clone();
            assert!(set(&mut earnest, "validate_only", Value::Bool(false)));
            send(&service, &method, &earnest).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_ne!(kept(&service, &meddler).await, before, "{name}");
        }
        let root = service.root.account_id.clone();
        service.verify(&root).await;
    }
}

/// Where a request says which state of its object it means.
const ETAGS: [&str; 5] = ["etag", "account.etag", "user.etag", "role.etag", "rights_document.etag"];

/// A method changes something if it has a `request_id`; then it can also be rehearsed, answers with a token, and names the
/// state of what it changes, unless that is not there before.
#[test]
fn every_change_can_be_named_rehearsed_and_made_conditional() {
    for method in methods() {
        let name = method.full_name().to_owned();
        let (input, output) = (method.input(), method.output());
        let changes = input.get_field_by_name("request_id").is_some();
        assert_eq!(input.get_field_by_name("validate_only").is_some(), changes, "{name}");
        let tells = changes || name.ends_with(".PreviewChange");
        assert_eq!(output.get_field_by_name("preview").is_some(), tells, "{name}: preview");
        assert!(!changes || output.get_field_by_name("consistency_token").is_some(), "{name}");
        if changes && !name.contains(".Create") {
            let mut message = DynamicMessage::new(input);
            let text = || Value::String("x".to_owned());
            assert!(ETAGS.iter().any(|etag| set(&mut message, etag, text())), "{name}: no etag");
        }
    }
}

#[tokio::test]
async fn what_has_changed_since_it_was_read_is_not_changed() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        let mut scene = Scene::new(&service).await;
        for method in changing().iter().filter(|method| !method.name().starts_with("Create")) {
            let name = method.full_name().to_owned();
            let [example, _] = scene.example(method).await;
            let mut stale = example.clone();
            let old = || Value::String("an older one".to_owned());
            assert!(ETAGS.iter().any(|etag| set(&mut stale, etag, old())), "{name}");
            let before = kept(&service, &meddler).await;
            refused(send(&service, method, &stale).await, Code::Aborted, "ETAG_MISMATCH");
            assert_eq!(kept(&service, &meddler).await, before, "{name}");
            let done = send(&service, method, &example).await;
            done.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        }
    }
}

#[tokio::test]
async fn what_is_sent_twice_is_done_once() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let meddler = Meddler::new(&service.url).await;
        let mut scene = Scene::new(&service).await;
        for method in changing() {
            let name = method.full_name().to_owned();
            let id = Uuid::new_v4();
            let [example, other] = scene.example(&method).await;
            let before = kept(&service, &meddler).await;
            let first = send(&service, &method, &named(&example, id)).await;
            let first = first.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let after = kept(&service, &meddler).await;
            assert_ne!(after, before, "{name}");

            let again = send(&service, &method, &named(&example, id)).await;
            let again = again.unwrap_or_else(|e| panic!("{name}, again: {e:?}"));
            assert_eq!(kept(&service, &meddler).await, after, "{name}");
            assert_eq!(text(&again, "secret"), "", "{name}");
            let tokens = [&first, &again].map(|answer| text(answer, "consistency_token"));
            assert_eq!(tokens[0], tokens[1], "{name}");
            assert!(!tokens[0].is_empty(), "{name}");
            assert!(repeats(&again, &first), "{name}:\n{}\n{}", shown(&first), shown(&again));

            let reused = send(&service, &method, &named(&other, id)).await;
            refused(reused, Code::AlreadyExists, "REQUEST_ID_REUSED");
            assert_eq!(kept(&service, &meddler).await, after, "{name}");
        }
        let root = service.root.account_id.clone();
        service.verify(&root).await;
    }
}

/// Whether a part of an answer tells of an object no more than which one it is, and that it is gone.
fn names_alone(value: &Value) -> bool {
    match value {
        Value::Message(object) => object.fields().all(|(field, _)| {
            let name = field.name();
            name.ends_with("_id") || ["role", "delete_time"].contains(&name)
        }),
        Value::List(objects) => objects.iter().all(names_alone),
        _ => true,
    }
}

/// Another credential of the same user is the same caller, but may see less (`edges.md` §4).
#[tokio::test]
async fn a_credential_that_may_not_read_a_thing_is_not_shown_it_by_sending_a_request_again() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (_, narrow) = service.mint(&service.root.user_id, &["decision.evaluate"]).await;
        let mut scene = Scene::new(&service).await;
        // Keys that tokens are signed with anybody may read.
        for method in changing().into_iter().filter(|method| method.name() != "RotateSigningKey") {
            let name = method.full_name().to_owned();
            let [example, _] = scene.example(&method).await;
            let request = named(&example, Uuid::new_v4());
            let first = send(&service, &method, &request).await;
            let first = first.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let again = send_by(&service, &narrow, &method, &request).await;
            let again = again.unwrap_or_else(|e| panic!("{name}, again: {e:?}"));
            let tokens = [&first, &again].map(|answer| text(answer, "consistency_token"));
            assert_eq!(tokens[0], tokens[1], "{name}");
            let bare = again.fields().all(|(_, value)| names_alone(value));
            assert!(bare, "{name}: {}", shown(&again));
        }
    }
}
