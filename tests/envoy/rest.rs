//! The REST paths of the source system, through the shipped configuration: what each answers with, and in which form.

mod onboard;
mod seed;
mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::http::{Reply, send};
use crate::proxy::Envoy;
use crate::shipped;
use crate::sinks::Hook;
use crate::support::{Engine, Person, Service, engines};

/// A user id in the right form that is nobody's.
const NOBODY: &str = "usr_01h455vb4pex5vsknk084sn02q";
/// A document's id in the right form that is of none.
const NO_DOCUMENT: &str = "doc_01h455vb4pex5vsknk084sn02q";

/// A service behind Envoy.
struct Front {
    service: Service,
    envoy: Envoy,
    hook: Hook,
}

impl Front {
    async fn start(engine: &Engine, changes_per_minute: &str) -> Self {
        let hook = Hook::start().await;
        let settings = [
            ("limits.changes_per_minute", changes_per_minute),
            ("mail.sender", "webhook"),
            ("mail.webhook_url", hook.url.as_str()),
            ("mail.webhook_secret", "of the hook"),
        ];
        let service = Service::start_with(engine, &settings).await;
        // Nobody asks for the application here.
        let envoy = shipped::before(&service, service.admin()).await;
        Self { service, envoy, hook }
    }

    fn at(&self) -> SocketAddr {
        self.envoy.at("api")
    }

    /// Calls a path; an empty token sends none, and an empty body none.
    async fn call(&self, verb: &str, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = Vec::new();
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let verb = Method::from_bytes(verb.as_bytes()).unwrap();
        send(self.at(), verb, path, &headers, Bytes::from(body.to_owned())).await
    }

    async fn stop(self) {
        drop(self.envoy);
        self.service.stop().await;
    }
}

