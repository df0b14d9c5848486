//! `Authorize` beside the `CheckResources` of Cerbos: the same rules, the same questions, the same client, and equal answers.
//!
//! `.ci/tools cerbos` fetches it; without it nothing is measured, which is said.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench may panic")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::caller::Caller;
use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, ask};
use benches::load::{Call, Load, permits};
use benches::program::Program;
use benches::rbac::{Asked, KINDS, Rbac, USERS, list};
use benches::stored::Stored;
use chancery::proto::v1 as pb;
use prost::Message;
use tempfile::TempDir;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// How long a server is called at a time.
const TURN: Duration = Duration::from_secs(2);
/// How long Cerbos may take to listen.
const PATIENCE: Duration = Duration::from_mins(1);

/// The messages of Cerbos, as far as they are used here.
#[derive(Clone, PartialEq, Message)]
struct CheckResourcesRequest {
    #[prost(message, optional, tag = "3")]
    principal: Option<Principal>,
    #[prost(message, repeated, tag = "4")]
    resources: Vec<ResourceEntry>,
}

#[derive(Clone, PartialEq, Message)]
struct Principal {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "3")]
    roles: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceEntry {
    #[prost(string, repeated, tag = "1")]
    actions: Vec<String>,
    #[prost(message, optional, tag = "2")]
    resource: Option<Resource>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResourcesResponse {
    #[prost(message, repeated, tag = "2")]
    results: Vec<ResultEntry>,
}

#[derive(Clone, PartialEq, Message)]
struct ResultEntry {
    #[prost(map = "string, int32", tag = "2")]
    actions: HashMap<String, i32>,
}

/// `EFFECT_ALLOW`.
const ALLOW: i32 = 1;

fn main() {
    let Some(program) = cerbos() else {
        figures::skip("P2: `Authorize` against Cerbos", "`.ci/tools cerbos` fetches it");
        return;
    };
    let rbac = Rbac::draw();
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = runtime.block_on(Box::pin(Stored::sqlite()));
    let ours = Program::serve(BENCH, &stored);
    let users = runtime.block_on(Box::pin(fill(&ours, &stored, &rbac)));
    let theirs = start(&program, &rbac, &folder);
    let loads = [
        Load::new(ours.at, CONNECTIONS, our_calls(&rbac, &stored, &users)),
        Load::new(theirs.at, CONNECTIONS, their_calls(&rbac)),
    ];
    println!("# `Authorize` and the `CheckResources` of Cerbos, {} interleaved rounds\n", rounds());
    println!(
        "{USERS} users of 2 roles, {} rules, half of the questions denied; {CONNECTIONS} connections × {IN_FLIGHT} in flight.\n",
        rbac.rules()
    );
    let programs = [&ours, &theirs];
    let (mut rates, mut memory) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..=rounds() {
        for (at, load) in loads.iter().enumerate() {
            let outcome = load.closed(IN_FLIGHT, TURN);
            assert_eq!(outcome.refused, 0);
            if round > 0 {
                rates[at].push(outcome.rate());
                memory[at].push(programs[at].resident());
            }
        }
    }
    println!("| | requests a second | resident, MiB |\n|---|---|---|");
    for (at, name) in ["Authorize", "Cerbos"].iter().enumerate() {
        let [rate, memory] = [&rates[at], &memory[at]].map(|all| Spread::of(all.iter().copied()));
        println!("| {name} | {rate} | {memory} |");
    }
    figures::heading();
    let rate = Spread::of_ratios(&rates[0], &rates[1]);
    Target::AtLeast(15.0).judge("P2: `Authorize` against Cerbos, requests a second", "×", rate);
    let memory = Spread::of_ratios(&memory[0], &memory[1]);
    Target::AtMost(0.25).judge("P2: `Authorize` against Cerbos, memory", "×", memory);
}

/// Applies the catalogue and makes the users, whose ids it returns.
async fn fill(ours: &Program, stored: &Stored, rbac: &Rbac) -> Vec<String> {
    let caller = Caller::of(ours, stored).await;
    let catalogue =
        pb::ApplyCatalogueRequest { catalogue_yaml: rbac.catalogue(), ..Default::default() };
    caller.roles().apply_catalogue(catalogue).await.unwrap();
    let mut made = Vec::new();
    for (nth, held) in rbac.held.iter().enumerate() {
        let roles = held.iter().map(|role| format!("bench/R{role}")).collect();
        made.push(caller.user("", &format!("user{nth}"), roles).await);
    }
    made
}

/// Where the program is, if it is.
fn cerbos() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([fetched]);
    folders.find_map(|folder| folder.join("cerbos").canonicalize().ok())
}

