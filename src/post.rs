//! POST: messages go out, from the table where the change that they belong to has put them.
//!
//! A message is claimed before it is sent, for longer than sending takes, so that no two processes send it at once. One that
//! could not be sent is tried again, less and less often, until its link is worth nothing; one is sent twice only where a
//! process ended between sending it and noting so.

mod smtp;
mod webhook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tracing::Instrument as _;

use crate::crypto::KeyRing;
use crate::crypto::secret::Redacted;
use crate::model::{Account, MessageKind, User};
use crate::store::{Outgoing, Store, message_token};
use crate::telemetry::SPANS;
use smtp::Smtp;
use webhook::Webhook;

pub use smtp::BadSmtp;
pub use webhook::BadWebhook;

/// So long after the bell messages are sent. By then whoever rang it has its answer, whose time must not tell whether there
/// was anything to send.
const AFTER: Duration = Duration::from_millis(25);
/// How often the table is looked at when nobody says that there is something.
const EVERY: Duration = Duration::from_secs(1);
/// How long sending one message may take; less than the time it is claimed for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many are claimed at once: all of them are sent before the first claim ends.
const BATCH: u64 = 2;

/// How messages are sent.
#[derive(Debug, Clone)]
pub enum SenderConfig {
    /// Not at all: they wait.
    None,
    /// Into the log, with their secrets: for development.
    Log,
    /// As e-mail.
    Smtp {
        /// `smtp://…` or `smtps://…`, with user and password where the server wants them.
        url: SecretString,
        /// Who sends: `Name <address>`.
        from: String,
    },
    /// As JSON to a program of the operator's.
    Webhook {
        /// `https://…`, or `http://…` for what encrypts by itself.
        url: String,
        /// The key of the signature in each request.
        secret: SecretString,
    },
}

impl SenderConfig {
    /// Looks whether messages can be sent so, as far as that can be told without asking anybody.
    pub fn check(&self) -> Result<(), BadSender> {
        self.sender().map(drop)
    }

    fn sender(&self) -> Result<Option<Sender>, BadSender> {
        Ok(match self {
            Self::None => None,
            Self::Log => Some(Sender::Log),
            Self::Smtp { url, from } => {
                Some(Sender::Smtp(Box::new(Smtp::new(url.expose_secret(), from)?)))
            }
            Self::Webhook { url, secret } => {
                Some(Sender::Webhook(Box::new(Webhook::new(url, secret.clone())?)))
            }
        })
    }
}

