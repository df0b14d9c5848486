//! Roles that accounts make: changing them is giving them anew.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{create, give, given, made, role, texts, update};
use crate::support::{Person, Service, engines, refused};

fn of(id: &str) -> pb::Role {
    pb::Role { role: id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_mask_says_which_fields_are_meant() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let first = pb::Role {
            description: Some("for nights".to_owned()),
            except: texts(&["recording.delete"]),
            on: Some(pb::Relation::Subtree.into()),
            reach: Some(pb::Reach::Subtree.into()),
            ..role("night_shift", &["recording.*"])
        };
        let first = made(&service, &acme, first).await;
        let set = async |role: pb::Role, mask: &[&str]| {
            let changed = service.roles(&boss).update_role(update(role, mask)).await.unwrap();
            changed.into_inner().role.unwrap()
        };
        // Without a mask: what is set.
        let next =
            set(pb::Role { description: Some("x".to_owned()), ..of(&first.role) }, &[]).await;
        assert_eq!((next.description(), &next.permits, next.on), ("x", &first.permits, first.on));
        // Named and left out: what it is where nobody says.
        let next = set(of("night_shift"), &["except", "on", "reach", "description"]).await;
        assert_eq!(
            (next.description(), next.except.len(), next.on, next.reach()),
            ("", 0, None, pb::Reach::Account)
        );
        assert_eq!(next.permits, first.permits);
        // All of them.
        let next =
            set(pb::Role { name: Some("day_shift".to_owned()), ..of(&first.role) }, &["*"]).await;
        assert_eq!((next.name(), next.permits.len(), next.active()), ("day_shift", 0, true));
        assert_eq!(next.assignable_to, first.assignable_to);
        // What changes nothing writes nothing.
        let same = update(of(&first.role), &["permits"]);
        let one = service.roles(&boss).update_role(same.clone()).await.unwrap().into_inner();
        let two = service.roles(&boss).update_role(same).await.unwrap().into_inner();
        assert_eq!(one, two);
        assert_eq!(one.role.unwrap().etag, next.etag);

        for path in
            ["role", "account_id", "catalogue", "expanded", "etag", "create_time", "no_such"]
        {
            let request = update(of(&first.role), &[path]);
            refused(
                service.roles(&boss).update_role(request).await,
                Code::InvalidArgument,
                "FIELD_READ_ONLY",
            );
        }
        for bad in [update(of(&first.role), &["name"]), update(of(""), &["description"])] {
            refused(
                service.roles(&boss).update_role(bad).await,
                Code::InvalidArgument,
                "INVALID_FIELD",
            );
        }
        let bad = update(pb::Role { permits: texts(&["x.y"]), ..of(&first.role) }, &[]);
        refused(
            service.roles(&boss).update_role(bad).await,
            Code::InvalidArgument,
            "UNKNOWN_PERMISSION",
        );
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_stale_etag_and_a_dry_run_change_nothing() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = made(&service, &acme, role("own", &["recording.*"])).await;
        let change = |etag: &str| pb::Role {
            description: Some("new".to_owned()),
            etag: etag.to_owned(),
            ..of(&own.role)
        };
        let dry = pb::UpdateRoleRequest { validate_only: true, ..update(change(&own.etag), &[]) };
        let shown = service.roles(&boss).update_role(dry).await.unwrap().into_inner();
        assert_eq!(shown.role.unwrap().description(), "new");
        assert!(shown.preview.is_some() && shown.consistency_token.is_empty());
        service.roles(&boss).update_role(update(change(&own.etag), &[])).await.unwrap();
        let stale = service.roles(&boss).update_role(update(change(&own.etag), &[])).await;
        refused(stale, Code::Aborted, "ETAG_MISMATCH");
        let stale = pb::DeleteRoleRequest { etag: own.etag.clone(), ..super::delete(&own.role) };
        refused(service.roles(&boss).delete_role(stale).await, Code::Aborted, "ETAG_MISMATCH");
        service.stop().await;
    }
}

