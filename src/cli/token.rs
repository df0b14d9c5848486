//! `chancery token`

use std::io::Read as _;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::asking::Server;
use super::settings::Settings;
use super::tree::Tree;
use super::{Outcome, say};
use crate::crypto::jwt;
use crate::crypto::token::{self, TokenKind};
use crate::model::{Clock as _, SystemClock};
use crate::proto::v1 as pb;

/// A text longer than this is no credential.
const LONGEST: u64 = 8192;

#[derive(Debug, Subcommand)]
pub(super) enum Wanted {
    /// Tells from a credential's text alone what it is, without asking anybody: 0 it is well-formed, 1 it is not
    Inspect(Text),
    /// Asks a server which checks a credential passes: 0 it works, 1 it does not
    Explain(Asked),
}

#[derive(Debug, Args)]
pub(super) struct Text {
    /// The credential; `-` for standard input, which no list of processes shows
    #[arg(default_value = "-", hide_default_value = true)]
    text: String,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    text: Text,
}

/// Prints what is known of a credential.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let (good, text) = match wanted {
        Wanted::Inspect(wanted) => inspect(&wanted.read()?, wanted.json)?,
        Wanted::Explain(wanted) => explain(settings, &wanted).await?,
    };
    say(&text)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Text {
    fn read(&self) -> Result<Zeroizing<String>, std::io::Error> {
        let mut text = Zeroizing::new(String::new());
        if self.text == "-" {
            std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)?;
        } else {
            text.push_str(&self.text);
        }
        Ok(Zeroizing::new(text.trim().to_owned()))
    }
}

fn inspect(text: &str, as_json: bool) -> Result<(bool, String), serde_json::Error> {
    let (good, told) = if jwt::is_jwt(text) { of_jwt(text) } else { of_token(text) };
    let Told { what, facts } = told;
    if as_json {
        let facts: serde_json::Map<String, Value> =
            facts.into_iter().map(|(name, fact)| (name.to_owned(), fact.into())).collect();
        let value = json!({ "wellFormed": good, "kind": what, "facts": facts });
        return Ok((good, serde_json::to_string_pretty(&value)? + "\n"));
    }
    let mut tree = Tree::new(what);
    for (name, fact) in facts {
        tree.leaf(format!("{name}: {fact}"));
    }
    Ok((good, tree.to_string()))
}

