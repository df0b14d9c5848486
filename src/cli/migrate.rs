//! `chancery migrate`

use std::process::ExitCode;

use super::{Outcome, open, say};
use crate::config::Config;
use crate::telemetry;

/// Brings a store up to date. Run it as often as you like, and from as many places at once.
pub(super) async fn run(config: &Config) -> Outcome {
    telemetry::init(&config.log)?;
    let store = open::store(config).await?;
    let done = open::update(&store).await?;
    store.close().await?;
    if done.is_empty() {
        say("up to date: nothing to do\n")?;
    }
    for step in done {
        say(&format!("applied {step}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
