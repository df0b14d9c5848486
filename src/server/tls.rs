//! TLS: the server's certificate and what clients' must be, read again when the files change.
//!
//! Connections that are open go on with what they began with; each new one sees what is newest. What cannot be used is
//! told in the log, once, and what was there before stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::phase::{Phase, Phases};
use crate::crypto::Certificate;
use crate::layers::Peer;
use crate::model::Clock;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// Nobody is asked for one.
    #[default]
    Off,
    /// Whoever has one shows it; one that is not good is refused all the same.
    Optional,
    /// Nobody gets in without.
    Required,
}

/// Where certificates are.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// The server's, and those that lead to a root, in PEM.
    pub cert_file: PathBuf,
    /// Its private key, in PEM.
    pub key_file: PathBuf,
    /// Those of who issues clients' certificates, in PEM.
    pub client_ca_file: Option<PathBuf>,
    /// Whether clients show one.
    pub client_auth: ClientAuth,
}

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// A file.
    #[error("`{file}` cannot be read")]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in one.
    #[error("`{file}` does not hold {what} in PEM")]
    Pem {
        /// Which.
        file: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// The server's certificate.
    #[error("`{0}` holds what is no certificate of a server")]
    Certificate(PathBuf),
    /// What the files are to one another.
    #[error("certificate and key cannot be used")]
    Unfit(#[from] rustls::Error),
    /// Those who issue clients' certificates.
    #[error("the certificates of those who issue clients' cannot be used: {0}")]
    Issuers(String),
}

/// The files, as they were read at once.
#[derive(PartialEq, Eq)]
struct Files {
    chain: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    issuers: Option<Vec<u8>>,
}

/// Does the handshakes.
#[derive(Debug)]
pub(super) struct Tls {
    config: TlsConfig,
    clock: Arc<dyn Clock>,
    /// What is spoken inside, the best first.
    protocols: &'static [&'static [u8]],
    newest: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files. What is read is returned beside it, for [`Tls::keep`] to know what has changed.
    async fn load(
        config: TlsConfig,
        clock: Arc<dyn Clock>,
        protocols: &'static [&'static [u8]],
    ) -> Result<(Self, Files), BadTls> {
        let files = config.read().await?;
        let (newest, not_after) = files.serve(&config, &clock, protocols)?;
        shown(not_after);
        Ok((Self { config, clock, protocols, newest: ArcSwap::new(newest) }, files))
    }

    /// Reads the files, and again when they change, until the server takes no more connections.
    pub(super) async fn start(
        config: TlsConfig,
        clock: Arc<dyn Clock>,
        protocols: &'static [&'static [u8]],
        phases: &Phases,
    ) -> Result<Arc<Self>, BadTls> {
        let (tls, files) = Self::load(config, clock, protocols).await?;
        let (tls, closing) = (Arc::new(tls), phases.clone().reached(Phase::Closing));
        let kept = Arc::clone(&tls);
        tokio::spawn(async move {
            tokio::select! {
                () = closing => {}
                () = kept.keep(files) => {}
            }
        });
        Ok(tls)
    }

    /// Looks at the files once a second.
    async fn keep(&self, files: Files) {
        // `None` while they cannot be read.
        let mut seen = Some(files);
        loop {
            tokio::time::sleep(EVERY).await;
            let (found, why) = match self.config.read().await {
                Ok(files) => (Some(files), None),
                Err(why) => (None, Some(why)),
            };
            if found == seen {
                continue;
            }
            let served = match (&found, why) {
                (Some(files), _) => files.serve(&self.config, &self.clock, self.protocols),
                (None, Some(why)) => Err(why),
                (None, None) => continue,
            };
            match served {
                Ok((newest, not_after)) => {
                    self.newest.store(newest);
                    shown(not_after);
                    tracing::info!(%not_after, "the certificate was read anew");
                }
                Err(error) => {
                    metrics::counter!("chancery_tls_reload_failures_total").increment(1);
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the new certificate cannot be used: the old one stays");
                }
            }
            seen = found;
        }
    }

    /// Does the handshake. `Err` for whoever speaks no TLS, or shows what is not good.
    pub(super) async fn accept(&self, io: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.newest.load_full()).accept(io).await
    }
}

