//! Files that are refused, and that none makes the program fall over.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::model::BadCondition;
use crate::model::catalogue::{RoleFault, TypeFault};

#[track_caller]
fn refused(yaml: &str) -> CatalogueError {
    match with(yaml) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {yaml}"),
    }
}

#[track_caller]
fn role_fault(roles: &str) -> RoleFault {
    match refused(&format!("{{catalogue: acme, version: 1, uses: [core], roles: {{{roles}}}}}")) {
        CatalogueError::Role { fault, .. } => fault,
        other => panic!("{roles}: {other}"),
    }
}

#[track_caller]
fn type_fault(types: &str) -> TypeFault {
    match refused(&format!("{{catalogue: acme, version: 1, resource_types: {{{types}}}}}")) {
        CatalogueError::Type { fault, .. } => fault,
        other => panic!("{types}: {other}"),
    }
}

#[test]
fn a_circle_is_told_role_by_role() {
    assert_eq!(
        role_fault(
            "Z: {includes: [A]}, A: {includes: [D, B]}, D: {}, B: {includes: [C]}, C: {includes: [A]}"
        ),
        RoleFault::Cycle(["acme/A", "acme/B", "acme/C", "acme/A"].map(str::to_owned).to_vec())
    );
    let fault = role_fault("A: {includes: [A], active: false}");
    assert_eq!(fault.to_string(), "includes itself: acme/A > acme/A");
}

#[test]
fn a_pattern_that_matches_nothing_refuses_the_file() {
    for role in [
        "A: {permits: [user.reed]}",
        "A: {permits: ['usr.*']}",
        "A: {permits: [gate.read]}",
        "A: {permits: [USER.read]}",
        "A: {permits: ['']}",
        "A: {permits: ['user.*'], except: [user.reed]}",
    ] {
        assert!(matches!(role_fault(role), RoleFault::Pattern(_)), "{role}");
    }
    let RoleFault::Pattern(error) = role_fault("A: {permits: [user.reed]}") else { panic!() };
    assert_eq!(error.nearest[0], "user.read");
}

#[test]
fn except_names_only_what_permits_contains() {
    let fault = role_fault("A: {permits: [user.read], except: ['user.*']}");
    assert_eq!(fault, RoleFault::Except("user.*".to_owned()));
    let fault = role_fault("A: {permits: [user.read], except: [account.read]}");
    assert_eq!(fault, RoleFault::Except("account.read".to_owned()));
    let fault = role_fault("A: {permits: [user.read], inferred: [account.read]}");
    assert_eq!(fault, RoleFault::Inferred("account.read".to_owned()));
}

#[test]
fn includes_look_into_this_file_and_those_it_uses() {
    for name in ["B", "AUDITOR", "core/Auditor", "core/(none)", "ringcx/USER", "x/y/z", "/", ""] {
        let fault = role_fault(&format!("A: {{includes: ['{name}']}}"));
        assert_eq!(fault, RoleFault::Unknown { key: "includes", role: name.to_owned() });
    }
    let yaml =
        "{catalogue: acme, version: 1, uses: [ringcx], roles: {A: {includes: [ringcx/NO_ACCESS]}}}";
    let error = refused(yaml).to_string();
    assert!(error.contains("which suppresses"), "{error}");
}

