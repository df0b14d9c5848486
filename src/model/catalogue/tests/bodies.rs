//! What a rights document may say, and how it is told what it may not (`model.md` §5, §10).

use super::*;
use crate::model::catalogue::BodyFault;
use crate::model::{Body, ProductPermissions, ResourcePermissions};

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn on_account(actions: &[&str]) -> Body {
    Body { account_permissions: words(actions), ..Body::default() }
}

fn on_product(product: &str, actions: &[&str], cascade: bool) -> Body {
    let entry =
        ProductPermissions { product: product.to_owned(), permissions: words(actions), cascade };
    Body { product_permissions: vec![entry], ..Body::default() }
}

fn on_resource(kind: &str, id: &str, actions: &[&str], cascade: bool) -> Body {
    let entry = ResourcePermissions {
        resource_type: kind.to_owned(),
        resource_id: id.to_owned(),
        permissions: words(actions),
        cascade,
    };
    Body { resource_permissions: vec![entry], ..Body::default() }
}

/// The one thing that is wrong with a body.
#[track_caller]
fn fault(body: Body) -> BodyFault {
    let mut faults = catalogue().check_body(body).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn types_products_and_actions_are_read_in_any_case_and_each_action_once() {
    let read = catalogue().check_body(on_account(&["READ", "update", "Read", "UPDATE"])).unwrap();
    assert_eq!(read, on_account(&["read", "update"]));
    let read = catalogue().check_body(on_product("acd", &["READ", "read"], true)).unwrap();
    assert_eq!(read, on_product("ACD", &["read"], true));
    let read =
        catalogue().check_body(on_resource("GATE_GROUP", "A/b", &["Report"], false)).unwrap();
    assert_eq!(read, on_resource("gate_group", "A/b", &["report"], false));
}

#[test]
fn an_empty_body_is_one() {
    let empty = catalogue().check_body(Body::default()).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn the_five_actions_of_the_source_stand_everywhere_and_others_where_a_type_has_them() {
    let five = ["create", "read", "update", "delete", "report"];
    for body in [
        on_account(&five),
        on_product("SURVEY", &five, false),
        on_resource("gate", "17", &five, false),
        on_resource("account", "acc_1", &five, true),
        on_resource("recording", "3", &["listen"], false),
        on_resource("application", "5", &["start_scenarios"], true),
        on_account(&["start_scenarios"]),
    ] {
        catalogue().check_body(body).unwrap();
    }
}

#[test]
fn an_unknown_action_is_told_with_its_place_and_with_what_stands_there() {
    let found = fault(on_account(&["READ", "EXECUTE"]));
    assert_eq!(found.reason, "UNKNOWN_PERMISSION");
    assert_eq!(found.field, "account_permissions[1]");
    assert!(found.why.contains("`EXECUTE`"), "{found}");

    let found = fault(on_resource("gate_group", "5", &["read", "execute"], false));
    assert_eq!(found.field, "resource_permissions[0].permissions[1]");
    assert!(found.why.ends_with("allowed: CREATE, READ, UPDATE, DELETE, REPORT"), "{found}");

    let found = fault(on_product("ACD", &["Execute"], true));
    assert_eq!(found.field, "product_permissions[0].permissions[0]");
    assert!(found.why.ends_with("allowed: CREATE, READ, UPDATE, DELETE, REPORT"), "{found}");
}

#[test]
fn an_action_of_what_lies_within_needs_the_cascade() {
    let body = |cascade| on_resource("application", "5", &["start_scenarios"], cascade);
    catalogue().check_body(body(true)).unwrap();
    let found = fault(body(false));
    assert_eq!(found.reason, "UNKNOWN_PERMISSION");
    assert_eq!(found.field, "resource_permissions[0].permissions[0]");
    assert!(found.why.contains("GET_APPLICATIONS"), "{found}");
}

#[test]
fn an_action_that_its_type_keeps_from_documents_is_none_of_theirs() {
    for action in ["suspend", "set_role", "assume", "create_root", "share", "list_agents"] {
        assert_eq!(fault(on_account(&[action])).reason, "UNKNOWN_PERMISSION", "{action}");
    }
    let found = fault(on_resource("account", "acc_1", &["close"], false));
    assert_eq!(found.reason, "UNKNOWN_PERMISSION");
}

#[test]
fn an_unknown_product_is_told_with_all_that_there_are() {
    let found = fault(on_product("ADC", &["READ"], false));
    assert_eq!(
        (found.reason, found.field.as_str()),
        ("UNKNOWN_PRODUCT", "product_permissions[0].product")
    );
    assert!(found.why.starts_with("`ADC` is not a product; allowed: "), "{found}");
    for product in ["ACD", "SURVEY", "KNOWLEDGE_BASE", "UTILITIES"] {
        assert!(found.why.contains(product), "{found}");
    }
}

#[test]
fn an_unknown_type_is_told_with_the_nearest() {
    let found = fault(on_resource("gate_grup", "5", &["READ"], false));
    assert_eq!(found.reason, "UNKNOWN_RESOURCE_TYPE");
    assert_eq!(found.field, "resource_permissions[0].resource_type");
    assert!(found.why.contains("GATE_GROUP"), "{found}");
}

#[test]
fn a_type_that_leaves_nothing_to_documents_is_refused_like_an_unknown_one() {
    for kind in
        ["user", "role", "rights_document", "api_token", "dashboard", "analytics", "DECISION"]
    {
        let found = fault(on_resource(kind, "5", &["READ"], true));
        assert_eq!(found.reason, "UNKNOWN_RESOURCE_TYPE", "{kind}");
        let written = format!("`{}` is not", kind.to_ascii_uppercase());
        assert!(found.why.starts_with(&written), "{found}");
    }
}

#[test]
fn an_entry_names_one_resource_in_at_most_128_bytes() {
    let longest = "x".repeat(128);
    catalogue().check_body(on_resource("gate", &longest, &["READ"], false)).unwrap();
    for id in ["", "-", &"x".repeat(129)] {
        let found = fault(on_resource("gate", id, &["READ"], false));
        assert_eq!(found.reason, "INVALID_FIELD", "{id}");
        assert_eq!(found.field, "resource_permissions[0].resource_id");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_each_in_its_place() {
    let mut body = on_account(&["EXECUTE"]);
    body.product_permissions = on_product("NONE", &["READ"], false).product_permissions;
    body.resource_permissions = on_resource("gate", "5", &["READ"], false).resource_permissions;
    body.resource_permissions.extend(on_resource("gait", "5", &[], false).resource_permissions);
    let faults = catalogue().check_body(body).unwrap_err();
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "account_permissions[0]",
            "product_permissions[0].product",
            "resource_permissions[1].resource_type"
        ]
    );
}

#[test]
fn a_document_has_at_most_a_thousand_entries() {
    let mut body = Body::default();
    let one = on_resource("gate", "5", &["READ"], false).resource_permissions;
    body.resource_permissions = std::iter::repeat_n(one, 1000).flatten().collect();
    catalogue().check_body(body.clone()).unwrap();
    body.account_permissions = words(&["read"]);
    assert_eq!(fault(body).field, "resource_permissions");
}

#[test]
fn what_is_written_of_what_was_asked_is_no_longer_than_needed() {
    let found = fault(on_account(&[&"x".repeat(100_000)]));
    assert!(found.why.len() < 2_000, "{}", found.why.len());
}
