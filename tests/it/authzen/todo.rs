//! The interop scenario: five people, four roles and a shared list of things to do.

use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, action, apply, asked, subject};
use crate::support::{Person, Service, engines};

const TODO: &str = include_str!("todo.yaml");

/// A person of the scenario: what a sign-in calls it, its address, its roles, and what it may do: create, change and remove
/// its own, change and remove another's.
type Somebody = (&'static str, &'static str, &'static [&'static str], [bool; 5]);

const PEOPLE: [Somebody; 5] = [
    (
        "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        "rick@the-citadel.com",
        &["todo/admin", "todo/evil_genius"],
        [true, true, true, true, true],
    ),
    (
        "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        "morty@the-citadel.com",
        &["todo/editor"],
        [true, true, true, false, false],
    ),
    (
        "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        "summer@the-smiths.com",
        &["todo/editor"],
        [true, true, true, false, false],
    ),
    (
        "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        "beth@the-smiths.com",
        &["todo/viewer"],
        [false, false, false, false, false],
    ),
    (
        "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        "jerry@the-smiths.com",
        &["todo/viewer"],
        [false, false, false, false, false],
    ),
];

fn todo(owner: &str) -> Value {
    json!({
        "type": "todo",
        "id": "7240d0db-8ff0-41ec-98b2-34a096273b9f",
        "properties": { "ownerID": owner },
    })
}

fn another(email: &str) -> &'static str {
    PEOPLE.iter().map(|(_, email, ..)| *email).find(|other| *other != email).unwrap()
}

async fn start(engine: &crate::support::Engine) -> (Service, Person) {
    let settings = [("limits.changes_per_minute", "0"), ("authzen.resource_types", "user=person")];
    let service = Service::start_with(engine, &settings).await;
    apply(&service, TODO).await;
    let account = service.tenant("Todo").await;
    for (name, _, roles, _) in PEOPLE {
        service.person(&account, name, roles).await;
    }
    let pep = service.machine(&account, "backend", &["DECISION_CLIENT"]).await;
    (service, pep)
}

#[tokio::test]
async fn everybody_may_what_the_scenario_says() {
    for engine in engines() {
        let (service, pep) = start(&engine).await;
        for (name, email, _, [creates, changes, removes, changes_all, removes_all]) in PEOPLE {
            let user = |id: &str| json!({ "type": "user", "id": id });
            let list = json!({ "type": "todo", "id": "todo-1" });
            for (action_name, resource, decision) in [
                ("can_read_user", user(email), true),
                ("can_read_user", user(another(email)), true),
                ("can_read_todos", list.clone(), true),
                ("can_create_todo", list.clone(), creates),
                ("can_update_todo", todo(email), changes),
                ("can_delete_todo", todo(email), removes),
                ("can_update_todo", todo(another(email)), changes_all),
                ("can_delete_todo", todo(another(email)), removes_all),
            ] {
                let body = json!({
                    "subject": subject(name),
                    "action": action(action_name),
                    "resource": resource,
                    "context": {},
                });
                let reply = asked(&service, &pep, EVALUATION, &body).await;
                assert_eq!(reply.decision(), decision, "{email} {action_name} {resource}");
            }
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_each_may_change_is_told_in_one_call() {
    for engine in engines() {
        let (service, pep) = start(&engine).await;
        for (name, own, _, [_, changes, _, changes_all, _]) in PEOPLE {
            let owners = PEOPLE.map(|(_, email, ..)| email);
            let body = json!({
                "subject": subject(name),
                "action": action("can_update_todo"),
                "resource": {},
                "context": {},
                "evaluations": owners.map(|owner| json!({ "resource": todo(owner) })),
            });
            let reply = asked(&service, &pep, EVALUATIONS, &body).await.json();
            let may = |owner: &str| if owner == own { changes } else { changes_all };
            // To the letter: the scenario compares the whole list.
            let expected = owners.map(|owner| json!({ "decision": may(owner) }));
            assert_eq!(reply, json!({ "evaluations": expected }), "{own}");
        }
        service.stop().await;
    }
}