/// What a text says of itself.
struct Told {
    what: String,
    facts: Vec<(&'static str, String)>,
}

impl Told {
    fn none(why: impl Into<String>) -> (bool, Self) {
        (false, Self { what: "no credential".to_owned(), facts: vec![("why", why.into())] })
    }
}

fn of_token(text: &str) -> (bool, Told) {
    let (what, works) = match token::parse(text).map(|parsed| parsed.kind()) {
        Ok(TokenKind::Pat) => ("API token of a person (pat)", "calls are made with it"),
        Ok(TokenKind::Svc) => ("API token of a service user (svc)", "calls are made with it"),
        Ok(TokenKind::Ref) => ("refresh token (ref)", "RefreshSession takes it, and nothing else"),
        Ok(TokenKind::Rst) => {
            ("reset or invite token (rst)", "ResetPassword takes it, and nothing else")
        }
        Err(error) => return Told::none(error.to_string()),
    };
    let facts = vec![
        ("form", "good".to_owned()),
        ("checksum", "good".to_owned()),
        ("use", works.to_owned()),
        ("not told here", "whether it still counts: `chancery token explain` asks".to_owned()),
    ];
    (true, Told { what: what.to_owned(), facts })
}

fn of_jwt(text: &str) -> (bool, Told) {
    let part = |at: usize| -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(at)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (Some(header), Some(claims)) = (part(0), part(1)) else {
        return Told::none(
            "it has three parts like a JSON Web Token, and they are not base64url of JSON",
        );
    };
    let of = |value: &Value, name: &str| match value.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let mut facts = Vec::new();
    for name in ["typ", "alg", "kid"] {
        facts.extend(of(&header, name).map(|fact| (name, fact)));
    }
    for name in ["iss", "aud", "sub", "acc", "sid", "key", "scope", "jti"] {
        facts.extend(of(&claims, name).map(|fact| (name, fact)));
    }
    let actor = claims.get("act").and_then(|act| of(act, "sub"));
    facts.extend(actor.map(|actor| ("act", actor)));
    let now = SystemClock.now();
    for name in ["iat", "nbf", "exp"] {
        let seconds = claims.get(name).and_then(Value::as_i64);
        let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        facts.extend(time.map(|time| (name, when(time, now))));
    }
    let unverified = "its signature, and whether it still counts: `chancery token explain` asks";
    facts.push(("not told here", unverified.to_owned()));
    (true, Told { what: "JSON Web Token".to_owned(), facts })
}

/// Writes an instant, and on which side of now it lies.
fn when(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let distance = (time - now).num_seconds();
    let (word, seconds) = if distance < 0 { ("ago", -distance) } else { ("from now", distance) };
    format!("{} ({seconds} s {word})", time.format("%Y-%m-%dT%H:%M:%SZ"))
}

async fn explain(
    settings: &Settings,
    wanted: &Asked,
) -> Result<(bool, String), Box<dyn std::error::Error + Send + Sync>> {
    let token = wanted.text.read()?.to_string();
    let mut client = wanted.server.connect(settings).await?;
    let answer = client.explain_token(pb::ExplainTokenRequest { token }).await?;
    let checks = answer.checks.iter();
    if wanted.text.json {
        let check = |check: &pb::TokenCheck| json!({ "check": name(check), "result": result(check), "why": check.why });
        let value = json!({
            "valid": answer.valid, "kind": kind(&answer), "checks": checks.map(check).collect::<Vec<_>>(),
        });
        return Ok((answer.valid, serde_json::to_string_pretty(&value)? + "\n"));
    }
    let verdict = if answer.valid { "works" } else { "does not work" };
    let mut tree = Tree::new(format!("{}: {verdict}", kind(&answer)));
    for check in checks {
        let why = if check.why.is_empty() { String::new() } else { format!(": {}", check.why) };
        tree.leaf(format!("{} {}{why}", name(check), result(check)));
    }
    Ok((answer.valid, tree.to_string()))
}

fn kind(answer: &pb::ExplainTokenResponse) -> &'static str {
    answer.kind().as_str_name().trim_start_matches("CREDENTIAL_KIND_")
}

fn name(check: &pb::TokenCheck) -> &'static str {
    check.check().as_str_name().trim_start_matches("TOKEN_CHECK_KIND_")
}

fn result(check: &pb::TokenCheck) -> &'static str {
    check.result().as_str_name().trim_start_matches("TOKEN_CHECK_RESULT_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_what_it_is_and_no_more_of_itself() {
        let token = "chy_pat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ3dAOQ0";
        let (good, told) = inspect(token, false).unwrap();
        assert!(good && told.starts_with("API token of a person"), "{told}");
        assert!(!told.contains("0123456789"), "{told}");
        for (bad, why) in [
            ("", "form"),
            ("hello", "form"),
            ("chy_pat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ3dAOQ1", "checksum is wrong"),
            ("chy_api_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ3dAOQ0", "form"),
            ("a.b.c", "base64url"),
        ] {
            let (good, told) = inspect(bad, false).unwrap();
            assert!(!good && told.contains(why), "{bad}: {told}");
        }
    }

    #[test]
    fn a_web_token_is_read_and_not_believed() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims =
            json!({ "iss": "here", "exp": 0, "act": { "sub": "usr_1" }, "aud": ["a", "b"] });
        let text = format!("{}.{}.c2ln", part(json!({ "alg": "none" })), part(claims));
        let (good, told) = inspect(&text, false).unwrap();
        assert!(good, "{told}");
        for part in [
            "alg: none",
            "iss: here",
            "act: usr_1",
            r#"aud: ["a","b"]"#,
            "1970-01-01T00:00:00Z",
            "signature",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("c2ln"));
    }
}
