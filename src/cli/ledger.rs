//! `chancery ledger`

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::asking::Server;
use super::settings::Settings;
use super::{Outcome, say};
use crate::crypto::chain::hex;
use crate::crypto::proof::{Checker, Proof};
use crate::crypto::{Checkpoint, HeadKey};
use crate::proto::v1 as pb;

#[derive(Debug, Subcommand)]
pub(super) enum Wanted {
    /// Writes out a ledger as lines of JSON, each entry as it was hashed, with a signed head behind them
    Export(Export),
    /// Asks how far a ledger is, signed; keep it, and the key, to hold the ledger against later
    Head(Head),
    /// Verifies what `export` wrote, without asking anybody: 0 it is what was written, 1 it is not, or there is nothing to verify
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    server: Server,
    /// The main account whose ledger it is, or the root account [default: that of the token]
    #[arg(default_value = "")]
    account: String,
    /// Only what came after this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    resume_after: u64,
    /// To a new file, not to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Head {
    #[command(flatten)]
    server: Server,
    /// The main account whose ledger it is, or the root account [default: that of the token]
    #[arg(default_value = "")]
    account: String,
    /// Only the public key, in PEM
    #[arg(long)]
    key: bool,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// What `export` wrote; `-` for standard input
    file: PathBuf,
    /// A file with the public key that must have signed, in PEM [default: the one that the file names itself, which proves less]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Does what is asked of a ledger.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    match wanted {
        Wanted::Export(wanted) => export(settings, wanted).await,
        Wanted::Head(wanted) => head(settings, wanted).await,
        Wanted::Verify(wanted) => verify(&wanted),
    }
}

async fn export(settings: &Settings, wanted: Export) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let request =
        pb::ExportLedgerRequest { account_id: wanted.account, resume_after: wanted.resume_after };
    let mut parts = client.export_ledger(request).await?;
    let mut to: Box<dyn Write + Send> = match &wanted.output {
        None => Box::new(io::stdout()),
        // What is there already may be what somebody relies on.
        Some(file) => Box::new(BufWriter::new(File::create_new(file).map_err(at(file))?)),
    };
    let mut whole = wanted.resume_after;
    loop {
        match parts.next().await {
            Ok(Some(part)) => {
                to.write_all(part.lines.as_bytes())?;
                whole = part.revision;
            }
            Ok(None) => break,
            Err(error) => {
                to.flush()?;
                let on = format!(
                    "it is whole up to revision {whole}: go on with `--resume-after {whole}`"
                );
                return Err(format!("{error}; {on}").into());
            }
        }
    }
    to.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn head(settings: &Settings, wanted: Head) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let request = pb::GetLedgerHeadRequest { account_id: wanted.account };
    let head = client.ledger_head(request).await?;
    if wanted.key {
        say(&head.public_key_pem)?;
        return Ok(ExitCode::SUCCESS);
    }
    let value = json!({
        "head": head.head,
        "signature": head.signature,
        "public_key": head.public_key_pem,
    });
    say(&(value.to_string() + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn verify(wanted: &Verify) -> Outcome {
    let key = match &wanted.public_key {
        None => None,
        Some(file) => {
            let pem = std::fs::read_to_string(file).map_err(at(file))?;
            let none = |_| format!("`{}` is no public key of Ed25519 in PEM", file.display());
            Some(HeadKey::read(&pem).map_err(none)?)
        }
    };
    let pinned = key.is_some();
    let mut from: Box<dyn BufRead> = if wanted.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&wanted.file).map_err(at(&wanted.file))?))
    };
    let mut checker = Checker::new(key);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        checker.line(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
    let proof = checker.end();
    let text =
        if wanted.json { as_json(&proof, pinned).to_string() + "\n" } else { told(&proof, pinned) };
    say(&text)?;
    Ok(if is_proven(&proof) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> Box<dyn Error + Send + Sync> + '_ {
    move |error| format!("`{}`: {error}", file.display()).into()
}

/// Tells whether a file proves anything of a ledger: one without an entry says how far it was, and nothing of what is in it.
const fn is_proven(proof: &Proof) -> bool {
    proof.flaw_count == 0 && proof.entries > 0
}

fn told(proof: &Proof, pinned: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", whose(proof));
    let _ = writeln!(text, ": {} entries, up to revision {}", proof.entries, proof.revision);
    if let Some(checkpoint) = &proof.checkpoint {
        let Checkpoint { entries, revision, at, .. } = checkpoint;
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let _ = writeln!(
            text,
            "a signed checkpoint stands for {entries} entries up to revision {revision}, which were pruned at {at} and are not verified here"
        );
    } else if proof.behind.0 > 0 {
        let _ = writeln!(
            text,
            "a signed head stands for those up to revision {}, which are not here and not verified",
            proof.behind
        );
    }
    for flaw in &proof.flaws {
        let _ = writeln!(text, "{flaw}");
    }
    let more =
        proof.flaw_count.saturating_sub(u64::try_from(proof.flaws.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    if !proof.flaws.is_empty() {
        text.push_str("it is NOT what was written\n");
        return text;
    }
    if proof.entries == 0 {
        text.push_str("NOTHING of the ledger was verified, since there is no entry here: export it from the beginning, or from an earlier revision\n");
    }
    let key = proof.key_id.as_deref().unwrap_or_default();
    let what = if proof.entries > 0 {
        "it is what was written, and"
    } else {
        "what is said of how far it was is"
    };
    let _ = writeln!(text, "{what} signed by the key {key}");
    if !pinned {
        text.push_str(
            "that key comes with the file: hold it against one that you have kept, by --public-key\n",
        );
    }
    text
}

fn whose(proof: &Proof) -> String {
    proof.account.map_or_else(|| "no ledger".to_owned(), |account| format!("ledger of {account}"))
}

fn as_json(proof: &Proof, pinned: bool) -> Value {
    let flaws: Vec<Value> = proof
        .flaws
        .iter()
        .map(|flaw| {
            let (revision, ordinal) = flaw.place.unzip();
            let revision = revision.map(|revision| revision.0);
            json!({ "line": flaw.line, "revision": revision, "ordinal": ordinal, "why": flaw.why })
        })
        .collect();
    json!({
        "good": is_proven(proof),
        "account_id": proof.account.map(|account| account.to_string()),
        "entries": proof.entries,
        "behind": proof.behind.0,
        "checkpoint": proof.checkpoint.as_ref().map(|checkpoint| json!({
            "revision": checkpoint.revision.0,
            "entries": checkpoint.entries,
            "time": checkpoint.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        })),
        "revision": proof.revision.0,
        "hash": hex(&proof.hash),
        "key_id": proof.key_id,
        "key_given": pinned,
        "flaws": flaws,
        "flaw_count": proof.flaw_count,
    })
}
