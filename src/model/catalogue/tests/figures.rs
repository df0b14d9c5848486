//! The built-in files, counted by hand from their sources, and what single lines of them mean.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Reach, Relation, UserKind};

/// How many permissions each role gives with all four files loaded.
const ROLES: [(&str, &[(&str, usize)]); 4] = [
    (
        "core",
        &[
            ("(none)", 12),
            ("AUDITOR", 14),
            ("OPERATOR", 31),
            ("DECISION_CLIENT", 2),
            ("DECISION_EXPLORER", 5),
            ("ONBOARDING", 10),
        ],
    ),
    (
        "ringcx",
        &[
            ("SUPER_USER", 559),
            ("USER", 15),
            ("MANAGE_USERS", 26),
            ("MANAGE_RIGHTS", 9),
            ("ACCESS_SIBLINGS", 1),
            ("ACCESS_AUDIT_LOG", 2),
            ("ASSUME_USERS", 1),
            ("REPORT_ADMINISTRATIVE_USER", 1),
            ("WFO_ACCESS", 8),
            ("ACCESS_GOODDATA_EDITOR", 3),
            ("ACCESS_GOODDATA_ANALYST", 2),
            ("ACCESS_GOODDATA_VIEWER", 1),
            ("NO_ACCESS", 0),
        ],
    ),
    ("restcomm", &[("Administrator", 559), ("Developer", 112), ("ProvisioningAgent", 110)]),
    (
        "voximplant",
        &[
            ("MainAccount", 559),
            ("Owner", 95),
            ("Admin", 82),
            ("Developer", 70),
            ("Supervisor", 31),
            ("Support", 26),
            ("Accountant", 17),
            ("CallListManager", 10),
            ("UserManager", 21),
            ("PhoneNumberManager", 2),
            ("Payer", 6),
            ("PayerNoVerify", 5),
            ("(none)", 14),
            ("Owner@service", 130),
            ("Admin@service", 118),
            ("Developer@service", 83),
            ("Supervisor@service", 26),
            ("Support@service", 19),
            ("Accountant@service", 34),
            ("Payer@service", 22),
            ("PayerNoVerify@service", 2),
            ("CallListManager@service", 15),
            ("UserManager@service", 17),
            ("UserRead@service", 1),
            ("UserUpdate@service", 1),
            ("ACDManager@service", 1),
            ("ACDStats@service", 1),
            ("ACDManagement@service", 1),
            ("Scenarios@service", 1),
            ("CallHistory@service", 1),
            ("Verification@service", 2),
            ("CallsSMS@service", 7),
            ("PhoneNumberManager@service", 4),
            ("sys.AdminReadOnly@service", 2),
        ],
    ),
];

#[test]
fn every_role_gives_as_much_as_was_counted() {
    let catalogue = catalogue();
    let counted: BTreeSet<(String, usize)> = ROLES
        .iter()
        .flat_map(|(file, roles)| roles.iter().map(move |(name, n)| (format!("{file}/{name}"), *n)))
        .collect();
    let found: BTreeSet<(String, usize)> = catalogue
        .roles()
        .map(|(_, role)| (role.full_name.to_string(), role.expanded.len()))
        .collect();
    assert_eq!(found, counted);
}

#[test]
fn every_file_declares_as_much_as_was_counted() {
    let catalogue = catalogue();
    let found: Vec<_> =
        catalogue.files().iter().map(|f| (f.name.as_str(), f.permissions.len())).collect();
    assert_eq!(found, [("core", 65), ("ringcx", 149), ("restcomm", 82), ("voximplant", 273)]);
    assert_eq!(catalogue.all().len(), 559);
}

#[test]
fn the_order_of_the_files_is_of_no_account() {
    let mut files = FILES.clone();
    files.reverse();
    let (one, other) = (catalogue(), &Catalogue::build(&files).unwrap());
    let names = |catalogue: &Catalogue| -> Vec<String> {
        catalogue.all().iter().map(|p| catalogue.name(p).to_owned()).collect()
    };
    assert_eq!(names(one), names(other));
    for ((ix, a), (other_ix, b)) in one.roles().zip(other.roles()) {
        assert_eq!((ix, &a.full_name, &a.expanded), (other_ix, &b.full_name, &b.expanded));
    }
}

#[test]
fn every_permission_is_found_by_its_name_again() {
    let catalogue = catalogue();
    for (number, permission) in catalogue.all().iter().enumerate() {
        let (kind, action) = (catalogue.kind_of(permission), catalogue.action_of(permission));
        assert_eq!(permission.index(), number);
        assert_eq!(catalogue.name(permission), format!("{kind}.{action}"));
        assert_eq!(catalogue.permission(kind, action), Some(permission));
        assert_eq!(catalogue.parse(&catalogue.name(permission).to_uppercase()), Some(permission));
        assert!(catalogue.kind(kind).unwrap().actions.iter().any(|known| known == action));
    }
    assert_eq!(catalogue.permission("gate", "reed"), None);
    assert_eq!(catalogue.parse("gate"), None);
}

