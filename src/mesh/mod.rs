//! THE MESH'S DOOR: a proxy asks whether a request that it holds may go on (`api.md`, `edges.md` §6).
//!
//! A route says what a request asks for; the question is `Authorize`'s, and so is the answer. What has no route is denied.

mod answer;
mod check;
mod headers;
mod path;
mod table;
mod template;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::model::UserId;
use crate::model::catalogue::Catalogue;
pub use check::MeshApi;
pub use headers::{BadHeaders, inbound, overrides};
pub use path::{BadPath, steps};
pub use table::{Asking, Fault, Hit, NOWHERE, NoRoute, RouteConfig, Table};
pub use template::Unnamed;

/// What the operator says of the mesh.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    /// What requests ask for.
    pub routes: Vec<RouteConfig>,
    /// Proxies, each a service user, that are believed when they say whose certificate they have verified.
    pub proxies: Vec<UserId>,
    /// How long an answer may take; a proxy waits not much longer.
    pub patience: Duration,
}

/// What is wrong with the routes: all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the routes of the mesh do not hold together: {}", told(.0))]
pub struct BadRoutes(pub Vec<Fault>);

fn told(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What the door goes by.
#[derive(Debug)]
pub struct Mesh {
    table: Table,
    proxies: Vec<UserId>,
    patience: Duration,
}

impl Mesh {
    /// Takes what the operator says, if it holds together and asks for nothing that the catalogues do not declare.
    pub fn start(config: &MeshConfig, catalogue: &Catalogue) -> Result<Self, BadRoutes> {
        let table = Table::build(&config.routes).map_err(BadRoutes)?;
        let faults = table.against(catalogue);
        if !faults.is_empty() {
            return Err(BadRoutes(faults));
        }
        Ok(Self { table, proxies: config.proxies.clone(), patience: config.patience })
    }
}
