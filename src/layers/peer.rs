//! Who is at the other end of a connection, as its certificate says or a proxy that is believed, and which service user
//! that is (`api.md`, Caller identity; `edges.md` §5).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Request};
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;

use super::authn::{BadCredential, Credentials, Gone};
use super::forwarded;
use super::sources::{BadNetwork, Sources};
use crate::decision::{Anchor, Caller};
use crate::model::{BadSpiffeId, SpiffeId, UserId, UserKind};

/// What a proxy says of the client whose certificate it has verified.
const FORWARDED: &str = "x-forwarded-client-cert";

/// What the server knows of a connection whose other end has shown a certificate, found among a request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The workload that the certificate names, if any.
    pub spiffe_id: Option<SpiffeId>,
    /// Until when the certificate is good. A connection may last longer, the identity does not.
    pub not_after: DateTime<Utc>,
}

/// Which workload is which service user.
#[derive(Debug, Clone, Default)]
pub struct Peers(HashMap<SpiffeId, UserId>);

impl FromIterator<(SpiffeId, UserId)> for Peers {
    fn from_iter<I: IntoIterator<Item = (SpiffeId, UserId)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// The proxies that are believed when they say whose certificate they have verified.
///
/// A proxy is known by its certificate where it shows one, and by its address only where it shows none. It speaks for
/// others, and never for itself.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    ids: Vec<SpiffeId>,
    addresses: Sources,
}

/// A text that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// It begins like a SPIFFE id, and is none.
    #[error(transparent)]
    Id(#[from] BadSpiffeId),
    /// It is no address either.
    #[error(transparent)]
    Network(#[from] BadNetwork),
}

impl Proxies {
    /// Believes proxies, each a SPIFFE id, an address or a network.
    pub fn believing(proxies: &[String]) -> Result<Self, BadProxy> {
        let (ids, addresses): (Vec<_>, Vec<_>) =
            proxies.iter().cloned().partition(|text| text.contains("://"));
        let ids = ids.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { ids, addresses: Sources::trusting(&addresses)? })
    }

    /// Tells whether a workload is one of them.
    pub fn has(&self, id: &SpiffeId) -> bool {
        self.ids.contains(id)
    }

    /// Finds the workload that a request comes from; `None` where none is named by somebody who is believed.
    pub(super) fn workload(&self, request: &Request<Body>, now: DateTime<Utc>) -> Option<SpiffeId> {
        let peer = request.extensions().get::<Peer>();
        let Some(peer) = peer else {
            let info = request.extensions().get::<TcpConnectInfo>();
            let address = info.and_then(|info| info.remote_addr)?.ip().to_canonical();
            return if self.addresses.has(address) { self.before(request.headers()) } else { None };
        };
        // What was good when the connection was made may be over.
        let id = peer.spiffe_id.as_ref().filter(|_| now < peer.not_after)?;
        if self.has(id) { self.before(request.headers()) } else { Some(id.clone()) }
    }

    /// Walks back to the first workload that is no proxy of ours. Each proxy has added whom it has seen at the right.
    fn before(&self, headers: &HeaderMap) -> Option<SpiffeId> {
        let values = headers.get_all(FORWARDED).iter().map(|value| value.to_str().ok());
        self.named(&values.collect::<Option<Vec<_>>>()?.join(","))
    }

    /// Finds whom the header names that proxies of ours have written, all its lines joined by commas.
    pub fn named(&self, text: &str) -> Option<SpiffeId> {
        let mut trail = Some(text);
        while let Some(text) = trail {
            let (before, named) = forwarded::last(text)?;
            // Whoever is believed and yet names no workload is where the trail ends.
            let named = named?;
            if !self.has(&named) {
                return Some(named);
            }
            trail = before;
        }
        None
    }
}

impl Credentials {
    /// Returns the caller behind the headers of a request that came from `source`: the bearer, or, where none was sent, the
    /// workload at the other end.
    pub(super) async fn of_request(
        &self,
        headers: &HeaderMap,
        source: &str,
        workload: Option<&SpiffeId>,
    ) -> Result<Caller, BadCredential> {
        match (self.of_headers(headers, source).await, workload) {
            (Err(BadCredential::Missing), Some(workload)) => {
                Box::pin(self.of_peer(workload.as_str())).await
            }
            (found, _) => found,
        }
    }

    /// Returns the service user that a workload is, if it stands now. Whoever asks has to know that the workload is who it
    /// says.
    ///
    /// It holds what its user holds; without a session or a token of its own it makes no credentials (`edges.md` §2).
    pub async fn of_peer(&self, spiffe_id: &str) -> Result<Caller, BadCredential> {
        let id = spiffe_id.parse::<SpiffeId>().map_err(|_| BadCredential::Missing)?;
        let user = *self.peers.0.get(&id).ok_or(BadCredential::Missing)?;
        let tenant = self.feed.tenant_of(Anchor::User(user)).await?.ok_or(Gone::User)?;
        let world = self.tenant(tenant).await?.ok_or(Gone::User)?;
        let user = world.user(user).filter(|user| user.enabled).ok_or(Gone::User)?;
        if user.kind != UserKind::Service {
            return Err(BadCredential::Missing);
        }
        Ok(Caller {
            user: user.id,
            account: user.account,
            tenant,
            kind: user.kind,
            token: None,
            session: None,
            actor: None,
            limits: None,
        })
    }
}
