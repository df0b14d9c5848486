//! The mesh: which requests that proxies hold ask for what.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Problem;
use super::check::problem;
use crate::mesh::{Fault, MeshConfig, RouteConfig, Table};
use crate::model::UserId;

/// The mesh's door.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mesh {
    /// How long an answer to a proxy may take, in milliseconds. Envoy waits 200 where it is not told otherwise.
    pub answer_ms: u64,
    /// Proxies that are believed when they say whose certificate they have verified: service users, `usr_…`.
    pub proxies: Vec<String>,
    /// What requests ask for. What has no route is denied.
    pub routes: Vec<MeshRoute>,
}

/// Requests, and what they ask for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MeshRoute {
    /// The paths: words and `{captures}`, each a whole step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Or the gRPC method, `package.Service/Method`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// The HTTP methods, in capitals; none for gRPC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// What is asked for: a permission, such as `gate_group.read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// And on what: `account/` with an id, `{own}` or a capture; then types, each with an id, `-`, a `{capture}` or `{header:name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `path`, where the account is a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_from: Option<String>,
    /// Whether anybody may, without a credential.
    pub public: bool,
    /// What else stands there, and should not. Kept so that all of it can be told.
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self { answer_ms: 150, proxies: Vec::new(), routes: Vec::new() }
    }
}

impl Mesh {
    /// Returns it as it is used.
    pub fn config(&self) -> MeshConfig {
        MeshConfig {
            routes: self.routes.iter().map(MeshRoute::config).collect(),
            // What is wrong with one was told when it was loaded.
            proxies: self.proxies.iter().filter_map(|id| id.parse().ok()).collect(),
            patience: Duration::from_millis(self.answer_ms),
        }
    }

    /// Lists everything that is wrong with the routes, each by its place among them.
    pub(super) fn check(&self) -> Vec<Problem> {
        let unknown = self.routes.iter().enumerate().flat_map(|(place, route)| {
            route.unknown.keys().map(move |name| {
                let why = "is not known; known here are path, grpc, methods, action, resource, account_from, public";
                problem(&format!("mesh.routes[{place}].{name}"), why.to_owned())
            })
        });
        let faults = Table::build(&self.config().routes).err().unwrap_or_default();
        let faults = faults.into_iter().map(|fault| {
            let Fault { route, field, why } = fault;
            problem(&format!("mesh.routes[{route}].{field}"), why)
        });
        let proxies = self.proxies.iter().enumerate().filter_map(|(place, id)| {
            let why = id.parse::<UserId>().err()?;
            Some(problem(&format!("mesh.proxies[{place}]"), why.to_string()))
        });
        proxies.chain(unknown).chain(faults).collect()
    }
}

impl MeshRoute {
    fn config(&self) -> RouteConfig {
        RouteConfig {
            path: self.path.clone(),
            grpc: self.grpc.clone(),
            methods: self.methods.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            account_from: self.account_from.clone(),
            public: self.public,
        }
    }
}