/// An editor of roles who holds little, and a user whose roles it may edit.
async fn editor_and_holder(service: &Service, acme: &str) -> (Person, Person) {
    let permits = ["role.*", "user.read", "recording.read", "account.read"];
    let on = Some(pb::Relation::Account.into());
    made(service, acme, pb::Role { on, ..role("editor", &permits) }).await;
    let editor = service.person(acme, "editor", &["editor"]).await;
    (editor, service.person(acme, "holder", &[]).await)
}

/// By force, since the root made the tokens of those who hold it.
fn permits(id: &str, permits: &[&str]) -> pb::UpdateRoleRequest {
    let edit = update(pb::Role { permits: texts(permits), ..of(id) }, &[]);
    pb::UpdateRoleRequest { force: true, ..edit }
}

async fn escalates(service: &Service, by: &Person, request: pb::UpdateRoleRequest) -> String {
    let result = service.roles(by).update_role(request).await;
    refused(result, Code::PermissionDenied, "ESCALATION").message().to_owned()
}

#[tokio::test]
async fn nobody_edits_into_a_role_what_he_does_not_hold() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (editor, holder) = editor_and_holder(&service, &acme).await;
        let clerk = made(&service, &acme, role("clerk", &["recording.read"])).await;
        let fine = async |request: pb::UpdateRoleRequest| {
            service.roles(&editor).update_role(request).await.unwrap();
        };
        // Nobody holds it yet: nothing is given.
        fine(permits(&clerk.role, &["gate.read"])).await;
        fine(permits(&clerk.role, &["recording.read"])).await;
        given(&service, &holder, "clerk").await;
        fine(permits(&clerk.role, &["recording.read", "account.read"])).await;
        let wider = permits(&clerk.role, &["recording.read", "gate.read"]);
        assert!(escalates(&service, &editor, wider).await.contains("gate.read"));
        let reach = Some(pb::Reach::Subtree.into());
        escalates(&service, &editor, update(pb::Role { reach, ..of(&clerk.role) }, &[])).await;

        // What is given anew is all of it, whoever gave it before; words give nothing.
        let rich = made(&service, &acme, role("rich", &["gate.read", "recording.read"])).await;
        given(&service, &holder, "rich").await;
        escalates(&service, &editor, permits(&rich.role, &["gate.read"])).await;
        let description = Some("x".to_owned());
        fine(update(pb::Role { description, ..of(&rich.role) }, &[])).await;
        let active = |active| update(pb::Role { active: Some(active), ..of(&rich.role) }, &[]);
        fine(active(false)).await;
        escalates(&service, &editor, active(true)).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn an_edited_role_is_given_anew_to_the_roles_that_include_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let (editor, holder) = editor_and_holder(&service, &acme).await;
        let base = made(&service, &acme, role("base", &["recording.read"])).await;
        for (name, below) in [("middle", "base"), ("upper", "middle")] {
            let includes = texts(&[below]);
            made(&service, &acme, pb::Role { includes, ..role(name, &[]) }).await;
        }
        given(&service, &holder, "upper").await;
        escalates(&service, &editor, permits(&base.role, &["gate.read"])).await;
        let includes = texts(&["WFO_ACCESS"]);
        escalates(&service, &editor, update(pb::Role { includes, ..of(&base.role) }, &[])).await;
        let less = permits(&base.role, &["account.read"]);
        service.roles(&editor).update_role(less).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn nobody_edits_his_own_role_into_more_than_it_was() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let own = made(&service, &acme, role("own", &["role.*", "recording.read"])).await;
        let ed = service.person(&acme, "ed", &["own"]).await;
        let more = pb::Role { permits: texts(&["role.*", "recording.*"]), ..of(&own.role) };
        refused(
            service.roles(&ed).update_role(update(more, &[])).await,
            Code::PermissionDenied,
            "ESCALATION",
        );
        let less = pb::Role { permits: texts(&["role.*"]), ..of(&own.role) };
        service.roles(&ed).update_role(update(less, &[])).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn roles_include_one_another_without_circles_and_not_too_deep() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let mut last = made(&service, &acme, role("level_0", &["recording.read"])).await;
        let bottom = last.clone();
        for level in 1..=8 {
            let next = pb::Role {
                includes: vec![last.role.clone()],
                ..role(&format!("level_{level}"), &[])
            };
            last = made(&service, &acme, next).await;
            assert_eq!(last.expanded, ["recording.read"]);
        }
        let deeper = pb::Role { includes: vec![last.role.clone()], ..role("level_9", &[]) };
        refused(
            service.roles(&boss).create_role(create("", deeper)).await,
            Code::FailedPrecondition,
            "DEPTH_LIMIT",
        );
        let circle =
            update(pb::Role { includes: vec![last.role.clone()], ..of(&bottom.role) }, &[]);
        refused(service.roles(&boss).update_role(circle).await, Code::FailedPrecondition, "CYCLE");
        let itself =
            update(pb::Role { includes: vec![bottom.role.clone()], ..of(&bottom.role) }, &[]);
        refused(service.roles(&boss).update_role(itself).await, Code::FailedPrecondition, "CYCLE");
        // The depth of those above counts as well.
        let under = update(pb::Role { includes: texts(&["USER"]), ..of(&bottom.role) }, &[]);
        refused(
            service.roles(&boss).update_role(under).await,
            Code::FailedPrecondition,
            "DEPTH_LIMIT",
        );

        // Not from below, where it is not usable.
        let below = service.account(&acme, "Below").await;
        let there = made(&service, &below, role("there", &["recording.read"])).await;
        let up = pb::Role { includes: vec![there.role.clone()], ..role("upper", &[]) };
        refused(
            service.roles(&boss).create_role(create("", up)).await,
            Code::InvalidArgument,
            "UNKNOWN_ROLE",
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn what_a_role_comes_to_by_including_is_limited() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        made(&service, &acme, role("a_one", &["recording.read"])).await;
        for (name, below) in [("b", "a"), ("c", "b")] {
            let both = texts(&[&format!("{below}_one"), "USER", "WFO_ACCESS", "MANAGE_USERS"]);
            made(&service, &acme, pb::Role { includes: both, ..role(&format!("{name}_one"), &[]) })
                .await;
        }
        // Each of these comes to 8: nine of them are more than 64.
        let mut eight = Vec::new();
        for place in 0..9 {
            let made = made(
                &service,
                &acme,
                pb::Role { includes: texts(&["c_one"]), ..role(&format!("d_{place}"), &[]) },
            )
            .await;
            eight.push(made.role);
        }
        let all = pb::Role { includes: eight, ..role("all", &[]) };
        refused(
            service.roles(&boss).create_role(create("", all)).await,
            Code::FailedPrecondition,
            "TOO_LARGE",
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn a_role_stays_for_those_who_hold_it() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = made(&service, &acme, role("own", &["recording.read"])).await;
        let machine = service.machine(&acme, "machine", &["own"]).await;
        let only = |holder: pb::Holder| {
            update(pb::Role { assignable_to: vec![holder.into()], ..of(&own.role) }, &[])
        };
        refused(
            service.roles(&boss).update_role(only(pb::Holder::Admin)).await,
            Code::FailedPrecondition,
            "ROLE_IN_USE",
        );
        service.roles(&boss).update_role(only(pb::Holder::Service)).await.unwrap();
        let person = service.person(&acme, "person", &[]).await;
        let not_for = service.roles(&boss).add_user_role(give(&person.user_id, "own")).await;
        refused(not_for, Code::InvalidArgument, "ROLE_NOT_ASSIGNABLE");
        service.roles(&boss).remove_user_role(super::take(&machine.user_id, "own")).await.unwrap();
        service.roles(&boss).update_role(only(pb::Holder::Admin)).await.unwrap();
        service.stop().await;
    }
}
