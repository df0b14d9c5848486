//! The walk: the README's commands, typed into one shell, against a server of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use crate::ROOT;
use crate::page::Step;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");
/// Where the README says that gRPC is served.
const ADDRESS: &str = "127.0.0.1:50051";
/// How the README writes the token that `serve` prints.
const TOKEN: &str = "chy_pat_…";
/// Stands between what two commands print.
const MARK: &str = "=== next ===";
/// How long the first start and the whole walk may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server like the README's, in a folder and on a port of its own.
pub(crate) struct Server {
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
    pub(crate) fn start() -> Self {
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

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Reads what the first start says, and with it the address and the token.
    pub(crate) fn welcome(&mut self) -> String {
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
    pub(crate) fn walk(&self, steps: &[Step]) -> Vec<String> {
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
pub(crate) fn chancery(folder: &TempDir) -> Command {
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
