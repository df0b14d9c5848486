//! What the commands that ask a server have in common.

use std::error::Error;
use std::time::Duration;

use clap::Args;

use super::settings::Settings;
use crate::client::Client;
use crate::proto::v1 as pb;
use crate::server;

/// Which server is asked, and in whose name.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Where the server is [default: on this machine, where this configuration says]
    #[arg(long = "server", value_name = "URL")]
    url: Option<String>,
    /// The API token to ask with; better said in the environment
    #[arg(long, value_name = "TOKEN", env = "CHANCERY_TOKEN", hide_env_values = true)]
    token: String,
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
        let url = match &self.url {
            Some(url) => url.clone(),
            None => format!("http://{}", server::reachable(settings.load()?.listen)),
        };
        let patience = Duration::from_secs(self.timeout);
        Ok(Client::connect(&url, &self.token, patience).await?)
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
