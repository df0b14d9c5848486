//! `WatchAuditEvents`: the same stream, with all of each change.

use chancery::crypto::ConsistencyToken;

use super::*;
use crate::meddle::Meddler;

type Events = Streaming<pb::WatchAuditEventsResponse>;

fn events_of(account: &str) -> pb::WatchAuditEventsRequest {
    pb::WatchAuditEventsRequest { account_id: account.to_owned(), ..Default::default() }
}

async fn open(
    service: &Service,
    by: &Person,
    request: pb::WatchAuditEventsRequest,
) -> Result<Events, Status> {
    let mut stream = service.audit(by).watch_audit_events(request).await?.into_inner();
    let first = read(&mut stream).await?;
    assert!(first.heartbeat && first.audit_events.is_empty(), "{first:?}");
    Ok(stream)
}

async fn read(stream: &mut Events) -> Result<pb::WatchAuditEventsResponse, Status> {
    let next = tokio::time::timeout(PATIENCE, stream.message()).await;
    Ok(next.expect("the stream says nothing")?.expect("it never just ends"))
}

async fn write(stream: &mut Events) -> pb::WatchAuditEventsResponse {
    loop {
        let message = read(stream).await.unwrap();
        if !message.heartbeat {
            return message;
        }
    }
}

async fn end(stream: &mut Events) -> Status {
    loop {
        if let Err(status) = read(stream).await {
            return status;
        }
    }
}

#[tokio::test]
async fn events_are_those_of_the_list_and_cut_to_whose_audit_is_read() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let eve = service.machine(&acme, "eve", &["AUDITOR"]).await;
        let low = service.machine(&below, "low", &["AUDITOR"]).await;
        let all = pb::WatchAuditEventsRequest { subtree: true, ..events_of(&acme) };
        let mut wide = open(&service, &eve, all).await.unwrap();
        let mut near = open(&service, &low, events_of(&below)).await.unwrap();
        let mut told = Vec::new();
        for account in [&acme, &below] {
            let token = rename(&service, account, "Told whole").await;
            let message = write(&mut wide).await;
            assert_eq!(message.consistency_token, token);
            let seen = write(&mut near).await;
            assert_eq!(seen.consistency_token, token);
            let own = if *account == below { message.audit_events.clone() } else { Vec::new() };
            assert_eq!(seen.audit_events, own);
            told.extend(message.audit_events);
        }
        assert_eq!(told.len(), 2);
        assert!(format!("{:?}", told[0].after).contains("Told whole"), "{told:?}");
        let listed = crate::audit::list(&service, &eve, crate::audit::all(&acme)).await;
        assert_eq!(listed[listed.len() - 2..], told);
    }
}

#[tokio::test]
async fn who_may_not_read_the_audit_watches_none_and_ends_with_the_right() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, explorer) = watched(&service).await;
        let umbrella = service.tenant("Umbrella").await;
        let eve = service.machine(&acme, "auditor", &["AUDITOR"]).await;
        let denied = open(&service, &explorer, events_of(&acme)).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let foreign = open(&service, &eve, events_of(&umbrella)).await;
        refused(foreign, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let mut stream = open(&service, &eve, events_of(&acme)).await.unwrap();
        let request = pb::RemoveUserRoleRequest {
            user_id: eve.user_id.clone(),
            role_type: "AUDITOR".to_owned(),
            ..Default::default()
        };
        service.roles(&service.root).remove_user_role(request).await.unwrap();
        refused(Err::<(), _>(end(&mut stream).await), Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn a_stream_of_events_begins_and_goes_on_as_one_of_changes() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let eve = service.machine(&acme, "eve", &["AUDITOR"]).await;
        let behind = |token: &str| pb::WatchAuditEventsRequest {
            resume_after: token.to_owned(),
            ..events_of(&acme)
        };
        let old = rename(&service, &acme, "Old").await;
        let mid = rename(&service, &acme, "Mid").await;
        let new = rename(&service, &acme, "New").await;
        let mut stream = open(&service, &eve, behind(&old)).await.unwrap();
        for token in [&mid, &new] {
            assert_eq!(write(&mut stream).await.consistency_token, *token);
        }
        refused(open(&service, &eve, behind("x")).await, Code::InvalidArgument, "INVALID_FIELD");
        let token: ConsistencyToken = mid.parse().unwrap();
        let lost = ConsistencyToken { hash8: [7; 8], ..token }.to_string();
        refused(open(&service, &eve, behind(&lost)).await, Code::DataLoss, "HISTORY_LOST");
        let mut held = Vec::new();
        let full = loop {
            match open(&service, &eve, events_of(&acme)).await {
                Ok(stream) => held.push(stream),
                Err(status) => break status,
            }
        };
        assert_eq!(held.len(), 7, "one was open");
        refused(Err::<(), _>(full), Code::ResourceExhausted, "OVERLOADED");
        let tenant = "select tenant_id from accounts where display_name = 'New'";
        let rows = format!("tenant_id = ({tenant}) and revision <= {}", token.revision);
        Meddler::new(&service.url).await.run(&format!("delete from ledger where {rows}")).await;
        let replica = service.replica().await;
        refused(open(&replica, &eve, behind(&old)).await, Code::OutOfRange, "HISTORY_PRUNED");
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_stream_of_events_ends_with_its_server() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let eve = service.machine(&acme, "eve", &["AUDITOR"]).await;
        let mut stream = open(&service, &eve, events_of(&acme)).await.unwrap();
        let stopping = tokio::spawn(service.stop());
        refused(Err::<(), _>(end(&mut stream).await), Code::Unavailable, "STREAM_ENDED");
        stopping.await.unwrap();
    }
}
