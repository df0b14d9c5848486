//! Replicas that come and go behind Envoy while everybody calls: whoever tries again, as gRPC clients do, notices nothing.
//!
//! On Postgres alone: SQLite has one process.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::user_service_client::UserServiceClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::processes::{Dice, Server, connect, prepare};
use crate::proxy::{Envoy, address};
use crate::shipped;
use crate::support::{As, Engine, ask, engines};

/// How often a replica is stopped; `ROLLING_STOPS` says otherwise.
const STOPS: u64 = 15;
/// Attempts of a call, and the wait before the second; it doubles. What gRPC's retry policies commonly say.
const ATTEMPTS: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(50);
/// No stop, and no answer, takes longer: far less than the 20 s after which whatever is left is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// A replica that is told to stop goes on so long.
const SETTINGS: [(&str, &str); 1] = [("CHANCERY_SHUTDOWN__DRAIN_MS", "150")];

/// The replicas, and the file in which Envoy finds where they are, as it would ask a control plane.
struct Fleet {
    url: String,
    folder: TempDir,
    running: Vec<Server>,
    /// In the file: those who are running, but for who is about to go.
    listed: Vec<SocketAddr>,
}

impl Fleet {
    fn endpoints(&self) -> PathBuf {
        self.folder.path().join("endpoints").join("chancery.json")
    }

    async fn grow(&mut self) {
        let (url, folder) = (self.url.clone(), self.folder.path().to_owned());
        let start = move || Server::start(&url, &folder, &SETTINGS);
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        self.listed.push(server.address.parse().unwrap());
        self.running.push(server);
        self.list();
    }

    fn list(&self) {
        let ends = self.listed.iter();
        let ends: Vec<Value> =
            ends.map(|at| json!({ "endpoint": { "address": address(*at) } })).collect();
        let assignment = json!({ "resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": "chancery",
            "endpoints": [{ "lb_endpoints": ends }],
        }]});
        // Envoy reads it once it is moved there, and so never half of it.
        let path = self.endpoints();
        let new = self.folder.path().join("new.json");
        fs::write(&new, assignment.to_string()).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Takes one off the list.
    fn unlist(&mut self, at: SocketAddr) {
        self.listed.retain(|one| *one != at);
        self.list();
    }

    /// Stops a replica as an orchestrator does, which takes it off the list before, meanwhile or after.
    async fn stop(&mut self, which: usize, order: u64) {
        let mut server = self.running.swap_remove(which);
        let at = server.address.parse().unwrap();
        // Somebody who is connected and says nothing.
        let silent = TcpStream::connect(at).unwrap();
        if order == 0 {
            self.unlist(at);
        }
        let began = Instant::now();
        let pid = server.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        if order == 1 {
            self.unlist(at);
        }
        let ended = tokio::task::spawn_blocking(move || server.child.wait().unwrap());
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        let ended = ended.unwrap_or_else(|_| panic!("it goes on after {:?}", began.elapsed()));
        assert!(ended.unwrap().success(), "it ends in order");
        drop(silent);
        if order > 1 {
            self.unlist(at);
        }
    }
}

/// Puts the shipped Envoy before the fleet.
async fn before(fleet: &Fleet) -> Envoy {
    let path = fleet.endpoints();
    let at = fleet.listed[0];
    shipped::before_these([at; 3], |config| {
        // Without a name it asks nobody for endpoints.
        config["node"] = json!({ "id": "front", "cluster": "front" });
        let clusters = config["static_resources"]["clusters"].as_array_mut().unwrap();
        let chancery = clusters.iter_mut().find(|one| one["name"] == "chancery").unwrap();
        chancery.as_object_mut().unwrap().remove("load_assignment");
        chancery["type"] = json!("EDS");
        chancery["eds_cluster_config"] = json!({ "eds_config": {
            "resource_api_version": "V3",
            "path_config_source": { "path": path, "watched_directory": { "path": path.parent() } },
        }});
    })
    .await
}

/// How many calls have been answered in all, and whether that is enough.
#[derive(Debug, Clone, Default)]
struct Told(Arc<watch::Sender<(u64, bool)>>);

impl Told {
    fn answered(&self) {
        self.0.send_modify(|(all, _)| *all += 1);
    }

    fn end(&self) {
        self.0.send_modify(|(_, over)| *over = true);
    }

    fn over(&self) -> bool {
        self.0.borrow().1
    }

    /// Waits until so many more have been.
    async fn after(&self, more: u64) {
        let mut heard = self.0.subscribe();
        let wanted = heard.borrow().0 + more;
        let enough = heard.wait_for(|(all, over)| *over || *all >= wanted);
        // Where all who call have failed, nobody is answered any more.
        tokio::time::timeout(PATIENCE, enough).await.expect("calls are answered").unwrap();
    }
}

