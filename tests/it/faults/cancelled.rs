//! Callers who leave before they are answered.

use std::time::Duration;

use bytes::Bytes;
use chancery::model::{AccountId, Revision};
use prost::Message as _;
use tonic::{Code, Request};
use uuid::Uuid;

use super::{change, creation};
use crate::meddle::Meddler;
use crate::raw::call_with;
use crate::support::{Service, engines};

const CREATE: &str = "/chancery.v1.UserService/CreateUser";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_whose_caller_leaves_happens_whole_or_not_at_all_and_leaves_nothing_open() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        let before = service.store.heads(&[tenant]).await.unwrap()[0].revision;
        let mut ids = Vec::new();
        for n in 0..60_u64 {
            let id = Uuid::new_v4();
            ids.push(id);
            let message = Bytes::from(creation(&acme, id).encode_to_vec());
            let by = service.by(&service.root.token);
            if n % 2 == 0 {
                // Hangs up.
                let call = call_with(by, CREATE, Request::new(message));
                let _ = tokio::time::timeout(Duration::from_micros(400 * n), call).await;
            } else {
                // Has said how long it would wait.
                let mut request = Request::new(message);
                request
                    .metadata_mut()
                    .insert("grpc-timeout", format!("{}u", 400 * n).parse().unwrap());
                if let Err(status) = call_with(by, CREATE, request).await {
                    assert!(
                        [Code::DeadlineExceeded, Code::Cancelled].contains(&status.code()),
                        "{status:?}"
                    );
                }
            }
        }
        // The next one finds nothing in its way.
        let next = change(&service, &acme, Uuid::new_v4());
        tokio::time::timeout(Duration::from_secs(5), next).await.unwrap().unwrap();
        nothing_is_open(&service).await;

        for id in &ids {
            change(&service, &acme, *id).await.unwrap();
        }
        let entries = service.store.entries(tenant, before, 10_000).await.unwrap();
        for id in &ids {
            let of: Vec<_> = entries.iter().filter(|entry| entry.request_id == Some(*id)).collect();
            let revisions: Vec<Revision> = of.iter().map(|entry| entry.revision).collect();
            assert_eq!(of.len(), 2, "the user and its role: {revisions:?}");
            assert_eq!(revisions[0], revisions[1]);
        }
        service.verify(&acme).await;
    }
}

async fn nothing_is_open(service: &Service) {
    let look = Meddler::new(&service.url).await;
    if look.is_sqlite() {
        look.run("pragma busy_timeout = 1000").await;
        look.run("begin immediate").await;
        look.run("rollback").await;
        return;
    }
    let open = "select count(*) from pg_stat_activity where datname = current_database() \
                and pid <> pg_backend_pid() and state like 'idle in transaction%'";
    // A read that lies between two statements looks like one that is forgotten; only that one stays.
    let mut left = 0;
    for _ in 0..10 {
        left = look.number(open).await;
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let what =
        look.rows("select query from pg_stat_activity where state like 'idle in transaction%'");
    let what: Vec<String> =
        what.await.unwrap().iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    panic!("{left} transactions are open: {what:?}");
}
