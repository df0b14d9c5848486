//! A newer version of the program that writes beside this one.

use std::time::{Duration, Instant};

use chancery::telemetry;
use tonic::Code;
use uuid::Uuid;

use super::change;
use crate::following::says;
use crate::meddle::Meddler;
use crate::support::{Engine, Person, Service, ask, engines, refused};

const PATIENCE: Duration = Duration::from_secs(15);

/// Writes an entry of a kind that nobody knows, as the whole of a revision of one tenant.
async fn beam(meddler: &Meddler, tenant: &str) {
    let tenant = format!("(select tenant_id from accounts where display_name = '{tenant}')");
    meddler
        .run(&format!(
            "insert into ledger (tenant_id, revision, ordinal, account_id, at, actor, kind, entity, \
             request_id, prev_hash, hash, format, body) select tenant_id, revision + 1, 0, account_id, \
             at, actor, 'user.beam', entity, request_id, hash, hash, format, body from ledger \
             where tenant_id = {tenant} and ordinal = 0 \
             and revision = (select revision from tenants where id = {tenant})"
        ))
        .await;
    meddler.run(&format!("update tenants set revision = revision + 1 where id = {tenant}")).await;
}

fn alarms() -> u64 {
    let figures = telemetry::figures().render();
    let line = figures.lines().find(|line| line.starts_with("chancery_newer_entries_total"));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

async fn may(service: &Service, who: &Person) -> Result<bool, tonic::Status> {
    let own = format!("account/{}/recording/7", who.account_id);
    let request = ask(&who.user_id, "delete", "recording", &own);
    let answer = service.authorization(&service.root).authorize(request).await?;
    Ok(answer.into_inner().decision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_only_a_newer_program_can_read_drops_the_tenant_and_the_server_says_why() {
    for engine in engines() {
        // Nothing but the staleness bound could end the answers otherwise.
        let long = [("staleness_ms", "30000"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &long).await;
        let (acme, other) = (service.tenant("Acme").await, service.tenant("Other").await);
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        let bob = service.person(&other, "bob", &["SUPER_USER"]).await;
        assert!(may(&service, &ann).await.unwrap() && may(&service, &bob).await.unwrap());
        // Beside a store with a clock of its own, that of the tests is wrong.
        let ready = matches!(engine, Engine::Sqlite);
        assert_eq!(says(service.running(), "snapshots", "ok").await, (ready, ready));

        let raised = alarms();
        beam(&Meddler::new(&service.url).await, "Acme").await;
        let began = Instant::now();
        while may(&service, &ann).await.is_ok() {
            assert!(began.elapsed() < PATIENCE, "it goes on answering");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(alarms() > raised, "no alarm");
        let why = "a newer version of this program wrote to the store what this one cannot read";
        assert_eq!(says(service.running(), "snapshots", why).await, (false, false));

        // The rows of the tenant could still be read, and are not gone by; nobody writes on them either.
        refused(may(&service, &ann).await, Code::Unavailable, "STORE_UNAVAILABLE");
        let written = change(&service, &acme, Uuid::new_v4()).await;
        refused(written, Code::Unavailable, "STORE_UNAVAILABLE");
        assert!(may(&service, &bob).await.unwrap(), "another tenant is as it was");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_meets_what_only_a_newer_program_can_read_drops_the_tenant_too() {
    for engine in engines() {
        let long =
            [("staleness_ms", "30000"), ("poll_ms", "500"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &long).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["SUPER_USER"]).await;
        assert!(may(&service, &ann).await.unwrap());
        beam(&Meddler::new(&service.url).await, "Acme").await;
        let written = change(&service, &acme, Uuid::new_v4()).await;
        refused(written, Code::Unavailable, "STORE_UNAVAILABLE");
        refused(may(&service, &ann).await, Code::Unavailable, "STORE_UNAVAILABLE");
        service.stop().await;
    }
}
