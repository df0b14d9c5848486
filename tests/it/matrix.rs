//! Every role of every catalogue against every permission, read from the catalogues' texts and asked through gRPC.
//!
//! What is expected is in `matrix/*.txt`, one file a catalogue: a role, and what it permits. A change there is a change of
//! what people may do, and shows in the difference. `MATRIX_UPDATE=1` writes the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use chancery::model::catalogue::built_in;
use chancery::proto::v1 as pb;
use serde_json::Value;

use crate::support::{Person, Service, engines};

/// What the catalogues' texts say.
struct Texts {
    /// Type → what it may lie in.
    parents: BTreeMap<String, Vec<String>>,
    /// All permissions.
    permissions: Vec<String>,
    /// Catalogue, role, and to whom it can be given.
    roles: Vec<(String, String, Vec<String>)>,
}

fn texts() -> Texts {
    let mut texts = Texts { parents: BTreeMap::new(), permissions: Vec::new(), roles: Vec::new() };
    let mut permissions = BTreeSet::new();
    for file in built_in().unwrap() {
        let form: Value = serde_saphyr::from_str(&file.yaml).unwrap();
        for (kind, said) in form["resource_types"].as_object().unwrap() {
            let parents = texts.parents.entry(kind.clone()).or_default();
            parents.extend(strings(&said["in"]));
            permissions.extend(strings(&said["actions"]).map(|action| format!("{kind}.{action}")));
        }
        for (role, said) in form["roles"].as_object().unwrap() {
            let to = strings(&said["assignable_to"]).collect();
            texts.roles.push((file.name.clone(), role.clone(), to));
        }
    }
    texts.permissions = permissions.into_iter().collect();
    texts
}

fn strings(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned())
}

impl Texts {
    /// The shortest path to one of a type that is not named.
    fn path(&self, account: &str, kind: &str) -> String {
        if kind == "account" {
            return format!("account/{account}");
        }
        let parents = &self.parents[kind];
        let lies = |parent: &&str| parents.iter().any(|known| known == parent);
        let nearest = ["account", "user", "application"].into_iter().find(lies);
        let parent = nearest.unwrap_or(&parents[0]);
        format!("{}/{kind}/-", self.path(account, parent))
    }
}

/// What a subject is permitted of everything, in one account.
async fn permitted(
    service: &Service,
    by: &Person,
    texts: &Texts,
    account: &str,
    (kind, id): (&str, &str),
) -> Vec<String> {
    let mut permitted = Vec::new();
    for permissions in texts.permissions.chunks(1_000) {
        let evaluations = permissions.iter().map(|permission| {
            let of = permission.split('.').next().unwrap();
            pb::EvaluationRequest {
                action: Some(pb::Action { name: permission.clone(), properties: None }),
                resource: Some(pb::Resource {
                    r#type: of.to_owned(),
                    id: texts.path(account, of),
                    properties: None,
                }),
                ..Default::default()
            }
        });
        let request = pb::BatchAuthorizeRequest {
            subject: Some(pb::Subject {
                r#type: kind.to_owned(),
                id: id.to_owned(),
                ..Default::default()
            }),
            evaluations: evaluations.collect(),
            ..Default::default()
        };
        let mut asking = service.authorization(by);
        let answers = asking.batch_authorize(request).await.unwrap().into_inner().evaluations;
        for (permission, answer) in permissions.iter().zip(answers) {
            assert!(answer.context.is_none(), "{permission}: {answer:?}");
            if answer.decision {
                permitted.push(permission.clone());
            }
        }
    }
    permitted
}

/// Makes somebody who holds one role and nothing else.
async fn holder(service: &Service, account: &str, role: &str, to: &str, n: usize) -> String {
    let kind = match to {
        "admin" => pb::UserKind::Admin,
        "service" => pb::UserKind::Service,
        _ => pb::UserKind::Application,
    };
    let application = kind == pb::UserKind::Application;
    let user = pb::User {
        user_name: Some(format!("holder{n}")),
        kind: Some(kind.into()),
        root_user: !application,
        application_id: if application { "app".to_owned() } else { String::new() },
        ..Default::default()
    };
    let request = pb::CreateUserRequest {
        account_id: account.to_owned(),
        user: Some(user),
        ..Default::default()
    };
    let made = service.users(&service.root).create_user(request).await.unwrap().into_inner();
    let user_id = made.user.unwrap().user_id;
    let request = pb::AddUserRoleRequest {
        user_id: user_id.clone(),
        role_type: role.to_owned(),
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(request).await.unwrap();
    user_id
}

/// An account with a role of its own, or with none.
async fn account(service: &Service, role: &str, n: usize) -> String {
    let account = pb::Account {
        display_name: Some(format!("Account {n}")),
        role: role.to_owned(),
        ..Default::default()
    };
    let request = pb::CreateAccountRequest {
        parent_account_id: service.root.account_id.clone(),
        account: Some(account),
        ..Default::default()
    };
    let made = service.accounts(&service.root).create_account(request).await.unwrap();
    made.into_inner().account.unwrap().account_id
}

#[tokio::test]
async fn every_role_permits_what_its_catalogue_says_and_nothing_else() {
    let texts = texts();
    for engine in engines() {
        let service = Service::start(&engine).await;
        let home = account(&service, "", 0).await;
        let mut found: BTreeMap<&str, String> = BTreeMap::new();
        for (n, (catalogue, role, to)) in texts.roles.iter().enumerate() {
            let Some(to) = to.first() else { continue };
            let name = format!("{catalogue}/{role}");
            let by = &service.root;
            let permitted = if to == "account" {
                let own = account(&service, &name, n + 1).await;
                permitted(&service, by, &texts, &own, ("account", &own)).await
            } else {
                let user = holder(&service, &home, &name, to, n).await;
                permitted(&service, by, &texts, &home, ("user", &user)).await
            };
            let page = found.entry(catalogue).or_default();
            writeln!(page, "{role}: {}", permitted.len()).unwrap();
            for permission in permitted {
                writeln!(page, "  {permission}").unwrap();
            }
        }
        for (catalogue, page) in found {
            let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join(format!("tests/it/matrix/{catalogue}.txt"));
            if std::env::var("MATRIX_UPDATE").is_ok() {
                std::fs::write(&file, &page).unwrap();
            }
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                page == expected,
                "{catalogue}: MATRIX_UPDATE=1 shows in `git diff` what differs"
            );
        }
        service.stop().await;
    }
}
