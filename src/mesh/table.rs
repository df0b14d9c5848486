//! The routes: which requests ask for what. What has no route is denied.

use std::fmt;

use http::HeaderMap;

use super::path::{BadPath, steps};
use super::template::{Captures, OfAccount, PathTemplate, ResourceTemplate, Unnamed};
use crate::model::catalogue::Catalogue;
use crate::model::{AccountId, ResourcePath};

/// No account has this id.
pub const NOWHERE: AccountId = AccountId(uuid::Uuid::nil());

/// How a route is written.
#[derive(Debug, Clone, Default)]
pub struct RouteConfig {
    /// The paths that it is for.
    pub path: Option<String>,
    /// Or the gRPC method.
    pub grpc: Option<String>,
    /// The HTTP methods that it is for; of gRPC that is `POST` alone.
    pub methods: Vec<String>,
    /// What is asked for: a permission, or an action on the resource.
    pub action: Option<String>,
    /// And on what.
    pub resource: Option<String>,
    /// `path` where the request's own path says whose account it is about.
    pub account_from: Option<String>,
    /// Whether anybody may call it, without a credential.
    pub public: bool,
}

/// One thing wrong with a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which route, counted from 0.
    pub route: usize,
    /// Which of its fields.
    pub field: &'static str,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mesh.routes[{}].{} {}", self.route, self.field, self.why)
    }
}

/// What is asked of whoever takes a route.
#[derive(Debug)]
enum Goal {
    /// Nothing.
    Public,
    /// That this is permitted.
    Permitted { action: String, resource: ResourceTemplate },
}

#[derive(Debug)]
struct Route {
    place: usize,
    /// As it was written, for people.
    written: String,
    path: PathTemplate,
    methods: Vec<String>,
    goal: Goal,
}

/// All routes.
#[derive(Debug, Default)]
pub struct Table(Vec<Route>);

/// Why a request takes no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// Its path is not looked at.
    #[error(transparent)]
    Bad(#[from] BadPath),
    /// No route is for its path.
    #[error("no route has this path")]
    Path,
    /// None that is for its path is for its method.
    #[error("no route of this path has this method")]
    Method,
}

impl NoRoute {
    /// Returns whether the request cannot be looked at, so that it is not even denied.
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Bad(_))
    }
}

/// The route that a request takes.
#[derive(Debug)]
pub struct Hit<'t> {
    route: &'t Route,
    captured: Captures,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'t> {
    /// The permission, or the action on the resource.
    pub action: &'t str,
    resource: &'t ResourceTemplate,
    captured: &'t Captures,
}

impl Table {
    /// Reads routes, or tells everything that is wrong with them.
    pub fn build(routes: &[RouteConfig]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut table = Vec::new();
        for (place, config) in routes.iter().enumerate() {
            let mut reading = Reading { place, faults: &mut faults };
            table.extend(reading.route(config));
        }
        faults.extend(ambiguous(&table));
        if faults.is_empty() { Ok(Self(table)) } else { Err(faults) }
    }

    /// Lists what routes ask for and the catalogues do not declare.
    pub fn against(&self, catalogue: &Catalogue) -> Vec<Fault> {
        let faults = self.0.iter().filter_map(|route| {
            let found = match &route.goal {
                Goal::Public => None,
                Goal::Permitted { action, resource } => undeclared(catalogue, action, resource),
            };
            found.map(|(field, why)| Fault { route: route.place, field, why })
        });
        faults.collect()
    }

    /// Finds the route of a request, by its method and its path with or without a query.
    pub fn find(&self, method: &str, target: &str) -> Result<Hit<'_>, NoRoute> {
        let path = steps(target)?;
        let mut known = false;
        let mut found: Option<Hit<'_>> = None;
        for route in &self.0 {
            let Some(captured) = route.path.captures(&path) else { continue };
            known = true;
            if !route.methods.iter().any(|own| own == method) {
                continue;
            }
            // Of those that meet one is within the other, or the table had not been built.
            if found.as_ref().is_none_or(|hit| hit.route.path.words() < route.path.words()) {
                found = Some(Hit { route, captured });
            }
        }
        found.ok_or(if known { NoRoute::Method } else { NoRoute::Path })
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Hit<'_> {
    /// Returns the route's place among all, from 0, and how it was written.
    pub fn route(&self) -> (usize, &str) {
        (self.route.place, &self.route.written)
    }

    /// Returns what is asked; `None` where anybody may.
    pub fn asking(&self) -> Option<Asking<'_>> {
        match &self.route.goal {
            Goal::Public => None,
            Goal::Permitted { action, resource } => {
                Some(Asking { action, resource, captured: &self.captured })
            }
        }
    }
}

impl Asking<'_> {
    /// Returns whether the resource lies in the account of whoever calls.
    pub fn is_own(&self) -> bool {
        self.resource.account == OfAccount::Own
    }

    /// Names the resource; `own` is the account of whoever calls.
    pub fn resource(&self, headers: &HeaderMap, own: AccountId) -> Result<ResourcePath, Unnamed> {
        self.resource.fill(self.captured, headers, own)
    }

    /// Names a resource of this kind in an account that nobody has.
    pub fn nowhere(&self) -> ResourcePath {
        ResourcePath { account: NOWHERE, ..self.resource.sample() }
    }
}

/// Reading one route: each field by itself, so that one fault does not hide the next.
struct Reading<'f> {
    place: usize,
    faults: &'f mut Vec<Fault>,
}

