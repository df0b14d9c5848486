//! The routes, and what they make of requests.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::headers::spoofed;
use super::*;
use crate::model::AccountId;
use crate::model::catalogue::built_in;

const ACME: &str = "acc_01h455vb4pex5vsknk084sn02q";

fn own() -> AccountId {
    AccountId(Uuid::from_u128(7))
}

fn route(path: &str, methods: &[&str], action: &str, resource: &str) -> RouteConfig {
    RouteConfig {
        path: Some(path.to_owned()),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        action: Some(action.to_owned()),
        resource: Some(resource.to_owned()),
        account_from: resource.starts_with("account/{account}").then(|| "path".to_owned()),
        ..RouteConfig::default()
    }
}

fn get(path: &str, resource: &str) -> RouteConfig {
    route(path, &["GET"], "read", resource)
}

fn public(path: &str) -> RouteConfig {
    RouteConfig {
        path: Some(path.to_owned()),
        methods: vec!["GET".to_owned()],
        public: true,
        ..RouteConfig::default()
    }
}

fn faults(routes: &[RouteConfig]) -> Vec<(usize, &'static str)> {
    let faults = Table::build(routes).unwrap_err();
    faults.into_iter().map(|fault| (fault.route, fault.field)).collect()
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What a request asks for, as text.
fn asked(table: &Table, method: &str, target: &str, list: &[(&str, &str)]) -> String {
    let hit = match table.find(method, target) {
        Ok(hit) => hit,
        Err(why) => return why.to_string(),
    };
    let Some(asking) = hit.asking() else { return "nothing".to_owned() };
    match asking.resource(&headers(list), own()) {
        Ok(resource) => format!("{} {resource}", asking.action),
        Err(why) => why.to_string(),
    }
}

#[test]
fn a_request_asks_for_what_its_route_says() {
    let table = Table::build(&[
        get("/v1/accounts/{account}/gate-groups/{group}", "account/{account}/gate_group/{group}"),
        route("/v1/gate-groups", &["POST"], "gate_group.create", "account/{own}"),
        get("/v1/campaigns", "account/{own}/campaign/{header:x-campaign-id}"),
        get("/v1/limits", &format!("account/{ACME}")),
        get("/v1/gates/{id}", "account/{own}/gate_group/5/gate/{id}"),
        RouteConfig {
            grpc: Some("acme.v1.Gates/GetGate".to_owned()),
            action: Some("Gate.Read".to_owned()),
            resource: Some("account/{own}/gate_group/-/gate/-".to_owned()),
            ..RouteConfig::default()
        },
        public("/healthz"),
        public("/"),
    ])
    .unwrap();
    let ask = |method: &str, target: &str| asked(&table, method, target, &[]);
    let mine = format!("account/{}", own());
    let path = format!("/v1/accounts/{ACME}/gate-groups/7");
    assert_eq!(ask("GET", &path), format!("read account/{ACME}/gate_group/7"));
    assert_eq!(ask("GET", &format!("{path}?account=other")), ask("GET", &path));
    assert_eq!(ask("POST", "/v1/gate-groups"), format!("gate_group.create {mine}"));
    assert_eq!(ask("GET", "/v1/limits"), format!("read account/{ACME}"));
    assert_eq!(
        ask("POST", "/acme.v1.Gates/GetGate"),
        format!("gate.read {mine}/gate_group/-/gate/-")
    );
    assert_eq!(ask("GET", "/healthz"), "nothing");
    assert_eq!(ask("GET", "/?x"), "nothing");

    // An id is the bytes of its step: it is no other step, and no `-`.
    let gate = |id: &str| ask("GET", &format!("/v1/gates/{id}"));
    assert_eq!(gate("a%20b"), format!("read {mine}/gate_group/5/gate/a b"));
    assert_eq!(gate("-"), format!("read {mine}/gate_group/5/gate/%2D"));
    assert_eq!(gate("50%25"), format!("read {mine}/gate_group/5/gate/50%25"));
    assert!(gate(&"x".repeat(129)).ends_with("is no id that anything has"));
    assert_eq!(ask("GET", "/v1/accounts/x/gate-groups/7"), "`x` is no id that anything has");

    for (method, target) in [
        ("GET", "/v1/gates/"),
        ("GET", "/v1/gates"),
        ("GET", "/v1/gates/1/2"),
        ("GET", "/V1/gates/1"),
        ("GET", "/healthz/"),
        ("GET", "/v1/accounts//gate-groups/7"),
    ] {
        assert!(table.find(method, target).is_err(), "{target}");
    }
    for method in ["HEAD", "get", "DELETE", "", "OPTIONS"] {
        assert_eq!(table.find(method, "/healthz").unwrap_err(), NoRoute::Method, "{method}");
    }
    assert_eq!(ask("GET", "/acme.v1.Gates/GetGate"), "no route of this path has this method");
}

#[test]
fn a_header_names_one_thing_or_nothing() {
    let table =
        Table::build(&[get("/c", "account/{own}/campaign/{header:X-Campaign-Id}")]).unwrap();
    let ask = |list: &[(&str, &str)]| asked(&table, "GET", "/c", list);
    assert!(ask(&[("x-campaign-id", "5")]).ends_with("/campaign/5"));
    let needed = "the header `x-campaign-id` is needed once";
    for bad in [
        &[][..],
        &[("x-campaign-id", "")],
        &[("x-campaign-id", "5, 6")],
        &[("x-campaign-id", "5,6")],
        &[("x-campaign-id", "5"), ("x-campaign-id", "5")],
        &[("x-campaign", "5")],
    ] {
        assert_eq!(ask(bad), needed, "{bad:?}");
    }
}

#[test]
fn of_two_routes_that_meet_the_narrower_counts() {
    let table = Table::build(&[
        get("/users/{id}", "account/{own}/user/{id}"),
        get("/users/me", "account/{own}"),
        get("/users/{id}/roles", "account/{own}/user/{id}"),
        get("/users/me/{what}", "account/{own}"),
        route("/users/{other}", &["DELETE"], "delete", "account/{own}/user/{other}"),
    ]);
    // `/users/me/roles` is both the third's and the fourth's, and neither is narrower.
    assert_eq!(table.unwrap_err().len(), 1);
    let table = Table::build(&[
        get("/users/{id}", "account/{own}/user/{id}"),
        get("/users/me", "account/{own}"),
        route("/users/{other}", &["DELETE"], "delete", "account/{own}/user/{other}"),
    ])
    .unwrap();
    assert_eq!(table.find("GET", "/users/me").unwrap().route(), (1, "/users/me"));
    assert_eq!(table.find("GET", "/users/you").unwrap().route(), (0, "/users/{id}"));
    assert_eq!(table.find("DELETE", "/users/me").unwrap().route(), (2, "/users/{other}"));
    // Nobody writes the word in another way and gets another route.
    assert_eq!(table.find("GET", "/users/%6De").unwrap_err(), NoRoute::Bad(BadPath::Needless));
}

#[test]
fn routes_that_meet_are_ambiguous_where_neither_is_narrower() {
    let same = |one: &str, other: &str| {
        let routes = [get(one, "account/{own}"), get(other, "account/{own}")];
        Table::build(&routes).is_err()
    };
    assert!(same("/a/{x}", "/a/{y}"));
    assert!(same("/a/b", "/a/b"));
    assert!(same("/{x}/b", "/a/{y}"));
    assert!(!same("/a/{x}", "/a/b"));
    assert!(!same("/a/{x}", "/a/"));
    assert!(!same("/a/{x}/c", "/a/{y}/d"));
    let other = route("/a/{x}", &["PUT", "POST"], "update", "account/{own}");
    assert!(Table::build(&[get("/a/{y}", "account/{own}"), other.clone()]).is_ok());
    let third = route("/a/{z}", &["PATCH", "POST"], "update", "account/{own}");
    assert_eq!(faults(&[other, third]), [(1, "path")]);
    let grpc =
        RouteConfig { grpc: Some("a.B/C".to_owned()), public: true, ..RouteConfig::default() };
    assert_eq!(faults(&[grpc.clone(), grpc]), [(1, "grpc")]);
}

#[test]
fn everything_that_is_wrong_with_routes_is_told_at_once() {
    let wrong = [
        RouteConfig::default(),
        get("v1", "account"),
        get("/a/{b}", "account/{account}"),
        get("/a/{Bad}", "account/{header:x}/gate/{c}"),
        RouteConfig { account_from: Some("path".to_owned()), ..get("/b", "account/{own}") },
        RouteConfig { account_from: Some("header".to_owned()), ..get("/c", "account/{own}") },
        RouteConfig { action: Some("read".to_owned()), ..public("/d") },
        RouteConfig { grpc: Some("a.B/C".to_owned()), ..public("/e") },
        route("/f", &["get"], "read", "account/{own}/campaign/{header:x_chancery_user}"),
        RouteConfig {
            account_from: None,
            ..get("/g/{account}", "account/{account}/gate_group/{group}")
        },
    ];
    assert_eq!(
        faults(&wrong),
        [
            (0, "path"),
            (0, "methods"),
            (0, "action"),
            (0, "resource"),
            (1, "path"),
            (1, "resource"),
            (2, "resource"),
            (3, "path"),
            (3, "resource"),
            (4, "account_from"),
            (5, "account_from"),
            (6, "action"),
            (7, "path"),
            (7, "methods"),
            (8, "methods"),
            (8, "resource"),
            (9, "resource"),
            (9, "account_from"),
        ]
    );
}

#[test]
fn a_path_or_a_method_that_is_none_is_told() {
    for path in [
        "",
        "x",
        "//",
        "/a//b",
        "/a/{b}/{b}",
        "/a/{}",
        "/a/{own}",
        "/a/{b}c",
        "/a/..",
        "/a;b",
        "/a%20b",
        "/a?b",
        "/a#b",
        "/é",
        "/a b",
        "/a\\b",
    ] {
        assert_eq!(faults(&[public(path)]), [(0, "path")], "{path}");
    }
    for method in ["", "B/C/D", "/a.B/C", "B", "a.B/", "a..B/C", "a.B/c.d", "a.B/{x}"] {
        let grpc = Some(method.to_owned());
        let route = RouteConfig { grpc, public: true, ..RouteConfig::default() };
        assert_eq!(faults(&[route]), [(0, "grpc")], "{method}");
    }
}

#[test]
fn what_no_catalogue_declares_is_told_with_what_is_near_it() {
    let catalogue = Catalogue::build(&built_in().unwrap()).unwrap();
    let table = Table::build(&[
        get("/a", "account/{own}/gate_group/5"),
        get("/b", "account/{own}/gate_group/5/gate/-"),
        route("/c", &["POST"], "gate.create", "account/{own}/gate_group/5"),
        route("/d", &["POST"], "gate_group.raed", "account/{own}/gate_group/5"),
        route("/e", &["POST"], "user.read", "account/{own}/gate_group/5"),
        get("/f", "account/{own}/gate/5"),
        get("/g", "account/{own}/nothing/5"),
        public("/h"),
    ])
    .unwrap();
    let found = table.against(&catalogue);
    let places: Vec<_> = found.iter().map(|fault| (fault.route, fault.field)).collect();
    assert_eq!(places, [(3, "action"), (4, "action"), (5, "resource"), (6, "resource")]);
    assert!(found[0].why.contains("gate_group.read"), "{}", found[0].why);
    let config = MeshConfig {
        routes: vec![get("/g", "account/{own}/nothing/5"), get("/h", "account/{own}/no/5")],
        proxies: Vec::new(),
        patience: Duration::from_secs(1),
    };
    let told = Mesh::start(&config, &catalogue).unwrap_err().to_string();
    assert!(told.contains("mesh.routes[0].resource") && told.contains("mesh.routes[1].resource"));
}

#[test]
fn whatever_passes_for_ours_and_is_not_is_removed() {
    let inbound = headers(&[
        ("x-chancery-user", "spoofed"),
        ("X-Chancery-Admin", "1"),
        ("x_chancery_user", "1"),
        ("x-chancery_account", "1"),
        ("x-chanceryx", "1"),
        ("x-chancer", "1"),
        ("authorization", "Bearer x"),
    ]);
    let ours = ["x-chancery-user", "x-chancery-account", "x-chancery-revision"];
    let mut passing =
        vec!["x-chancery-admin", "x-chancery_account", "x-chanceryx", "x_chancery_user"];
    assert_eq!(spoofed(&inbound, &ours), passing);
    passing.extend(ours);
    passing.sort_unstable();
    assert_eq!(spoofed(&inbound, &[]), passing);
}
