//! The connections themselves: what is served, when it changes, and who never comes through.

use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::cli::asked;
use crate::support::certificates::{client, client_of};

/// A busy machine may need this long for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

impl Scene {
    /// Does a handshake, and returns the connection.
    async fn connect(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let io = TcpStream::connect(self.secure.grpc()).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, io).await
    }

    /// Returns the certificate that a new connection is shown.
    async fn shown(&self) -> Vec<u8> {
        let mut config = client(&self.servers, None);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let io = self.connect(config).await.unwrap();
        assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        io.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    async fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.secure.admin()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

fn der(pair: &Pair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap().to_vec()
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_restart_and_a_broken_one_is_not_taken() {
    let scene = Scene::new(&Engine::Sqlite, "optional").await;
    let old = scene.channel(&scene.pair(SHOP));
    make(&old, "", &scene.acme, "before").await.unwrap();
    let first = scene.shown().await;
    // A key of another certificate, which must never be seen; then what fits together.
    let (new, other) = (scene.servers.server(), scene.servers.server());
    scene.files.replace(&Pair { key: other.key.clone(), ..new.clone() });
    let began = Instant::now();
    while scene.page("/metrics").await.contains("chancery_tls_reload_failures_total 0") {
        assert!(began.elapsed() < PATIENCE, "nobody has noticed the broken one");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(scene.shown().await, first);
    scene.files.replace(&new);
    let began = Instant::now();
    loop {
        let shown = scene.shown().await;
        if shown == der(&new) {
            break;
        }
        assert_eq!(shown, first, "the old one until the new one is there");
        assert!(began.elapsed() < PATIENCE, "the new one was not taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    make(&old, "", &scene.acme, "after").await.unwrap();
    let new = scene.channel(&scene.pair(SHOP));
    make(&new, "", &scene.acme, "anew").await.unwrap();
    // The first second of 2040.
    let figures = scene.page("/metrics").await;
    assert!(
        figures.contains("chancery_tls_certificate_expiry_timestamp_seconds 2208988800"),
        "{figures}"
    );
    scene.stop().await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_dropped_and_nobody_is_let_down_to_plain_text() {
    let scene = Scene::new(&Engine::Sqlite, "optional").await;
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut plain = TcpStream::connect(scene.secure.grpc()).await.unwrap();
        plain.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // An alert of TLS at most, and then the end, closed or reset.
        let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    }
    let plain =
        Channel::from_shared(format!("http://{}", scene.secure.grpc())).unwrap().connect_lazy();
    cut(make(&plain, &scene.robot.token, &scene.acme, "no").await);
    // What speaks nothing that is spoken here.
    let mut config = client(&scene.servers, None);
    config.alpn_protocols = vec![b"h3".to_vec()];
    assert!(scene.connect(config).await.is_err());
    for version in rustls::ALL_VERSIONS {
        let config = client_of(&scene.servers, None, &[*version]);
        let io = scene.connect(config).await.unwrap();
        assert_eq!(io.get_ref().1.protocol_version(), Some(version.version));
    }
    scene.stop().await;
}

#[tokio::test]
async fn authzen_is_spoken_within_tls_by_http_1_1() {
    let scene = Scene::new(&Engine::Sqlite, "optional").await;
    let mut config = client(&scene.servers, None);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut io = scene.connect(config).await.unwrap();
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let page = "/.well-known/authzen-configuration";
    let request = format!("GET {page} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, io.read_to_string(&mut text)).await.unwrap().unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.contains("/access/v1/evaluation"), "{text}");
    scene.stop().await;
}

#[tokio::test]
async fn nobody_who_is_silent_in_a_handshake_or_after_holds_up_the_end() {
    let scene = Scene::with(&Engine::Sqlite, "optional", &[("shutdown.hard_seconds", "1")]).await;
    let at = scene.secure.grpc();
    let mut silent = TcpStream::connect(at).await.unwrap();
    let mut half = TcpStream::connect(at).await.unwrap();
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    let mut done = scene.connect(client(&scene.servers, None)).await.unwrap();
    make(&scene.secure.channel, &scene.robot.token, &scene.acme, "one").await.unwrap();
    let began = Instant::now();
    scene.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for stream in [&mut silent, &mut half] {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
    let _ = timeout(PATIENCE, done.read_to_end(&mut Vec::new())).await.unwrap();
}

#[tokio::test]
async fn a_handshake_has_a_deadline_and_its_source_a_bound() {
    let more = [("limits.body_seconds", "5"), ("limits.connections_per_source", "3")];
    let scene = Scene::with(&Engine::Sqlite, "optional", &more).await;
    let at = scene.secure.grpc();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut half = TcpStream::connect(at).await.unwrap();
        half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
        held.push(half);
    }
    // Who is one too many is closed at once; the others when their time is over.
    let mut fourth = TcpStream::connect(at).await.unwrap();
    let began = Instant::now();
    let _ = timeout(PATIENCE, fourth.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    for mut half in held {
        let _ = timeout(PATIENCE, half.read_to_end(&mut Vec::new())).await.unwrap();
    }
    make(&scene.secure.channel, &scene.robot.token, &scene.acme, "one").await.unwrap();
    scene.stop().await;
}

#[tokio::test]
async fn the_command_line_knows_the_server_by_its_certificate() {
    let scene = Scene::new(&Engine::Sqlite, "optional").await;
    let (folder, token) = (scene.plain.folder.path(), scene.ann.token.as_str());
    let at = |name: &str| folder.join(name).display().to_string();
    let settings =
        format!("[tls]\ncert_file = {:?}\nkey_file = {:?}\n", at("tls.crt"), at("tls.key"));
    std::fs::write(at("c.toml"), settings).unwrap();
    std::fs::write(at("servers.crt"), &scene.servers.pem).unwrap();
    let shop = scene.pair(SHOP);
    std::fs::write(at("shop.crt"), &shop.cert).unwrap();
    std::fs::write(at("shop.key"), &shop.key).unwrap();
    let (config, servers, url) =
        (at("c.toml"), at("servers.crt"), format!("https://{}", scene.secure.grpc()));
    let path = format!("account/{}", scene.acme);
    let who = ["who-can", "read", &path];
    let ours = ["--config", &config];
    let known = ["--server", &url, "--tls-ca", &servers];
    let (cert, key) = (at("shop.crt"), at("shop.key"));
    let own = ["--tls-cert", &cert, "--tls-key", &key];
    for arguments in [
        [&ours[..], &["healthcheck"]].concat(),
        [&ours[..], &["healthcheck", "--tls-ca", &servers]].concat(),
        [&ours[..], &who].concat(),
        [&who[..], &known].concat(),
        [&who[..], &known, &own].concat(),
    ] {
        let (good, _, said) = asked(&scene.secure, token, &arguments).await;
        assert!(good, "{arguments:?}: {said}");
    }
    // Of another issuer, of nobody that is known, and in plain text.
    let other = at("ca.crt");
    let plain = format!("http://{}", scene.secure.grpc());
    for arguments in [
        [&ours[..], &["healthcheck", "--tls-ca", &other]].concat(),
        vec!["healthcheck"],
        [&who[..], &["--server", &url, "--tls-ca", &other]].concat(),
        [&who[..], &["--server", &url]].concat(),
        [&who[..], &["--server", &plain]].concat(),
        [&who[..], &["--server", &url, "--tls-ca", "nowhere"]].concat(),
    ] {
        let (good, _, said) = asked(&scene.secure, token, &arguments).await;
        assert!(!good, "{arguments:?}: {said}");
    }
    // What is shown of the configuration is where the key is, and nothing of it.
    let (good, shown, said) = asked(&scene.secure, "", &[&ours[..], &["config"]].concat()).await;
    assert!(good && shown.contains("tls.key") && !shown.contains("PRIVATE"), "{shown}{said}");
    scene.stop().await;
}