impl Reading<'_> {
    fn fault(&mut self, field: &'static str, why: impl Into<String>) {
        self.faults.push(Fault { route: self.place, field, why: why.into() });
    }

    fn take<T>(&mut self, field: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.fault(field, why)).ok()
    }

    fn route(&mut self, config: &RouteConfig) -> Option<Route> {
        let path = self.path(config);
        let methods = self.methods(config);
        let goal = self.goal(config, path.as_ref());
        let method = config.grpc.as_ref().map(|method| format!("gRPC {method}"));
        let written = method.or_else(|| config.path.clone()).unwrap_or_default();
        Some(Route { place: self.place, written, path: path?, methods: methods?, goal: goal? })
    }

    fn path(&mut self, config: &RouteConfig) -> Option<PathTemplate> {
        match (&config.path, &config.grpc) {
            (Some(path), None) => self.take("path", PathTemplate::parse(path)),
            (None, Some(method)) => self.take("grpc", PathTemplate::of_method(method)),
            (None, None) => {
                self.fault("path", "is needed, or grpc instead");
                None
            }
            (Some(_), Some(_)) => {
                self.fault("path", "is given, and grpc as well: keep one of them");
                None
            }
        }
    }

    fn methods(&mut self, config: &RouteConfig) -> Option<Vec<String>> {
        let methods = &config.methods;
        if config.grpc.is_some() {
            if methods.iter().any(|method| method != "POST") {
                self.fault("methods", "gRPC is POST and nothing else: leave them out");
                return None;
            }
            return Some(vec!["POST".to_owned()]);
        }
        let sound = |method: &String| {
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        if methods.is_empty() || !methods.iter().all(sound) {
            self.fault("methods", "are needed, in capitals, such as [\"GET\", \"HEAD\"]");
            return None;
        }
        Some(methods.clone())
    }

    fn goal(&mut self, config: &RouteConfig, path: Option<&PathTemplate>) -> Option<Goal> {
        let RouteConfig { action, resource, account_from, public, .. } = config;
        if *public {
            let said = [("action", action), ("resource", resource), ("account_from", account_from)];
            let said = said.map(|(field, value)| value.as_ref().map(|_| field));
            for field in said.into_iter().flatten() {
                self.fault(field, "is given, and the route is public: keep one of them");
            }
            return Some(Goal::Public);
        }
        if action.is_none() {
            self.fault("action", "is needed: what is not public asks for something");
        }
        let Some(resource) = resource else {
            self.fault("resource", "is needed: what is not public asks about something");
            return None;
        };
        let resource = self.take("resource", ResourceTemplate::parse(resource))?;
        if let Some(path) = path {
            for name in resource.needed().into_iter().filter(|name| !path.has(name)) {
                self.fault(
                    "resource",
                    format!("needs `{{{name}}}`, which the path does not capture"),
                );
            }
        }
        self.account_from(account_from.as_deref(), &resource);
        Some(Goal::Permitted { action: action.clone()?.to_ascii_lowercase(), resource })
    }

    fn account_from(&mut self, said: Option<&str>, resource: &ResourceTemplate) {
        let from_path = matches!(resource.account, OfAccount::Path(_));
        match (said, from_path) {
            (Some("path"), true) | (None, false) => {}
            (None, true) => self.fault(
                "account_from",
                "is needed: say `account_from = \"path\"` where a request names the account itself",
            ),
            (Some("path"), false) => {
                self.fault(
                    "account_from",
                    "is `path`, and the resource names its account otherwise",
                );
            }
            (Some(other), _) => {
                self.fault("account_from", format!("is `{other}`; it can be `path`"));
            }
        }
    }
}

/// Lists the routes of which it could not be told which one a request takes.
fn ambiguous(table: &[Route]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (n, route) in table.iter().enumerate() {
        for other in table.iter().take(n) {
            let both = route.methods.iter().find(|method| other.methods.contains(method));
            let Some(method) = both.filter(|_| route.path.meets(&other.path)) else { continue };
            if route.path.is_within(&other.path) != other.path.is_within(&route.path) {
                continue;
            }
            let field = if route.written.starts_with('/') { "path" } else { "grpc" };
            let other = format!("mesh.routes[{}] ({})", other.place, other.written);
            let why = format!("takes requests that {other} takes too, by {method}");
            faults.push(Fault { route: route.place, field, why });
        }
    }
    faults
}

/// Finds what of a question no catalogue declares.
fn undeclared(
    catalogue: &Catalogue,
    action: &str,
    resource: &ResourceTemplate,
) -> Option<(&'static str, String)> {
    let sample = resource.sample();
    if let Err(why) = catalogue.check_containment(&sample) {
        return Some(("resource", why));
    }
    let kind = sample.kind();
    let (of, verb) = action.split_once('.').unwrap_or((kind, action));
    if catalogue.permission(of, verb).is_none() {
        let nearest = catalogue.nearest_permissions(&format!("{of}.{verb}")).join(", ");
        return Some(("action", format!("`{of}.{verb}` is no permission; near it: {nearest}")));
    }
    let inside = |found: &crate::model::catalogue::Type| found.parents.iter().any(|p| p == kind);
    if of != kind && !catalogue.kind(of).is_some_and(inside) {
        return Some(("action", format!("`{of}` is neither `{kind}` nor a type that lies in it")));
    }
    None
}
