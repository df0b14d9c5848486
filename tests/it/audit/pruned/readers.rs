//! Whoever would read what was pruned is told so, and nothing else rests on it.

use chancery::feed::{self, Feed};
use chancery::model::AccountId;
use chancery::store::Store;
use pb::consistency::Requirement;

use super::*;
use crate::support::{Person, ask, said};

const HOUR: Duration = Duration::from_hours(1);

fn time(service: &Service) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: service.clock.now().timestamp(), nanos: 0 }
}

async fn as_of(
    service: &Service,
    user: &Person,
    requirement: Requirement,
) -> Result<pb::AuthorizeResponse, tonic::Status> {
    let path = format!("account/{}/user/-", user.account_id);
    let mut question = ask(&user.user_id, "list", "user", &path);
    question.consistency = Some(pb::Consistency { requirement: Some(requirement) });
    Ok(service.authorization(&service.root).authorize(question).await?.into_inner())
}

async fn give(
    service: &Service,
    user: &Person,
    role: &str,
    request_id: &str,
) -> pb::AddUserRoleResponse {
    let request = pb::AddUserRoleRequest {
        user_id: user.user_id.clone(),
        role_type: role.to_owned(),
        force: true,
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    service.roles(&service.root).add_user_role(request).await.unwrap().into_inner()
}

/// Opens both streams behind a token, and reads what each says first.
async fn watched(service: &Service, account_id: &str, behind: &str) -> Result<(), tonic::Status> {
    let (account_id, resume_after) = (account_id.to_owned(), behind.to_owned());
    let request = pb::WatchAuditEventsRequest {
        account_id: account_id.clone(),
        resume_after: resume_after.clone(),
        ..Default::default()
    };
    let events = service.audit(&service.root).watch_audit_events(request).await;
    let events = async { events?.into_inner().message().await.map(drop) }.await;
    let request = pb::WatchChangesRequest { account_id, resume_after, ..Default::default() };
    let changes = service.authorization(&service.root).watch_changes(request).await;
    let changes = async { changes?.into_inner().message().await.map(drop) }.await;
    assert_eq!(events.as_ref().map_err(said), changes.as_ref().map_err(said));
    changes
}

/// Somebody who was given a role long ago, and what it was answered with.
struct Told {
    acme: String,
    ann: Person,
    request_id: String,
    old: pb::AddUserRoleResponse,
    newest: pb::AddUserRoleResponse,
    /// Before that, within what is kept since then, and at the end of it.
    times: [prost_types::Timestamp; 3],
    events: Vec<pb::AuditEvent>,
}

async fn told(service: &Service) -> Told {
    let acme = service.tenant("Acme").await;
    let ann = service.person(&acme, "ann", &[]).await;
    let request_id = uuid::Uuid::new_v4().to_string();
    let old = give(service, &ann, "DECISION_EXPLORER", &request_id).await;
    service.person(&acme, "bob", &[]).await;
    service.advance(1);
    let first = time(service);
    service.advance(1);
    give(service, &ann, "MANAGE_USERS", "").await;
    // Nothing happens for long.
    service.advance(20 * DAY);
    let quiet = time(service);
    service.advance(20 * DAY);
    let times = [first, quiet, time(service)];
    service.advance(1);
    let newest = give(service, &ann, "AUDITOR", "").await;
    service.advance(1);
    let events = list(service, &service.root, all(&acme)).await;
    for (at, permitted) in times.iter().zip([false, true, true]) {
        let then = as_of(service, &ann, Requirement::AsOf(*at)).await.unwrap();
        assert_eq!(then.decision, permitted);
    }
    Told { acme, ann, request_id, old, newest, times, events }
}

#[tokio::test]
async fn of_what_was_pruned_nothing_is_told_and_all_since_then_as_before() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let was = told(&service).await;
        for tenant in [&was.acme, &service.root.account_id] {
            pruned(&service, tenant).await;
        }
        let upto = verify(&service, &was.acme).await.checkpoint.unwrap().revision;
        let left: Vec<_> = was.events.iter().filter(|event| event.revision > upto).collect();
        // Another server, that has nothing of it in memory, and this one, that has.
        let replica = service.replica().await;
        for server in [&service, &replica] {
            let then = as_of(server, &was.ann, Requirement::AsOf(was.times[0])).await;
            refused(then, Code::OutOfRange, "HISTORY_PRUNED");
            // Within thirty days it is known how it was, though what made it so is older.
            for at in &was.times[1..] {
                assert!(as_of(server, &was.ann, Requirement::AsOf(*at)).await.unwrap().decision);
            }
            let request = all(&was.acme);
            let page = server.audit(&service.root).list_audit_events(request.clone()).await;
            let page = page.unwrap().into_inner();
            assert_eq!(page.pruned_revision, upto);
            assert_eq!(page.audit_events.iter().collect::<Vec<_>>(), left);
            let mut back = request;
            back.set_order(pb::AuditOrder::NewestFirst);
            let back = list(server, &service.root, back).await;
            assert_eq!(back.iter().rev().collect::<Vec<_>>(), left);
            // What was answered once is answered again, and what it was answered with still counts.
            let again = give(server, &was.ann, "DECISION_EXPLORER", &was.request_id).await;
            assert_eq!(again, was.old);
            let token = Requirement::AtLeast(was.old.consistency_token.clone());
            assert!(as_of(server, &was.ann, token).await.unwrap().decision);
            watched(server, &was.acme, &was.newest.consistency_token).await.unwrap();
            let old = watched(server, &was.acme, &was.old.consistency_token).await;
            refused(old, Code::OutOfRange, "HISTORY_PRUNED");
        }
        replica.stop().await;
    }
}