/// What somebody who calls has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    calls: u64,
    again: u64,
}

/// Calls as a client does that tries again what was not served.
async fn call<T, F: Future<Output = Result<T, Status>>>(
    seen: &mut Seen,
    told: &Told,
    attempt: impl Fn() -> F,
) -> T {
    for count in 1.. {
        match attempt().await {
            Ok(answer) => {
                seen.calls += 1;
                told.answered();
                return answer;
            }
            Err(status) if status.code() == Code::Unavailable && count < ATTEMPTS => {
                seen.again += 1;
                tokio::time::sleep(BACKOFF * 2_u32.pow(count - 1)).await;
            }
            Err(status) => panic!("at attempt {count}: {status:?}"),
        }
    }
    unreachable!("the last attempt has returned")
}

/// Asks what is permitted and what is not, in turn, until the end.
async fn asks(front: As, [admin, nobody]: [String; 2], account: String, told: Told) -> Seen {
    let mut seen = Seen::default();
    let client = AuthorizationServiceClient::new(front);
    while !told.over() {
        let permitted = seen.calls.is_multiple_of(2);
        let who = if permitted { &admin } else { &nobody };
        let question = ask(who, "update", "account", &account);
        let decide = || {
            let (mut client, question) = (client.clone(), question.clone());
            async move { client.authorize(question).await }
        };
        let answer = call(&mut seen, &told, decide).await.into_inner();
        assert_eq!(answer.decision, permitted, "{answer:?}");
    }
    seen
}

/// Makes users until the end: what is sent again is made once.
async fn makes(front: As, told: Told) -> (Seen, String) {
    let (mut seen, mut state) = (Seen::default(), String::new());
    let client = UserServiceClient::new(front);
    while !told.over() {
        let request = new_user(&format!("user-{}", seen.calls));
        let make = || {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.create_user(request).await }
        };
        state = call(&mut seen, &told, make).await.into_inner().consistency_token;
        // One change in so many questions.
        told.after(20).await;
    }
    (seen, state)
}

fn new_user(name: &str) -> pb::CreateUserRequest {
    pb::CreateUserRequest {
        user: Some(pb::User {
            user_name: Some(name.to_owned()),
            kind: Some(pb::UserKind::Service.into()),
            ..Default::default()
        }),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    }
}

/// All users of the root account, in that state or a later one.
async fn users(front: &As, state: &str) -> Vec<pb::User> {
    let mut all = Vec::new();
    let mut client = UserServiceClient::new(front.clone());
    let mut next = pb::ListUsersRequest { flatten: true, page_size: 1000, ..Default::default() };
    loop {
        let mut request = Request::new(next.clone());
        if !state.is_empty() {
            request.metadata_mut().insert("chancery-at-least", state.parse().unwrap());
        }
        let page = client.list_users(request).await.unwrap().into_inner();
        all.extend(page.users);
        next.page_token = page.next_page_token;
        if next.page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_tries_again_notices_that_replicas_are_exchanged() {
    for engine in engines().iter().filter(|engine| matches!(engine, Engine::Postgres(_))) {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("endpoints")).unwrap();
        let url = engine.fresh(&folder).await;
        let token = prepare(&url, folder.path(), &[]);
        let mut fleet = Fleet { url, folder, running: Vec::new(), listed: Vec::new() };
        fleet.grow().await;
        fleet.grow().await;
        let envoy = before(&fleet).await;
        let front = connect(&envoy.at("api").to_string(), &token).await;
        let admin = users(&front, "").await.remove(0);
        let nobody = UserServiceClient::new(front.clone()).create_user(new_user("nobody")).await;
        let nobody = nobody.unwrap().into_inner().user.unwrap().user_id;

        let told = Told::default();
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            let who = [admin.user_id.clone(), nobody.clone()];
            callers.spawn(asks(front.clone(), who, admin.account_id.clone(), told.clone()));
        }
        let made = tokio::spawn(makes(front.clone(), told.clone()));
        let stops = std::env::var("ROLLING_STOPS").map_or(STOPS, |stops| stops.parse().unwrap());
        let mut dice = Dice(0x0011_0e57);
        for _ in 0..stops {
            fleet.grow().await;
            let there = u64::try_from(fleet.running.len()).unwrap();
            envoy.until("cluster.chancery.membership_healthy", |count| count >= there).await;
            told.after(dice.roll(100)).await;
            let which = usize::try_from(dice.roll(there)).unwrap();
            fleet.stop(which, dice.roll(3)).await;
        }
        told.end();
        let (made, state) = made.await.unwrap();
        let asked = callers.join_all().await;
        println!("{stops} stops; changes: {made:?}; questions: {asked:?}");
        let there = users(&front, &state).await.len();
        assert_eq!(u64::try_from(there).unwrap(), made.calls + 2, "each once");
    }
}
