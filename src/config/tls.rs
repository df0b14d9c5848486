//! TLS on the port of gRPC, and whom certificates name.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problem;
use super::check::problem;
use crate::layers::{Peers, Proxies};
use crate::model::{SpiffeId, UserId};
use crate::server::{ClientAuth, TlsConfig};

/// TLS. It is on where both files are given; they are read again when they change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate and those that lead to a root, in PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
    /// The certificates of those who issue clients' certificates, in PEM. Each may name whatever workload it likes.
    pub client_ca_file: Option<PathBuf>,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// Workloads that are service users.
    pub peers: Vec<TlsPeer>,
    /// Proxies that are believed when they say in `x-forwarded-client-cert` whose certificate they have verified: SPIFFE ids, or
    /// the addresses and networks of those that show no certificate.
    pub forwarding_proxies: Vec<String>,
}

/// A workload that is a service user: it calls without a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPeer {
    /// Who it is, to the letter: `spiffe://<trust domain>/<path>`.
    pub spiffe_id: String,
    /// Which user, `usr_…`: one of kind SERVICE. A name could become somebody else's.
    pub user_id: String,
}

impl Tls {
    /// Returns how the server is to encrypt, if it is.
    pub(super) fn config(&self) -> Option<TlsConfig> {
        let (cert_file, key_file) = self.cert_file.clone().zip(self.key_file.clone())?;
        let (client_ca_file, client_auth) = (self.client_ca_file.clone(), self.client_auth);
        Some(TlsConfig { cert_file, key_file, client_ca_file, client_auth })
    }

    /// Returns which workload is which user; what is wrong with one was told when it was loaded.
    pub(super) fn peers(&self) -> Peers {
        self.peers.iter().filter_map(|peer| peer.read().ok()).collect()
    }

    /// Lists everything that is wrong with it.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems = self.files();
        let proxies = match Proxies::believing(&self.forwarding_proxies) {
            Ok(proxies) => proxies,
            Err(why) => {
                problems.push(problem("tls.forwarding_proxies", why.to_string()));
                Proxies::default()
            }
        };
        let mut known = HashSet::new();
        for (place, peer) in self.peers.iter().enumerate() {
            let mut add = |field: &str, why: String| {
                problems.push(problem(&format!("tls.peers[{place}].{field}"), why));
            };
            let id = match peer.read() {
                Ok((id, _)) => id,
                Err((field, why)) => {
                    add(field, why);
                    continue;
                }
            };
            if proxies.has(&id) {
                let why =
                    "is one of tls.forwarding_proxies: it speaks for others, and never for itself";
                add("spiffe_id", why.to_owned());
            }
            if !known.insert(id) {
                add("spiffe_id", "stands here twice: a workload is one user".to_owned());
            }
        }
        problems
    }

    fn files(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: &str, why: &str| problems.push(problem(key, why.to_owned()));
        let on = self.cert_file.is_some();
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => add("tls.key_file", "is needed beside tls.cert_file"),
            (None, Some(_)) => add("tls.cert_file", "is needed beside tls.key_file"),
            _ => {}
        }
        let asks = self.client_auth != ClientAuth::Off;
        if asks && !on {
            add(
                "tls.client_auth",
                "asks for certificates where there is no TLS: give tls.cert_file and tls.key_file",
            );
        } else if asks && self.client_ca_file.is_none() {
            add("tls.client_ca_file", "is needed: without it no client's certificate is good");
        } else if !asks && self.client_ca_file.is_some() {
            add(
                "tls.client_auth",
                "is `off`, so that nobody is asked for a certificate of tls.client_ca_file: say `optional` or `required`",
            );
        }
        if !self.peers.is_empty() && !asks && self.forwarding_proxies.is_empty() {
            add(
                "tls.peers",
                "are never seen: say tls.client_auth, or which tls.forwarding_proxies tell of them",
            );
        }
        problems
    }
}

impl TlsPeer {
    fn read(&self) -> Result<(SpiffeId, UserId), (&'static str, String)> {
        let id =
            self.spiffe_id.parse::<SpiffeId>().map_err(|why| ("spiffe_id", why.to_string()))?;
        let user = self.user_id.parse::<UserId>().map_err(|why| ("user_id", why.to_string()))?;
        Ok((id, user))
    }
}
