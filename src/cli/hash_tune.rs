//! `chancery hash-tune`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{Outcome, say};
use crate::crypto::password::{Cost, propose};

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// How long one hash may take, in milliseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    milliseconds: u64,
}

/// Times hashes on this machine and prints the settings to be put into the configuration.
pub(super) fn run(wanted: &Wanted) -> Outcome {
    let target = Duration::from_millis(wanted.milliseconds);
    let (Cost { memory_kib, passes }, took) = propose(target)?;
    let late = if took > target {
        ", longer than was asked for: nothing cheaper is good enough"
    } else {
        ""
    };
    say(&format!(
        "# One hash takes {} ms here{late}.\n[passwords]\nhash_memory_kib = {memory_kib}\nhash_passes = {passes}\n",
        took.as_millis()
    ))?;
    Ok(ExitCode::SUCCESS)
}
