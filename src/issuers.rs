//! ISSUERS: identity providers of others, by which users of one account each sign in (OIDC).

mod fetched;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::Uri;

use crate::crypto::jwt::{BadJwks, BadJwt, IdClaims, IdToken, Jwks, Wanted};
use crate::model::{Clock, KeyAlgorithm};
use crate::outside::{BadAddress, Client, NoTls, address};
use fetched::{Fetched, Place};

/// What the operator says of an identity provider.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// What it calls itself, to the letter.
    pub issuer: String,
    /// What we are called there.
    pub audiences: Vec<String>,
    /// Whose users sign in by it: an account's id or login alias.
    pub account: String,
    /// The claim that holds a user's e-mail address.
    pub claim: String,
    /// How it may sign.
    pub algorithms: Vec<KeyAlgorithm>,
    /// Where its keys are.
    pub keys: KeysAt,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone)]
pub enum KeysAt {
    /// In the settings.
    Here(String),
    /// In a file.
    File(PathBuf),
    /// At an address.
    Address(String),
    /// Where the issuer's own document says that they are.
    Discovery,
}

/// Why an issuer cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("the issuer `{issuer}` cannot be used: {why}")]
pub struct BadIssuer {
    issuer: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("sso.issuers.jwks_file: `{0}` cannot be read: {1}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("its key set {0}")]
    Keys(#[from] BadJwks),
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error(transparent)]
    Tls(#[from] NoTls),
}

/// Why a text is no ID token that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadIdToken {
    /// It is none of an issuer that is known here, or none for us.
    #[error("this is not an ID token of a known issuer")]
    Invalid,
    /// It was one.
    #[error("the ID token is expired")]
    Expired,
    /// It cannot be told: the issuer's keys cannot be had.
    #[error("the issuer's keys cannot be fetched")]
    Away,
}

impl From<BadJwt> for BadIdToken {
    fn from(bad: BadJwt) -> Self {
        match bad {
            BadJwt::Invalid => Self::Invalid,
            BadJwt::Expired => Self::Expired,
        }
    }
}

/// The identity providers that are known here. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Issuers(Arc<[Issuer]>);

/// One of them.
#[derive(Debug)]
pub struct Issuer {
    config: IssuerConfig,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Given(Arc<Jwks>),
    Fetched(Fetched),
}

impl Issuers {
    /// Makes them ready. Keys that are to be fetched are fetched when they are needed, or by [`Issuers::keep`].
    pub fn start(configs: &[IssuerConfig], clock: &Arc<dyn Clock>) -> Result<Self, BadIssuer> {
        let issuers = configs.iter().map(|config| {
            let keys = keys(config, clock);
            let bad = |why| BadIssuer { issuer: config.issuer.clone(), why };
            Ok(Issuer { config: config.clone(), keys: keys.map_err(bad)? })
        });
        Ok(Self(issuers.collect::<Result<_, _>>()?))
    }

    /// Finds one by what it calls itself.
    pub fn find(&self, issuer: &str) -> Option<&Issuer> {
        self.0.iter().find(|known| known.config.issuer == issuer)
    }

    /// Fetches those keys anew that are old: one that an issuer has withdrawn is not trusted for ever.
    pub async fn keep(&self) {
        let fetched = self.0.iter().filter_map(|issuer| match &issuer.keys {
            Keys::Fetched(fetched) => Some(fetched.keep()),
            Keys::Given(_) => None,
        });
        futures::future::join_all(fetched).await;
    }
}

impl Issuer {
    /// Returns whose users sign in by it: an account's id or login alias.
    pub fn account(&self) -> &str {
        &self.config.account
    }

    /// Verifies an ID token that says that it is of this issuer; that it was used before is not known here.
    pub async fn verify(
        &self,
        token: &IdToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<IdClaims, BadIdToken> {
        let keys = match &self.keys {
            Keys::Given(keys) => Arc::clone(keys),
            Keys::Fetched(fetched) => fetched.for_key(token.kid()).await?,
        };
        let wanted = Wanted { audiences: &self.config.audiences, claim: &self.config.claim };
        Ok(token.verify(&keys, wanted, now)?)
    }
}

fn keys(config: &IssuerConfig, clock: &Arc<dyn Clock>) -> Result<Keys, Why> {
    let given = |json: &[u8]| Ok(Keys::Given(Arc::new(Jwks::read_own(json, &config.algorithms)?)));
    let place = match &config.keys {
        KeysAt::Here(json) => return given(json.as_bytes()),
        KeysAt::File(path) => {
            let json = std::fs::read(path).map_err(|error| Why::File(path.clone(), error))?;
            return given(&json);
        }
        KeysAt::Address(text) => Place::Keys(address(text)?),
        KeysAt::Discovery => Place::Document(document(&config.issuer)?),
    };
    let issuer = config.issuer.clone();
    let algorithms = config.algorithms.clone();
    Ok(Keys::Fetched(Fetched::new(Client::new()?, issuer, place, algorithms, Arc::clone(clock))))
}

/// Returns where an issuer says of itself what there is to know (OIDC Discovery 1.0, §4).
fn document(issuer: &str) -> Result<Uri, BadAddress> {
    address(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}
