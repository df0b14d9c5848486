//! Nobody gains by a catalogue what whoever applies it does not hold.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{HOUSE, apply, later, rehearse};
use crate::role::{create, role};
use crate::support::{Person, Service, engines, refused};

/// What an operator holds everywhere, in a role that somebody has.
const STAFF: &str = "
catalogue: staff
version: 1
uses: [core, ringcx]
roles:
  Helper: { assignable_to: [admin], reach: subtree, permits: [account.read] }
  Spare: { assignable_to: [admin], permits: [account.read] }
";

fn staff(version: u32, from: &str, to: &str) -> String {
    assert!(STAFF.contains(from));
    STAFF.replace("version: 1", &format!("version: {version}")).replacen(from, to, 1)
}

async fn operator(service: &Service) -> Person {
    service.person(&service.root.account_id, "op", &["OPERATOR"]).await
}

#[tokio::test]
async fn an_operator_gives_by_a_catalogue_only_what_it_holds() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let operator = operator(&service).await;
        // New roles that nobody has give nobody anything.
        apply(&service, &operator, STAFF).await.unwrap();
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["Helper"]).await;
        let first = "permits: [account.read]";
        for (instead, missing) in [
            ("permits: [account.read, gate_group.create]", "gate_group.create"),
            ("'on': account, permits: [account.read, user.create]", "user.create"),
            ("permits: ['gate.*', account.read]", "gate."),
            (
                "'on': account, permits: [account.read, rights_document.read]",
                "rights_document.read",
            ),
        ] {
            let more = staff(2, first, instead);
            for rehearsed in [true, false] {
                let result = if rehearsed {
                    rehearse(&service, &operator, &more).await.map(drop)
                } else {
                    apply(&service, &operator, &more).await.map(drop)
                };
                let said = refused(result, Code::PermissionDenied, "ESCALATION");
                assert!(said.message().contains(missing), "{}", said.message());
            }
        }
        // What it holds everywhere it gives, on everybody, and what nobody has it writes.
        let held = staff(2, first, "'on': account, permits: [account.read, user.read]");
        apply(&service, &operator, &held).await.unwrap();
        let spare = "Spare: { assignable_to: [admin], permits: [account.read] }";
        let wide = "Spare: { assignable_to: [admin], permits: ['gate.*'] }";
        apply(&service, &operator, &staff(3, spare, wide)).await.unwrap();
        service.verify(&service.root.account_id).await;
    }
}

#[tokio::test]
async fn what_is_newly_declared_is_held_by_those_who_hold_everything_at_the_root_alone() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let operator = operator(&service).await;
        // Whoever holds everything in some tenant gains what is declared.
        let declared = apply(&service, &operator, HOUSE).await;
        let said = refused(declared, Code::PermissionDenied, "ESCALATION");
        assert!(said.message().contains("shelf."), "{}", said.message());
        // A credential that is not for everything to come is no better.
        let (_, pattern) = service.mint(&service.root.user_id, &["*.*"]).await;
        let narrow = Person { token: pattern, ..service.root.clone() };
        refused(apply(&service, &narrow, HOUSE).await, Code::PermissionDenied, "ESCALATION");
        apply(&service, &service.root, HOUSE).await.unwrap();
        // From then on it is a permission like any other, and still none of the operator's.
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["Clerk"]).await;
        let more = later(2, "[shelf.read]", "[shelf.read, shelf.fill]");
        refused(apply(&service, &operator, &more).await, Code::PermissionDenied, "ESCALATION");
        apply(&service, &service.root, &more).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_comes_back_to_its_holders_is_given_to_them() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let operator = operator(&service).await;
        let strong = staff(1, "permits: [account.read]", "permits: [account.read, gate.create]");
        apply(&service, &service.root, &strong).await.unwrap();
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["Helper"]).await;
        // To take it away everybody may who may apply catalogues.
        apply(&service, &operator, "{ catalogue: staff, version: 2 }").await.unwrap();
        let back = strong.replace("version: 1", "version: 3");
        refused(apply(&service, &operator, &back).await, Code::PermissionDenied, "ESCALATION");
        let take = pb::RemoveUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "staff/Helper".to_owned(),
            ..Default::default()
        };
        service.roles(&service.root).remove_user_role(take).await.unwrap();
        apply(&service, &operator, &back).await.unwrap();
    }
}

#[tokio::test]
async fn a_custom_role_that_includes_a_catalogue_s_has_what_that_gains() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let operator = operator(&service).await;
        apply(&service, &operator, STAFF).await.unwrap();
        let acme = service.tenant("Acme").await;
        let including = pb::Role { includes: vec!["staff/Spare".to_owned()], ..role("handy", &[]) };
        let made =
            service.roles(&service.root).create_role(create(&acme, including)).await.unwrap();
        let spare = "Spare: { assignable_to: [admin], permits: [account.read] }";
        let wide = staff(2, spare, "Spare: { assignable_to: [admin], permits: ['gate.*'] }");
        refused(apply(&service, &operator, &wide).await, Code::PermissionDenied, "ESCALATION");
        let gone = pb::DeleteRoleRequest {
            role: made.into_inner().role.unwrap().role,
            ..Default::default()
        };
        service.roles(&service.root).delete_role(gone).await.unwrap();
        apply(&service, &operator, &wide).await.unwrap();
    }
}

#[tokio::test]
async fn a_ceiling_is_raised_by_a_catalogue_only_to_what_its_applier_holds() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let operator = operator(&service).await;
        let with = |version: u32, permits: &str| {
            format!(
                "{{ catalogue: plans, version: {version}, uses: [core], roles: {{ Plan: {{ \
                 assignable_to: [account], reach: subtree, permits: [{permits}] }} }} }}"
            )
        };
        apply(&service, &operator, &with(1, "account.read")).await.unwrap();
        let acme = service.tenant("Acme").await;
        let set = pb::SetAccountRoleRequest {
            account_id: acme,
            role: "Plan".to_owned(),
            ..Default::default()
        };
        service.accounts(&service.root).set_account_role(set).await.unwrap();
        let raised = apply(&service, &operator, &with(2, "account.read, user.create")).await;
        refused(raised, Code::PermissionDenied, "ESCALATION");
        apply(&service, &service.root, &with(2, "account.read, user.create")).await.unwrap();
    }
}
