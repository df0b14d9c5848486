//! OUTSIDE: other programs are asked over HTTP. Encrypted, but for those on this machine; nobody is followed to where an answer
//! points; and no answer is waited for, or read, without end.

mod secure;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::telemetry::{self, SPANS};

pub use secure::{Secure, Trust};

/// How long fetching something may take, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stands for the user and the password of an address.
const HIDDEN_USER: &str = "***@";

/// An address that nobody is asked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is none.
    #[error("`{}` is not an address, such as `https://example.com/path`", masked(.0))]
    None(String),
    /// Whoever is on the way could read and change what is said.
    #[error("`{}` is asked in plain text: say `https://…`", masked(.0))]
    Plain(String),
}

/// TLS cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("no secure connection can be made: {0}")]
pub struct NoTls(String);

/// What was asked for did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

/// Asks other programs. Cheap to copy; connections are used again.
#[derive(Debug, Clone)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    patience: Duration,
}

impl Client {
    /// Makes one that trusts whom browsers trust.
    pub fn new() -> Result<Self, NoTls> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| NoTls(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let inner = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { inner, patience: PATIENCE })
    }

    /// Sends a request, and returns how it was answered.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<StatusCode, NoAnswer> {
        let span = asking(request.uri());
        let sending = async {
            telemetry::pass_on(request.headers_mut());
            let answer = self.inner.request(request.map(Full::new)).await;
            let status = answer.map_err(|error| no_answer(&error))?.status();
            Span::current().record("http.response.status_code", status.as_u16());
            Ok(status)
        };
        sending.instrument(span).await
    }

    /// Fetches what is there, of `most` bytes at most. Any answer but a 200 means that nothing is.
    pub async fn fetch(&self, at: &Uri, most: usize) -> Result<Bytes, NoAnswer> {
        let fetching = async {
            let request = Request::get(at.clone()).header("accept", "application/json");
            let mut request = request.body(Full::default()).map_err(|error| no_answer(&error))?;
            telemetry::pass_on(request.headers_mut());
            let answer = self.inner.request(request).await.map_err(|error| no_answer(&error))?;
            Span::current().record("http.response.status_code", answer.status().as_u16());
            if answer.status() != StatusCode::OK {
                return Err(NoAnswer(format!("the answer was {}", answer.status())));
            }
            let body = Limited::new(answer.into_body(), most).collect().await;
            Ok(body.map_err(|error| NoAnswer(format!("the answer broke off: {error}")))?.to_bytes())
        };
        let late = |_| Err(NoAnswer("it took too long".to_owned()));
        let fetching = fetching.instrument(asking(at));
        tokio::time::timeout(self.patience, fetching).await.unwrap_or_else(late)
    }
}

/// The span of a question to another program. Which one is told, not what it is asked.
fn asking(at: &Uri) -> Span {
    tracing::info_span!(
        target: SPANS,
        "ask",
        otel.kind = "client",
        server.address = at.host().unwrap_or_default(),
        http.response.status_code = Empty,
    )
}

