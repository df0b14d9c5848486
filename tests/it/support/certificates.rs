//! Those who issue certificates, what they issue, and channels that are made with it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::HttpsConnectorBuilder;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tonic::transport::{Channel, Endpoint};

/// Who issues certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// What is to be in a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    uris: Vec<&'static str>,
    /// Its first year, and the year at whose beginning it ends.
    years: (i32, i32),
}

/// The certificate of a workload.
pub(crate) fn workload(id: &'static str) -> Wanted {
    Wanted { uris: vec![id], years: (2020, 2040) }
}

impl Wanted {
    pub(crate) fn and(mut self, uri: &'static str) -> Self {
        self.uris.push(uri);
        self
    }

    pub(crate) fn until(mut self, year: i32) -> Self {
        self.years.1 = year;
        self
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2050, 1, 1));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Issues a certificate for a server on this machine.
    pub(crate) fn server(&self) -> Pair {
        let params = CertificateParams::new(Vec::new()).unwrap();
        self.issue(params, (2020, 2040), vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))])
    }

    /// Issues one for a workload.
    pub(crate) fn client(&self, wanted: &Wanted) -> Pair {
        let params = CertificateParams::new(Vec::new()).unwrap();
        let uris = wanted.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        self.issue(params, wanted.years, uris)
    }

    fn issue(&self, mut params: CertificateParams, years: (i32, i32), names: Vec<SanType>) -> Pair {
        params.subject_alt_names = names;
        (params.not_before, params.not_after) =
            (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }
}

/// Certificates in a folder, as a server is told of them.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) issuers: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path, server: &Pair, clients: &Authority) -> Self {
        let at = |name: &str| folder.join(name);
        let files = Self { cert: at("tls.crt"), key: at("tls.key"), issuers: at("ca.crt") };
        std::fs::write(&files.issuers, &clients.pem).unwrap();
        files.replace(server);
        files
    }

    /// Puts another certificate in the place of the server's, each file at once.
    pub(crate) fn replace(&self, server: &Pair) {
        for (file, text) in [(&self.cert, &server.cert), (&self.key, &server.key)] {
            let new = file.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, file).unwrap();
        }
    }
}

/// Makes a client's side of TLS that takes servers for who `servers` says they are.
pub(crate) fn client(servers: &Authority, own: Option<&Pair>) -> ClientConfig {
    client_of(servers, own, rustls::DEFAULT_VERSIONS)
}

/// And speaks these versions.
pub(crate) fn client_of(
    servers: &Authority,
    own: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(servers.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// Connects at the first call.
pub(crate) fn channel(at: SocketAddr, servers: &Authority, own: Option<&Pair>) -> Channel {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(client(servers, own))
        .https_only()
        .enable_http2()
        .build();
    let endpoint = Endpoint::from_shared(format!("https://{at}")).unwrap();
    endpoint.connect_with_connector_lazy(connector)
}
