//! `kill -9` in the middle of writes, twenty times on each store, after as many answers as a fixed seed chooses.
//!
//! After each: what was acknowledged is there, no change is there by half, the ledger is whole and says what the rows
//! say, and a request that was not answered, sent again, is done once.

use std::collections::HashMap;
use std::sync::Arc;

use chancery::model::{AccountId, Revision, SystemClock};
use chancery::proto::v1 as pb;
use chancery::store::{Store, StoreConfig};
use pb::account_service_client::AccountServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use prost_types::FieldMask;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::server::{Dice, PATIENCE, Server, connect, prepare};
use crate::support::{As, Engine, engines};

const KILLS: u64 = 20;
const WRITERS: u64 = 4;
const SEED: u64 = 0x0c4a_9ce2;

/// What a change was to do.
#[derive(Debug, Clone)]
enum Work {
    /// Three entries in one revision: a user and two roles.
    Create { name: String },
    /// One entry.
    Rename { user_id: String, first_name: String },
    /// One entry.
    Mint { user_id: String },
}

impl Work {
    const fn entries(&self) -> usize {
        match self {
            Self::Create { .. } => 3,
            Self::Rename { .. } | Self::Mint { .. } => 1,
        }
    }
}

/// A request, and the id of what it made or changed once that has been answered.
#[derive(Debug, Clone)]
struct Sent {
    id: Uuid,
    work: Work,
    answer: Option<String>,
}

#[derive(Clone)]
struct Client {
    with: As,
    tenant: String,
}

impl Client {
    async fn send(&self, sent: &Sent) -> Result<String, Status> {
        let request_id = sent.id.to_string();
        let mut users = UserServiceClient::new(self.with.clone());
        match sent.work.clone() {
            Work::Create { name } => {
                let user = pb::User {
                    user_name: Some(name),
                    root_user: true,
                    roles: vec!["USER".to_owned(), "SUPER_USER".to_owned()],
                    ..Default::default()
                };
                let request = pb::CreateUserRequest {
                    account_id: self.tenant.clone(),
                    user: Some(user),
                    request_id,
                    ..Default::default()
                };
                let made = users.create_user(request).await?.into_inner();
                Ok(made.user.unwrap().user_id)
            }
            Work::Rename { user_id, first_name } => {
                let user = pb::User { user_id, first_name: Some(first_name), ..Default::default() };
                let request = pb::UpdateUserRequest {
                    user: Some(user),
                    update_mask: Some(FieldMask { paths: vec!["first_name".to_owned()] }),
                    request_id,
                    ..Default::default()
                };
                let done = users.update_user(request).await?.into_inner();
                Ok(done.user.unwrap().user_id)
            }
            Work::Mint { user_id } => {
                let request =
                    pb::CreateApiTokenRequest { user_id, request_id, ..Default::default() };
                let mut tokens = TokenServiceClient::new(self.with.clone());
                let made = tokens.create_api_token(request).await?.into_inner();
                Ok(made.api_token.unwrap().token_id)
            }
        }
    }
}

/// Writes until the server is gone; returns everything that was sent, the last without an answer.
async fn write(client: Client, mut dice: Dice, answers: Arc<Semaphore>) -> Vec<Sent> {
    let mut log: Vec<Sent> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    loop {
        let work = match (dice.roll(3), own.last()) {
            (1, Some(user_id)) => Work::Rename {
                user_id: user_id.clone(),
                first_name: format!("name {}", dice.uuid()),
            },
            (2, Some(user_id)) => Work::Mint { user_id: user_id.clone() },
            _ => Work::Create { name: format!("user {}", dice.uuid()) },
        };
        let mut sent = Sent { id: dice.uuid(), work, answer: None };
        match client.send(&sent).await {
            Ok(answer) => {
                if matches!(sent.work, Work::Create { .. }) {
                    own.push(answer.clone());
                }
                sent.answer = Some(answer);
                log.push(sent);
                answers.add_permits(1);
            }
            Err(status) => {
                let lost = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal];
                assert!(lost.contains(&status.code()), "{status:?}");
                log.push(sent);
                return log;
            }
        }
    }
}

