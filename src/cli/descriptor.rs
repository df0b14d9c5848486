//! `chancery descriptor`

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use prost::Message as _;

use super::Outcome;
use crate::proto;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The file to write; else standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// As Envoy's transcoder takes it: without `response_body`, which it refuses (see deploy/envoy)
    #[arg(long)]
    envoy: bool,
}

pub(super) fn run(wanted: &Wanted) -> Outcome {
    let whole = proto::whole()?;
    let descriptors = if wanted.envoy {
        proto::for_envoy(&whole)
            .ok_or("the descriptors do not describe themselves")?
            .encode_to_vec()
    } else {
        whole.encode_to_vec()
    };
    match &wanted.out {
        Some(path) => std::fs::write(path, descriptors)?,
        None if std::io::stdout().is_terminal() => {
            return Err(
                "the descriptors are no text: name a file with --out, or send them on".into()
            );
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&descriptors)?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
