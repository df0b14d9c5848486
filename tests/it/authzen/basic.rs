//! The level Basic: one decision.

use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{
    EVALUATION, Records, action, admin, archived, post, question, record, sent, subject,
    surroundings, with,
};
use crate::support::engines;

#[tokio::test]
async fn a_decision_is_the_fixtures_by_names_and_by_properties() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let (alice, bob) = (|| subject("alice"), || subject("bob"));
        let one = || record("record-1");
        let soft = |soft: bool| with(action("delete"), json!({ "soft": soft }));
        let mut in_context = question(alice(), action("read"), one());
        in_context["context"] = surroundings();
        let mut unknown = question(alice(), action("read"), one());
        unknown["later"] = json!({ "nested": [1, null, "x"] });
        unknown["subject"]["nickname"] = json!(7);
        let said_more = question(
            with(alice(), json!({ "department": "Support", "level": 3, "tags": ["a", null] })),
            with(action("read"), json!({ "method": "GET" })),
            with(one(), json!({ "status": "active", "owner": { "name": "bob" } })),
        );
        for (point, asked, decision) in [
            ("2.2.1", question(alice(), action("read"), one()), true),
            ("2.2.2", question(bob(), action("write"), one()), false),
            ("2.2.3", in_context, true),
            ("2.2.4", question(alice(), action("write"), archived()), false),
            ("2.2.5", question(admin(), action("write"), archived()), true),
            ("2.2.6", question(alice(), soft(true), one()), true),
            ("2.2.7", question(alice(), soft(false), one()), false),
            ("2.2.8", said_more, true),
            ("2.2.9", unknown, true),
            // The rest of the fixture's rules: 2, 3, and that a deny hangs on what is said, not on the record's name.
            ("1.4.2", question(alice(), action("write"), one()), true),
            ("1.4.3", question(bob(), action("read"), one()), true),
            ("1.4.5", question(alice(), action("write"), record("record-2")), true),
            (
                "1.4.6",
                question(bob(), action("write"), with(one(), json!({ "status": "archived" }))),
                false,
            ),
        ] {
            // 2.6: the same each time.
            for _ in 0..3 {
                let reply = records.ask(EVALUATION, &asked).await;
                // 2.3.1 and 2.3.2: a boolean, and an object beside it.
                assert_eq!(reply.decision(), decision, "{point}: {}", reply.text());
                let context = &reply.json()["context"];
                assert!(context.is_object(), "{context}");
                assert!(context["id"].is_string() && context["consistency_token"].is_string());
                let says_why = context["reason_admin"]["en"].is_string()
                    && context["reason_user"]["en"].is_string();
                assert_eq!(says_why, !decision);
                assert_eq!(context["reason"], if decision { "PERMITTED" } else { "NO_GRANT" });
                assert_eq!(reply.header("cache-control"), "no-store");
                assert!(!reply.header("chancery-revision").is_empty());
            }
        }
        records.service.stop().await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list of what is refused, case by case")]