#[test]
fn keys_and_values_that_nobody_knows_are_refused() {
    for yaml in [
        "",
        "[]",
        "catalogue: acme",
        "{catalogue: acme, version: -1}",
        "{catalogue: acme, version: 1, rpcs: []}",
        "{catalogue: acme, version: 1, version: 2}",
        "{catalogue: acme, version: 1, roles: {A: {permit: [user.read]}}}",
        "{catalogue: acme, version: 1, roles: {A: {reach: world}}}",
        "{catalogue: acme, version: 1, roles: {A: {assignable_to: [root]}}}",
        "{catalogue: acme, version: 1, roles: {A: {}, A: {}}}",
        "{catalogue: acme, version: 1, resource_types: {badge: {actions: [x], inn: []}}}",
        "{catalogue: acme, version: 1}\n---\n{catalogue: acme, version: 1}",
    ] {
        let error = refused(yaml);
        assert!(matches!(error, CatalogueError::Form { .. }), "{yaml}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn names_are_held_to_their_form() {
    for role in ["", "a b", "1A", "A/B", "(any)", "Ä", "A*", "_A"] {
        assert_eq!(role_fault(&format!("'{role}': {{}}")), RoleFault::Name, "{role}");
    }
    assert_eq!(role_fault("A: {when: ' '}"), RoleFault::When(BadCondition::Empty));
    assert!(matches!(role_fault("A: {when: 'hour < 20'}"), RoleFault::When(_)));
    for (types, name) in [
        ("Badge: {in: [account], actions: [x]}", "Badge"),
        ("badge: {in: [account], actions: ['x.y']}", "x.y"),
        ("badge: {in: [account], actions: ['*']}", "*"),
    ] {
        assert_eq!(type_fault(types), TypeFault::Name(name.to_owned()));
    }
    assert_eq!(refused("{catalogue: Acme, version: 1}"), CatalogueError::Name("Acme".to_owned()));
}

#[test]
fn types_are_whole_in_themselves() {
    assert_eq!(
        type_fault("badge: {in: [account], actions: [x]}"),
        TypeFault::Parent("account".to_owned()),
        "core is not used"
    );
    assert_eq!(type_fault("badge: {actions: [x]}"), TypeFault::Nowhere);
    let twice = TypeFault::Twice("x".to_owned());
    assert_eq!(type_fault("badge: {in: [badge], actions: [x, x]}"), twice);
    let action = |key| TypeFault::Action { key, action: "y".to_owned() };
    let fault = type_fault("badge: {in: [badge], actions: [x], documents: [y]}");
    assert_eq!(fault, action("documents"));
    let fault = type_fault("badge: {in: [badge], actions: [x], shared_down: [y]}");
    assert_eq!(fault, action("shared_down"));
    let fault = type_fault("badge: {in: [badge], actions: [x], product: ACD}");
    assert_eq!(fault, TypeFault::Product("ACD".to_owned()));
}

#[test]
fn files_fit_together_or_are_refused() {
    let (file, uses) = ("acme".to_owned(), "nobody".to_owned());
    assert_eq!(
        refused("{catalogue: acme, version: 1, uses: [nobody]}"),
        CatalogueError::Uses { file, uses }
    );
    let mut files = FILES.clone();
    files.push(files[0].clone());
    assert_eq!(Catalogue::build(&files).unwrap_err(), CatalogueError::Twice("core".to_owned()));
    let mut file = CatalogueFile::read("{catalogue: acme, version: 1}".to_owned()).unwrap();
    file.version = 2;
    let error = Catalogue::build(&[file]).unwrap_err();
    assert!(matches!(error, CatalogueError::Header { found_version: 1, .. }), "{error}");
}

#[test]
fn size_has_its_limits() {
    let list = |count: usize, item: fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    let limit = |yaml: String, expected: &str| {
        let error = refused(&yaml);
        let CatalogueError::Limit { what, .. } = error else { panic!("{error}") };
        assert_eq!(what, expected);
    };
    limit(format!("#{}", "x".repeat(1 << 20)), "the bytes of a file");
    let actions = list(257, |n| format!("a{n}"));
    let head = "catalogue: acme, version: 1";
    limit(
        format!("{{{head}, resource_types: {{x: {{in: [x], actions: [{actions}]}}}}}}"),
        "the actions of a type",
    );
    let types = list(8000, |n| format!("t{n}: {{in: [t0], actions: [a]}}"));
    limit(format!("{{{head}, resource_types: {{{types}}}}}"), "the permissions of all catalogues");
    let roles = list(4096, |n| format!("R{n}: {{}}"));
    limit(format!("{{{head}, roles: {{{roles}}}}}"), "the roles of all catalogues");
    let chain = list(4000, |n| format!("R{n}: {{includes: [R{}]}}", n + 1));
    let error = refused(&format!("{{{head}, roles: {{{chain}, R4000: {{}}}}}}"));
    assert!(error.to_string().ends_with("includes more than 64 roles, one through another"));
}

#[test]
fn a_small_text_does_not_unfold_to_a_large_one() {
    let unfolding = |roles: usize| {
        let permits = ["user.read"; 100].join(", ");
        let roles: Vec<_> = (0..roles).map(|n| format!("  R{n}: {{permits: *all}}")).collect();
        let roles = roles.join("\n");
        let head = "catalogue: acme\nversion: 1\nuses: [core]\nroles:\n";
        with(&format!("{head}  A: {{permits: &all [{permits}]}}\n{roles}"))
    };
    assert_eq!(given(&unfolding(50).unwrap(), "acme/R49"), ["user.read"]);
    let error = unfolding(4000).unwrap_err();
    assert!(matches!(error, CatalogueError::Form { .. }), "{error}");
}

/// Builds an operator's file, and what calls itself a built-in one in the place of that.
fn build_anything(text: &str) {
    let file = CatalogueFile { name: "acme".to_owned(), version: 1, yaml: text.to_owned() };
    let _ = Catalogue::build(std::slice::from_ref(&file));
    let Ok(file) = CatalogueFile::read(text.to_owned()) else { return };
    let mut files = FILES.clone();
    files.retain(|known| known.name != file.name);
    files.push(file);
    if let Ok(catalogue) = Catalogue::build(&files) {
        catalogue.roles().for_each(|(ix, role)| {
            assert!(role.parts.iter().all(|part| !part.permissions.is_empty()));
            assert!(
                role.assignable_to
                    .iter()
                    .all(|h| catalogue.resolve(catalogue.bare(ix), *h) == Ok(ix))
            );
        });
    }
}

/// A built-in file with some of its lines dropped, doubled or taken from elsewhere.
fn torn() -> impl Strategy<Value = String> {
    let cuts = proptest::collection::vec((0_usize..400, 0_usize..400, 0_u8..4), 1..6);
    (0_usize..3, cuts).prop_map(|(file, cuts)| {
        let yaml = &FILES[file].yaml;
        let mut lines: Vec<&str> = yaml.lines().collect();
        for (at, from, what) in cuts {
            let (at, from) = (at % lines.len(), from % lines.len());
            match what {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[from]),
                2 => lines[at] = lines[from],
                _ => lines[at] = lines[at].get(from % 40..).unwrap_or_default(),
            }
            if lines.is_empty() {
                break;
            }
        }
        lines.join("\n")
    })
}

/// Files of the right form, with names that often meet.
fn plausible() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["account", "user", "gate", "badge", "door", "x"]);
    let action = || prop::sample::select(vec!["read", "open", "create", "x", "*"]);
    let permits = prop::collection::vec((name(), action()), 0..3);
    let includes = prop::collection::vec(0_u8..4, 0..2);
    let kinds = prop::collection::btree_map(name(), (name(), action()), 0..3);
    let roles = prop::collection::vec((permits, includes, any::<bool>()), 0..4);
    (kinds, roles).prop_map(|(kinds, roles)| {
        let mut yaml =
            "catalogue: acme\nversion: 1\nuses: [core, ringcx]\nresource_types:\n".to_owned();
        for (kind, (parent, action)) in kinds {
            writeln!(yaml, "  {kind}: {{ in: [{parent}], actions: ['{action}'] }}").unwrap();
        }
        yaml += "roles:\n";
        for (n, (permits, includes, active)) in roles.into_iter().enumerate() {
            let permits: Vec<_> = permits.into_iter().map(|(k, a)| format!("'{k}.{a}'")).collect();
            let includes: Vec<_> = includes.into_iter().map(|n| format!("R{n}")).collect();
            let (permits, includes) = (permits.join(", "), includes.join(", "));
            writeln!(yaml, "  R{n}:").unwrap();
            writeln!(
                yaml,
                "    {{ permits: [{permits}], includes: [{includes}], active: {active},"
            )
            .unwrap();
            writeln!(yaml, "      assignable_to: [admin] }}").unwrap();
        }
        yaml
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        build_anything(&text);
        build_anything(&format!("catalogue: acme\nversion: 1\n{text}"));
    }

    #[test]
    fn no_torn_file_makes_it_panic(text in torn()) {
        build_anything(&text);
    }

    #[test]
    fn no_plausible_file_makes_it_panic(text in plausible()) {
        build_anything(&text);
    }

    #[test]
    fn no_name_makes_it_panic(text in ".{0,200}") {
        let catalogue = catalogue();
        let _ = catalogue.expand(&text);
        let _ = catalogue.parse(&text);
        let _ = catalogue.resolve(&text, crate::model::Holder::Admin);
    }
}
