//! What goes wrong around a server: rivals, frozen writers, callers who leave, stores that go away or turn back.

mod cancelled;
mod frozen;
mod newer;
mod rivals;
mod stores_away;
mod turned_back;

use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::support::{Engine, Person, Service, engines};

/// Only the Postgres of the tests, if there is one.
fn postgres() -> Vec<String> {
    let server = |engine| match engine {
        Engine::Postgres(server) => Some(server),
        Engine::Sqlite => None,
    };
    engines().into_iter().filter_map(server).collect()
}

fn give(user: &Person, role: &str) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        ..Default::default()
    }
}

/// Makes a user as the root: a change.
async fn change(service: &Service, account: &str, id: Uuid) -> Result<String, Status> {
    let request = creation(account, id);
    let made = service.users(&service.root).create_user(request).await?.into_inner();
    Ok(made.user.unwrap().user_id)
}

fn creation(account: &str, id: Uuid) -> pb::CreateUserRequest {
    let user = pb::User {
        user_name: Some(format!("user {id}")),
        roles: vec!["USER".to_owned()],
        root_user: true,
        ..Default::default()
    };
    pb::CreateUserRequest {
        account_id: account.to_owned(),
        user: Some(user),
        request_id: id.to_string(),
        ..Default::default()
    }
}

/// Tells how a call ended and how long it took.
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}