/// Everything that was sent in the rounds so far, and what the ledger has said of it.
#[derive(Default)]
struct Book {
    sent: Vec<Sent>,
    told: HashMap<Uuid, Vec<Revision>>,
    read: Revision,
}

impl Book {
    /// Sends what was not answered once more: now it is, and once more says the same.
    async fn repeat(&mut self, client: &Client) -> usize {
        let mut open = 0;
        for sent in self.sent.iter_mut().filter(|sent| sent.answer.is_none()) {
            open += 1;
            let answer = client.send(sent).await.unwrap();
            assert_eq!(client.send(sent).await.unwrap(), answer);
            sent.answer = Some(answer);
        }
        open
    }

    async fn check(&mut self, store: &Store, tenant: AccountId) {
        for tenant in [store.root().await.unwrap().unwrap(), tenant] {
            let verified = store.verify(tenant).await.unwrap();
            assert!(verified.faults.is_empty(), "{:?}", verified.faults);
        }
        loop {
            let entries = store.entries(tenant, self.read, 1_000).await.unwrap();
            let Some(last) = entries.last() else { break };
            self.read = last.revision;
            for entry in entries {
                if let Some(id) = entry.request_id {
                    self.told.entry(id).or_default().push(entry.revision);
                }
            }
        }
        let mut names = HashMap::new();
        for sent in &self.sent {
            let told = self.told.get(&sent.id).map(Vec::as_slice).unwrap_or_default();
            assert_eq!(told.len(), sent.work.entries(), "{sent:?}: whole, and once");
            assert!(told.iter().all(|revision| Some(revision) == told.first()), "{sent:?}");
            if let Work::Rename { user_id, first_name } = &sent.work {
                names.insert(user_id.clone(), first_name.clone());
            }
        }
        for (user_id, name) in names {
            let user = store.user(user_id.parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(user.first_name, name);
        }
    }
}

async fn killed_again_and_again(engine: Engine) {
    let folder = TempDir::new().unwrap();
    let url = engine.fresh(&folder).await;
    let token = prepare(&url, folder.path(), &[]);
    let config = StoreConfig { url: url.clone(), ..StoreConfig::default() };
    let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();

    let mut server = Server::start(&url, folder.path(), &[]);
    let tenant = tenant(&server, &token, &store).await;
    let (mut dice, mut book, mut open) = (Dice(SEED), Book::default(), 0);
    for _ in 0..KILLS {
        let with = connect(&server.address, &token).await;
        let client = Client { with, tenant: tenant.clone() };
        let answers = Arc::new(Semaphore::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let dice = Dice(dice.roll(u64::MAX));
                tokio::spawn(write(client.clone(), dice, Arc::clone(&answers)))
            })
            .collect();
        let enough = u32::try_from(dice.roll(40)).unwrap();
        let enough = timeout(PATIENCE, answers.acquire_many(enough)).await;
        assert!(enough.is_ok_and(|answers| answers.is_ok()), "the server does not answer");
        // A few reads more, and the others are anywhere in their writes.
        for _ in 0..dice.roll(10) {
            store.heads(&[tenant.parse().unwrap()]).await.unwrap();
        }
        server.kill();
        for writer in writers {
            book.sent.extend(writer.await.unwrap());
        }
        server = Server::start(&url, folder.path(), &[]);
        let with = connect(&server.address, &token).await;
        let client = Client { with, tenant: tenant.clone() };
        open += book.repeat(&client).await;
        book.check(&store, tenant.parse().unwrap()).await;
    }
    server.kill();
    assert!(open >= 20, "the server was not killed in the middle of writes: {open}");
    assert!(book.sent.len() > 100, "too little was written: {}", book.sent.len());
}

async fn tenant(server: &Server, token: &str, store: &Store) -> String {
    let account = pb::Account { display_name: Some("Acme".to_owned()), ..Default::default() };
    let request = pb::CreateAccountRequest {
        parent_account_id: store.root().await.unwrap().unwrap().to_string(),
        account: Some(account),
        ..Default::default()
    };
    let with = connect(&server.address, token).await;
    let made = AccountServiceClient::new(with).create_account(request).await.unwrap();
    made.into_inner().account.unwrap().account_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    for engine in engines() {
        killed_again_and_again(engine).await;
    }
}
