//! `chancery healthcheck`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::asking::SecureFlags;
use super::{Outcome, say};
use crate::config::Config;
use crate::server;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// One service, such as `chancery.v1.UserService`; else the whole server
    #[arg(long, value_name = "NAME", default_value = "")]
    service: String,
    #[command(flatten)]
    secure: SecureFlags,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u64,
}

/// Asks the server that listens where this configuration says.
pub(super) async fn run(config: &Config, wanted: Wanted) -> Outcome {
    let address = server::reachable(config.listen);
    let patience = Duration::from_secs(wanted.timeout);
    let known = config.tls.cert_file.clone();
    let secure = known.map(|known| wanted.secure.of(Some(known)));
    if server::check(address, secure.as_ref(), &wanted.service, patience).await? {
        say("SERVING\n")?;
        Ok(ExitCode::SUCCESS)
    } else {
        say("NOT_SERVING\n")?;
        Ok(ExitCode::FAILURE)
    }
}
