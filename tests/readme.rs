//! The README's walk, run as it stands there, against the real program; and what else the pages say that can go stale.
//!
//! `README_UPDATE=1 cargo test --test readme` writes what the commands print now into the README, after a change of either.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regex::{Captures, Regex};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where the README says that gRPC is served.
const ADDRESS: &str = "127.0.0.1:50051";
/// How the README writes the token that `serve` prints.
const TOKEN: &str = "chy_pat_…";
/// Stands between what two commands print.
const MARK: &str = "=== next ===";
/// How long the first start and the whole walk may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn the_readme_is_true() {
    let page = Page::read();
    let mut steps = page.steps().into_iter();
    let first = steps.next().expect("a console block that serves");
    let arguments = first.command.strip_prefix("cargo run --release -- ");
    assert_eq!(arguments, Some("serve"), "the README's first command serves");
    let steps: Vec<Step> = steps.collect();

    let mut server = Server::start();
    let welcome = server.welcome();
    let printed = server.walk(&steps);

    let all: Vec<(Step, String)> =
        [(first, welcome)].into_iter().chain(steps.into_iter().zip(printed)).collect();
    if std::env::var_os("README_UPDATE").is_some() {
        page.rewrite(&all);
        return;
    }
    let (mut of_page, mut of_run) = (Plain::default(), Plain::default());
    for (step, printed) in &all {
        let (expected, found) = (of_page.of(&page.text(&step.output)), of_run.of(printed));
        assert!(
            expected == found,
            "`{}` prints\n\n{printed}\n\nwhich is not what the README shows from line {}. If that is how it should be, \
             run `README_UPDATE=1 cargo test --test readme`. The server's log:\n\n{}",
            step.command,
            step.output.start + 1,
            server.log(),
        );
    }
}

#[test]
fn every_setting_is_in_the_readme_with_its_name_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = chancery(&folder).arg("config").output().unwrap();
    let settings: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    let mut rows: Vec<String> = flat("", &settings);
    // What has no default is not in the list.
    for unset in [
        "master_key",
        "master_key_file",
        "default_account",
        "passwords.blocklist_file",
        "mail.sender",
        "mail.from",
        "mail.smtp_url",
        "mail.webhook_url",
        "mail.webhook_secret",
    ] {
        rows.push(row(unset, ""));
    }
    let page = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for row in &rows {
        assert!(page.contains(row.as_str()), "the README's table of settings lacks `{row}`");
    }
    let listed =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("| `CHANCERY_"));
    assert_eq!(listed.count(), rows.len(), "the README's table has rows that are no settings");
}

#[test]
fn every_file_and_function_that_the_pages_name_is_there() {
    let code = sources(&Path::new(ROOT).join("src"));
    let span = Regex::new("`([^`\n]+)`").unwrap();
    let file = Regex::new(r"^(src|tests|proto|migrations|benches|\.ci)/[\w./]+$").unwrap();
    let function = Regex::new(r"^(?:[A-Z]\w*::|decision::)([a-z_]+)$").unwrap();
    for name in ["README.md", "ARCHITECTURE.md"] {
        let page = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        for named in span.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()) {
            if file.is_match(named) {
                assert!(
                    Path::new(ROOT).join(named).exists(),
                    "{name} names `{named}`, which is not there"
                );
            } else if let Some(found) = function.captures(named) {
                let start = format!("fn {}", found.get(1).unwrap().as_str());
                let there = code.split(&start).skip(1).any(|rest| rest.starts_with(['(', '<']));
                assert!(there, "{name} names `{named}`, which is no function");
            }
        }
    }
}

/// All code below a folder.
fn sources(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    code
}

/// The rows that a table of settings has.
fn flat(above: &str, table: &toml::Table) -> Vec<String> {
    let mut rows = Vec::new();
    for (key, value) in table {
        let key = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            toml::Value::Table(inner) => rows.extend(flat(&key, inner)),
            toml::Value::String(text) => rows.push(row(&key, text)),
            other => rows.push(row(&key, &other.to_string())),
        }
    }
    rows
}

fn row(key: &str, default: &str) -> String {
    let variable = key.to_ascii_uppercase().replace('.', "__");
    let default = if default.is_empty() { " ".to_owned() } else { format!(" `{default}` ") };
    format!("| `{key}` | `CHANCERY_{variable}` |{default}|")
}

/// A command of the README, and the lines of what it prints.
struct Step {
    command: String,
    output: Range<usize>,
}

/// The README, line by line.
struct Page {
    path: PathBuf,
    lines: Vec<String>,
}

