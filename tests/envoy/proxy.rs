//! A real Envoy on loopback, with a configuration of the test's own.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// How long a start may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// What Envoy logs once its admin pages can be asked.
const SERVES: &str = "starting main dispatch loop";

/// A running Envoy. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Envoy {
    listeners: HashMap<String, SocketAddr>,
    /// Where its admin pages are, by HTTP.
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Dropped first: it tells the thread to end the process.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already, and a second one here would hide the test's own.
            let _ = thread.join();
        }
    }
}

impl Envoy {
    /// Starts one with these static resources, `{"listeners": […], "clusters": […]}`; a listener on port 0 gets one from
    /// the kernel. Returns when it serves.
    pub(crate) async fn start(resources: Value) -> Self {
        Self::start_with(json!({ "static_resources": resources })).await
    }

    /// Starts one with a whole configuration, but for its admin pages.
    pub(crate) async fn start_with(mut config: Value) -> Self {
        config["admin"] = json!({ "address": address("127.0.0.1:0".parse().unwrap()) });
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("envoy.json"), config.to_string()).unwrap();
        let admin_file = folder.path().join("admin");
        let log = Arc::new(Mutex::new(String::new()));
        let (end, ended) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let kept = Arc::clone(&log);
        // Envoy asks to be ended with the *thread* that started it, so it gets one that lives as long as it.
        let thread = std::thread::spawn(move || live(&folder, kept, &tell, &ended));
        let serving = tokio::task::spawn_blocking(move || {
            told.recv_timeout(PATIENCE).ok().map(|()| fs::read_to_string(admin_file).unwrap())
        });
        let Some(admin) = serving.await.unwrap() else {
            panic!("Envoy does not serve:\n\n{}\n\n{config:#}", log.lock().unwrap());
        };
        let admin = admin.trim().parse().unwrap();
        let mut envoy =
            Self { listeners: HashMap::new(), admin, log, end: Some(end), thread: Some(thread) };
        let listed = http::get(admin, "/listeners?format=json").await.json();
        for listener in listed["listener_statuses"].as_array().unwrap() {
            let at = &listener["local_address"]["socket_address"];
            let (ip, port) = (at["address"].as_str().unwrap(), at["port_value"].as_u64().unwrap());
            let name = listener["name"].as_str().unwrap().to_owned();
            envoy.listeners.insert(name, format!("{ip}:{port}").parse().unwrap());
        }
        // It goes on starting: clusters are asked for their health, keys are fetched, and only then does it listen.
        envoy.until("listener_manager.workers_started", |started| started == 1).await;
        envoy
    }

    /// Where the listener of this name accepts.
    pub(crate) fn at(&self, listener: &str) -> SocketAddr {
        self.listeners[listener]
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a counter or gauge of its statistics is as it should be.
    pub(crate) async fn until(&self, stat: &str, wanted: impl Fn(u64) -> bool) {
        let began = Instant::now();
        loop {
            let said = http::get(self.admin, &format!("/stats?filter=^{stat}$&format=json")).await;
            let value = said.json()["stats"][0]["value"].as_u64().unwrap_or_default();
            if wanted(value) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "`{stat}` stays {value}:\n\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The life of a process: started, heard until it is told to end or ends by itself, and reaped.
fn live(folder: &TempDir, log: Arc<Mutex<String>>, tell: &Sender<()>, ended: &Receiver<()>) {
    let mut process = spawn(folder);
    let output = BufReader::new(process.stderr.take().unwrap());
    let tell = tell.clone();
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let serves = line.contains(SERVES);
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
            drop(log);
            if serves {
                // Nobody listens any more if the test has given up.
                let _ = tell.send(());
            }
        }
        // It has ended: dropping `tell` says so to whoever waits for it to serve.
    });
    let _ = ended.recv();
    // It may have ended by itself, and the log says why.
    let _ = process.kill();
    process.wait().unwrap();
    reader.join().unwrap();
}

fn spawn(folder: &TempDir) -> Child {
    Command::new(program())
        .arg("--config-path")
        .arg(folder.path().join("envoy.json"))
        .arg("--admin-address-path")
        .arg(folder.path().join("admin"))
        .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "info"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(folder.path().join("stdout")).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Envoy, which is fetched if it is nowhere.
pub(crate) fn program() -> &'static Path {
    static FOUND: OnceLock<std::path::PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{ROOT}/target/tools/bin:{path}");
        let find = || {
            let places = std::env::split_paths(&path).map(|folder| folder.join("envoy"));
            places.into_iter().find(|program| {
                let version = Command::new(program).arg("--version").output();
                version.is_ok_and(|output| output.status.success())
            })
        };
        find().unwrap_or_else(|| {
            let fetched = Command::new(Path::new(ROOT).join(".ci/tools")).arg("envoy").output();
            find().unwrap_or_else(|| {
                panic!(
                    "these tests run a real Envoy, which is missing, and `.ci/tools envoy` could not fetch it: put it \
                     on PATH ({fetched:?})"
                )
            })
        })
    })
}

/// An address, as Envoy's configuration writes it.
pub(crate) fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}

/// A cluster of one server that speaks HTTP/2, as gRPC wants it.
pub(crate) fn grpc_cluster(name: &str, at: SocketAddr) -> Value {
    let mut cluster = http_cluster(name, at);
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    cluster
}

/// A cluster of one server that speaks HTTP/1.
pub(crate) fn http_cluster(name: &str, at: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(at) } }] }],
        },
    })
}

/// A listener on a free port of loopback that speaks HTTP/1 and HTTP/2, sends all to one cluster, and has these HTTP
/// filters before it.
pub(crate) fn listener(name: &str, filters: &[Value], cluster: &str) -> Value {
    let mut filters = filters.to_vec();
    filters.push(filter("router", "router.v3.Router", json!({})));
    let route =
        json!({ "match": { "prefix": "/" }, "route": { "cluster": cluster, "timeout": "10s" } });
    json!({
        "name": name,
        "address": address("127.0.0.1:0".parse().unwrap()),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "codec_type": "AUTO",
                "http_filters": filters,
                "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
            },
        }]}],
    })
}

/// An HTTP filter: `filter("ext_authz", "ext_authz.v3.ExtAuthz", …)`.
pub(crate) fn filter(name: &str, kind: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.http.{kind}"));
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": config })
}