fn start(program: &Path, rbac: &Rbac, folder: &TempDir) -> Program {
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    for kind in 0..KINDS {
        let mut yaml = format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: thing{kind}\n  version: default\n  rules:\n"
        );
        for (role, permits) in rbac.roles.iter().enumerate() {
            let actions = permits.iter().filter(|(of, _)| *of == kind);
            let actions: Vec<String> = actions.map(|(_, action)| format!("act{action}")).collect();
            if !actions.is_empty() {
                let actions = list(actions);
                writeln!(
                    yaml,
                    "    - {{ actions: {actions}, effect: EFFECT_ALLOW, roles: [R{role}] }}"
                )
                .unwrap();
            }
        }
        std::fs::write(policies.join(format!("thing{kind}.yaml")), yaml).unwrap();
    }
    // It takes no port of the system's choice: two that were just free.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (http, grpc): (SocketAddr, SocketAddr) = (free(), free());
    let config = folder.path().join("config.yaml");
    let text = format!(
        "server: {{ httpListenAddr: '{http}', grpcListenAddr: '{grpc}' }}\n\
         storage: {{ driver: disk, disk: {{ directory: '{}' }} }}\ntelemetry: {{ disabled: true }}\n",
        policies.display()
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new(program)
        .args(["server", "--log-level=error"])
        .arg(format!("--config={}", config.display()))
        .stdin(Stdio::null())
        .spawn();
    let program = Program::adopt(child.unwrap(), grpc);
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(grpc).is_err() {
        assert!(Instant::now() < until, "Cerbos does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    program
}

fn our_calls(rbac: &Rbac, stored: &Stored, users: &[String]) -> Vec<Call> {
    let call = |asked: &Asked| {
        let (action, kind) = (format!("act{}", asked.action), format!("thing{}", asked.kind));
        let question = ask(&users[asked.user], &action, &kind, &asked.id.to_string());
        let permit = asked.permit;
        let path = "/chancery.v1.AuthorizationService/Authorize";
        Call::new(path, &stored.token, &question.encode_to_vec(), move |answer| {
            permits(answer) == permit
        })
    };
    rbac.asked.iter().map(call).collect()
}

fn their_calls(rbac: &Rbac) -> Vec<Call> {
    let call = |asked: &Asked| {
        let roles = rbac.held[asked.user].iter().map(|role| format!("R{role}")).collect();
        let resource = Resource { kind: format!("thing{}", asked.kind), id: asked.id.to_string() };
        let actions = vec![format!("act{}", asked.action)];
        let question = CheckResourcesRequest {
            principal: Some(Principal { id: format!("user{}", asked.user), roles }),
            resources: vec![ResourceEntry { actions, resource: Some(resource) }],
        };
        let permit = asked.permit;
        let path = "/cerbos.svc.v1.CerbosService/CheckResources";
        Call::new(path, "", &question.encode_to_vec(), move |answer| {
            let answer = CheckResourcesResponse::decode(answer).unwrap();
            let effect = answer.results.first().and_then(|of| of.actions.values().next());
            effect.is_some_and(|effect| (*effect == ALLOW) == permit)
        })
    };
    rbac.asked.iter().map(call).collect()
}
