//! What is in the audit, and how it is found.

use chancery::proto::v1 as pb;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use super::{all, list, places};
use crate::examples::{Scene, changing};
use crate::meddle::Meddler;
use crate::raw::{call, path, set};
use crate::support::{KEY, Person, Service, beginning, engines, refused};

/// Whatever of an answer is secret, wherever it stands.
fn secrets(answer: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in answer.fields() {
        let secret = ["secret", "access_token", "refresh_token"].contains(&field.name());
        match value {
            Value::String(text) if secret && !text.is_empty() => found.push(text.clone()),
            Value::Message(inner) => found.extend(secrets(inner)),
            _ => {}
        }
    }
    found
}

/// R65, for each change that there is.
#[tokio::test]
async fn every_change_is_told_with_who_from_where_before_and_after_and_no_secret() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let mut scene = Scene::new(&service).await;
        let mut canaries = vec![KEY.to_owned(), service.root.token.clone()];
        for method in changing() {
            let name = method.full_name().to_owned();
            let [mut example, _] = scene.example(&method).await;
            let id = Uuid::new_v4().to_string();
            set(&mut example, "request_id", Value::String(id.clone()));
            let by = service.by(&service.root.token);
            let answer = call(by, &path(&method), example.encode_to_vec()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let answer = DynamicMessage::decode(method.output(), answer).unwrap();
            canaries.extend(secrets(&answer));

            let mut told = Vec::new();
            for ledger in [&scene.tenant, &service.root.account_id] {
                let mut newest = all(ledger);
                newest.set_order(pb::AuditOrder::NewestFirst);
                newest.page_size = 50;
                let page = service.audit(&service.root).list_audit_events(newest).await.unwrap();
                let events = page.into_inner().audit_events.into_iter();
                told.extend(events.filter(|event| event.request_id == id));
            }
            assert!(!told.is_empty(), "{name} is not told");
            for event in &told {
                assert_eq!(event.actor_user_id, service.root.user_id, "{name}");
                assert_eq!(event.acting_as_user_id, "", "{name}");
                assert_eq!(event.source, "127.0.0.1", "{name}");
                assert_eq!(event.fault, "", "{name}");
                assert!(event.before.is_some() || event.after.is_some(), "{name}");
                assert!(!event.changes.is_empty(), "{name}: {event:?}");
                assert!(!event.entity_id.is_empty() && !event.entity_type.is_empty(), "{name}");
                let created = event.before.is_none();
                assert!(!created || event.changes.iter().all(|c| c.before.is_none()), "{name}");
            }
            let fresh =
                ["Create", "Add", "Assign"].iter().any(|verb| method.name().starts_with(verb));
            assert!(!fresh || told.iter().any(|event| event.before.is_none()), "{name}");
            let updates = method.name().starts_with("Update");
            let whole = |event: &pb::AuditEvent| event.before.is_some() && event.after.is_some();
            assert!(!updates || told.iter().any(whole), "{name}");
        }
        assert!(canaries.len() > 5, "the examples make secrets");
        for ledger in [&scene.tenant, &service.root.account_id] {
            let text = format!("{:?}", list(&service, &service.root, all(ledger)).await);
            for canary in &canaries {
                assert!(!text.contains(canary.as_str()), "a secret is in the audit");
            }
        }
    }
}

