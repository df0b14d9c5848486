//! What files of operators may and may not do (`edges.md` §1, §2).

use super::*;
use crate::model::catalogue::{RoleFault, TypeFault};
use crate::model::{Condition, Reach, Relation};

fn acme(rest: &str) -> Result<Catalogue, CatalogueError> {
    with(&format!("catalogue: acme\nversion: 3\nuses: [core, ringcx]\n{rest}"))
}

#[track_caller]
fn type_fault(rest: &str) -> TypeFault {
    match acme(rest) {
        Err(CatalogueError::Type { file, fault, .. }) if file == "acme" => fault,
        other => panic!("{rest}: {other:?}"),
    }
}

#[track_caller]
fn role_fault(rest: &str) -> RoleFault {
    match acme(rest) {
        Err(CatalogueError::Role { file, fault, .. }) if file == "acme" => fault,
        other => panic!("{rest}: {other:?}"),
    }
}

#[test]
fn it_adds_types_of_its_own_and_roles() {
    let catalogue = acme(
        "
resource_types:
  badge: { in: [account, user], actions: [print, read], documents: [read] }
  door: { in: [gate], actions: [open], shared_down: [open] }
roles:
  Porter:
    assignable_to: [application, admin, admin]
    reach: subtree
    on: account
    when: 'context.hour < 20'
    includes: [Looker, ringcx/ACCESS_AUDIT_LOG]
    permits: ['badge.*', door.open, user.read]
    except: [badge.print]
  Looker: { active: true, permits: ['*.read'] }
",
    )
    .unwrap();
    let porter = role(&catalogue, "acme/Porter");
    assert_eq!(porter.own.len(), 3);
    let parts: Vec<_> = porter
        .parts
        .iter()
        .map(|part| {
            (part.reach, part.on, part.when.as_deref().map(Condition::text), part.permissions.len())
        })
        .collect();
    let condition = Some("context.hour < 20");
    assert_eq!(parts[0], (Reach::Subtree, Some(Relation::Account), condition, 3));
    // badge.read, and every read of core and ringcx; nothing of the others.
    let looker = role(&catalogue, "acme/Looker");
    assert_eq!(parts[1], (Reach::Account, None, None, looker.own.len()));
    assert_eq!(parts[2], (Reach::Account, None, None, 2));
    let names = given(&catalogue, "acme/Looker");
    assert!(names.contains(&"badge.read") && names.contains(&"gate.read"));
    assert!(!names.contains(&"call.read") && !names.contains(&"billing.read"));
    assert_eq!(catalogue.all().len(), 562);
    for full in ["ringcx/SUPER_USER", "restcomm/Administrator", "voximplant/MainAccount"] {
        assert_eq!(role(&catalogue, full).expanded.len(), 562, "{full}");
    }
    assert_eq!(role(&catalogue, "restcomm/Developer").expanded.len(), 112);
    assert_eq!(catalogue.files()[4].name, "acme");
    assert_eq!(porter.assignable_to.len(), 2);
    // Nobody can be given it, so that no bare name leads to it.
    assert_eq!(catalogue.bare(catalogue.role("acme/Looker").unwrap()), "acme/Looker");
}

#[test]
fn it_adds_actions_to_two_core_types_and_says_nothing_else_of_them() {
    let catalogue = acme(
        "resource_types:
           account: { in: [], actions: [audit_floor, read] }
           application_user: { actions: [wave] }",
    )
    .unwrap();
    let added = catalogue.parse("account.audit_floor").unwrap();
    assert!(!catalogue.is_core(added));
    assert!(catalogue.is_core(catalogue.parse("account.read").unwrap()));
    let documents = catalogue.kind("account").unwrap().documents.clone().unwrap();
    assert_eq!(documents, ["read", "update", "delete", "report"]);
    assert!(!given(&catalogue, "core/OPERATOR").contains(&"account.audit_floor"));
    for (rest, key) in [
        ("account: { in: [gate], actions: [x] }", "in"),
        ("account: { actions: [x], documents: [x] }", "documents"),
        ("account: { actions: [x], documents: [] }", "documents"),
        ("application_user: { actions: [x], shared_down: [x] }", "shared_down"),
        ("application_user: { actions: [x], product: ACD }", "product"),
    ] {
        assert_eq!(type_fault(&format!("resource_types: {{ {rest} }}")), TypeFault::Closed(key));
    }
}