/// Why messages cannot be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum BadSender {
    /// The e-mail server or the sender's address.
    #[error(transparent)]
    Smtp(#[from] BadSmtp),
    /// The program's address.
    #[error(transparent)]
    Webhook(#[from] BadWebhook),
}

/// A message was not sent, or it cannot be told whether it was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotSent(String);

/// A message as it is sent.
struct Letter {
    id: String,
    kind: MessageKind,
    to: String,
    user_id: String,
    user_name: String,
    account_id: String,
    account_name: String,
    expire_time: String,
    token: SecretString,
    link: SecretString,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("link", &Redacted)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Sender {
    Log,
    Smtp(Box<Smtp>),
    Webhook(Box<Webhook>),
}

/// Sends what is in the table.
#[derive(Debug)]
pub struct Post {
    store: Store,
    keys: Arc<KeyRing>,
    base_url: String,
    sender: Option<Sender>,
    bell: Arc<Notify>,
}

impl Post {
    /// Sends from `store` as configured. Whoever has put something there rings the bell.
    pub fn new(
        store: Store,
        keys: Arc<KeyRing>,
        base_url: String,
        config: &SenderConfig,
        bell: Arc<Notify>,
    ) -> Result<Self, BadSender> {
        let sender = config.sender()?;
        Ok(Self { store, keys, base_url, sender, bell })
    }

    /// Sends until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        match &self.sender {
            None => tracing::warn!(
                "messages to users are kept and not sent: say how, with `mail.sender`"
            ),
            Some(Sender::Log) => tracing::warn!(
                "messages to users are written to the log, with the secrets in them: `mail.sender` is `log`, which is for \
                 development alone"
            ),
            Some(Sender::Smtp(_) | Sender::Webhook(_)) => {}
        }
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = self.bell.notified() => tokio::time::sleep(AFTER).await,
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Some(sender) = &self.sender {
                self.send_all(sender).await;
            }
        }
    }

    async fn send_all(&self, sender: &Sender) {
        loop {
            let claimed = match self.store.claim_messages(BATCH).await {
                Ok(claimed) => claimed,
                Err(error) => return tracing::warn!(%error, "cannot look for messages to send"),
            };
            if claimed.is_empty() {
                return;
            }
            for one in claimed {
                let span = tracing::info_span!(target: SPANS, "post", otel.kind = "producer");
                self.send(sender, one).instrument(span).await;
            }
        }
    }

    async fn send(&self, sender: &Sender, one: Outgoing) {
        let id = one.message.id;
        let sent = match self.letter(&one) {
            Some(letter) => sender.send(&letter).await,
            // Nobody to send it to any more, or a row that we did not write.
            None => Ok(()),
        };
        match sent {
            Ok(()) => {
                if let Err(error) = self.store.message_sent(id).await {
                    tracing::warn!(%error, %id, "cannot note that a message was sent: it may go out again");
                }
            }
            Err(error) => tracing::warn!(%error, %id, "a message was not sent: it is tried again"),
        }
    }

    /// Writes the message; `None` if it is not to be sent.
    fn letter(&self, one: &Outgoing) -> Option<Letter> {
        let Outgoing { message, digest, user, account } = one;
        let token = message_token(&self.keys, message).ok()?;
        if token.digest(&self.keys) != *digest {
            tracing::error!(id = %message.id, "a message in the table was not put there by this service");
            return None;
        }
        let (User { user_name, .. }, Account { display_name, .. }) = (user, account);
        let to = user.email.clone().filter(|_| user.enabled && !user.sso)?;
        let mut link = format!("{}/reset-password#token={}", self.base_url, token.expose());
        if !message.return_uri.is_empty() {
            link.push_str("&return_uri=");
            link.push_str(&encoded(&message.return_uri));
        }
        Some(Letter {
            id: message.id.to_string(),
            kind: message.kind,
            to,
            user_id: user.id.to_string(),
            user_name: user_name.clone(),
            account_id: account.id.to_string(),
            account_name: display_name.clone(),
            expire_time: message.expire_time.to_rfc3339(),
            token: SecretString::from(token.expose()),
            link: SecretString::from(link),
        })
    }
}

impl Sender {
    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let sending = async {
            match self {
                Self::Log => {
                    log(letter);
                    Ok(())
                }
                Self::Smtp(smtp) => smtp.send(letter).await,
                Self::Webhook(webhook) => webhook.send(letter).await,
            }
        };
        let late = |_| Err(NotSent("it took too long".to_owned()));
        tokio::time::timeout(PATIENCE, sending).await.unwrap_or_else(late)
    }
}

fn log(letter: &Letter) {
    let Letter { id, kind, to, link, .. } = letter;
    tracing::info!(id, ?kind, to, link = link.expose_secret(), "a message to a user");
}

/// Writes a text as it stands in a link.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut to = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(to, "%{byte:02X}");
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_link_ends_nothing_there() {
        assert_eq!(
            encoded("https://a.example/x?y=1&z#w"),
            "https%3A%2F%2Fa.example%2Fx%3Fy%3D1%26z%23w"
        );
        assert_eq!(encoded("ü-._~"), "%C3%BC-._~");
    }

    #[test]
    fn a_letter_shows_no_secret() {
        let letter = Letter {
            id: "msg_1".to_owned(),
            kind: MessageKind::Reset,
            to: String::new(),
            user_id: String::new(),
            user_name: String::new(),
            account_id: String::new(),
            account_name: String::new(),
            expire_time: String::new(),
            token: SecretString::from("chy_rst_secret"),
            link: SecretString::from("https://a.example#chy_rst_secret"),
        };
        assert!(!format!("{letter:?}").contains("chy_rst"));
    }
}
