//! Identity providers by which users sign in.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problem;
use super::check::problem;
use crate::crypto::jwt::Jwks;
use crate::issuers::{IssuerConfig, KeysAt};
use crate::model::KeyAlgorithm;
use crate::outside::address;

/// The longest name that an issuer may have for itself, in bytes.
const LONGEST: usize = 512;

/// Single sign-on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sso {
    /// The identity providers, each of which is one account's.
    pub issuers: Vec<SsoIssuer>,
}

/// An identity provider: an issuer of OIDC.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoIssuer {
    /// What it calls itself, to the letter: `https://…`.
    pub issuer: String,
    /// What we are called there, the client id; more than one where several programs of ours sign people in.
    pub audiences: Vec<String>,
    /// Whose users sign in by it: the account's id or its login alias.
    pub account: String,
    /// The claim that holds a user's e-mail address. `email` counts where the issuer says `email_verified`; of any other claim
    /// the operator knows that the issuer has verified it.
    #[serde(default = "email")]
    pub claim: String,
    /// How it may sign.
    #[serde(default = "all")]
    pub algorithms: Vec<KeyAlgorithm>,
    /// Its keys, as a JSON Web Key Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// A file that they are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Where they are fetched from. Without any of the three the issuer's own document says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

fn email() -> String {
    "email".to_owned()
}

fn all() -> Vec<KeyAlgorithm> {
    vec![KeyAlgorithm::Es256, KeyAlgorithm::EdDsa, KeyAlgorithm::Rs256]
}

impl Sso {
    /// Lists everything that is wrong with the issuers, each by its place among them.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut known = HashSet::new();
        let mut problems = Vec::new();
        for (place, issuer) in self.issuers.iter().enumerate() {
            let mut faults = issuer.faults();
            if !known.insert(&issuer.issuer) {
                faults.push(("issuer", "stands here twice: an issuer is one account's".to_owned()));
            }
            let key = |field| format!("sso.issuers[{place}].{field}");
            problems.extend(faults.into_iter().map(|(field, why)| problem(&key(field), why)));
        }
        problems
    }
}

impl SsoIssuer {
    /// Returns it as it is used.
    pub(super) fn config(&self) -> IssuerConfig {
        let keys = match (&self.jwks, &self.jwks_file, &self.jwks_uri) {
            (Some(json), _, _) => KeysAt::Here(json.clone()),
            (_, Some(path), _) => KeysAt::File(path.clone()),
            (_, _, Some(uri)) => KeysAt::Address(uri.clone()),
            (None, None, None) => KeysAt::Discovery,
        };
        IssuerConfig {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            account: self.account.clone(),
            claim: self.claim.clone(),
            algorithms: self.algorithms.clone(),
            keys,
        }
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(why) = address(&self.issuer) {
            faults.push(("issuer", why.to_string()));
        } else if self.issuer.contains(['?', '#']) || self.issuer.len() > LONGEST {
            let why = format!("has a query or a fragment, or more than {LONGEST} bytes");
            faults.push(("issuer", why));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            let why = "is empty: say what this service is called at the issuer, its client id";
            faults.push(("audiences", why.to_owned()));
        }
        for (field, text) in [("account", &self.account), ("claim", &self.claim)] {
            if text.trim().is_empty() {
                faults.push((field, "is empty".to_owned()));
            }
        }
        if self.algorithms.is_empty() {
            faults.push(("algorithms", "is empty: say `ES256`, `EdDSA` or `RS256`".to_owned()));
        }
        let given = [self.jwks.is_some(), self.jwks_file.is_some(), self.jwks_uri.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let why = "is given, and jwks_file or jwks_uri as well: keep one of them";
            faults.push(("jwks", why.to_owned()));
        }
        let own = self.jwks.as_ref().map(|json| Jwks::read_own(json.as_bytes(), &self.algorithms));
        if let Some(Err(why)) = own.filter(|_| !self.algorithms.is_empty()) {
            faults.push(("jwks", why.to_string()));
        }
        if let Some(Err(why)) = self.jwks_uri.as_deref().map(address) {
            faults.push(("jwks_uri", why.to_string()));
        }
        faults
    }
}
