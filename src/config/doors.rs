//! What is served beside gRPC on the same port: AuthZEN, and browsers.

use serde::{Deserialize, Serialize};

use super::check::problem;
use super::{Config, Problem};
use crate::{authzen, layers};

/// `OpenID` AuthZEN 1.0, over HTTP in JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authzen {
    /// The base URL that clients know it by, `https://…`, which its metadata begin with. Without it: `base_url`.
    pub url: Option<String>,
    /// Resource types that clients call otherwise than the catalogues do: `theirs=ours`, such as `user=person`.
    pub resource_types: Vec<String>,
}

/// Programs in browsers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Browsers {
    /// Whether gRPC-Web is spoken.
    pub grpc_web: bool,
    /// Whose pages may call: origins, such as `https://console.example.com`. None: no page of another origin.
    pub origins: Vec<String>,
}

impl Config {
    /// Returns what AuthZEN is told.
    pub(super) fn authzen(&self) -> authzen::Settings {
        let url = self.authzen.url.as_ref().unwrap_or(&self.base_url);
        let types = self.authzen.resource_types.iter().filter_map(|pair| named(pair));
        let owned = types.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()));
        authzen::Settings {
            url: url.trim_end_matches('/').to_owned(),
            resource_types: owned.collect(),
        }
    }

    /// Returns what the layer for browsers is told.
    pub(super) fn browsers(&self) -> layers::Browsers {
        let Browsers { grpc_web, origins } = self.browsers.clone();
        layers::Browsers { grpc_web, origins }
    }

    /// Lists what is wrong with either.
    pub(super) fn beside(&self) -> Vec<Problem> {
        let url = self.authzen.url.iter().filter(|url| {
            let scheme = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
            !scheme || url.contains(['?', '#'])
        });
        let url = url.map(|url| {
            let why = format!("`{url}` is no `https://` address without query and fragment");
            problem("authzen.url", why)
        });
        let types = self.authzen.resource_types.iter().filter(|pair| named(pair).is_none());
        let types = types.map(|pair| {
            let why = format!("`{pair}` is not `theirs=ours`, such as `user=person`");
            problem("authzen.resource_types", why)
        });
        let origins = self.browsers.origins.iter().filter_map(|text| layers::origin(text).err());
        let origins = origins.map(|bad| problem("browsers.origins", bad.to_string()));
        url.chain(types).chain(origins).collect()
    }
}

fn named(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=').filter(|(theirs, ours)| !theirs.is_empty() && !ours.is_empty())
}
