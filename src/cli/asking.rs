//! What the commands that ask a server have in common.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::settings::Settings;
use crate::client::Client;
use crate::outside::{Secure, Trust};
use crate::proto::v1 as pb;
use crate::server;

/// Which server is asked, and in whose name.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Where the server is [default: on this machine, where this configuration says]
    #[arg(long = "server", value_name = "URL")]
    url: Option<String>,
    /// The API token to ask with; better said in the environment
    // An option, so that a command whose subcommand asks nobody can do without.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CHANCERY_TOKEN",
        hide_env_values = true,
        required = true
    )]
    token: Option<String>,
    #[command(flatten)]
    secure: SecureFlags,
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

impl Server {
    /// Connects to the server that is named, or to the one that this configuration speaks of.
    pub(super) async fn connect(
        &self,
        settings: &Settings,
    ) -> Result<Client, Box<dyn Error + Send + Sync>> {
        let (url, secure) = if let Some(url) = &self.url {
            (url.clone(), self.secure.of(None))
        } else {
            let config = settings.load()?;
            let scheme = if config.tls.cert_file.is_some() { "https" } else { "http" };
            let url = format!("{scheme}://{}", server::reachable(config.listen));
            (url, self.secure.of(config.tls.cert_file))
        };
        let patience = Duration::from_secs(self.timeout);
        let token = self.token.as_deref().unwrap_or_default();
        Ok(Client::connect(&url, &secure, token, patience).await?)
    }
}

/// How a server is spoken to that is asked over `https`.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "flags are called after the fields")]
pub(super) struct SecureFlags {
    /// Who may have issued the server's certificate, in PEM [default: who browsers trust; of the server of this configuration
    /// its own certificate is known]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The certificate to show where the server asks for one, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl SecureFlags {
    /// Returns how a server is spoken to; `known` is a file with its own certificate, where there is one.
    pub(super) fn of(&self, known: Option<PathBuf>) -> Secure {
        let trust = match (&self.tls_ca, known) {
            (Some(file), _) => Trust::Issuers(file.clone()),
            (None, Some(file)) => Trust::Exactly(file),
            (None, None) => Trust::Web,
        };
        Secure { trust, own: self.tls_cert.clone().zip(self.tls_key.clone()) }
    }
}

/// Reads a resource as it is written on a command line: a path, or `type/id` of one directly in the account.
pub(super) fn resource(text: &str) -> Result<pb::Resource, String> {
    let steps: Vec<&str> = text.split('/').collect();
    let (kind, id) = match steps.as_slice() {
        [kind, id] => (*kind, if *kind == "account" { text } else { *id }),
        [first, .., kind, _] if *first == "account" && steps.len().is_multiple_of(2) => {
            (*kind, text)
        }
        _ => {
            let why =
                "is no resource: write `account/<id>`, then pairs of type and id, or `<type>/<id>`";
            return Err(format!("`{text}` {why}"));
        }
    };
    Ok(pb::Resource { r#type: kind.to_owned(), id: id.to_owned(), properties: None })
}

/// Makes an action of its name.
pub(super) fn action(name: &str) -> pb::Action {
    pb::Action { name: name.to_owned(), properties: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_path_or_a_type_and_an_id() {
        let read = |text: &str| resource(text).map(|read| (read.r#type, read.id));
        let as_is = |kind: &str, id: &str| Ok((kind.to_owned(), id.to_owned()));
        assert_eq!(read("account/acc_1"), as_is("account", "account/acc_1"));
        assert_eq!(
            read("account/a/gate_group/5/gate/-"),
            as_is("gate", "account/a/gate_group/5/gate/-")
        );
        assert_eq!(read("gate_group/5"), as_is("gate_group", "5"));
        for bad in ["", "gate", "gate/5/6", "gate_group/5/gate/17", "account/a/gate"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
