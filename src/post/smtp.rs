//! Messages as e-mail.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::{Letter, NotSent};
use crate::model::MessageKind;
use crate::outside::is_plain;

/// The settings name no server, or nobody who sends.
#[derive(Debug, thiserror::Error)]
pub enum BadSmtp {
    /// The address of the server. Not shown: it may hold a password.
    #[error("mail.smtp_url: is not `smtps://user:password@host` or `smtp://host?tls=required`")]
    Url,
    /// Passwords could be set by whoever listens.
    #[error(
        "mail.smtp_url: sends in plain text: say `smtps://…`, or `smtp://…?tls=required` for STARTTLS"
    )]
    Plain,
    /// Who sends.
    #[error("mail.from: is not an e-mail address, such as `Chancery <no-reply@example.com>`")]
    From,
}

/// An e-mail server.
#[derive(Debug)]
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    pub(super) fn new(url: &str, from: &str) -> Result<Self, BadSmtp> {
        let secured = url.starts_with("smtps://") || demands_tls(url);
        if !secured && is_plain(url, "smtp") {
            return Err(BadSmtp::Plain);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let transport = transport.map_err(|_| BadSmtp::Url)?.build();
        Ok(Self { transport, from: from.parse().map_err(|_| BadSmtp::From)? })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let failed = |error: &dyn std::fmt::Display| NotSent(error.to_string());
        let to = letter.to.parse::<Mailbox>().map_err(|error| failed(&error))?;
        let message = Message::builder()
            .message_id(Some(format!("<{}@chancery>", letter.id)))
            .from(self.from.clone())
            .to(to)
            .subject(subject(letter))
            .header(ContentType::TEXT_PLAIN)
            .body(text(letter))
            .map_err(|error| failed(&error))?;
        self.transport.send(message).await.map(drop).map_err(|error| failed(&error))
    }
}

/// Tells whether the setting that demands STARTTLS is there: as a setting, and not within a password.
fn demands_tls(url: &str) -> bool {
    let address = url.split_once('#').map_or(url, |(address, _)| address);
    let (_, query) = address.split_once('?').unwrap_or_default();
    let mut said = query.split('&').filter(|setting| setting.starts_with("tls=")).peekable();
    said.peek().is_some() && said.all(|setting| setting == "tls=required")
}

fn subject(letter: &Letter) -> String {
    match letter.kind {
        MessageKind::Reset => format!("{}: choose a new password", letter.account_name),
        MessageKind::Invite => format!("{}: your account is ready", letter.account_name),
    }
}

fn text(letter: &Letter) -> String {
    let Letter { user_name, account_name, expire_time, .. } = letter;
    let link = letter.link.expose_secret();
    let (what, end) = match letter.kind {
        MessageKind::Reset => (
            "Somebody has asked for a new password for",
            "If it was not you, do nothing: your password stays as it is.",
        ),
        MessageKind::Invite => (
            "There is an account for",
            "Your user name and the password that you choose sign you in.",
        ),
    };
    format!(
        "{what} `{user_name}` at {account_name}.\r\n\r\nTo choose one, open this link. It works once, until {expire_time}:\r\n\r\n\
         {link}\r\n\r\n{end}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::demands_tls;

    #[test]
    fn only_the_setting_demands_tls() {
        assert!(demands_tls("smtp://user:word@mail.example?tls=required"));
        assert!(demands_tls("smtp://mail.example?x=1&tls=required"));
        for plain in [
            "smtp://mail.example",
            "smtp://user:tls=required@mail.example",
            "smtp://mail.example#?tls=required",
            "smtp://mail.example?x=?tls=required",
            "smtp://mail.example?tls=required&tls=opportunistic",
            "smtp://mail.example?nottls=required",
        ] {
            assert!(!demands_tls(plain), "{plain}");
        }
    }
}
