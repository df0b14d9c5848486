//! The commands, one file each. Each reads the same settings and ends with 0, or 1 if it failed, or 2 if it was asked wrongly.

mod asking;
mod bootstrap;
mod catalogue;
mod config;
mod descriptor;
mod explain;
mod hash_tune;
mod healthcheck;
mod ledger;
mod mesh;
mod migrate;
mod offboard;
mod open;
mod quarantine;
mod review;
mod rights;
mod rules;
mod serve;
mod settings;
mod token;
mod tree;
mod watch;
mod who_can;
mod who_changed;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::Problems;
use settings::Settings;

/// What a command comes to. Its errors are for people: they are printed with all their causes.
type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// How long the last of the tasks have when a command has ended.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// Identity and authorization for communications platforms, over gRPC.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, arg_required_else_help = true)]
struct Line {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM. Without any configuration: from `chancery.db` in this directory, made on first start
    Serve,
    /// Brings the database and the built-in catalogues up to date
    Migrate,
    /// Makes the root account and its first administrator, once in a store's life
    Bootstrap(bootstrap::Wanted),
    /// Prints who may call which method
    Rules(rules::Wanted),
    /// Writes the descriptors of the whole API: a `FileDescriptorSet` for proxies and tools
    Descriptor(descriptor::Wanted),
    /// Prints the configuration in effect, without its secrets
    Config,
    /// Proposes what a password's hash should cost on this machine
    HashTune(hash_tune::Wanted),
    /// Asks the server on this machine whether it serves: 0 yes, 1 no
    Healthcheck(healthcheck::Wanted),
    /// Asks a server why something is decided as it is, and what would change it
    Explain(explain::Wanted),
    /// Asks a server for all that a user may do, and what each right comes from
    Rights(rights::Wanted),
    /// Asks a server who may do something
    WhoCan(who_can::Wanted),
    /// Finds the change by which somebody came to be permitted something, or ceased to be
    WhoChanged(who_changed::Wanted),
    /// Prints what changes, as it is changed
    Watch(watch::Wanted),
    /// Writes down who may do what under an account, and why: a page to read, or data
    Review(review::Wanted),
    /// Stops an account and all below it at once, and prints what that stops
    Quarantine(quarantine::Wanted),
    /// Lets an account go on that was in quarantine, and prints what goes on
    Release(quarantine::Wanted),
    /// Ends all that a user may do, and prints what that was and what is left
    Offboard(offboard::Wanted),
    /// Shows what a catalogue file would change, or applies it
    #[command(subcommand)]
    Catalogue(catalogue::Wanted),
    /// Writes out a ledger, or verifies one that was written out
    #[command(subcommand)]
    Ledger(ledger::Wanted),
    /// Tells what becomes of requests that the proxies of a mesh hold
    #[command(subcommand)]
    Mesh(mesh::Wanted),
    /// Tells what a credential is, and why it works or does not
    #[command(subcommand)]
    Token(token::Wanted),
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    // `parse` ends the process itself where the line is wrong: with 2, and with a hint.
    let Line { settings, command } = Line::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(dispatch(&settings, command));
    runtime.shutdown_timeout(LEFTOVERS);
    match done {
        Ok(code) => code,
        Err(error) if error.is::<Problems>() => {
            failed(&*error);
            ExitCode::from(2)
        }
        Err(error) => failed(&*error),
    }
}

async fn dispatch(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Serve => Box::pin(serve::run(settings.load()?)).await,
        Command::Migrate => migrate::run(&settings.load()?).await,
        Command::Bootstrap(wanted) => bootstrap::run(&settings.load()?, wanted).await,
        Command::Rules(wanted) => rules::run(&wanted),
        Command::Descriptor(wanted) => descriptor::run(&wanted),
        Command::Config => config::run(&settings.load()?),
        Command::HashTune(wanted) => hash_tune::run(&wanted),
        Command::Healthcheck(wanted) => healthcheck::run(&settings.load()?, wanted).await,
        Command::Explain(wanted) => explain::run(settings, wanted).await,
        Command::Rights(wanted) => rights::run(settings, wanted).await,
        Command::WhoCan(wanted) => who_can::run(settings, wanted).await,
        Command::WhoChanged(wanted) => who_changed::run(settings, wanted).await,
        Command::Watch(wanted) => watch::run(settings, wanted).await,
        Command::Review(wanted) => review::run(settings, wanted).await,
        Command::Quarantine(wanted) => quarantine::order(settings, wanted).await,
        Command::Release(wanted) => quarantine::lift(settings, wanted).await,
        Command::Offboard(wanted) => offboard::run(settings, wanted).await,
        Command::Catalogue(wanted) => catalogue::run(settings, wanted).await,
        Command::Ledger(wanted) => ledger::run(settings, wanted).await,
        Command::Mesh(wanted) => mesh::run(&settings.load()?, &wanted),
        Command::Token(wanted) => token::run(settings, wanted).await,
    }
}

/// Prints to standard output; that nobody reads it any more is an error like any other.
fn say(text: &str) -> Result<(), std::io::Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints an error with its causes, each once.
fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    // Nobody is left to tell that this could not be told.
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_commands_own_options_stand_apart_from_the_settings() {
        for name in ["explain", "bootstrap", "catalogue"] {
            let mut line = Line::command();
            line.build();
            let help = line.find_subcommand_mut(name).unwrap().render_help().to_string();
            let (own, settings) = help.split_once("\nSettings:\n").unwrap();
            assert!(own.contains("--help") && !own.contains("--listen"), "{help}");
            assert!(settings.contains("--listen") && !settings.contains("--token"), "{help}");
        }
    }

    #[test]
    fn flags_stand_before_or_behind_the_command() {
        for line in [
            ["chancery", "--listen", "127.0.0.1:1", "serve"],
            ["chancery", "serve", "--listen", "127.0.0.1:1"],
        ] {
            let line = Line::try_parse_from(line).unwrap();
            assert_eq!(line.settings.flags(), [("listen", "127.0.0.1:1".to_owned())]);
        }
        assert!(Line::try_parse_from(["chancery", "serve", "--lisn", "x"]).is_err());
    }
}
