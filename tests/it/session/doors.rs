//! Every way to end or narrow a credential, every kind of credential, every door (`model.md` §9): all agree.

mod peers;

use std::time::{Duration, Instant};

use super::keyed::{create, exchanged, made};
use super::*;
use crate::mesh;
use crate::support::{beginning, engines};

/// A replica that reaches the store knows sooner; a busy machine may need this long to ask it.
const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "kaufhaus tiger lampe";

/// The door of a mesh asks what the others are asked.
const SETTINGS: [(&str, &str); 3] = [
    ("limits.changes_per_minute", "0"),
    ("mesh.answer_ms", "10000"),
    ("mesh.routes", mesh::ROUTES),
];

/// What becomes of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It goes on.
    Lives,
    /// It goes on, and may less.
    Narrowed,
    /// It is worth nothing.
    Dead,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Disable,
    Delete,
    Offboard,
    ChangePassword,
    RemoveRole,
    Suspend,
    Quarantine,
    EndEach,
    EndAllSessions,
    DisableActor,
}

const EVENTS: [Event; 10] = [
    Event::Disable,
    Event::Delete,
    Event::Offboard,
    Event::ChangePassword,
    Event::RemoveRole,
    Event::Suspend,
    Event::Quarantine,
    Event::EndEach,
    Event::EndAllSessions,
    Event::DisableActor,
];

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Personal,
    Machine,
    Key,
    Session,
    Assumed,
}

/// What model and edges say of it.
fn fate(event: Event, kind: Kind) -> Fate {
    let of_person = matches!(kind, Kind::Personal | Kind::Session | Kind::Assumed);
    match (event, kind) {
        (Event::RemoveRole, _) => Fate::Narrowed,
        (Event::ChangePassword, _) if !of_person => Fate::Lives,
        (Event::EndAllSessions, Kind::Personal | Kind::Machine | Kind::Key) => Fate::Lives,
        (Event::DisableActor, kind) if kind != Kind::Assumed => Fate::Lives,
        _ => Fate::Dead,
    }
}

/// A tenant, and everybody's credentials.
struct Scene {
    acme: String,
    boss: Person,
    ann: Person,
    robot: Person,
    colleague: Person,
    key_id: String,
    session: pb::Session,
    /// The session from which a password is changed: it is spared.
    own: Person,
    credentials: Vec<(Kind, String)>,
}

impl Scene {
    async fn new(service: &Service, name: &str) -> Self {
        let acme = service.tenant(name).await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let under = service.person_under(&acme, Some(&boss), "ann", &["core/AUDITOR"]);
        let ann = under.await;
        let robot = service.machine(&acme, "robot", &["core/AUDITOR"]).await;
        let colleague = service.person(&acme, "colleague", &[]).await;
        let key = made(service, &service.root, create(&robot)).await;
        let assertion = key.sign(&key.claims(beginning().timestamp()));
        let of_key = exchanged(service, &assertion).await.unwrap().access_token;
        service.password(&ann, PASSWORD).await;
        let own = ann.with(&service.session(&ann).await);
        let session = service.session(&ann).await;
        let assumed = assumed(service, &boss, &ann).await.0;
        let credentials = vec![
            (Kind::Personal, ann.token.clone()),
            (Kind::Machine, robot.token.clone()),
            (Kind::Key, of_key),
            (Kind::Session, session.access_token.clone()),
            (Kind::Assumed, assumed.access_token),
        ];
        let key_id = key.key.key_id.clone();
        Self { acme, boss, ann, robot, colleague, key_id, session, own, credentials }
    }

    async fn happens(&self, service: &Service, event: Event) {
        let both = [&self.ann, &self.robot];
        match event {
            Event::Disable => self.disable(service, &both).await,
            Event::DisableActor => self.disable(service, &[&self.boss]).await,
            Event::Delete => {
                for user in both {
                    let user_id = user.user_id.clone();
                    let gone = pb::DeleteUserRequest { user_id, ..Default::default() };
                    service.users(&service.root).delete_user(gone).await.unwrap();
                }
            }
            Event::Offboard => {
                for user in both {
                    let user_id = user.user_id.clone();
                    let gone = pb::OffboardUserRequest { user_id, ..Default::default() };
                    service.users(&service.root).offboard_user(gone).await.unwrap();
                }
            }
            Event::RemoveRole => {
                for user in both {
                    let less = pb::RemoveUserRoleRequest {
                        user_id: user.user_id.clone(),
                        role_type: "core/AUDITOR".to_owned(),
                        ..Default::default()
                    };
                    service.roles(&service.root).remove_user_role(less).await.unwrap();
                }
            }
            Event::ChangePassword => {
                let change = pb::ChangePasswordRequest {
                    current_password: PASSWORD.to_owned(),
                    new_password: "regen zwiebel turm 9".to_owned(),
                    ..Default::default()
                };
                service.sessions(&self.own).change_password(change).await.unwrap();
            }
            Event::EndAllSessions => {
                let all = revoke_all(&self.ann);
                service.sessions(&service.root).revoke_all_sessions(all).await.unwrap();
            }
            Event::Suspend => {
                let account_id = self.acme.clone();
                let stop = pb::SuspendAccountRequest { account_id, ..Default::default() };
                service.accounts(&service.root).suspend_account(stop).await.unwrap();
            }
            Event::Quarantine => {
                let account_id = self.acme.clone();
                let stop = pb::QuarantineAccountRequest { account_id, ..Default::default() };
                service.accounts(&service.root).quarantine_account(stop).await.unwrap();
            }
            Event::EndEach => self.end_each(service).await,
        }
    }

