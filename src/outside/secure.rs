//! TLS to a server of this program: whom it is taken for, and who we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::NoTls;

/// Whom a server that is asked over `https` is taken for.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whomever browsers take it for.
    Web,
    /// Who has a certificate of that name, issued by one of those in this file.
    Issuers(PathBuf),
    /// Who has the very certificate that stands first in this file, whatever names are in it: for asking a server beside us.
    Exactly(PathBuf),
}

/// How a server is spoken to over `https`.
#[derive(Debug, Clone)]
pub struct Secure {
    /// Whom it is taken for.
    pub trust: Trust,
    /// Our own certificate and its key, to be shown where it asks for one: files in PEM.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl Secure {
    /// Makes what connects, encrypted to addresses of `https` and in plain text to those of `http`.
    pub fn connector(&self) -> Result<HttpsConnector<HttpConnector>, NoTls> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| NoTls(error.to_string()))?;
        let builder = self.trust.verifying(builder, provider)?;
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let read = PrivateKeyDer::from_pem_file(key);
                let read = read.map_err(|error| unread(key, &error.to_string()))?;
                let config = builder.with_client_auth_cert(certificates(cert)?, read);
                config.map_err(|error| unread(cert, &error.to_string()))?
            }
        };
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http2()
            .build())
    }
}

impl Trust {
    fn verifying(
        &self,
        builder: ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
        provider: Arc<CryptoProvider>,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, NoTls> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Web => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Self::Issuers(file) => {
                for issuer in certificates(file)? {
                    roots.add(issuer).map_err(|error| unread(file, &error.to_string()))?;
                }
            }
            Self::Exactly(file) => {
                let wanted = certificates(file)?.into_iter().next();
                let wanted = wanted.ok_or_else(|| unread(file, "no certificate is in it"))?;
                let verifier = Arc::new(Exactly { wanted, provider });
                return Ok(builder.dangerous().with_custom_certificate_verifier(verifier));
            }
        }
        Ok(builder.with_root_certificates(roots))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unread(file, &error.to_string()))?;
    if found.is_empty() { Err(unread(file, "no certificate is in it")) } else { Ok(found) }
}

fn unread(file: &Path, why: &str) -> NoTls {
    NoTls(format!("`{}`: {why}", file.display()))
}

/// Takes one certificate, and only from who has its key.
#[derive(Debug)]
struct Exactly {
    wanted: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.wanted {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