/// Holds a refusal against the form that clients of these paths expect.
#[track_caller]
fn is_refusal(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json", "{reply:?}");
    let body = reply.json();
    assert_eq!(body["errorCode"], code, "{body}");
    assert!(body["generalMessage"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    // Milliseconds, by Envoy's own clock: after the year 2020.
    assert!(body["timestamp"].as_u64().is_some_and(|at| at > 1_577_836_800_000), "{body}");
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert_eq!(reply.header(name), "", "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_the_object_itself() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let acme = front.service.tenant("Acme").await;
        let boss = front.service.person(&acme, "boss", &["SUPER_USER"]).await;
        let body = json!({
            "userName": "alex.admin@example.com",
            "enabled": true,
            "roles": ["USER", "MANAGE_USERS"],
            "regionalSettings": { "timezoneName": "America/Denver" },
        });
        let path = "/v1/admin/users?isSSO=false";
        let made = front.call("POST", path, &boss.token, &body.to_string()).await;
        assert_eq!(made.status, 200, "{made:?}");
        assert!(!made.header("chancery-consistency-token").is_empty(), "{made:?}");
        let user = made.json();
        for (name, wanted) in body.as_object().unwrap() {
            match wanted.as_object() {
                Some(inner) => {
                    for (key, value) in inner {
                        assert_eq!(&user[name][key], value);
                    }
                }
                None if name == "roles" => assert_eq!(user[name], json!(["MANAGE_USERS", "USER"])),
                None => assert_eq!(&user[name], wanted),
            }
        }
        // What was read can be sent back whole.
        let path = format!("/v1/admin/users/{}", user["userId"].as_str().unwrap());
        let mut read = front.call("GET", &path, &boss.token, "").await.json();
        assert_eq!(read, user);
        read["firstName"] = json!("Al \"the\" {admin}, [ä]\n");
        let changed = front.call("PUT", &path, &boss.token, &read.to_string()).await;
        assert_eq!(changed.json()["firstName"], read["firstName"]);
        // A body that names another user than the path is refused.
        let other = json!({ "userId": NOBODY, "firstName": "x" }).to_string();
        let told = front.call("PUT", &path, &boss.token, &other).await;
        is_refusal(&told, 400, "invalid.field.exception");
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_whole_and_says_where_it_goes_on() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let acme = front.service.tenant("Acme").await;
        let boss = front.service.person(&acme, "boss", &["SUPER_USER"]).await;
        for number in 0..60 {
            front.service.person_under(&acme, Some(&boss), &format!("u{number}"), &[]).await;
        }
        let all = front.call("GET", "/v1/admin/users?flatten=true", &boss.token, "").await;
        assert_eq!(all.json().as_array().unwrap().len(), 61);
        assert_eq!(all.header("chancery-next-page-token"), "");
        let path = "/v1/admin/users?flatten=true&pageSize=40";
        let first = front.call("GET", path, &boss.token, "").await;
        let path = format!("{path}&pageToken={}", first.header("chancery-next-page-token"));
        let second = front.call("GET", &path, &boss.token, "").await;
        let both = [first.json(), second.json()].map(|page| page.as_array().unwrap().clone());
        assert_eq!(Value::from(both.concat()), all.json());
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_found_under_its_owner_alone() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let acme = front.service.tenant("Acme").await;
        let boss = front.service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = front.service.person_under(&acme, Some(&boss), "ann", &[]).await;
        let path =
            |of: &Person, rest: &str| format!("/v1/admin/users/{}/rightsDocs{rest}", of.user_id);
        let body = r#"{"rightsDocName": "Audit", "accountPermissions": ["READ"]}"#;
        let made = front.call("POST", &path(&boss, ""), &boss.token, body).await;
        let id = format!("/{}", made.json()["rightsDocId"].as_str().unwrap());
        let name = r#"{"rightsDocName": "Other"}"#;
        for (verb, body) in [("GET", ""), ("PUT", name), ("DELETE", "")] {
            let told = front.call(verb, &path(&ann, &id), &boss.token, body).await;
            is_refusal(&told, 404, "rights.document.not.found.exception");
        }
        for (verb, body) in [("GET", ""), ("PUT", name), ("DELETE", "")] {
            let told = front.call(verb, &path(&boss, &id), &boss.token, body).await;
            assert_eq!(told.status, 200, "{told:?}");
        }
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_says_when_to_come_again() {
    for engine in engines() {
        let front = Front::start(&engine, "5").await;
        let token = front.service.root.token.clone();
        let (mut told, mut tries) = (None, 0);
        while told.is_none() && tries < 20 {
            tries += 1;
            let reply = front.call("POST", "/v1/admin/token", &token, "").await;
            told = (reply.status == 429).then_some(reply);
        }
        let told = told.expect("twenty changes are more than five");
        is_refusal(&told, 429, "rate.limited.exception");
        let seconds: u64 = told.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{told:?}");
        // So is every other change, in the same words.
        let busy = table::World::nobodys(&front.service.root);
        for one in seed::OPERATIONS.iter().filter(|one| one.statuses.contains(&429) && !one.public)
        {
            let path = busy.fill(one.example);
            let told = front.call(one.verb(), &path, &token, one.body).await;
            is_refusal(&told, 429, "rate.limited.exception");
        }
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_told_in_the_same_form() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let token = front.service.root.token.clone();
        let Front { service, envoy, .. } = front;
        let at = envoy.at("api");
        service.stop().await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let told = send(at, Method::GET, "/v1/admin/users", &headers, Bytes::new()).await;
        is_refusal(&told, 503, "unavailable.exception");
        assert!(!told.json()["generalMessage"].as_str().unwrap().contains("upstream"), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authzen_goes_through_as_it_is() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let acme = front.service.tenant("Acme").await;
        let boss = front.service.person(&acme, "boss", &["SUPER_USER"]).await;
        let body = json!({
            "subject": { "type": "user", "id": boss.user_id },
            "action": { "name": "read" },
            "resource": { "type": "account", "id": acme },
        });
        let bearer = format!("Bearer {}", boss.token);
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
            ("x-request-id", "7 of 9"),
        ];
        let path = "/access/v1/evaluation";
        let told = send(front.at(), Method::POST, path, &headers, body.to_string()).await;
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(told.json()["decision"], true, "{told:?}");
        assert_eq!(told.header("x-request-id"), "7 of 9");
        // So does a refusal, in a line of text.
        let told = front.call("POST", path, "", &body.to_string()).await;
        assert_eq!(told.status, 401, "{told:?}");
        assert!(told.body.starts_with(b"TOKEN_MISSING: "), "{told:?}");
        let told = front.call("GET", "/.well-known/authzen-configuration", "", "").await;
        assert!(told.json()["access_evaluation_endpoint"].is_string(), "{told:?}");
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_answers_with_its_documented_statuses() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let world = table::World::make(&front).await;
        let mut seen: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        for row in table::rows() {
            let one = seed::OPERATIONS.iter().find(|one| one.name == row.operation).unwrap();
            let (path, body) = (world.fill(row.path), world.fill(row.body));
            let reply = front.call(one.verb(), &path, world.token(row.by), &body).await;
            if row.status == 200 {
                assert_eq!(reply.status, 200, "{} {path}: {reply:?}", row.operation);
                assert!(!reply.body.is_empty(), "{} {path}: {reply:?}", row.operation);
            } else {
                is_refusal(&reply, row.status, row.code);
            }
            seen.entry(row.operation).or_default().push(row.status);
        }
        for one in seed::OPERATIONS {
            let mut found = seen.remove(one.name).unwrap_or_default();
            // Shown where all are at their limit.
            found.extend(one.statuses.iter().filter(|status| **status == 429));
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, one.statuses, "{}", one.name);
        }
        front.stop().await;
    }
}
