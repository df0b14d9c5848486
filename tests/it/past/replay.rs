//! Decisions that were made over a random history, asked again as of their time.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// How many decisions are made and asked again; `CHANCERY_REPLAYS` says another number.
fn wanted() -> usize {
    std::env::var("CHANCERY_REPLAYS").ok().and_then(|count| count.parse().ok()).unwrap_or(600)
}

/// Questions after each change.
const EACH: usize = 20;

const ROLES: [&str; 8] = [
    "SUPER_USER",
    "MANAGE_USERS",
    "MANAGE_RIGHTS",
    "USER",
    "AUDITOR",
    "NO_ACCESS",
    "ACCESS_SIBLINGS",
    "house/Keeper",
];

/// What is asked about: action, type, and the path behind the account.
const ABOUT: [(&str, &str, &str); 7] = [
    ("read", "account", ""),
    ("list", "user", "/user/-"),
    ("read", "user", "/user/USER"),
    ("set_active", "user", "/user/USER"),
    ("read", "gate", "/gate_group/5/gate/17"),
    ("update", "gate_group", "/gate_group/5"),
    ("read", "shelf", "/shelf/3"),
];

/// One thing that happens, and with what.
#[derive(Debug, Clone)]
struct Happens {
    what: u8,
    which: [Index; 3],
}

fn happens() -> impl Strategy<Value = Happens> {
    (0..16_u8, any::<[Index; 3]>()).prop_map(|(what, which)| Happens { what, which })
}

/// A decision, with the question and the time.
struct Made {
    time: prost_types::Timestamp,
    request: pb::BatchAuthorizeRequest,
    answer: pb::BatchAuthorizeResponse,
}

struct World<'s> {
    service: &'s Service,
    accounts: Vec<String>,
    users: Vec<Person>,
    documents: Vec<String>,
    version: u32,
    count: usize,
}

fn pick<T>(of: &[T], index: Index) -> &T {
    &of[index.index(of.len())]
}

impl World<'_> {
    fn name(&mut self) -> String {
        self.count += 1;
        format!("name{}", self.count)
    }

    /// Does something; what is refused has not happened.
    async fn go_on(&mut self, happens: &Happens) {
        let Happens { what, which: [a, b, c] } = *happens;
        let service = self.service;
        let root = service.root.clone();
        let user_id = pick(&self.users, a).user_id.clone();
        let role_type = (*pick(&ROLES, b)).to_owned();
        match what {
            0 | 1 => {
                let account = pick(&self.accounts, a).clone();
                let name = self.name();
                let roles = [*pick(&ROLES, b)];
                let above = pick(&self.users, c).clone();
                let above = Some(&above).filter(|above| above.account_id == account);
                let user = service.person_under(&account, above, &name, &roles).await;
                self.users.push(user);
            }
            2..=5 => {
                let expire_time = (what == 5).then(|| {
                    let mut end = now(service);
                    end.seconds += 7;
                    end
                });
                let request = pb::AddUserRoleRequest {
                    user_id,
                    role_type,
                    expire_time,
                    force: true,
                    ..Default::default()
                };
                let _ = service.roles(&root).add_user_role(request).await;
            }
            6 | 7 => {
                let request = pb::RemoveUserRoleRequest {
                    user_id,
                    role_type,
                    force: true,
                    ..Default::default()
                };
                let _ = service.roles(&root).remove_user_role(request).await;
            }
            8 => {
                let is_active = b.index(2) == 0;
                let request = pb::SetUserActiveRequest { user_id, is_active, ..Default::default() };
                let _ = service.users(&root).set_user_active(request).await;
            }
            9..=12 => self.document(what, user_id, b).await,
            13 => self.account(b, c.index(2) == 0).await,
            14 => {
                let request = pb::DeleteUserRequest { user_id, ..Default::default() };
                if self.users.len() > 6 {
                    let _ = service.users(&root).delete_user(request).await;
                }
            }
            _ => self.catalogue(c.index(2) == 0).await,
        }
    }

    /// Does something with a document.
    async fn document(&mut self, what: u8, user_id: String, b: Index) {
        let service = self.service;
        let root = service.root.clone();
        match what {
            9 => {
                let document = pb::RightsDocument {
                    rights_doc_name: Some(self.name()),
                    cascade: Some(b.index(2) == 0),
                    account_permissions: vec!["READ".to_owned(), "UPDATE".to_owned()],
                    ..Default::default()
                };
                let request = pb::CreateRightsDocumentRequest {
                    user_id,
                    rights_document: Some(document),
                    ..Default::default()
                };
                if let Ok(made) = service.rights(&root).create_rights_document(request).await {
                    self.documents.push(made.into_inner().rights_document.unwrap().rights_doc_id);
                }
            }
            10 | 11 if !self.documents.is_empty() => {
                let rights_doc_id = pick(&self.documents, b).clone();
                let request = pb::AssignRightsDocumentRequest {
                    rights_doc_id,
                    user_ids: vec![user_id],
                    force: true,
                    ..Default::default()
                };
                let _ = service.rights(&root).assign_rights_document(request).await;
            }
            12 if !self.documents.is_empty() => {
                let rights_doc_id = pick(&self.documents, b).clone();
                let request =
                    pb::DeleteRightsDocumentRequest { rights_doc_id, ..Default::default() };
                let _ = service.rights(&root).delete_rights_document(request).await;
            }
            _ => {}
        }
    }

    /// Suspends or resumes an account.
    async fn account(&self, b: Index, suspends: bool) {
        let account_id = pick(&self.accounts, b).clone();
        let mut accounts = self.service.accounts(&self.service.root);
        if suspends {
            let _ = accounts
                .suspend_account(pb::SuspendAccountRequest { account_id, ..Default::default() })
                .await;
        } else {
            let _ = accounts
                .resume_account(pb::ResumeAccountRequest { account_id, ..Default::default() })
                .await;
        }
    }

    async fn catalogue(&mut self, fills: bool) {
        self.version += 1;
        let actions = if fills { "read, fill" } else { "aim, read" };
        let catalogue_yaml = format!(
            "{{ catalogue: house, version: {}, uses: [core, ringcx], \
             resource_types: {{ shelf: {{ in: [account], actions: [{actions}] }} }}, \
             roles: {{ Keeper: {{ assignable_to: [admin], reach: subtree, permits: ['shelf.*', account.read] }} }} }}",
            self.version
        );
        let request = pb::ApplyCatalogueRequest { catalogue_yaml, ..Default::default() };
        self.service.roles(&self.service.root).apply_catalogue(request).await.unwrap();
    }

    fn question(&self, [who, whom, at]: [Index; 3], about: Index) -> pb::EvaluationRequest {
        let (action, kind, rest) = *pick(&ABOUT, about);
        let rest = rest.replace("USER", &pick(&self.users, whom).user_id);
        let path = format!("account/{}{rest}", pick(&self.accounts, at));
        let question = ask(&pick(&self.users, who).user_id, action, kind, &path);
        pb::EvaluationRequest {
            subject: question.subject,
            action: question.action,
            resource: question.resource,
            context: None,
        }
    }
}

