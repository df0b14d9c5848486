//! Questions about another time: `Authorize`, `BatchAuthorize`, `ExplainAuthorization`, `GetEffectiveRights` and
//! `CompareRights`, each as of it.

mod bounds;
mod changed;
mod replay;
mod rights;

use chancery::model::Clock as _;
use chancery::proto::v1 as pb;
use pb::Reason;
use pb::consistency::Requirement;
use tonic::{Code, Status};

use crate::support::{Person, Service, ask, engines, refused};

/// The time of the service, as requests name it.
fn now(service: &Service) -> prost_types::Timestamp {
    let now = service.clock.now();
    let nanos = i32::try_from(now.timestamp_subsec_nanos()).unwrap();
    prost_types::Timestamp { seconds: now.timestamp(), nanos }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what requests hold")]
fn at(time: &prost_types::Timestamp) -> Option<pb::Consistency> {
    Some(pb::Consistency { requirement: Some(Requirement::AsOf(*time)) })
}

async fn asked(
    service: &Service,
    by: &Person,
    question: &pb::AuthorizeRequest,
    time: &prost_types::Timestamp,
) -> Result<pb::AuthorizeResponse, Status> {
    let request = pb::AuthorizeRequest { consistency: at(time), ..question.clone() };
    Ok(service.authorization(by).authorize(request).await?.into_inner())
}

async fn give(service: &Service, user: &Person, role: &str) {
    let request = pb::AddUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        force: true,
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(request).await.unwrap();
}

async fn take(service: &Service, user: &Person, role: &str) {
    let request = pb::RemoveUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        ..Default::default()
    };
    service.roles(&service.root).remove_user_role(request).await.unwrap();
}

/// A tenant in which somebody has been given a role and lost it again, a second apart.
struct Told {
    service: Service,
    acme: String,
    boss: Person,
    ann: Person,
    times: Vec<prost_types::Timestamp>,
}

impl Told {
    async fn start(engine: &crate::support::Engine) -> Self {
        Self::of(Service::start(engine).await).await
    }

    async fn of(service: Service) -> Self {
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let mut times = Vec::new();
        for change in 0..3 {
            match change {
                1 => give(&service, &ann, "MANAGE_USERS").await,
                2 => take(&service, &ann, "MANAGE_USERS").await,
                _ => {}
            }
            times.push(now(&service));
            service.advance(1);
        }
        Self { service, acme, boss, ann, times }
    }

    fn question(&self) -> pb::AuthorizeRequest {
        let path = format!("account/{}/user/-", self.acme);
        ask(&self.ann.user_id, "list", "user", &path)
    }
}

#[tokio::test]
async fn an_answer_as_of_then_is_the_answer_of_then() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let question = pb::AuthorizeRequest { explain: true, ..told.question() };
        for by in [&told.service.root, &told.boss] {
            let mut revisions = Vec::new();
            for (time, permitted) in told.times.iter().zip([false, true, false]) {
                let answer = asked(&told.service, by, &question, time).await.unwrap();
                assert_eq!(answer.decision, permitted, "{answer:?}");
                assert_eq!(answer.grants.len(), usize::from(permitted));
                revisions.push(answer.evaluated_revision);
            }
            assert_eq!(revisions, [revisions[0], revisions[0] + 1, revisions[0] + 2]);
        }
        // Whoever it is asked of by its name, it is the name of then.
        let by_name = pb::AuthorizeRequest {
            subject: Some(pb::Subject { id: "ann".to_owned(), ..Default::default() }),
            ..told.question()
        };
        let answer = asked(&told.service, &told.boss, &by_name, &told.times[1]).await.unwrap();
        assert!(answer.decision);
        told.service.verify(&told.acme).await;
    }
}

#[tokio::test]
async fn a_batch_and_an_explanation_are_of_then_too() {
    for engine in engines() {
        let told = Told::start(&engine).await;
        let question = told.question();
        let request = pb::BatchAuthorizeRequest {
            subject: question.subject.clone(),
            action: question.action.clone(),
            resource: question.resource.clone(),
            consistency: at(&told.times[1]),
            ..Default::default()
        };
        let mut asking = told.service.authorization(&told.boss);
        let batch = asking.batch_authorize(request).await.unwrap().into_inner();
        assert!(batch.evaluations[0].decision);
        for (time, permitted) in told.times.iter().zip([false, true, false]) {
            let request = pb::ExplainAuthorizationRequest {
                subject: question.subject.clone(),
                action: question.action.clone(),
                resource: question.resource.clone(),
                consistency: at(time),
                ..Default::default()
            };
            let told = asking.explain_authorization(request).await.unwrap().into_inner();
            assert_eq!(told.decision, permitted);
            assert!(!told.steps.is_empty() && told.suggestions.is_empty(), "{told:?}");
        }
    }
}

#[tokio::test]
async fn what_had_expired_since_still_held_then() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let end = prost_types::Timestamp { seconds: now(&service).seconds + 60, nanos: 0 };
        let request = pb::AddUserRoleRequest {
            user_id: ann.user_id.clone(),
            role_type: "MANAGE_USERS".to_owned(),
            expire_time: Some(end),
            force: true,
            ..Default::default()
        };
        service.roles(&service.root).add_user_role(request).await.unwrap();
        service.advance(100);
        let question = ask(&ann.user_id, "list", "user", &format!("account/{acme}/user/-"));
        for (seconds, permitted) in [(-41, true), (-40, false), (0, false)] {
            let time =
                prost_types::Timestamp { seconds: now(&service).seconds + seconds, nanos: 0 };
            let answer = asked(&service, &service.root, &question, &time).await.unwrap();
            assert_eq!(answer.decision, permitted, "{seconds}");
        }
    }
}

/// The sum of one figure.
fn figure(name: &str) -> f64 {
    let figures = chancery::telemetry::figures().render();
    let lines = figures.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn nobody_is_let_in_by_what_was_and_the_decision_log_says_so() {
    for engine in engines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("decisions.jsonl");
        let settings = [
            ("limits.changes_per_minute", "0"),
            ("decision_log.sink", "file"),
            ("decision_log.file", file.to_str().unwrap()),
        ];
        let told = Told::of(Service::start_with(&engine, &settings).await).await;
        let before = figure("chancery_past_decisions_total");
        let then =
            asked(&told.service, &told.boss, &told.question(), &told.times[1]).await.unwrap();
        assert!(then.decision);
        assert!(figure("chancery_past_decisions_total") > before);
        // It is nothing that could be held against now.
        let request = pb::ExplainAuthorizationRequest {
            decision_id: then.decision_id.clone(),
            ..Default::default()
        };
        let again = told.service.authorization(&told.boss).explain_authorization(request).await;
        refused(again, Code::NotFound, "DECISION_NOT_FOUND");
        told.service.stop().await;
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.contains(&then.decision_id)).unwrap();
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["as_of"], "2027-01-15T08:00:01.000000Z");
        assert_eq!(record["time"], "2027-01-15T08:00:03.000000Z");
        assert_eq!(Reason::Permitted, then.reason());
    }
}