/// A process that has not looked for long: what would lead on from what it holds is gone.
#[tokio::test]
async fn who_holds_what_is_older_than_the_ledger_loads_it_anew_and_goes_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &[]).await;
        let tenant: AccountId = acme.parse().unwrap();
        let store = Store::open(&service.config.store(), service.clock.clone()).await.unwrap();
        let config = feed::Config { poll: HOUR, staleness: HOUR, ..feed::Config::default() };
        let reads = Box::pin(Feed::start(store.clone(), config)).await.unwrap();
        let writes = Box::pin(Feed::start(store, config)).await.unwrap();
        for feed in [&reads, &writes] {
            feed.tenant(tenant).await.unwrap();
        }
        for name in ["bob", "eve"] {
            service.person(&acme, name, &[]).await;
        }
        service.advance(40 * DAY);
        service.person(&acme, "late", &[]).await;
        pruned(&service, &acme).await;
        let newest = service.store.heads(&[tenant]).await.unwrap()[0];
        let known = reads.fresh(tenant).await.unwrap();
        assert_eq!((known.revision(), *known.head()), (newest.revision, newest.hash));
        // A write that begins with what is held finds its way too.
        let done = writes.change(tenant, "a test", None, |_| Box::pin(async { Ok(7) })).await;
        assert_eq!(done.unwrap(), 7);
        assert_eq!(writes.tenant(tenant).await.unwrap().revision(), newest.revision);
    }
}

/// The command line: what a file proves, and that one without an entry proves nothing.
#[tokio::test]
async fn the_command_line_says_what_was_verified_and_what_was_not() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, upto) = half(&service).await;
        let folder = service.folder.path();
        let verify = async |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            let told = crate::cli::asked(&service, "", &["ledger", "verify", name]).await;
            let json = crate::cli::asked(&service, "", &["ledger", "verify", "--json", name]).await;
            let json: serde_json::Value = serde_json::from_str(&json.1).unwrap();
            assert_eq!(json["good"], told.0);
            (told.0, told.1, json)
        };
        let (text, newest) = export(&service, &service.root, &acme, 0).await.unwrap();
        let (good, told, json) = verify("all.jsonl", &text).await;
        assert!(good && told.contains("a signed checkpoint stands for"), "{told}");
        assert_eq!(
            (&json["behind"], &json["checkpoint"]["revision"]),
            (&upto.into(), &upto.into())
        );
        let forged = text.replacen("\\\"entries\\\":", "\\\"entries\\\":1", 1);
        let (good, told, _) = verify("forged.jsonl", &forged).await;
        assert!(
            !good && told.contains("line 1: ") && told.contains("it is NOT what was written"),
            "{told}"
        );
        // Heads alone say how far it was.
        let (none, _) = export(&service, &service.root, &acme, newest).await.unwrap();
        let lone = none.lines().last().unwrap();
        for text in [none.as_str(), lone] {
            let (good, told, json) = verify("none.jsonl", text).await;
            assert!(!good && told.contains("NOTHING of the ledger was verified"), "{told}");
            assert!(!told.contains("it is what was written"), "{told}");
            assert_eq!((&json["entries"], &json["flaw_count"]), (&0.into(), &0.into()));
        }
    }
}
