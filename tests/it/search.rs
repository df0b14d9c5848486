//! Searches: who, what, and to what. Each is held against `Authorize`.

mod actions;

use std::collections::BTreeSet;

use chancery::proto::v1 as pb;
use pb::SearchStop;
use tonic::Code;

use crate::support::{Person, Service, ask, engines, refused};

fn subjects(action: &str, kind: &str, id: &str) -> pb::SearchSubjectsRequest {
    let question = ask("", action, kind, id);
    pb::SearchSubjectsRequest {
        subject: Some(pb::Subject { r#type: "user".to_owned(), ..Default::default() }),
        action: question.action,
        resource: question.resource,
        ..Default::default()
    }
}

fn what_of(user_id: &str, kind: &str, id: &str) -> pb::SearchActionsRequest {
    let question = ask(user_id, "", kind, id);
    pb::SearchActionsRequest {
        subject: question.subject,
        resource: question.resource,
        ..Default::default()
    }
}

fn resources(user_id: &str, action: &str, kind: &str) -> pb::SearchResourcesRequest {
    let question = ask(user_id, action, kind, "");
    pb::SearchResourcesRequest {
        subject: question.subject,
        action: question.action,
        resource: question.resource,
        ..Default::default()
    }
}

async fn who(
    service: &Service,
    by: &Person,
    request: pb::SearchSubjectsRequest,
) -> BTreeSet<String> {
    let found = service.authorization(by).search_subjects(request).await.unwrap().into_inner();
    assert!(found.page.unwrap().complete);
    found.results.into_iter().map(|subject| subject.id).collect()
}

async fn what(service: &Service, by: &Person, request: pb::SearchResourcesRequest) -> Vec<String> {
    let found = service.authorization(by).search_resources(request).await.unwrap().into_inner();
    assert!(found.page.unwrap().complete);
    found.results.into_iter().map(|resource| resource.id).collect()
}

#[tokio::test]
async fn those_found_are_those_whom_authorize_permits() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let mut people = vec![boss.clone()];
        for (name, role) in
            [("a", "USER"), ("b", "MANAGE_USERS"), ("c", "NO_ACCESS"), ("d", "USER")]
        {
            let at = if name == "d" { &below } else { &acme };
            people.push(service.person(at, name, &[role]).await);
        }
        for (action, kind, id) in [
            ("read", "account", acme.clone()),
            ("read", "account", below.clone()),
            ("create", "user", format!("account/{acme}/user/-")),
            ("read", "user", format!("account/{acme}/user/{}", people[1].user_id)),
            ("create", "gate_group", format!("account/{below}/gate_group/-")),
        ] {
            for by in [&service.root, &boss] {
                let found = who(&service, by, subjects(action, kind, &id)).await;
                let mut expected = BTreeSet::new();
                let operator = (by.user_id == service.root.user_id).then_some(&service.root);
                for person in people.iter().chain(operator) {
                    let question = ask(&person.user_id, action, kind, &id);
                    let answer = service.authorization(by).authorize(question).await.unwrap();
                    if answer.into_inner().decision {
                        expected.insert(person.user_id.clone());
                    }
                }
                assert_eq!(found, expected, "{action} {kind} by {}", by.user_id);
            }
        }
    }
}

#[tokio::test]
async fn a_search_goes_on_by_its_cursor_and_says_why_it_stopped() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for n in 0..5 {
            service.person(&acme, &format!("u{n}"), &["USER"]).await;
        }
        let whole = who(&service, &boss, subjects("read", "account", &acme)).await;
        assert_eq!(whole.len(), 6);
        let mut request = subjects("read", "account", &acme);
        let (mut found, mut token) = (BTreeSet::new(), String::new());
        loop {
            request.page = Some(pb::SearchPage { size: 2, token });
            let answer = service.authorization(&boss).search_subjects(request.clone()).await;
            let answer = answer.unwrap().into_inner();
            assert!(answer.results.len() <= 2 && answer.evaluated_revision > 0);
            found.extend(answer.results.into_iter().map(|subject| subject.id));
            let end = answer.page.unwrap();
            token = end.next_token.clone();
            if end.complete {
                assert!(token.is_empty());
                break;
            }
            assert_eq!(end.stopped_by(), SearchStop::PageFull);
            // Of another question the cursor is none.
            let mut other = subjects("update", "account", &acme);
            other.page = Some(pb::SearchPage { size: 2, token: token.clone() });
            let refusal = service.authorization(&boss).search_subjects(other).await;
            refused(refusal, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        assert_eq!(found, whole);
    }
}