impl Page {
    fn read() -> Self {
        let path = Path::new(ROOT).join("README.md");
        let lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        Self { path, lines }
    }

    fn text(&self, lines: &Range<usize>) -> String {
        self.lines.get(lines.clone()).unwrap().join("\n")
    }

    /// Finds the commands of all `console` blocks: lines that begin with `$ `, and those that still belong to them.
    fn steps(&self) -> Vec<Step> {
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
    fn rewrite(mut self, all: &[(Step, String)]) {
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

/// A server like the README's, in a folder and on a port of its own.
struct Server {
    folder: TempDir,
    process: Child,
    output: Option<ChildStdout>,
    address: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then the test has said so.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut process = chancery(&folder)
            .arg("serve")
            .env("CHANCERY_LISTEN", "127.0.0.1:0")
            .env("CHANCERY_ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = process.stdout.take();
        Self { folder, process, output, address: String::new(), token: String::new() }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Reads what the first start says, and with it the address and the token.
    fn welcome(&mut self) -> String {
        let (send, lines) = mpsc::channel();
        let output = BufReader::new(self.output.take().unwrap());
        // Reads on to the end, so that the server never waits for somebody to read.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let call = Regex::new(r"Bearer (\S+)' (\S+)").unwrap();
        let mut said = String::new();
        while self.token.is_empty() {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                panic!(
                    "`serve` prints no grpcurl line, but\n\n{said}\n\nIts log:\n\n{}",
                    self.log()
                );
            };
            if let Some(found) = call.captures(&line) {
                found[1].clone_into(&mut self.token);
                found[2].clone_into(&mut self.address);
            }
            said.push_str(&line);
            said.push('\n');
        }
        said.replace(&self.address, ADDRESS)
    }

    /// Runs all commands in one shell, as somebody would who reads the page, and returns what each prints.
    fn walk(&self, steps: &[Step]) -> Vec<String> {
        let mut script = String::from("exec 2>&1\n");
        for step in steps {
            script.push_str(
                &step.command.replace(TOKEN, &self.token).replace(ADDRESS, &self.address),
            );
            script.extend(["\necho '", MARK, "'\n"]);
        }
        let script = script.replace("target/release/chancery", PROGRAM);
        let path = self.folder.path().join("walk.sh");
        fs::write(&path, script).unwrap();
        let printed = self.folder.path().join("printed");
        let mut shell = Command::new("bash")
            .arg(&path)
            .current_dir(self.folder.path())
            .env("PATH", tools())
            .env("CHANCERY_LISTEN", &self.address)
            .stdin(Stdio::null())
            .stdout(File::create(&printed).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while shell.try_wait().unwrap().is_none() {
            if began.elapsed() > PATIENCE {
                // What it has printed so far tells where it hangs.
                shell.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = fs::read_to_string(&printed).unwrap().replace(&self.address, ADDRESS);
        let mut printed: Vec<String> =
            text.split(&format!("{MARK}\n")).map(str::to_owned).collect();
        let rest = printed.pop().unwrap_or_default();
        assert!(
            rest.is_empty() && printed.len() == steps.len(),
            "the walk broke off:\n\n{text}\n\nThe server's log:\n\n{}",
            self.log()
        );
        printed
    }
}

/// The program, with nothing but its built-in settings.
fn chancery(folder: &TempDir) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder.path());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
    command
}

/// A `PATH` with grpcurl on it, which is fetched as the README says if it is nowhere.
fn tools() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{ROOT}/target/tools/bin:{path}");
    let is_there = || {
        let version = Command::new("grpcurl").arg("--version").env("PATH", &path).output();
        version.is_ok_and(|output| output.status.success())
    };
    if !is_there() {
        let fetched = Command::new(Path::new(ROOT).join(".ci/tools")).arg("grpcurl").output();
        assert!(
            is_there(),
            "the README is walked through with grpcurl, which is missing, and `.ci/tools grpcurl` could not fetch it: \
             put it on PATH ({fetched:?})"
        );
    }
    path
}

fn secret() -> Regex {
    Regex::new(r"\b(chy_[a-z]+_)(?:[0-9A-Za-z]{42}|…)").unwrap()
}

/// Puts the same words for what is another in every run. Ids are numbered, so that the same one must stand where it stood.
struct Plain {
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
            id: Regex::new(r"\b(acc|usr|rol|tok)_[0-9a-z]{26}\b").unwrap(),
            time: Regex::new(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap(),
            opaque: Regex::new(r#""(etag|consistencyToken|decisionId)": "[^"]+""#).unwrap(),
            secret: secret(),
        }
    }
}

impl Plain {
    fn of(&mut self, text: &str) -> String {
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