fn told(answers: &pb::BatchAuthorizeResponse) -> Vec<pb::AuthorizeResponse> {
    // Each answer has a name of its own.
    let nameless = |one: &pb::AuthorizeResponse| pb::AuthorizeResponse {
        decision_id: String::new(),
        ..one.clone()
    };
    answers.evaluations.iter().map(nameless).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_is_decided_again_as_of_its_time() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let mut world = World {
            service: &service,
            accounts: vec![acme.clone(), below],
            users: Vec::new(),
            documents: Vec::new(),
            version: 0,
            count: 0,
        };
        world.catalogue(true).await;
        for (name, roles) in [("boss", &["SUPER_USER"][..]), ("ann", &[]), ("bob", &["USER"])] {
            world.users.push(service.person(&acme, name, roles).await);
        }
        // Of the platform, whose own changes count too.
        let root = service.root.account_id.clone();
        world.users.push(service.person(&root, "op", &["OPERATOR"]).await);
        let mut runner = TestRunner::deterministic();
        let mut made: Vec<Made> = Vec::new();
        while made.len() * EACH < wanted() {
            let next = happens().new_tree(&mut runner).unwrap().current();
            world.go_on(&next).await;
            let asks = prop::collection::vec((any::<[Index; 3]>(), any::<Index>()), EACH);
            let asks = asks.new_tree(&mut runner).unwrap().current();
            let evaluations =
                asks.iter().map(|(who, about)| world.question(*who, *about)).collect();
            let request =
                pb::BatchAuthorizeRequest { evaluations, explain: true, ..Default::default() };
            let time = now(&service);
            let answer =
                service.authorization(&service.root).batch_authorize(request.clone()).await;
            made.push(Made { time, request, answer: answer.unwrap().into_inner() });
            service.advance(1);
        }
        let (mut permitted, mut all) = (0, 0);
        for Made { time, request, answer } in &made {
            let request = pb::BatchAuthorizeRequest { consistency: at(time), ..request.clone() };
            let again = service.authorization(&service.root).batch_authorize(request).await;
            assert_eq!(told(&again.unwrap().into_inner()), told(answer), "{time:?}");
            permitted += answer.evaluations.iter().filter(|one| one.decision).count();
            all += answer.evaluations.len();
        }
        println!("{all} decisions, {permitted} permitted");
        assert!((10..=90).contains(&(permitted * 100 / all)), "{permitted} of {all}");
        service.verify(&acme).await;
    }
}
