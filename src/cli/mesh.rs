//! `chancery mesh …`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Outcome, say};
use crate::config::Config;
use crate::mesh::{Asking, Hit, NOWHERE, Table, overrides};
use crate::model::catalogue::{Catalogue, built_in};

#[derive(Debug, Subcommand)]
pub(super) enum Wanted {
    /// Tells which route of the configuration a request takes, and what it asks for: 0 if it takes one, else 1
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The HTTP method, in capitals
    method: String,
    /// The path as it is sent, with or without a query; of gRPC `/package.Service/Method`
    path: String,
    /// A header of the request, `name: value`; as often as there are
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("is not `name: value`")?;
    let name = name.trim().parse().map_err(|_| "is no name of a header")?;
    let value = value.trim().parse().map_err(|_| "is no value of a header")?;
    Ok((name, value))
}

/// Reads the routes as the server would, and asks no server.
pub(super) fn run(config: &Config, wanted: &Wanted) -> Outcome {
    let Wanted::Test(test) = wanted;
    // What is wrong with the routes was told when they were loaded.
    let table = Table::build(&config.mesh.config().routes).unwrap_or_default();
    let headers: HeaderMap = test.headers.iter().cloned().collect();
    if overrides(&headers) {
        say("400: a header overrides the method\n")?;
        return Ok(ExitCode::FAILURE);
    }
    let hit = match table.find(&test.method, &test.path) {
        Ok(hit) => hit,
        Err(why) => {
            let status = if why.is_malformed() { 400 } else { 403 };
            say(&format!("{status}: {why}\n"))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let (said, takes) = described(&hit, &headers);
    say(&said)?;
    let known = Catalogue::build(&built_in()?)?;
    let place = hit.route().0;
    for fault in table.against(&known).iter().filter(|fault| fault.route == place) {
        say(&format!("note: {fault}, unless a catalogue of your own declares it\n"))?;
    }
    Ok(if takes { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what a request asks for, and whether it says all that is needed.
fn described(hit: &Hit<'_>, headers: &HeaderMap) -> (String, bool) {
    let (place, written) = hit.route();
    let mut text = format!("route: mesh.routes[{place}] ({written})\n");
    let Some(asking) = hit.asking() else {
        text.push_str("public: anybody may, without a credential\n");
        return (text, true);
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "action: {}", asking.action);
    match resource(&asking, headers) {
        Ok(resource) => {
            let _ = writeln!(text, "resource: {resource}");
            (text, true)
        }
        Err(why) => {
            let _ = writeln!(text, "no resource: {why}");
            (text, false)
        }
    }
}

fn resource(asking: &Asking<'_>, headers: &HeaderMap) -> Result<String, String> {
    let resource = asking.resource(headers, NOWHERE).map_err(|why| why.to_string())?;
    let text = resource.to_string();
    // Whose credential it will be is not known here.
    Ok(if asking.is_own() { text.replacen(&NOWHERE.to_string(), "{own}", 1) } else { text })
}
