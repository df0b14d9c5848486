//! How messages to users are sent.

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use super::{Problem, hidden};
use crate::outside::masked;
use crate::post::SenderConfig;
use crate::store::Engine;

/// How messages to users are sent: resets and invitations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// By what; absent: by the log on SQLite, and on Postgres not at all.
    pub sender: Option<MailSender>,
    /// Who e-mails come from: `Name <address>`.
    pub from: Option<String>,
    /// The e-mail server: `smtps://user:password@host`.
    #[serde(serialize_with = "hidden")]
    pub smtp_url: Option<SecretString>,
    /// The program that sends messages: `https://…`.
    #[serde(serialize_with = "masked_web")]
    pub webhook_url: Option<String>,
    /// The key that each request to it is signed under.
    #[serde(serialize_with = "hidden")]
    pub webhook_secret: Option<SecretString>,
}

/// Writes an address without what in it may be a secret.
#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn masked_web<S: Serializer>(url: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(masked).serialize(to)
}

/// By what messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSender {
    /// Written to the log, with their secrets.
    Log,
    /// As e-mail.
    Smtp,
    /// To a program of the operator's.
    Webhook,
}

impl Mail {
    /// Returns how messages are sent from a store of this kind, or what is missing.
    pub(super) fn sender(&self, engine: Option<Engine>) -> Result<SenderConfig, Problem> {
        let missing = |key: &str, what: &str| Problem {
            key: key.to_owned(),
            why: format!("is needed where mail.sender is `{what}`"),
        };
        match self.sender {
            None if engine == Some(Engine::Sqlite) => Ok(SenderConfig::Log),
            None => Ok(SenderConfig::None),
            Some(MailSender::Log) => Ok(SenderConfig::Log),
            Some(MailSender::Smtp) => Ok(SenderConfig::Smtp {
                url: self.smtp_url.clone().ok_or_else(|| missing("mail.smtp_url", "smtp"))?,
                from: self.from.clone().ok_or_else(|| missing("mail.from", "smtp"))?,
            }),
            Some(MailSender::Webhook) => Ok(SenderConfig::Webhook {
                url: self
                    .webhook_url
                    .clone()
                    .ok_or_else(|| missing("mail.webhook_url", "webhook"))?,
                secret: self
                    .webhook_secret
                    .clone()
                    .ok_or_else(|| missing("mail.webhook_secret", "webhook"))?,
            }),
        }
    }
}
