//! What a deployment says of its endpoints, and where they are found.

use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use serde_json::json;
use tonic::body::Body;

use super::{Endpoint, say};

/// Where the metadata are: between the host and what path its base URL has.
const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

/// What the operator says of AuthZEN.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The base URL that clients know it by, without a slash at the end.
    pub url: String,
    /// What resource types are called in questions, and here.
    pub resource_types: Vec<(String, String)>,
}

impl Settings {
    /// Returns the path that the base URL has beside its host.
    fn prefix(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Tells which endpoint a path names, below the base URL's own path or, where a proxy takes that away, without it.
    pub(super) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let bare = path.strip_prefix(self.prefix()).unwrap_or(path);
        Endpoint::ALL.into_iter().find(|endpoint| [path, bare].contains(&endpoint.path()))
    }

    /// Returns the metadata, if the path is theirs. Open to all, like the keys that tokens are verified with.
    pub(super) fn page(&self, path: &str) -> Option<Response<Body>> {
        let place = path.strip_prefix(WELL_KNOWN)?;
        if place != self.prefix() {
            return None;
        }
        let at = |endpoint: Endpoint| format!("{}{}", self.url, endpoint.path());
        // No `capabilities`: none is registered that could be named.
        let mut page = say::json(&json!({
            "policy_decision_point": self.url,
            "access_evaluation_endpoint": at(Endpoint::Evaluation),
            "access_evaluations_endpoint": at(Endpoint::Evaluations),
            "search_subject_endpoint": at(Endpoint::Subjects),
            "search_resource_endpoint": at(Endpoint::Resources),
            "search_action_endpoint": at(Endpoint::Actions),
        }));
        let kept = HeaderValue::from_static("public, max-age=300");
        page.headers_mut().insert(CACHE_CONTROL, kept);
        Some(page)
    }

    /// Returns what a resource type of a question is called here.
    pub(super) fn type_here(&self, named: &str) -> String {
        let here =
            self.resource_types.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(named));
        here.map_or(named, |(_, ours)| ours.as_str()).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_with_a_path_has_it_behind_the_well_known_one() {
        for (url, page, evaluation) in [
            ("https://pdp.example", "/.well-known/authzen-configuration", "/access/v1/evaluation"),
            (
                "https://pdp.example/a/b",
                "/.well-known/authzen-configuration/a/b",
                "/a/b/access/v1/evaluation",
            ),
        ] {
            let settings = Settings { url: url.to_owned(), ..Settings::default() };
            assert!(settings.page(page).is_some(), "{page}");
            assert!(settings.page(&format!("{page}/else")).is_none());
            assert_eq!(settings.endpoint(evaluation), Some(Endpoint::Evaluation));
            assert_eq!(settings.endpoint("/access/v1/evaluations"), Some(Endpoint::Evaluations));
            assert_eq!(settings.endpoint("/access/v1/evaluation/"), None);
            assert_eq!(settings.endpoint("/else"), None);
        }
    }
}
