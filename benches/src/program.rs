//! Servers in processes of their own, so that what they use is told apart from what their client uses.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tonic::transport::Channel;

use crate::echo::Shape;
use crate::stored::{KEY, Stored};

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_mins(5);

/// The setting of a server whose store was filled past the program: what is in no ledger is not to be looked for there.
pub const UNVERIFIED: &[(&str, &str)] = &[("LEDGER__VERIFY_HOURS", "0")];

/// A server. It ends with this.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it speaks gRPC.
    pub at: SocketAddr,
}

impl Program {
    /// Starts ours: `bench` is the program of this package, which does all that `chancery` does.
    pub fn serve(bench: &str, stored: &Stored) -> Self {
        Self::serve_with(bench, stored, &[])
    }

    /// Starts ours with settings of its own.
    pub fn serve_with(bench: &str, stored: &Stored, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(bench);
        command.arg("serve").current_dir(stored.folder.path()).env_clear();
        for (name, value) in [
            ("DATABASE_URL", stored.url.as_str()),
            ("MASTER_KEY", KEY),
            ("LISTEN", "127.0.0.1:0"),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("LOG__FORMAT", "json"),
            ("LIMITS__CHANGES_PER_MINUTE", "0"),
            ("LIMITS__SIGN_INS_PER_MINUTE", "0"),
        ]
        .iter()
        .chain(settings)
        {
            command.env(format!("CHANCERY_{name}"), value);
        }
        Self::start(command)
    }

    /// Starts one that answers so many bytes, whatever it is asked.
    pub fn echo(bench: &str, shape: Shape, length: usize) -> Self {
        let mut command = Command::new(bench);
        command.args(["echo", shape.word(), &length.to_string()]);
        Self::start(command)
    }

    /// Starts what says on standard error, in JSON, that it is serving, and where.
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = mpsc::channel();
        // Reads on to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                let word = |key: &str| said.get(key).and_then(serde_json::Value::as_str);
                match (word("message"), word("grpc")) {
                    (Some("serving"), Some(at)) => {
                        // Nobody waits any more where it came too late.
                        let _ = tell.send(at.parse().unwrap());
                    }
                    _ if word("level").is_none_or(|level| level == "ERROR") => eprintln!("{line}"),
                    _ => {}
                }
            }
        });
        let at = told.recv_timeout(PATIENCE).expect("it does not serve");
        Self { child, at }
    }

    /// Takes in a server that was started otherwise, with the place where it speaks gRPC.
    pub const fn adopt(child: Child, at: SocketAddr) -> Self {
        Self { child, at }
    }

    /// Connects a client of tonic's.
    pub async fn connect(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.at)).unwrap();
        endpoint.connect().await.unwrap()
    }

    fn proc(&self, file: &str) -> String {
        let path: PathBuf = Path::new("/proc").join(self.child.id().to_string()).join(file);
        std::fs::read_to_string(path).unwrap()
    }

    /// What it has used of the processors until now, in its own code and for it in the kernel. Linux alone tells.
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The name before may hold anything.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        // Linux tells it in hundredths of a second.
        Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() * 10)
    }

    /// What it keeps in memory, in MiB.
    pub fn resident(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        kilobytes / 1024.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
