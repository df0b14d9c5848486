//! Ledgers that a running server verifies by itself, and what is asked of them on the command line.

use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::asked;
use crate::following::says;
use crate::meddle::Meddler;
use crate::support::{Service, engines};

/// What is sure to come is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_finds_by_itself_what_was_done_to_its_ledgers_and_goes_on_serving() {
    for engine in engines() {
        let settings = [("ledger.look_ms", "10"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["SUPER_USER"]).await;
        // On Postgres a clock that is held is not the store's.
        let ready = service.url.starts_with("sqlite");
        assert_eq!(says(service.running(), "ledgers", "ok").await.0, ready);
        let meddler = Meddler::new(&service.url).await;
        meddler.run("update users set first_name = 'Eve' where user_name = 'ann'").await;
        // Within the day nobody looks again; after it somebody does.
        service.advance(24 * 3600 + 1);
        let wrong = "faults: 1, in ledgers: 1; the log names them";
        assert_eq!(says(service.running(), "ledgers", wrong).await.0, ready);
        // A server that meets the ledger for the first time looks at once.
        let replica = service.replica().await;
        let get = pb::GetAccountRequest { account_id: acme.clone() };
        replica.accounts(&replica.root).get_account(get).await.unwrap();
        assert_eq!(says(replica.running(), "ledgers", wrong).await.0, ready);
        let began = Instant::now();
        replica.stop().await;
        service.stop().await;
        assert!(began.elapsed() < PATIENCE);
    }
}

/// What somebody finds who asks is known as if the server had found it; that it is over, a whole verification says and no part.
#[tokio::test]
async fn what_is_found_when_somebody_asks_is_told_to_who_watches_until_a_whole_ledger_is_good() {
    for engine in engines() {
        // Nothing is verified unless somebody asks.
        let settings = [("ledger.verify_hours", "0"), ("limits.changes_per_minute", "0")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["SUPER_USER"]).await;
        says(service.running(), "ledgers", "unknown").await;
        let verify = async |from: u64| {
            let request =
                pb::VerifyLedgerRequest { account_id: acme.clone(), from, ..Default::default() };
            let mut audit = service.audit(&service.root);
            audit.verify_ledger(request).await.unwrap().into_inner().fault_count
        };
        assert_eq!(verify(0).await, 0);
        let ready = says(service.running(), "ledgers", "ok").await;
        let meddler = Meddler::new(&service.url).await;
        meddler.run("update users set first_name = 'Eve' where user_name = 'ann'").await;
        assert_eq!(verify(0).await, 1);
        let wrong = "faults: 1, in ledgers: 1; the log names them";
        assert_eq!(says(service.running(), "ledgers", wrong).await, ready, "it goes on serving");
        meddler.run("update users set first_name = '' where user_name = 'ann'").await;
        assert_eq!(verify(2).await, 0);
        let tally = || service.store.inspected().tally().faults;
        assert_eq!(tally(), 1, "a part tells nothing of the rest");
        assert_eq!(verify(0).await, 0);
        assert_eq!(tally(), 0);
        says(service.running(), "ledgers", "ok").await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_ledger_is_written_out_and_verified_on_the_command_line() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        service.person(&acme, "ann", &["SUPER_USER"]).await;
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (out, key) = (file("out"), file("key.pem"));
        let token = service.root.token.clone();
        let by = async |arguments: &[&str]| asked(&service, &token, arguments).await;
        let (good, pem, said) = by(&["ledger", "head", &acme, "--key"]).await;
        assert!(good && pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{said}");
        std::fs::write(&key, pem).unwrap();
        let (good, _, said) = by(&["ledger", "export", &acme, "--output", &out]).await;
        assert!(good, "{said}");
        // What is there is not written over.
        assert!(!by(&["ledger", "export", &acme, "--output", &out]).await.0);
        let (good, same, _) = by(&["ledger", "export", &acme]).await;
        let written = std::fs::read_to_string(&out).unwrap();
        let bare = |text: &str| text.lines().count();
        assert!(good && bare(&same) == bare(&written));

        // Without a server, and without a token.
        let alone = async |arguments: &[&str]| asked(&service, "", arguments).await;
        let (good, told, said) = alone(&["ledger", "verify", &out, "--public-key", &key]).await;
        assert!(good && told.contains("it is what was written"), "{told} {said}");
        assert!(!told.contains("hold it against"), "{told}");
        let (good, told, _) = alone(&["ledger", "verify", &out]).await;
        assert!(good && told.contains("hold it against one that you have kept"), "{told}");

        let bad = file("bad");
        std::fs::write(&bad, written.replacen("user.create", "user.delete", 1)).unwrap();
        let (good, told, _) = alone(&["ledger", "verify", &bad, "--public-key", &key]).await;
        assert!(!good && told.contains("line 2 (revision 2, entry 0): the hash is not"), "{told}");
        let (good, told, _) = alone(&["ledger", "verify", &bad, "--json"]).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert!(!good && told["flaws"][0]["line"] == 2 && told["good"] == false, "{told}");
        let (good, _, said) = alone(&["ledger", "verify", &out, "--public-key", &out]).await;
        assert!(!good && said.contains("no public key"), "{said}");
    }
}
