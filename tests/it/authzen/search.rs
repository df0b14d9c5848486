//! The level Search: who, what, and to what.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Records, action, admin, apply, archived, asked, record, subject, surroundings};
use crate::support::{Service, engines};

const SUBJECTS: &str = "/access/v1/search/subject";
const RESOURCES: &str = "/access/v1/search/resource";
const ACTIONS: &str = "/access/v1/search/action";

fn users() -> Value {
    json!({ "type": "user" })
}

fn records_() -> Value {
    json!({ "type": "record" })
}

fn who() -> Value {
    json!({ "subject": users(), "action": action("read"), "resource": record("record-1") })
}

fn what() -> Value {
    json!({ "subject": subject("alice"), "action": action("read"), "resource": records_() })
}

fn how() -> Value {
    json!({ "subject": subject("alice"), "resource": record("record-1") })
}

fn and(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// Asks, and holds what comes to the form that all searches have.
async fn found(records: &Records, path: &str, body: &Value) -> Vec<Value> {
    let reply = records.ask(path, body).await.json();
    let results = reply["results"].as_array().unwrap();
    let page = &reply["page"];
    assert!(page["next_token"].is_string(), "{reply}");
    assert_eq!(page["count"], results.len(), "{reply}");
    results.clone()
}

#[tokio::test]
async fn who_and_what_and_to_what_is_found() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let alice_and_bob = [subject("alice"), subject("bob")];
        let (one, two) = (record("record-1"), record("record-2"));
        let read_and_write = [action("read"), action("write")];
        let named = |body: Value, of: &str, id: &str| {
            let mut body = body;
            body[of]["id"] = json!(id);
            body
        };
        let to_archived =
            json!({ "subject": users(), "action": action("write"), "resource": archived() });
        let by_admin =
            json!({ "subject": admin(), "action": action("write"), "resource": records_() });
        for (point, path, body, results) in [
            ("4.2.1", SUBJECTS, who(), alice_and_bob.to_vec()),
            ("4.2.2", SUBJECTS, and(who(), "context", surroundings()), alice_and_bob.to_vec()),
            ("4.2.3", SUBJECTS, named(who(), "subject", "alice"), alice_and_bob.to_vec()),
            ("4.2.4", SUBJECTS, to_archived, vec![subject("bob")]),
            ("4.3.1", RESOURCES, what(), vec![one.clone(), two.clone()]),
            (
                "4.3.2",
                RESOURCES,
                and(what(), "context", surroundings()),
                vec![one.clone(), two.clone()],
            ),
            ("4.3.3", RESOURCES, named(what(), "resource", "record-1"), vec![one, two.clone()]),
            ("4.3.4", RESOURCES, by_admin, vec![two]),
            ("4.4.1", ACTIONS, how(), read_and_write.to_vec()),
            ("4.4.2", ACTIONS, and(how(), "context", surroundings()), read_and_write.to_vec()),
            ("4.4.2", ACTIONS, and(how(), "action", action("delete")), read_and_write.to_vec()),
            (
                "4.4.3",
                ACTIONS,
                json!({ "subject": admin(), "resource": archived() }),
                read_and_write.to_vec(),
            ),
        ] {
            assert_eq!(found(&records, path, &body).await, results, "{point}");
        }
        // What is found by a short id is asked about by it.
        for id in ["alice", "bob"] {
            assert!(records.decides(&json!({
                "subject": subject(id), "action": action("read"), "resource": record("record-1"),
            })).await);
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let page = |limit: Value, token: &str| json!({ "limit": limit, "token": token });
        for (path, body, all) in [(SUBJECTS, who(), 2), (RESOURCES, what(), 2), (ACTIONS, how(), 2)]
        {
            // 4.5.1 to 4.5.3
            let whole = found(&records, path, &body).await;
            assert_eq!(whole.len(), all);
            let (mut joined, mut token) = (Vec::new(), String::new());
            loop {
                let asked = and(body.clone(), "page", page(json!(1), &token));
                let reply = records.ask(path, &asked).await.json();
                let results = reply["results"].as_array().unwrap();
                assert!(results.len() <= 1);
                joined.extend(results.clone());
                token = reply["page"]["next_token"].as_str().unwrap().to_owned();
                if token.is_empty() {
                    break;
                }
                // Another question's token, and what is none.
                let other = and(asked, "context", json!({ "other": 1 }));
                let other = and(other, "page", page(json!(1), &token));
                let refused = records.ask(path, &other).await;
                assert_eq!(refused.status, StatusCode::BAD_REQUEST);
                assert!(refused.text().starts_with("INVALID_PAGE_TOKEN: "), "{}", refused.text());
            }
            assert_eq!(joined, whole);
            // 4.5.4: one page holds it.
            for limit in
                [json!(0), json!(50), json!(100_000), json!(9_999_999_999_u64), Value::Null]
            {
                let asked = and(body.clone(), "page", json!({ "limit": limit }));
                assert_eq!(found(&records, path, &asked).await, whole, "{limit}");
            }
            for bad in [
                json!({ "limit": -1 }),
                json!({ "limit": 1.5 }),
                json!({ "limit": "1" }),
                json!({ "token": 7 }),
                json!("next"),
            ] {
                let asked = and(body.clone(), "page", bad.clone());
                assert_eq!(
                    records.ask(path, &asked).await.status,
                    StatusCode::BAD_REQUEST,
                    "{bad}"
                );
            }
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn what_nobody_knows_finds_nothing() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let nobody = || subject("nonexistent-user");
        let ship = || json!({ "type": "spaceship", "id": "enterprise" });
        let no_account = json!({ "type": "account", "id": "acme" });
        for (point, path, body) in [
            ("4.6.1", ACTIONS, and(how(), "subject", nobody())),
            ("4.6.1", RESOURCES, and(what(), "subject", nobody())),
            ("4.6.1", SUBJECTS, and(who(), "action", action("fly"))),
            ("4.6.1", RESOURCES, and(what(), "action", action("fly"))),
            ("4.6.1", SUBJECTS, and(who(), "resource", no_account.clone())),
            ("4.6.1", ACTIONS, and(how(), "resource", no_account.clone())),
            ("4.6.1", ACTIONS, and(how(), "resource", record("a/b"))),
            ("4.6.2", SUBJECTS, and(who(), "subject", json!({ "type": "spaceship" }))),
            ("4.6.2", SUBJECTS, and(who(), "resource", ship())),
            ("4.6.2", RESOURCES, and(what(), "resource", json!({ "type": "spaceship" }))),
            ("4.6.2", RESOURCES, and(what(), "subject", ship())),
            ("4.6.2", ACTIONS, and(how(), "resource", ship())),
            ("4.6.2", ACTIONS, and(how(), "subject", ship())),
        ] {
            assert_eq!(found(&records, path, &body).await, [] as [Value; 0], "{point} {body}");
        }
        // A record that nobody has named is one like the others.
        let body = and(how(), "resource", record("record-9"));
        assert_eq!(found(&records, ACTIONS, &body).await, [action("read"), action("write")]);
        records.service.stop().await;
    }
}

#[tokio::test]
async fn what_a_search_stands_on_must_be_whole() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let untyped = || json!({ "id": "x" });
        let whole = |path| match path {
            SUBJECTS => who(),
            RESOURCES => what(),
            _ => how(),
        };
        let without = |path, name: &str| {
            let mut body = whole(path);
            body.as_object_mut().unwrap().remove(name);
            body
        };
        for (point, path, body, field) in [
            ("4.7.1", SUBJECTS, without(SUBJECTS, "action"), "action"),
            ("4.7.1", SUBJECTS, without(SUBJECTS, "subject"), "subject"),
            ("4.7.1", SUBJECTS, without(SUBJECTS, "resource"), "resource"),
            ("4.7.1", RESOURCES, without(RESOURCES, "subject"), "subject"),
            ("4.7.1", RESOURCES, without(RESOURCES, "action"), "action"),
            ("4.7.1", RESOURCES, without(RESOURCES, "resource"), "resource"),
            ("4.7.1", ACTIONS, without(ACTIONS, "resource"), "resource"),
            ("4.7.1", ACTIONS, without(ACTIONS, "subject"), "subject"),
            ("4.7.2", SUBJECTS, and(who(), "resource", records_()), "resource.id"),
            ("4.7.2", RESOURCES, and(what(), "subject", users()), "subject.id"),
            ("4.7.2", ACTIONS, and(how(), "subject", users()), "subject.id"),
            ("4.7.2", ACTIONS, and(how(), "resource", records_()), "resource.id"),
            ("4.7.2", SUBJECTS, and(who(), "subject", untyped()), "subject.type"),
            ("4.7.2", RESOURCES, and(what(), "resource", untyped()), "resource.type"),
        ] {
            let reply = records.ask(path, &body).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{point} {body}");
            assert_eq!(reply.text(), format!("INVALID_FIELD: {field}: is required\n"), "{point}");
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn what_lies_elsewhere_is_named_whole() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        apply(&service, super::RECORDS).await;
        let main = service.tenant("Main").await;
        let sub = service.account(&main, "Sub").await;
        let pep = service.machine(&main, "pep", &["DECISION_EXPLORER", "AUDITOR"]).await;
        let near = service.person(&main, "near", &["records/Reader"]).await;
        let far = service.person(&sub, "far", &["records/Reader"]).await;
        let search = async |path: &str, body: Value| {
            asked(&service, &pep, path, &body).await.json()["results"].clone()
        };
        let at = |account: &str| json!({ "type": "record", "id": format!("account/{account}/record/1") });
        let to = |resource: Value| json!({ "subject": users(), "action": action("read"), "resource": resource });
        assert_eq!(search(SUBJECTS, to(at(&main))).await, json!([subject("near")]));
        // A user of another account goes by its id.
        assert_eq!(search(SUBJECTS, to(at(&sub))).await, json!([subject(&far.user_id)]));
        // A user whose name looks like an id does, too.
        let odd = near.user_id.clone();
        let odd = service.person(&main, &odd, &["records/Reader"]).await;
        let found = search(SUBJECTS, to(at(&main))).await;
        assert_eq!(found, json!([subject("near"), subject(&odd.user_id)]));
        service.stop().await;
    }
}
