//! A process that serves.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::support::{As, Bearer, KEY};

/// What is sure to come is waited for no longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Numbers that look random and are the same every time (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.roll(u64::MAX), self.roll(u64::MAX))
    }
}

/// A command of the program, with nothing set but what is said here.
pub(crate) fn chancery(url: &str, folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.current_dir(folder).env_clear();
    for (name, value) in [
        ("CHANCERY_DATABASE_URL", url),
        ("CHANCERY_MASTER_KEY", KEY),
        ("CHANCERY_LISTEN", "127.0.0.1:0"),
        ("CHANCERY_ADMIN_LISTEN", "127.0.0.1:0"),
        ("CHANCERY_LOG__FORMAT", "json"),
        ("CHANCERY_LIMITS__CHANGES_PER_MINUTE", "0"),
    ] {
        command.env(name, value);
    }
    command.envs(settings.iter().copied());
    command
}

/// Makes the schema and the first administrator, whose token it returns.
pub(crate) fn prepare(url: &str, folder: &Path, settings: &[(&str, &str)]) -> String {
    let bootstrap = ["bootstrap", "--user-name", "admin", "--token-file", "token"];
    for arguments in [&["migrate"][..], &bootstrap] {
        let done = chancery(url, folder, settings).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {said}");
    }
    std::fs::read_to_string(folder.join("token")).unwrap().trim().to_owned()
}

/// A server that is going to be killed.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) admin: String,
    /// All that it has logged.
    pub(crate) log: Arc<Mutex<String>>,
}

impl Server {
    pub(crate) fn start(url: &str, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut serve = chancery(url, folder, settings);
        let mut child = serve.arg("serve").stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = mpsc::channel();
        let log = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&log);
        // Reads on to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                let text = |key: &str| said.get(key).and_then(serde_json::Value::as_str);
                if let (Some("serving"), Some(grpc), Some(admin)) =
                    (text("message"), text("grpc"), text("admin"))
                {
                    let _ = tell.send((grpc.to_owned(), admin.to_owned()));
                } else if text("level").is_none_or(|level| level == "ERROR") {
                    eprintln!("{line}");
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let (address, admin) = told.recv_timeout(PATIENCE).expect("it does not serve");
        Self { child, address, admin, log }
    }

    /// Is told to stop, and returns whether it has, and by itself.
    pub(crate) fn ends(&mut self) -> bool {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let until = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.success(),
                None if Instant::now() > until => return false,
                None => std::thread::yield_now(),
            }
        }
    }

    /// SIGKILL: no handler, no goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Calls a server with a token; without one as nobody.
pub(crate) async fn connect(address: &str, token: &str) -> As {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let value = (!token.is_empty()).then(|| format!("Bearer {token}").parse().unwrap());
    InterceptedService::new(channel, Bearer(value))
}