    async fn disable(&self, service: &Service, users: &[&Person]) {
        for user in users {
            let user_id = user.user_id.clone();
            let off = pb::SetUserActiveRequest { user_id, ..Default::default() };
            service.users(&service.root).set_user_active(off).await.unwrap();
        }
    }

    async fn end_each(&self, service: &Service) {
        let mut tokens = service.tokens(&service.root);
        for user in [&self.ann, &self.robot] {
            let token_id = user.token_id.clone();
            let end = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
            tokens.delete_api_token(end).await.unwrap();
        }
        let key_id = self.key_id.clone();
        let end = pb::DeleteServiceKeyRequest { key_id, ..Default::default() };
        tokens.delete_service_key(end).await.unwrap();
        for session in sessions_of(service, &self.ann).await {
            service.sessions(&service.root).revoke_session(revoke(&session)).await.unwrap();
        }
    }

    /// Asks every door about a credential; panics where they disagree.
    async fn fate_of(&self, service: &Service, token: &str) -> Fate {
        let valid = is_valid(service, token).await;
        let active = introspected(service, token).await.active;
        let request = pb::ExplainTokenRequest { token: token.to_owned() };
        let explained = service.tokens(&service.root).explain_token(request).await.unwrap();
        let explained = explained.into_inner();
        let failed = |check: &&pb::TokenCheck| check.result() != pb::TokenCheckResult::Passed;
        assert_eq!(explained.valid, !explained.checks.iter().any(|check| failed(&check)));
        let decided = decides(service, token, "read", &self.colleague).await.decision;
        let by = Person { token: token.to_owned(), ..self.ann.clone() };
        let get = pb::GetUserRequest { user_id: self.colleague.user_id.clone() };
        let called = service.users(&by).get_user(get).await.is_ok();
        // And the mesh's: what a proxy asks whose right covers everybody.
        let bearer = format!("Bearer {token}");
        let path = format!("/v1/users/{}", self.colleague.user_id);
        let held = mesh::held("GET", &path, &[("authorization", &bearer)]);
        let told = mesh::ask(service, &service.root, held).await.unwrap();
        let passes = told.status == 200;
        match (valid, active, explained.valid, decided, called, passes) {
            (true, true, true, true, true, true) => Fate::Lives,
            (true, true, true, false, false, false) => Fate::Narrowed,
            (false, false, false, false, false, false) => Fate::Dead,
            other => panic!("the doors disagree: {other:?}, {:?}", explained.checks),
        }
    }
}

#[tokio::test]
async fn what_ends_or_narrows_a_credential_does_so_at_every_door_at_once() {
    for engine in engines() {
        let service = Service::start_with(&engine, &SETTINGS).await;
        for event in EVENTS {
            let scene = Scene::new(&service, &format!("{event:?}")).await;
            for (kind, token) in &scene.credentials {
                assert_eq!(scene.fate_of(&service, token).await, Fate::Lives, "{kind:?}");
            }
            scene.happens(&service, event).await;
            for (kind, token) in &scene.credentials {
                let fate = fate(event, *kind);
                assert_eq!(scene.fate_of(&service, token).await, fate, "{event:?} {kind:?}");
            }
            let goes_on = service.refresh(&scene.session.refresh_token).await.is_ok();
            assert_eq!(goes_on, fate(event, Kind::Session) != Fate::Dead, "{event:?}");
            service.verify(&scene.acme).await;
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn what_ends_or_narrows_a_credential_does_so_at_other_replicas_too() {
    for engine in engines() {
        let service = Service::start_with(&engine, &SETTINGS).await;
        let replica = service.replica().await;
        for event in EVENTS {
            let scene = Scene::new(&service, &format!("{event:?}")).await;
            for (kind, token) in &scene.credentials {
                becomes(&replica, token, &scene.colleague, Fate::Lives, *kind).await;
            }
            scene.happens(&service, event).await;
            for (kind, token) in &scene.credentials {
                becomes(&replica, token, &scene.colleague, fate(event, *kind), *kind).await;
                assert_eq!(scene.fate_of(&replica, token).await, fate(event, *kind), "{event:?}");
            }
        }
        replica.stop().await;
        service.stop().await;
    }
}

/// Waits until a replica has heard: between one door and the next it may.
async fn becomes(replica: &Service, token: &str, colleague: &Person, fate: Fate, kind: Kind) {
    let began = Instant::now();
    loop {
        let valid = is_valid(replica, token).await;
        let decided = decides(replica, token, "read", colleague).await.decision;
        let seen = match (valid, decided) {
            (true, true) => Fate::Lives,
            (true, false) => Fate::Narrowed,
            (false, _) => Fate::Dead,
        };
        if seen == fate {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{kind:?} is {seen:?}, and was to be {fate:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