fn no_answer(error: &dyn std::error::Error) -> NoAnswer {
    // Most of these tell what happened only in what is behind them.
    NoAnswer(error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")))
}

/// Reads the address of a program: `https://…`, or `http://…` on this machine.
pub fn address(text: &str) -> Result<Uri, BadAddress> {
    let none = || BadAddress::None(text.to_owned());
    let at: Uri = text.parse().map_err(|_| none())?;
    let scheme = at.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
    if scheme.is_none() || at.host().is_none() {
        return Err(none());
    }
    if is_plain(text, "http") { Err(BadAddress::Plain(text.to_owned())) } else { Ok(at) }
}

/// Writes an address as it may be shown: without what stands before an `@`, and without its query and fragment, all of which may
/// be secrets.
pub fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (place, hidden) = match rest.find(['?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // An `@` in a path hides more than it must.
    let (user, place) =
        place.rsplit_once('@').map_or(("", place), |(_, place)| (HIDDEN_USER, place));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let hidden = hidden.chars().next().map(|mark| format!("{mark}***")).unwrap_or_default();
    format!("{scheme}{user}{place}{hidden}")
}

/// Tells whether an address sends in plain text, and further than to this machine.
pub fn is_plain(url: &str, scheme: &str) -> bool {
    let Some((own, rest)) = url.split_once("://") else { return false };
    if !own.eq_ignore_ascii_case(scheme) {
        return false;
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let local = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    !(name == "localhost" || local(name))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers everybody with these bytes, and leaves the connection open.
    async fn answering(bytes: Vec<u8>) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = address(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(&bytes).await;
                open.push(stream);
            }
        });
        at
    }

    #[tokio::test]
    async fn what_is_fetched_comes_whole_in_time_and_not_longer_than_wanted() {
        let quick = Client { patience: Duration::from_millis(50), ..Client::new().unwrap() };
        let patient = Client::new().unwrap();
        let page = |status: &str, length: usize, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
        };
        let at = answering(page("200 OK", 4, "four")).await;
        assert_eq!(patient.fetch(&at, 4).await, Ok(Bytes::from("four")));
        assert!(patient.fetch(&at, 3).await.is_err());
        let at = answering(page("302 Found\r\nlocation: /y", 4, "four")).await;
        let why = patient.fetch(&at, 4).await.unwrap_err().to_string();
        assert!(why.contains("302"), "{why}");
        // One that never answers, one that answers no HTTP, one that stops in the middle, and one that never ends.
        let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for bytes in [Vec::new(), b"SSH-2.0\r\n".to_vec(), page("200 OK", 9, "four"), endless] {
            let at = answering(bytes).await;
            assert!(quick.fetch(&at, 1 << 20).await.is_err());
        }
        let nowhere = address("http://127.0.0.1:1/x").unwrap();
        let why = patient.fetch(&nowhere, 4).await.unwrap_err().to_string();
        assert!(why.contains("onnect"), "{why}");
    }

    #[test]
    fn only_this_machine_is_sent_to_in_plain_text() {
        for local in ["smtp://localhost", "smtp://127.0.0.1:25/x", "smtp://a:b@[::1]:25?x=y"] {
            assert!(!is_plain(local, "smtp"), "{local}");
        }
        for far in [
            "smtp://mail.example.com",
            "SMTP://mail.example.com",
            "smtp://localhost@192.0.2.1",
            "smtp://localhost.example.com:25",
        ] {
            assert!(is_plain(far, "smtp"), "{far}");
        }
        assert!(!is_plain("smtps://mail.example.com", "smtp"));
    }

    #[test]
    fn no_secret_of_an_address_is_shown() {
        for (url, shown) in [
            ("https://a.example/b", "https://a.example/b"),
            ("https://a.example/b?key=hush&x#hush", "https://a.example/b?***"),
            ("https://a.example#hush", "https://a.example#***"),
            ("https://me:hu/s@h@a.example/b", "https://***@a.example/b"),
            ("https://hush@a.example?c", "https://***@a.example?***"),
            ("hush@a.example", "***@a.example"),
            ("a.example?hush", "a.example?***"),
        ] {
            assert_eq!(masked(url), shown);
            assert!(!BadAddress::None(url.to_owned()).to_string().contains("hush"));
        }
    }

    #[test]
    fn an_address_says_how_and_where() {
        for good in ["https://a.example/b?c", "http://127.0.0.1:1/x", "HTTPS://a.example"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for none in ["", "a.example", "/path", "ftp://a.example/x", "https:///x", "file:///etc/x"] {
            assert_eq!(address(none), Err(BadAddress::None(none.to_owned())));
        }
        for plain in ["http://a.example/x", "HTTP://a.example", "http://127.0.0.1@a.example/"] {
            assert_eq!(address(plain), Err(BadAddress::Plain(plain.to_owned())));
        }
    }
}
