//! The level Batch: many decisions.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    EVALUATIONS, Records, action, admin, archived, question, record, subject, surroundings, with,
};
use crate::support::engines;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is asked, case by case")]
async fn many_are_decided_in_their_order_and_take_what_they_lack_from_the_whole() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let (alice, bob) = (|| subject("alice"), || subject("bob"));
        let one = || record("record-1");
        let active = || with(one(), json!({ "status": "active" }));
        for (point, asked, decisions) in [
            (
                "3.2.1",
                json!({
                    "subject": alice(), "action": action("read"),
                    "evaluations": [{ "resource": one() }, { "resource": record("record-2") }],
                }),
                vec![true, true],
            ),
            (
                "3.2.2",
                json!({
                    "subject": bob(), "resource": one(),
                    "evaluations": [{ "action": action("read") }, { "action": action("write") }],
                }),
                vec![true, false],
            ),
            (
                "3.2.3",
                json!({
                    "subject": alice(), "action": action("write"),
                    "evaluations": [{ "resource": active() }, { "resource": archived() }],
                }),
                vec![true, false],
            ),
            (
                "3.2.4",
                json!({
                    "action": action("write"), "resource": archived(),
                    "evaluations": [{ "subject": alice() }, { "subject": admin() }],
                }),
                vec![false, true],
            ),
            (
                "3.2.5",
                json!({ "evaluations": [
                question(alice(), action("read"), one()),
                question(bob(), action("write"), one()),
            ] }),
                vec![true, false],
            ),
            (
                "3.2.6",
                json!({
                    "subject": alice(), "action": action("read"), "context": surroundings(),
                    "evaluations": [
                        { "resource": one() },
                        { "resource": record("record-2"), "context": { "source": "its own" } },
                    ],
                }),
                vec![true, true],
            ),
            (
                "3.2.7",
                json!({
                    "subject": alice(), "action": action("write"), "resource": active(),
                    "evaluations": [{}, { "resource": archived() }],
                }),
                vec![true, false],
            ),
            // What replaces, replaces whole: nothing is said of this one.
            (
                "whole",
                json!({
                    "subject": alice(), "action": action("write"), "resource": archived(),
                    "evaluations": [{}, { "resource": record("record-2") }],
                }),
                vec![false, true],
            ),
            // What every item replaces need not be complete.
            (
                "empty",
                json!({
                    "subject": alice(), "action": action("read"), "resource": {}, "context": {},
                    "evaluations": [{ "resource": one() }],
                }),
                vec![true],
            ),
        ] {
            let reply = records.ask(EVALUATIONS, &asked).await.json();
            // 3.3.1 to 3.3.4: as many as were asked, in their order, and none for the whole.
            let bare = decisions.iter().map(|decision| json!({ "decision": decision }));
            let bare = json!({ "evaluations": bare.collect::<Vec<_>>() });
            assert_eq!(reply, bare, "{point}");
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_asked_is_a_deny_of_its_own() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let resource = || json!({ "resource": record("record-1") });
        let bad = |item: Value, field: &str| (item, "INVALID_FIELD", field.to_owned());
        // 3.4.1, and the like.
        for (item, reason, field) in [
            bad(json!({}), "resource"),
            bad(json!({ "resource": { "type": "record" } }), "resource.id"),
            bad(json!({ "resource": "record-1" }), "resource"),
            bad(
                json!({ "resource": record("record-1"), "subject": { "id": "alice" } }),
                "subject.type",
            ),
            bad(json!("record-1"), "evaluations"),
            (
                json!({ "resource": { "type": "recrod", "id": "x" } }),
                "UNKNOWN_PERMISSION",
                "resource.type".to_owned(),
            ),
        ] {
            let asked = json!({
                "subject": subject("alice"), "action": action("read"),
                "options": { "evaluations_semantic": "execute_all", "unknown": true },
                "evaluations": [resource(), item, resource()],
            });
            let reply = records.ask(EVALUATIONS, &asked).await.json();
            let items = reply["evaluations"].as_array().unwrap();
            let decisions: Vec<_> = items.iter().map(|item| item["decision"].clone()).collect();
            assert_eq!(decisions, [true, false, true], "{reply}");
            let error = &items[1]["context"]["error"];
            assert_eq!(error["code"], "INVALID_ARGUMENT", "{reply}");
            assert_eq!(error["reason"], reason, "{reply}");
            assert_eq!(error["field"], field.as_str(), "{reply}");
            assert!(items[0].get("context").is_none());
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn without_items_the_whole_is_the_question() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let whole = || question(subject("alice"), action("read"), record("record-1"));
        // 3.4.2 and 3.4.3
        let mut empty = whole();
        empty["evaluations"] = json!([]);
        for asked in [whole(), empty] {
            let reply = records.ask(EVALUATIONS, &asked).await;
            assert!(reply.decision());
            assert!(reply.json().get("evaluations").is_none());
        }
        let mut bad = whole();
        bad.as_object_mut().unwrap().remove("resource");
        let mut no_list = whole();
        no_list["evaluations"] = json!({ "a": 1 });
        let mut no_object = whole();
        no_object["evaluations"] = json!([{}]);
        no_object["subject"] = json!("alice");
        let mut no_word = whole();
        no_word["evaluations"] = json!([{}]);
        no_word["options"] = json!({ "evaluations_semantic": "sometimes" });
        let mut many = whole();
        many["evaluations"] = json!(vec![json!({}); 1001]);
        for (asked, field) in [
            (bad, "resource"),
            (no_list, "evaluations"),
            (no_object, "subject"),
            (no_word, "options.evaluations_semantic"),
            (many, "evaluations"),
        ] {
            let reply = records.ask(EVALUATIONS, &asked).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
            assert!(
                reply.text().starts_with(&format!("INVALID_FIELD: {field}: ")),
                "{}",
                reply.text()
            );
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn a_batch_ends_where_its_semantic_says_and_says_why_if_asked() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let asked = |semantic: &str, actions: &[&str]| {
            let items = actions.iter().map(|name| json!({ "action": action(name) }));
            json!({
                "subject": subject("bob"), "resource": record("record-1"),
                "options": { "evaluations_semantic": semantic },
                "evaluations": items.collect::<Vec<_>>(),
            })
        };
        let actions = ["read", "write", "read", "delete"];
        for (semantic, decisions) in [
            ("execute_all", vec![true, false, true, false]),
            ("deny_on_first_deny", vec![true, false]),
            ("permit_on_first_permit", vec![true]),
        ] {
            assert_eq!(records.decide(&asked(semantic, &actions)).await, decisions, "{semantic}");
        }
        let late = ["delete", "write", "read", "read"];
        let found = records.decide(&asked("permit_on_first_permit", &late)).await;
        assert_eq!(found, [false, false, true]);
        // What cannot be asked is a deny, in its turn.
        let mut broken = asked("deny_on_first_deny", &actions);
        broken["evaluations"][0] = json!({ "action": {} });
        assert_eq!(records.decide(&broken).await, [false]);

        let mut why = asked("execute_all", &["read", "write"]);
        why["options"]["reasons"] = json!(true);
        let reply = records.ask(EVALUATIONS, &why).await.json();
        assert_eq!(reply["evaluations"][0]["context"]["reason"], "PERMITTED");
        assert_eq!(reply["evaluations"][1]["context"]["reason"], "NO_GRANT");
        records.service.stop().await;
    }
}
