//! `chancery descriptor`

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use crate::proto::DESCRIPTORS;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The file to write; else standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(wanted: &Wanted) -> Outcome {
    match &wanted.out {
        Some(path) => std::fs::write(path, DESCRIPTORS)?,
        None if std::io::stdout().is_terminal() => {
            return Err(
                "the descriptors are no text: name a file with --out, or send them on".into()
            );
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(DESCRIPTORS)?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