#[test]
fn a_type_of_several_files_is_one() {
    let catalogue = catalogue();
    let account = catalogue.kind("account").unwrap();
    assert_eq!(account.catalogues, ["core", "ringcx", "voximplant"]);
    assert_eq!(account.actions.len(), 23);
    assert_eq!(account.product.as_deref(), Some("ACCOUNT"));
    assert!(account.parents.is_empty());
    assert_eq!(catalogue.kind("application_user").unwrap().parents, ["account", "application"]);
    assert_eq!(catalogue.kind("recording").unwrap().parents, ["account", "application"]);
    let names: BTreeSet<_> = catalogue.types().iter().map(|kind| &kind.name).collect();
    assert_eq!(names.len(), catalogue.types().len());
}

#[test]
fn documents_give_only_what_every_declaring_file_leaves_to_them() {
    let catalogue = catalogue();
    let documents = |kind: &str| catalogue.kind(kind).unwrap().documents.clone();
    assert_eq!(documents("account").unwrap(), ["read", "update", "delete", "report"]);
    assert_eq!(documents("user").unwrap(), [""; 0]);
    let left = documents("application_user").unwrap();
    assert_eq!(left, ["add_user", "del_user", "set_user_info", "get_users"]);
    assert_eq!(documents("gate"), None);
}

#[test]
fn what_core_declares_and_what_is_shared_down_is_known() {
    let catalogue = catalogue();
    let core = |name| catalogue.is_core(catalogue.parse(name).unwrap());
    assert!(core("account.read") && core("application_user.read") && core("user.assume"));
    assert!(!core("account.delete") && !core("application_user.add_user") && !core("gate.read"));
    let shared: Vec<_> = catalogue
        .all()
        .iter()
        .filter(|permission| catalogue.is_shared_down(*permission))
        .map(|permission| catalogue.name(permission))
        .collect();
    assert_eq!(shared, ["scenario.read", "scenario.get_scenarios", "scenario.start_scenarios"]);
    assert_eq!(catalogue.kind("scenario").unwrap().shared_down.len(), 3);
    assert!(catalogue.kind("gate").unwrap().shared_down.is_empty());
}

#[test]
fn only_three_roles_have_the_lone_star_and_one_suppresses() {
    let catalogue = catalogue();
    let those = |test: fn(&Role) -> bool| -> Vec<&str> {
        catalogue.roles().filter(|(_, r)| test(r)).map(|(_, r)| &*r.full_name).collect()
    };
    let everything = ["ringcx/SUPER_USER", "restcomm/Administrator", "voximplant/MainAccount"];
    assert_eq!(those(|role| role.lone_star), everything);
    assert_eq!(those(|role| role.suppress), ["ringcx/NO_ACCESS"]);
    assert_eq!(those(|role| !role.widens.is_empty()), ["ringcx/ACCESS_SIBLINGS"]);
    let siblings = role(catalogue, "ringcx/ACCESS_SIBLINGS");
    let widened: Vec<_> = siblings.widens.iter().map(|ix| &*catalogue.get(*ix).full_name).collect();
    assert_eq!(widened, ["ringcx/MANAGE_USERS", "ringcx/MANAGE_RIGHTS"]);
}

#[test]
fn a_baseline_is_held_by_the_kinds_it_names() {
    let catalogue = catalogue();
    let names = |kind| -> Vec<&str> {
        catalogue.baseline(kind).iter().map(|ix| &*catalogue.get(*ix).full_name).collect()
    };
    assert_eq!(names(UserKind::Admin), ["core/(none)"]);
    assert_eq!(names(UserKind::Service), ["core/(none)", "voximplant/(none)"]);
    assert_eq!(names(UserKind::Application), ["core/(none)"]);
}

#[test]
fn an_included_role_keeps_its_own_reach_and_relation() {
    let catalogue = catalogue();
    let explorer = role(catalogue, "core/DECISION_EXPLORER");
    assert_eq!(explorer.own.len(), 3);
    let sizes: Vec<_> = explorer.parts.iter().map(|part| part.permissions.len()).collect();
    assert_eq!(sizes, [3, 2]);
    assert!(explorer.parts.iter().all(|part| part.reach == Reach::Subtree));
    assert!(explorer.parts.iter().all(|part| part.on == Some(Relation::Account)));
    assert!(role(catalogue, "ringcx/NO_ACCESS").parts.is_empty());
}

#[test]
fn files_say_what_they_hold() {
    let catalogue = catalogue();
    let [core, ringcx, ..] = catalogue.files() else { panic!("files are missing") };
    assert_eq!((core.version, core.roles.len(), core.types.len()), (1, 6, 14));
    assert_eq!(ringcx.uses, ["core"]);
    assert_eq!(ringcx.roles.len(), 13);
    assert_eq!(catalogue.get(ringcx.roles[0]).name, "SUPER_USER");
}

#[test]
fn a_number_of_another_catalogue_gives_nothing() {
    let big = catalogue();
    let small = Catalogue::build(&FILES[..1]).unwrap();
    let last = big.roles().last().unwrap().0;
    assert!(small.get(last).parts.is_empty());
    assert_eq!(small.bare(last), "");
    let last = big.all().iter().last().unwrap();
    assert_eq!((small.name(last), small.kind_of(last), small.action_of(last)), ("", "", ""));
    let empty = Catalogue::build(&[]).unwrap();
    assert!(empty.all().is_empty() && empty.expand("*").is_err());
}
