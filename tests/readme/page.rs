//! The README: its commands, and what stands below them.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

use crate::ROOT;

/// A command of the README, and the lines of what it prints.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) output: Range<usize>,
}

/// The README, line by line.
pub(crate) struct Page {
    path: PathBuf,
    lines: Vec<String>,
}

impl Page {
    pub(crate) fn read() -> Self {
        let path = Path::new(ROOT).join("README.md");
        let lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        Self { path, lines }
    }

    pub(crate) fn text(&self, lines: &Range<usize>) -> String {
        self.lines.get(lines.clone()).unwrap().join("\n")
    }

    /// Finds the commands of all `console` blocks: lines that begin with `$ `, and those that still belong to them.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let (mut inside, mut open) = (false, false);
        for (at, line) in self.lines.iter().enumerate() {
            if !inside {
                inside = line == "```console";
            } else if line == "```" {
                inside = false;
            } else if let Some(command) = line.strip_prefix("$ ").filter(|_| !open) {
                steps.push(Step { command: command.to_owned(), output: at + 1..at + 1 });
                open = !is_whole(command);
            } else {
                let step = steps.last_mut().expect("a block begins with a command");
                step.output.end = at + 1;
                if open {
                    step.command.push('\n');
                    step.command.push_str(line);
                    step.output.start = at + 1;
                    open = !is_whole(&step.command);
                }
            }
        }
        steps
    }

    /// Puts what was printed in the place of what stood there.
    pub(crate) fn rewrite(mut self, all: &[(Step, String)]) {
        let secret = secret();
        for (step, printed) in all.iter().rev() {
            let printed = secret.replace_all(printed, "${1}…");
            let lines = printed.trim_end().lines().map(|line| line.trim_end().to_owned());
            self.lines.splice(step.output.clone(), lines);
        }
        fs::write(&self.path, self.lines.join("\n") + "\n").unwrap();
    }
}

/// Tells whether the shell would take this as a command, or wait for more of it.
fn is_whole(command: &str) -> bool {
    let (mut quote, mut depth, mut escaped) = (None, 0_i32, false);
    for character in command.chars() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            _ => {}
        }
    }
    quote.is_none() && depth == 0 && !escaped
}

fn secret() -> Regex {
    Regex::new(
        r"\b(chy_[a-z]+_|eyJ)(?:[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+|[0-9A-Za-z]{42}|…)",
    )
    .unwrap()
}

/// Puts the same words for what is another in every run. Ids are numbered, so that the same one must stand where it stood.
pub(crate) struct Plain {
    ids: HashMap<String, usize>,
    id: Regex,
    time: Regex,
    opaque: Regex,
    secret: Regex,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            ids: HashMap::new(),
            id: Regex::new(r"\b(acc|usr|rol|tok|key|ses|doc)_[0-9a-z]{26}\b").unwrap(),
            time: Regex::new(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap(),
            opaque: Regex::new(
                r#""(etag|consistencyToken|decisionId|userAgent|publicKeyPem)": "[^"]+""#,
            )
            .unwrap(),
            secret: secret(),
        }
    }
}

impl Plain {
    pub(crate) fn of(&mut self, text: &str) -> String {
        let text = self.id.replace_all(text, |found: &Captures<'_>| {
            let next = self.ids.len();
            let number = *self.ids.entry(found[0].to_owned()).or_insert(next);
            format!("{}_{number}", &found[1])
        });
        let text = self.time.replace_all(&text, "<time>");
        let text = self.opaque.replace_all(&text, "\"$1\": \"<opaque>\"");
        let text = self.secret.replace_all(&text, "${1}…");
        let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}