#[test]
fn it_adds_nothing_to_types_of_others() {
    for (kind, owner) in
        [("user", "core"), ("role", "core"), ("gate", "ringcx"), ("call", "restcomm")]
    {
        let fault = type_fault(&format!("resource_types: {{ {kind}: {{ actions: [x] }} }}"));
        assert_eq!(fault, TypeFault::Foreign(owner.to_owned()));
    }
    let file = |name: &str| {
        let types = "{ badge: { in: [account], actions: [read] } }";
        let yaml =
            format!("{{catalogue: {name}, version: 1, uses: [core], resource_types: {types}}}");
        CatalogueFile::read(yaml).unwrap()
    };
    let mut files = FILES.clone();
    files.extend([file("second"), file("first")]);
    let fault = TypeFault::Foreign("first".to_owned());
    let (file, kind) = ("second".to_owned(), "badge".to_owned());
    assert_eq!(Catalogue::build(&files).unwrap_err(), CatalogueError::Type { file, kind, fault });
}

#[test]
fn what_is_for_built_in_roles_is_refused() {
    for (role, key) in [
        ("'(none)': { held_by: [admin], permits: [user.read] }", "(none)"),
        ("X: { held_by: [admin], permits: [user.read] }", "held_by"),
        ("X: { suppress: true }", "suppress"),
        ("X: { widens: [ringcx/MANAGE_USERS] }", "widens"),
        ("X: { permits: ['*'] }", "*"),
        ("X: { permits: [user.read, '*'] }", "*"),
        ("X: { permits: ['*.*'], except: ['*'] }", "*"),
    ] {
        let fault = role_fault(&format!("roles: {{ {role} }}"));
        assert_eq!(fault, RoleFault::BuiltInOnly(key), "{role}");
    }
    let error = acme("products: { ACD: { types: [] } }").unwrap_err();
    assert!(matches!(error, CatalogueError::Product { .. }), "{error}");
}

#[test]
fn an_inactive_role_gives_nothing_by_itself_or_through_others() {
    let catalogue = acme(
        "roles:
           Off: { active: false, includes: [Below], permits: [user.read] }
           Below: { permits: [user.list] }
           On: { includes: [Off], permits: [account.read] }",
    )
    .unwrap();
    assert!(given(&catalogue, "acme/Off").is_empty());
    assert!(role(&catalogue, "acme/Off").parts.is_empty());
    assert_eq!(role(&catalogue, "acme/Off").own.len(), 1);
    assert_eq!(given(&catalogue, "acme/On"), ["account.read"]);
}

#[test]
fn a_role_that_is_included_by_two_ways_is_one_part() {
    let catalogue = acme(
        "roles:
           Top: { includes: [Left, Right] }
           Left: { includes: [Base], permits: [user.list] }
           Right: { includes: [Base], permits: [user.read] }
           Base: { permits: [account.read] }",
    )
    .unwrap();
    let sizes: Vec<_> =
        role(&catalogue, "acme/Top").parts.iter().map(|part| part.permissions.clone()).collect();
    assert_eq!(sizes.len(), 3);
    assert_eq!(role(&catalogue, "acme/Top").expanded.len(), 3);
    assert!(role(&catalogue, "acme/Top").own.is_empty());
}

#[test]
fn except_takes_nothing_out_of_what_is_included() {
    let catalogue = acme(
        "roles:
           Top: { includes: [Base], permits: ['user.*'], except: [user.read] }
           Base: { permits: [user.read] }",
    )
    .unwrap();
    assert!(given(&catalogue, "acme/Top").contains(&"user.read"));
}
