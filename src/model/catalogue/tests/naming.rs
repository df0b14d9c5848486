//! Which role and which permissions a written name means.

use super::*;
use crate::model::catalogue::Unresolved;
use crate::model::{Holder, fold};

const HOLDERS: [Holder; 4] = [Holder::Account, Holder::Admin, Holder::Service, Holder::Application];

fn resolved(catalogue: &Catalogue, written: &str, holder: Holder) -> String {
    catalogue.get(catalogue.resolve(written, holder).unwrap()).full_name.to_string()
}

#[test]
fn a_bare_name_is_sought_among_what_the_holder_can_be_given() {
    let catalogue = catalogue();
    let is = |written, holder, full| assert_eq!(resolved(catalogue, written, holder), full);
    is("Developer", Holder::Admin, "voximplant/Developer");
    is("Developer", Holder::Account, "restcomm/Developer");
    is("Developer@service", Holder::Service, "voximplant/Developer@service");
    is("MANAGE_USERS", Holder::Admin, "ringcx/MANAGE_USERS");
    is("MANAGE_USERS", Holder::Service, "ringcx/MANAGE_USERS");
    is("ringcx/MANAGE_USERS", Holder::Service, "ringcx/MANAGE_USERS");
}

#[test]
fn what_a_holder_cannot_be_given_is_told_from_what_is_unknown() {
    let catalogue = catalogue();
    let error = |written, holder| catalogue.resolve(written, holder).unwrap_err();
    let Unresolved::NotAssignable { nearest, .. } = error("Owner", Holder::Service) else {
        panic!("a subuser's role was given to a service account")
    };
    assert_eq!(nearest[0], "Owner@service");
    for (written, holder) in [
        ("voximplant/Owner", Holder::Service),
        ("Administrator", Holder::Admin),
        ("MANAGE_USERS", Holder::Application),
    ] {
        assert!(matches!(error(written, holder), Unresolved::NotAssignable { .. }), "{written}");
    }
    let Unresolved::Unknown { nearest, .. } = error("MANAGE_USER", Holder::Admin) else {
        panic!("a misspelt role was found")
    };
    assert_eq!(nearest[0], "MANAGE_USERS");
    for written in ["", "/", "core/", "/AUDITOR", "auditor", "core/auditor", " AUDITOR", "acme/X"] {
        let error = error(written, Holder::Admin);
        assert!(matches!(error, Unresolved::Unknown { .. }), "{written:?}: {error}");
    }
}

#[test]
fn the_baseline_is_never_named() {
    let catalogue = catalogue();
    for written in ["(none)", "core/(none)", "voximplant/(none)"] {
        for holder in HOLDERS {
            let error = catalogue.resolve(written, holder).unwrap_err();
            assert!(matches!(error, Unresolved::Unknown { .. }), "{written}");
        }
    }
    assert_eq!(catalogue.bare(catalogue.role("core/(none)").unwrap()), "core/(none)");
}

#[test]
fn a_bare_name_of_two_roles_is_refused_with_both() {
    let catalogue = with(
        "{catalogue: acme, version: 1, uses: [core],
          roles: {Owner: {assignable_to: [service, admin], permits: [user.read]},
                  Developer: {assignable_to: [service], permits: [user.read]}}}",
    )
    .unwrap();
    let is = |full: &str, bare| assert_eq!(catalogue.bare(catalogue.role(full).unwrap()), bare);
    assert_eq!(
        catalogue.resolve("Owner", Holder::Admin),
        Err(Unresolved::Ambiguous {
            written: "Owner".to_owned(),
            candidates: vec!["voximplant/Owner".to_owned(), "acme/Owner".to_owned()],
        })
    );
    assert_eq!(resolved(&catalogue, "acme/Owner", Holder::Admin), "acme/Owner");
    assert_eq!(resolved(&catalogue, "Owner", Holder::Service), "acme/Owner");
    is("acme/Owner", "acme/Owner");
    is("voximplant/Owner", "voximplant/Owner");
    // Nobody can be given two of these three.
    is("voximplant/Developer", "Developer");
    is("restcomm/Developer", "Developer");
    is("acme/Developer", "Developer");
}

#[test]
fn the_name_that_is_shown_is_taken_back() {
    let catalogue = catalogue();
    for (ix, role) in catalogue.roles() {
        for holder in &role.assignable_to {
            assert_eq!(catalogue.resolve(catalogue.bare(ix), *holder), Ok(ix));
            assert_eq!(catalogue.resolve(&role.full_name, *holder), Ok(ix));
        }
    }
}

#[test]
fn patterns_expand_over_all_that_is_loaded() {
    let catalogue = catalogue();
    let count = |pattern| catalogue.expand(pattern).unwrap().len();
    assert_eq!(count("*"), 559);
    assert_eq!(count("*.*"), 559);
    assert_eq!(count("gate.read"), 1);
    assert_eq!(count("GATE.*"), 5);
    assert_eq!(count("account.*"), 23);
    let reads = catalogue.expand("*.read").unwrap();
    assert!(reads.iter().all(|permission| catalogue.action_of(permission) == "read"));
    let having = catalogue.types().iter().filter(|t| t.actions.iter().any(|a| a == "read"));
    assert_eq!(reads.len(), having.count());
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_with_what_is_near() {
    let catalogue = catalogue();
    let nearest = |pattern: &str| {
        let error = catalogue.expand(pattern).unwrap_err();
        assert_eq!(error.pattern, pattern);
        assert!(error.nearest.len() <= 3);
        error.nearest
    };
    assert_eq!(nearest("gate.reed")[0], "gate.read");
    assert_eq!(nearest("gats.*")[0], "gate.*");
    assert_eq!(nearest("*.raed").len(), 3);
    assert!(nearest("*.raed").contains(&"*.read".to_owned()));
    assert_eq!(nearest("gate").len(), 3);
    for pattern in ["", "**", "gate.re*", "*.*.*", "gate.read.read"] {
        nearest(pattern);
    }
    let error = catalogue.expand("recording.lisen").unwrap_err().to_string();
    assert!(
        error.starts_with("`recording.lisen` matches no permission; nearest: `recording.listen`")
    );
    assert_eq!(catalogue.nearest_permissions("CALL.RED")[0], "call.read");
    assert_eq!(catalogue.nearest_roles("superuser", Holder::Admin)[0], "SUPER_USER");
}

#[test]
fn a_custom_role_cannot_take_a_folded_name() {
    let catalogue = catalogue();
    let taken = |name| catalogue.has_role_named(fold(name).unwrap().as_str());
    assert!(taken("super_user") && taken("Developer") && taken("owner@service"));
    assert!(!taken("night_shift"));
}
