//! Messages as JSON, to a program of the operator's that writes and sends them.

use bytes::Bytes;
use http::{Request, Uri};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{Letter, NotSent};
use crate::crypto::outbox::signature;
use crate::model::MessageKind;
use crate::outside::{BadAddress, Client, NoTls, address};

/// The settings name no program that could be asked.
#[derive(Debug, thiserror::Error)]
pub enum BadWebhook {
    /// The address: passwords could be set by whoever listens on the way.
    #[error("mail.webhook_url: {0}")]
    Address(#[from] BadAddress),
    /// TLS cannot be had.
    #[error("mail.webhook_url: {0}")]
    Tls(#[from] NoTls),
}

/// A program that sends messages.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    url: Uri,
    secret: SecretString,
}

impl Webhook {
    pub(super) fn new(url: &str, secret: SecretString) -> Result<Self, BadWebhook> {
        Ok(Self { client: Client::new()?, url: address(url)?, secret })
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
            .body(body)
            .map_err(|error| failed(&error))?;
        let status = self.client.send(request).await.map_err(|error| failed(&error))?;
        if status.is_success() {
            return Ok(());
        }
        Err(NotSent(format!("the answer was {status}")))
    }
}
