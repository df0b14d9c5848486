//! `chancery review`: who may do what under an account, and why.
//!
//! A review is plain data (`model`), gathered by calls that anybody may make (`gather`), and written out as a page, a table or
//! JSON, each by a file that knows nothing of the others.

mod csv;
mod diff;
mod gather;
mod grave;
mod html;
mod model;
mod words;

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use self::gather::Limits;
use self::model::Sealed;
use super::asking::Server;
use super::settings::Settings;
use super::{Outcome, say};

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(super) struct Wanted {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    server: Server,
    /// The account: it and all below it are reviewed
    #[arg(required = true)]
    account: Option<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// To a new file, not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A right that was not used in so many days is told as unused
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
    unused_days: u16,
    /// At most so many users are asked about; if there are more, the review says so
    #[arg(long, value_name = "USERS", default_value_t = 10_000)]
    most_users: usize,
}

#[derive(Debug, Subcommand)]
enum Instead {
    /// Tells what changed between two reviews in JSON: who gained what, and who lost what
    Diff(Diff),
}

#[derive(Debug, Args)]
struct Diff {
    /// The earlier review
    before: PathBuf,
    /// The later review
    after: PathBuf,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A row for each right of each user
    Csv,
    /// All of it, for programs and for `review diff`
    Json,
    /// One page to read or print, which needs nothing besides
    Html,
}

/// Reviews an account, or compares two reviews.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    if let Some(Instead::Diff(diff)) = &wanted.instead {
        return compare(diff);
    }
    let limits = Limits { unused_days: wanted.unused_days, most_users: wanted.most_users };
    let account = wanted.account.unwrap_or_default();
    let client = wanted.server.connect(settings).await?;
    let review = gather::gather(client, &account, limits).await?;
    let sealed = Sealed::new(review)?;
    let text = match wanted.format {
        Format::Csv => csv::table(&sealed.review),
        Format::Json => sealed.text()?,
        Format::Html => html::page(&sealed),
    };
    if matches!(wanted.format, Format::Csv) {
        // The other forms say it themselves.
        for what in &sealed.review.missing {
            eprintln!("not in this review: {what}");
        }
    }
    match &wanted.out {
        None => say(&text)?,
        // What is there already may be what somebody relies on.
        Some(file) => {
            let mut to = File::create_new(file).map_err(at(file))?;
            to.write_all(text.as_bytes()).map_err(at(file))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(wanted: &Diff) -> Outcome {
    let before = read(&wanted.before)?;
    let after = read(&wanted.after)?;
    let changes = diff::between(&before, &after)?;
    let text = if wanted.json {
        serde_json::to_string_pretty(&changes)? + "\n"
    } else {
        diff::told(&changes)
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<model::Review, Box<dyn Error + Send + Sync>> {
    let text = std::fs::read_to_string(file).map_err(at(file))?;
    let sealed = Sealed::read(&text).map_err(|error| format!("`{}`: {error}", file.display()))?;
    Ok(sealed.review)
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> Box<dyn Error + Send + Sync> + '_ {
    move |error| format!("`{}`: {error}", file.display()).into()
}