async fn what_is_no_question_is_a_bad_request_that_names_the_fault() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let whole = || question(subject("alice"), action("read"), record("record-1"));
        let without = |pointer: &str, name: &str| {
            let mut body = whole();
            body.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            body
        };
        let set = |pointer: &str, value: Value| {
            let mut body = whole();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!({ "in": deep });
        }
        for (point, body, field) in [
            ("2.4.1", without("", "subject"), "subject: is required"),
            ("2.4.1", without("", "action"), "action: is required"),
            ("2.4.1", without("", "resource"), "resource: is required"),
            ("2.4.1", set("/subject", Value::Null), "subject: is required"),
            ("2.4.2", without("/subject", "type"), "subject.type: is required"),
            ("2.4.2", without("/subject", "id"), "subject.id: is required"),
            ("2.4.2", without("/action", "name"), "action.name: is required"),
            ("2.4.2", without("/resource", "type"), "resource.type: is required"),
            ("2.4.2", without("/resource", "id"), "resource.id: is required"),
            ("2.4.2", set("/resource/id", json!("")), "resource.id: is required"),
            ("2.4.6", set("/subject", json!("alice")), "subject: must be an object"),
            ("2.4.6", set("/resource", json!(["record"])), "resource: must be an object"),
            ("2.4.6", set("/action/name", json!(123)), "action.name: must be a string"),
            ("2.4.6", set("/subject/id", json!({})), "subject.id: must be a string"),
            ("2.4.6", with(whole(), json!(1)), ""),
            ("2.4.6", json!([whole()]), "body: must be an object"),
            ("2.4.6", json!("alice"), "body: must be an object"),
            (
                "",
                set("/subject", with(subject("alice"), json!("admin"))),
                "subject.properties: must be an object",
            ),
            (
                "",
                set("/subject", with(subject("alice"), deep)),
                "subject.properties: is nested too deep",
            ),
            (
                "",
                set("/subject/type", json!("spaceship")),
                "subject.type: must be user, account or token",
            ),
        ] {
            let reply = records.ask(EVALUATION, &body).await;
            if field.is_empty() {
                // Nobody knows a question's own properties.
                assert!(reply.decision(), "{point}");
                continue;
            }
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{point}: {body}");
            assert_eq!(reply.text(), format!("INVALID_FIELD: {field}\n"), "{point}: {body}");
            assert!(reply.header("content-type").starts_with("text/plain"));
        }
        // A typo does not look like a deny.
        for (body, reason) in [
            (set("/action/name", json!("raed")), "UNKNOWN_PERMISSION"),
            (set("/resource/type", json!("recrod")), "UNKNOWN_PERMISSION"),
            (set("/resource/id", json!("a/b")), "INVALID_PATH"),
        ] {
            let reply = records.ask(EVALUATION, &body).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST);
            assert!(reply.text().starts_with(&format!("{reason}: ")), "{}", reply.text());
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let body = question(subject("alice"), action("read"), record("record-1")).to_string();
        let typed = async |kind: &str, body: &str| {
            let bearer = format!("Bearer {}", records.pep.token);
            let request = Request::post(EVALUATION).header("authorization", bearer);
            let request =
                if kind.is_empty() { request } else { request.header("content-type", kind) };
            sent(&records.service, request, body.as_bytes()).await
        };
        for good in [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"; profile=x",
            "Application/JSON",
        ] {
            assert!(typed(good, &body).await.decision(), "{good}");
        }
        // 2.4.3
        for bad in [
            "",
            "text/plain",
            "application/xml",
            "application/jsonx",
            "application/grpc",
            "application/json; charset=iso-8859-1",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json;Charset=\"latin1\"",
        ] {
            let reply = typed(bad, &body).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
            assert_eq!(reply.text(), "INVALID_FIELD: content-type: must be application/json\n");
        }
        // 2.4.4 and 2.4.5
        for bad in ["{", "", "   ", "{'a': 1}", "\u{0}", "{\"subject\":{}", "nul"] {
            let reply = typed("application/json", bad).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
            assert_eq!(reply.text(), "INVALID_FIELD: body: must be JSON\n");
        }
        // Which of two was meant, two readers would tell differently.
        let twice = body.replacen('{', r#"{"subject":{"type":"user","id":"bob"},"#, 1);
        let within = body.replacen(r#""id":"#, r#""id":"bob","id":"#, 1);
        for bad in [twice, within] {
            let reply = typed("application/json", &bad).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
            assert_eq!(reply.text(), "INVALID_FIELD: body: must not name a member twice\n");
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn a_body_is_sent_as_it_is() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let body = question(subject("alice"), action("read"), record("record-1")).to_string();
        for (name, value) in
            [("content-encoding", "gzip"), ("grpc-encoding", "gzip"), ("content-encoding", "br")]
        {
            let request = post(EVALUATION, &records.pep.token).header(name, value);
            let reply = sent(&records.service, request, body.as_bytes()).await;
            assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}: {value}");
            let why =
                format!("UNSUPPORTED_ENCODING: {name}: is not taken: send the body as it is\n");
            assert_eq!(reply.text(), why);
            // Who may not come in is told that first.
            let request = post(EVALUATION, "").header(name, value);
            let reply = sent(&records.service, request, body.as_bytes()).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{name}: {value}");
            let request = post(EVALUATION, &records.pep.token).header(name, "identity");
            assert!(sent(&records.service, request, body.as_bytes()).await.decision());
        }
        records.service.stop().await;
    }
}

#[tokio::test]
async fn a_request_id_comes_back_to_the_letter() {
    for engine in engines() {
        let records = Records::start(&engine).await;
        let body = question(subject("alice"), action("read"), record("record-1")).to_string();
        let long = "x".repeat(300);
        // 2.5.1; of a refusal as well.
        for id in ["bfe9eb29", "with a space; and, more", &long] {
            for (body, status) in [(body.as_str(), StatusCode::OK), ("{", StatusCode::BAD_REQUEST)]
            {
                let request = post(EVALUATION, &records.pep.token).header("X-Request-ID", id);
                let reply = sent(&records.service, request, body.as_bytes()).await;
                assert_eq!((reply.status, reply.header("x-request-id")), (status, id));
            }
        }
        // 2.5.2
        let request = post(EVALUATION, &records.pep.token);
        let reply = sent(&records.service, request, body.as_bytes()).await;
        assert!(reply.decision() && !reply.header("x-request-id").is_empty());
        records.service.stop().await;
    }
}
