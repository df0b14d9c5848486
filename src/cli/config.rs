//! `chancery config`

use std::process::ExitCode;

use super::{Outcome, say};
use crate::config::Config;

/// Prints the configuration as a file that could be given back, but for the secrets. What `serve` would refuse is refused.
pub(super) fn run(config: &Config) -> Outcome {
    config.server().check()?;
    say(&config.to_toml()?)?;
    Ok(ExitCode::SUCCESS)
}