/// Tells who is at the other end; `None` for one who has shown no certificate.
pub(super) fn peer(io: &TlsStream<TcpStream>) -> Option<Peer> {
    let (_, connection) = io.get_ref();
    let own = connection.peer_certificates()?.first()?;
    // One that we cannot read names nobody; yet whoever showed it has shown one.
    let nobody = Peer { spiffe_id: None, not_after: DateTime::UNIX_EPOCH };
    Some(
        Certificate::read(own).map_or(nobody, |Certificate { spiffe_id, not_after, .. }| Peer {
            spiffe_id,
            not_after,
        }),
    )
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double, which holds such seconds")]
fn shown(not_after: DateTime<Utc>) {
    metrics::gauge!("chancery_tls_certificate_expiry_timestamp_seconds")
        .set(not_after.timestamp() as f64);
}

impl TlsConfig {
    async fn read(&self) -> Result<Files, BadTls> {
        let issuers = match self.client_ca_file.as_ref() {
            Some(file) => Some(read(file).await?),
            None => None,
        };
        let (chain, key) = (read(&self.cert_file).await?, read(&self.key_file).await?.into());
        Ok(Files { chain, key, issuers })
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, BadTls> {
    let unread = |source| BadTls::File { file: file.to_owned(), source };
    tokio::fs::read(file).await.map_err(unread)
}

impl Files {
    /// Makes of them what handshakes are done with; returns until when the certificate is good, too.
    fn serve(
        &self,
        config: &TlsConfig,
        clock: &Arc<dyn Clock>,
        protocols: &[&[u8]],
    ) -> Result<(Arc<ServerConfig>, DateTime<Utc>), BadTls> {
        let chain = certificates(&self.chain, &config.cert_file)?;
        let bad = || BadTls::Certificate(config.cert_file.clone());
        let own = chain.first().and_then(|own| Certificate::read(own)).ok_or_else(bad)?;
        let pem = |_| BadTls::Pem { file: config.key_file.clone(), what: "a private key" };
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(pem)?;
        let provider = Arc::new(ring::default_provider());
        let time = Arc::new(Time(Arc::clone(clock)));
        let builder = ServerConfig::builder_with_details(Arc::clone(&provider), time)
            .with_safe_default_protocol_versions()?;
        let builder = match (config.client_auth, &config.client_ca_file, &self.issuers) {
            (ClientAuth::Off, _, _) => builder.with_no_client_auth(),
            (auth, Some(file), Some(pem)) => {
                let mut roots = RootCertStore::empty();
                for issuer in certificates(pem, file)? {
                    roots.add(issuer).map_err(|error| BadTls::Issuers(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = match auth {
                    ClientAuth::Required => verifier,
                    ClientAuth::Off | ClientAuth::Optional => verifier.allow_unauthenticated(),
                };
                let issuers = |error: rustls::server::VerifierBuilderError| {
                    BadTls::Issuers(error.to_string())
                };
                builder.with_client_cert_verifier(verifier.build().map_err(issuers)?)
            }
            _ => return Err(BadTls::Issuers("there are none".to_owned())),
        };
        let mut made = builder.with_single_cert(chain, key)?;
        made.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // Whoever comes again shows its certificate again, and is held against what is newest.
        made.session_storage = Arc::new(NoServerSessionStorage {});
        made.send_tls13_tickets = 0;
        Ok((Arc::new(made), own.not_after))
    }
}

fn certificates(pem: &[u8], file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let none = || BadTls::Pem { file: file.to_owned(), what: "certificates" };
    found.ok().filter(|found| !found.is_empty()).ok_or_else(none)
}

/// The time that the rest of the program goes by.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
