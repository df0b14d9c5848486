//! Where a secret could be found, and in what forms.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::meddle::{Meddler, TABLES};

impl Walk {
    /// Asserts that none of it is anywhere.
    pub(super) async fn leaves_nothing(&self, url: &str, records: &Path, collector: &Collector) {
        let spans = collector.text();
        assert!(spans.contains("SessionService/CreateSession"), "the spans are not of this walk");
        let records = std::fs::read_to_string(records).unwrap();
        assert!(records.contains("\"by_credential\":true"), "{records}");
        let log = self.server.log.lock().unwrap().clone();
        assert!(
            log.contains("SessionService/CreateSession"),
            "the log does not tell what is called"
        );
        let figures = figures(&self.server.admin).await;
        assert!(figures.contains("chancery_rpc_requests_total"), "{figures}");
        let rows = rows(url).await;
        assert!(rows.contains("Canary Cage"), "rows can be searched");
        let refusals = self.refusals.join("\n");
        assert!(refusals.contains("TOKEN_INVALID") && refusals.contains("SIGN_IN_FAILED"));
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            for needle in forms(secret) {
                for (place, text) in [
                    ("log", &log),
                    ("figures", &figures),
                    ("rows", &rows),
                    ("refusals", &refusals),
                    ("spans", &spans),
                    ("records", &records),
                ] {
                    let at = text.find(&needle);
                    let around = at.map(|at| text.get(at.saturating_sub(300)..at).unwrap_or(""));
                    assert!(at.is_none(), "{needle} is in the {place}, behind …{around:?}");
                }
            }
        }
    }
}

/// The forms in which a secret would be found: as it is, and as bytes are written. Of tokens, what is secret in them.
fn forms(secret: &str) -> Vec<String> {
    let core = match (secret.strip_prefix("chy_"), secret.rsplit_once('.')) {
        (Some(_), _) => secret.get(8..44).unwrap_or(secret),
        (None, Some((_, signature))) => signature,
        (None, None) => secret,
    };
    let hex = chancery::crypto::chain::hex(core.as_bytes());
    let list: Vec<String> = core.bytes().map(|byte| byte.to_string()).collect();
    vec![core.to_owned(), hex.clone(), hex.to_uppercase(), STANDARD.encode(core), list.join(", ")]
}

/// What the page of figures answers, headers and all.
pub(crate) async fn figures(admin: &str) -> String {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Everything that is in the store.
async fn rows(url: &str) -> String {
    if let Some(file) = url.strip_prefix("sqlite://") {
        let read = |end: &str| std::fs::read(format!("{file}{end}")).unwrap_or_default();
        let bytes = [read(""), read("-wal")].concat();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let meddler = Meddler::new(url).await;
    let mut text = String::new();
    for table in TABLES {
        let select = format!("select coalesce(string_agg(one::text, ' '), '') from {table} one");
        let found = meddler.rows(&select).await.unwrap();
        text.push_str(&found[0].try_get_by_index::<String>(0).unwrap());
    }
    text
}
