//! Messages as JSON, to a program of the operator's that writes and sends them.

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{Letter, NotSent, is_plain};
use crate::crypto::outbox::signature;
use crate::model::MessageKind;

/// The settings name no program.
#[derive(Debug, thiserror::Error)]
pub enum BadWebhook {
    /// The address.
    #[error(
        "mail.webhook_url: `{0}` is not an address, such as `https://mailer.example.com/chancery`"
    )]
    Url(String),
    /// Passwords could be set by whoever listens.
    #[error("mail.webhook_url: `{0}` sends in plain text: say `https://…`")]
    Plain(String),
    /// TLS cannot be had.
    #[error("mail.webhook_url: no secure connection can be made: {0}")]
    Tls(String),
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A program that sends messages.
#[derive(Debug)]
pub(super) struct Webhook {
    client: HttpClient,
    url: Uri,
    secret: SecretString,
}

impl Webhook {
    pub(super) fn new(url: &str, secret: SecretString) -> Result<Self, BadWebhook> {
        let uri: Uri = url.parse().map_err(|_| BadWebhook::Url(url.to_owned()))?;
        if uri.host().is_none() || uri.scheme().is_none() {
            return Err(BadWebhook::Url(url.to_owned()));
        }
        if is_plain(url, "http") {
            return Err(BadWebhook::Plain(url.to_owned()));
        }
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| BadWebhook::Tls(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: uri,
            secret,
        })
    }

    /// Sends a message. Any answer but a 2xx means that it was not taken.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let failed = |error: &dyn std::fmt::Display| NotSent(error.to_string());
        let kind = match letter.kind {
            MessageKind::Reset => "reset",
            MessageKind::Invite => "invite",
        };
        let body = json!({
            "id": letter.id,
            "kind": kind,
            "to": letter.to,
            "user_id": letter.user_id,
            "user_name": letter.user_name,
            "account_id": letter.account_id,
            "account_name": letter.account_name,
            "expire_time": letter.expire_time,
            "token": letter.token.expose_secret(),
            "link": letter.link.expose_secret(),
        });
        let body = Bytes::from(body.to_string());
        let request = Request::post(self.url.clone())
            .header("content-type", "application/json")
            .header("idempotency-key", &letter.id)
            .header("chancery-signature", signature(self.secret.expose_secret(), &body))
            .body(Full::new(body))
            .map_err(|error| failed(&error))?;
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(NotSent(format!("the answer was {}", answer.status())))
    }
}
