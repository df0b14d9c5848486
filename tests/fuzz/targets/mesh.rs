//! The requests that proxies hold, and the routes that an operator writes for them.

use std::fmt::Write as _;

use chancery::mesh::{NOWHERE, RouteConfig, Table, steps};
use http::HeaderMap;

use super::{halves, text};

/// Writes steps as a path that says nothing twice: what needs no `%` has none.
fn written(steps: &[String]) -> String {
    let mut path = String::new();
    for step in steps {
        path.push('/');
        for byte in step.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if plain {
                path.push(byte.into());
            } else {
                write!(path, "%{byte:02X}").expect("a String takes everything");
            }
        }
    }
    if steps.is_empty() { "/".to_owned() } else { path }
}

/// A path that is taken apart has no step that another program could take for two, for none or for the one above; written anew it
/// is taken apart alike, whatever stands in its query.
pub(super) fn requests(input: &[u8]) {
    let target = text(input);
    let Ok(found) = steps(target) else { return };
    for step in &found {
        let lower = step.to_ascii_lowercase();
        assert!(!step.contains(['/', '\\', '\0']) && step != "." && step != "..", "{found:?}");
        assert!(!["%2f", "%5c", "%2e", "%00"].iter().any(|hidden| lower.contains(hidden)));
    }
    assert!(found.iter().rev().skip(1).all(|step| !step.is_empty()), "{found:?}");
    let again = written(&found);
    assert_eq!(steps(&again).as_ref(), Ok(&found), "{again}");
    assert_eq!(steps(&format!("{again}?{target}")).as_ref(), Ok(&found));
}

/// What a route makes of a path is a resource that reads back, of the route's own types; what is captured changes none of them.
///
/// An input is a path's template, a resource's template and a path, with NULs between them.
pub(super) fn routes(input: &[u8]) {
    let (path, rest) = halves(input);
    let (resource, target) = halves(rest);
    let (path, resource, target) = (text(path), text(resource), text(target));
    let route = RouteConfig {
        path: Some(path.to_owned()),
        methods: vec!["GET".to_owned()],
        action: Some("read".to_owned()),
        resource: Some(resource.to_owned()),
        account_from: resource.starts_with("account/{").then(|| "path".to_owned()),
        ..RouteConfig::default()
    };
    let own = RouteConfig { account_from: None, ..route.clone() };
    let Ok(table) = Table::build(&[route]).or_else(|_| Table::build(&[own])) else { return };
    let Ok(hit) = table.find("GET", target) else { return };
    assert!(table.find("POST", target).is_err());
    let asking = hit.asking().expect("the route is not public");
    let Ok(found) = asking.resource(&HeaderMap::new(), NOWHERE) else { return };
    assert_eq!(found.to_string().parse().as_ref(), Ok(&found));
    let types = resource.split('/').step_by(2).skip(1).map(str::to_ascii_lowercase);
    assert!(found.pairs.iter().map(|pair| &pair.kind).eq(types.collect::<Vec<_>>().iter()));
}