#[tokio::test]
async fn the_actions_found_are_those_that_authorize_permits() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        for by in [&service.root, &ann] {
            let request = what_of(&ann.user_id, "account", &acme);
            let found = service.authorization(by).search_actions(request).await;
            let found = found.unwrap().into_inner();
            assert!(found.page.unwrap().complete);
            let names: Vec<String> = found.results.into_iter().map(|action| action.name).collect();
            assert!(names.contains(&"read".to_owned()) && !names.contains(&"close".to_owned()));
            for name in ["read", "update", "close", "suspend", "create"] {
                let answer = service.decides(&ann.user_id, name, "account", &acme).await;
                assert_eq!(answer.decision, names.contains(&name.to_owned()), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn the_resources_found_are_known_and_permitted() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let gate = format!("account/{acme}/gate_group/5/gate/17");
        let role = pb::Role {
            name: Some("gates".to_owned()),
            permits: vec!["gate.*".to_owned(), "gate_group.*".to_owned()],
            ..Default::default()
        };
        let request = pb::CreateRoleRequest {
            account_id: acme.clone(),
            role: Some(role),
            ..Default::default()
        };
        service.roles(&boss).create_role(request).await.unwrap();
        let given = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "gates".to_owned(),
            scope: gate.clone(),
            ..Default::default()
        };
        service.roles(&service.root).add_user_role(given).await.unwrap();
        let gates = resources(&ann.user_id, "read", "gate");
        assert_eq!(what(&service, &boss, gates).await, [gate]);
        // The group that it lies in is known too, and only the boss may read it.
        let group = format!("account/{acme}/gate_group/5");
        let groups = |user: &Person| resources(&user.user_id, "read", "gate_group");
        let ann_reads = service.decides(&ann.user_id, "read", "gate_group", &group).await.decision;
        assert_eq!(what(&service, &boss, groups(&ann)).await.len(), usize::from(ann_reads));
        assert_eq!(what(&service, &boss, groups(&boss)).await, [group]);
        for (kind, count) in [("account", 2), ("user", 2), ("role", 1), ("rights_document", 0)] {
            let found = what(&service, &boss, resources(&boss.user_id, "read", kind)).await;
            let mut permitted = 0;
            for path in &found {
                let answer = service.decides(&boss.user_id, "read", kind, path).await;
                permitted += usize::from(answer.decision);
            }
            assert_eq!(permitted, found.len(), "{kind}: {found:?}");
            let reach = service.decides(&boss.user_id, "read", "account", &below).await.decision;
            let hidden = usize::from(kind == "account" && !reach);
            assert_eq!(found.len(), count - hidden, "{kind}: {found:?}");
        }
    }
}

#[tokio::test]
async fn what_is_unknown_finds_nothing_and_who_may_not_search_is_refused() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let umbrella = service.tenant("Umbrella").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let nowhere = crate::support::stranger();
        for request in [
            subjects("read", "unheard_of", "x"),
            subjects("unheard_of", "account", &acme),
            subjects("read", "account", &umbrella),
            subjects("read", "account", "acc_01h455vb4pex5vsknk084sn02q"),
        ] {
            assert!(who(&service, &boss, request).await.is_empty());
        }
        for request in [
            resources(&boss.user_id, "read", "unheard_of"),
            resources(&boss.user_id, "unheard_of", "account"),
            resources(&nowhere, "read", "account"),
        ] {
            assert!(what(&service, &boss, request).await.is_empty());
        }
        for request in [
            what_of(&boss.user_id, "unheard_of", "x"),
            what_of(&nowhere, "account", &acme),
            what_of(&boss.user_id, "account", &umbrella),
        ] {
            let found = service.authorization(&boss).search_actions(request).await.unwrap();
            assert!(found.into_inner().results.is_empty());
        }
        // So does a type of subject that is none.
        let ship = || Some(pb::Subject { r#type: "ship".to_owned(), ..Default::default() });
        let ship_7 = || ship().map(|ship| pb::Subject { id: "7".to_owned(), ..ship });
        let by =
            pb::SearchSubjectsRequest { subject: ship(), ..subjects("read", "account", &acme) };
        assert!(who(&service, &boss, by).await.is_empty());
        let to =
            pb::SearchResourcesRequest { subject: ship_7(), ..resources("", "read", "account") };
        assert!(what(&service, &boss, to).await.is_empty());
        let may = pb::SearchActionsRequest { subject: ship_7(), ..what_of("", "account", &acme) };
        let found = service.authorization(&boss).search_actions(may).await.unwrap().into_inner();
        assert!(found.results.is_empty());
        // About oneself anybody may search; about others only who holds the permission.
        let mine = resources(&ann.user_id, "read", "user");
        let found = what(&service, &ann, mine).await;
        assert!(found.iter().any(|path| path.ends_with(&ann.user_id)), "{found:?}");
        let plain = service.person(&acme, "plain", &[]).await;
        let result =
            service.authorization(&plain).search_subjects(subjects("read", "account", &acme)).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        let theirs = what_of(&boss.user_id, "account", &acme);
        let result = service.authorization(&plain).search_actions(theirs).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
        let theirs = resources(&boss.user_id, "read", "account");
        let result = service.authorization(&plain).search_resources(theirs).await;
        refused(result, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_refused() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let search = async |request: pb::SearchSubjectsRequest| {
            service.authorization(&boss).search_subjects(request).await
        };
        let nowhere = subjects("read", "gate", &format!("account/{acme}/gate/17"));
        refused(search(nowhere).await, Code::InvalidArgument, "INVALID_PATH");
        let good = subjects("read", "account", &acme);
        for bad in [
            pb::SearchSubjectsRequest { action: None, ..good.clone() },
            pb::SearchSubjectsRequest { resource: None, ..good.clone() },
            pb::SearchSubjectsRequest {
                page: Some(pb::SearchPage { size: -1, token: String::new() }),
                ..good.clone()
            },
        ] {
            refused(search(bad).await, Code::InvalidArgument, "INVALID_FIELD");
        }
        let fresh = Service::start(&engine).await;
        let elsewhere = fresh.tenant("Acme").await;
        let answer = fresh.decides(&fresh.root.user_id, "read", "account", &elsewhere).await;
        let never = pb::consistency::Requirement::AtLeast(answer.consistency_token);
        let request = pb::SearchSubjectsRequest {
            consistency: Some(pb::Consistency { requirement: Some(never) }),
            ..good
        };
        let result = service.authorization(&service.root).search_subjects(request).await;
        refused(result, Code::FailedPrecondition, "TOKEN_OF_OTHER_HISTORY");
    }
}