async fn rename(service: &Service, by: &Person, user_id: &str, name: &str) {
    let request = pb::UpdateUserRequest {
        user: Some(pb::User {
            user_id: user_id.to_owned(),
            first_name: Some(name.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    service.users(by).update_user(request).await.unwrap();
}

/// R65.
#[tokio::test]
async fn an_update_is_told_field_by_field() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        rename(&service, &ann, &ann.user_id, "Ann").await;
        service.advance(7);
        rename(&service, &ann, &ann.user_id, "Anna").await;
        let mut request = all(&acme);
        request.actions = vec!["user.update".to_owned()];
        let told = list(&service, &ann, request).await;
        assert_eq!(told.len(), 2);
        let event = &told[1];
        assert_eq!((event.entity_type.as_str(), &event.entity_id), ("user", &ann.user_id));
        assert_eq!(event.entity, format!("user/{}", ann.user_id));
        assert_eq!((&event.tenant_id, &event.account_id), (&acme, &acme));
        assert_eq!(event.time.unwrap().seconds, beginning().timestamp() + 7);
        let text = |text: &str| prost_types::Value {
            kind: Some(prost_types::value::Kind::StringValue(text.to_owned())),
        };
        let name = event.changes.iter().find(|change| change.path == "first_name").unwrap();
        assert_eq!((&name.before, &name.after), (&Some(text("Ann")), &Some(text("Anna"))));
        let paths: Vec<&str> = event.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["first_name", "update_time"]);
        let after = event.after.as_ref().unwrap();
        assert_eq!(after.fields["user_name"], text("ann"));
    }
}

#[tokio::test]
async fn each_filter_leaves_what_it_says() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        service.advance(10);
        let bob = service.person_under(&below, None, "bob", &["USER"]).await;
        rename(&service, &ann, &bob.user_id, "Bob").await;
        service.advance(10);
        rename(&service, &ann, &ann.user_id, "Ann").await;
        let everything = list(&service, &service.root, all(&acme)).await;
        let is = async |change: &dyn Fn(&mut pb::ListAuditEventsRequest),
                        keep: &dyn Fn(&pb::AuditEvent) -> bool| {
            let mut request = all(&acme);
            change(&mut request);
            let told = places(&list(&service, &service.root, request).await);
            let kept = everything.iter().filter(|event| keep(event)).cloned().collect::<Vec<_>>();
            assert!(!kept.is_empty() && kept.len() < everything.len());
            assert_eq!(told, places(&kept));
        };
        is(&|r| r.subtree = false, &|e| e.account_id == acme).await;
        is(&|r| r.account_id.clone_from(&below), &|e| e.account_id == below).await;
        is(&|r| r.actor.clone_from(&ann.user_id), &|e| e.actor_user_id == ann.user_id).await;
        is(&|r| r.actions = vec!["role.assign".to_owned()], &|e| e.action == "role.assign").await;
        let two = ["role.assign".to_owned(), "user.create".to_owned()];
        is(&|r| r.actions = two.to_vec(), &|e| two.contains(&e.action)).await;
        for kind in ["user", "role_grant", "api_token", "account"] {
            is(&|r| r.entities = vec![kind.to_owned()], &|e| e.entity_type == kind).await;
        }
        let both = ["user".to_owned(), "role_grant".to_owned()];
        is(&|r| r.entities = both.to_vec(), &|e| both.contains(&e.entity_type)).await;
        is(&|r| r.entity_id.clone_from(&bob.user_id), &|e| e.entity.contains(&bob.user_id)).await;
        is(&|r| r.entity_id.clone_from(&bob.token_id), &|e| e.entity_id == bob.token_id).await;
        let at =
            |seconds: i64| Some(Timestamp { seconds: beginning().timestamp() + seconds, nanos: 0 });
        let when = |event: &pb::AuditEvent| event.time.unwrap().seconds - beginning().timestamp();
        is(&|r| r.start_time = at(10), &|e| when(e) >= 10).await;
        is(&|r| r.end_time = at(10), &|e| when(e) < 10).await;
        is(&|r| (r.start_time, r.end_time) = (at(10), at(20)), &|e| (10..20).contains(&when(e)))
            .await;
        is(
            &|r| {
                r.actor.clone_from(&ann.user_id);
                r.entities = vec!["user".to_owned()];
                r.end_time = at(20);
            },
            &|e| e.actor_user_id == ann.user_id && e.entity_type == "user" && when(e) < 20,
        )
        .await;
        let mut later = all(&acme);
        later.start_time = at(21);
        assert_eq!(list(&service, &service.root, later).await, []);
    }
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended_either_way_while_others_write() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        for n in 0..8 {
            rename(&service, &ann, &ann.user_id, &format!("Ann {n}")).await;
        }
        let before = places(&list(&service, &ann, all(&acme)).await);
        assert!(before.is_sorted());
        for order in [pb::AuditOrder::OldestFirst, pb::AuditOrder::NewestFirst] {
            let mut request = all(&acme);
            request.set_order(order);
            request.page_size = 3;
            let mut told = Vec::new();
            for n in 0.. {
                let page = service.audit(&ann).list_audit_events(request.clone()).await.unwrap();
                let page = page.into_inner();
                assert!(page.audit_events.len() <= 3);
                told.extend(places(&page.audit_events));
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
                if n < 5 {
                    rename(&service, &ann, &ann.user_id, &format!("Anna {order:?} {n}")).await;
                }
            }
            let now = places(&list(&service, &ann, all(&acme)).await);
            if order == pb::AuditOrder::NewestFirst {
                told.reverse();
                // What came while it was read lies before its first page.
                assert!(now.starts_with(&told) && told.starts_with(&before), "{told:?}");
            } else {
                assert_eq!(told, now);
            }
        }
        let mut other = all(&acme);
        other.page_size = 3;
        let page = service.audit(&ann).list_audit_events(other.clone()).await.unwrap().into_inner();
        other.page_token = page.next_page_token;
        other.subtree = false;
        let status = service.audit(&ann).list_audit_events(other).await;
        refused(status, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    }
}

#[tokio::test]
async fn a_filter_that_could_find_nothing_is_refused() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let bad = async |change: &dyn Fn(&mut pb::ListAuditEventsRequest), field: &str| {
            let mut request = all(&service.root.account_id);
            change(&mut request);
            let told = service.audit(&service.root).list_audit_events(request).await;
            let status = refused(told, Code::InvalidArgument, "INVALID_FIELD");
            assert!(status.message().starts_with(field), "{}", status.message());
        };
        bad(&|r| r.actions = vec!["user.create".into(), "user.craete".into()], "actions[1]").await;
        bad(&|r| r.entities = vec!["users".into()], "entities[0]").await;
        bad(&|r| r.actor = "ann".into(), "actor").await;
        bad(&|r| r.entity_id = "%".into(), "entity_id").await;
        let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
        bad(&|r| (r.start_time, r.end_time) = (time(2), time(1)), "end_time").await;
        bad(&|r| r.start_time = time(i64::MAX), "start_time").await;
    }
}

/// An auditor must still read the others, and see which one it is.
#[tokio::test]
async fn an_entry_that_was_tampered_with_is_told_so_among_the_others() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        rename(&service, &ann, &ann.user_id, "Ann").await;
        let sound = list(&service, &ann, all(&acme)).await;
        let meddler = Meddler::new(&service.url).await;
        meddler.run("update ledger set at = at where kind = 'user.update'").await;
        assert_eq!(list(&service, &ann, all(&acme)).await, sound);
        meddler.run("update ledger set kind = 'user.move' where kind = 'user.update'").await;
        let told = list(&service, &ann, all(&acme)).await;
        assert_eq!(places(&told), places(&sound));
        let faults: Vec<&pb::AuditEvent> = told.iter().filter(|e| !e.fault.is_empty()).collect();
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].action.as_str(), &faults[0].after), ("user.move", &None));
        assert!(faults[0].fault.contains("not what was hashed"), "{}", faults[0].fault);
    }
}
