//! What the commands that ask a server have in common.

use std::error::Error;
use std::time::Duration;

use clap::Args;

use super::settings::Settings;
use crate::client::Client;
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
