//! The client that goes on through whatever breaks a stream off, and the command that prints what it is told.

use chancery::client::{Changes, Client, NoReply, Revisions};
use chancery::outside::{Secure, Trust};

use super::*;
use crate::proxy::{Proxy, Way};

async fn client(url: &str, by: &Person) -> Client {
    let secure = Secure { trust: Trust::Web, own: None };
    Client::connect(url, &secure, &by.token, PATIENCE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_goes_on_where_it_was_when_the_way_was_cut() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let (proxy, through) = Proxy::before(&format!("x@{}", service.grpc())).await;
        let url = format!("http://{}", through.rsplit_once('@').unwrap().1);
        let mut changes = Changes::of(client(&url, &eve).await, of(&acme));
        assert!(changes.next().await.unwrap().heartbeat);
        let mut written = Vec::new();
        let mut told = Vec::new();
        for round in 0..3 {
            written.push(rename(&service, &acme, &format!("Before {round}")).await);
            proxy.set(Way::Cut);
            written.push(rename(&service, &acme, &format!("Unseen {round}")).await);
            proxy.set(Way::Open);
            while told.len() < written.len() {
                let next = tokio::time::timeout(PATIENCE, changes.next()).await;
                let message = next.expect("it goes on").unwrap();
                if !message.heartbeat {
                    told.push(message.consistency_token);
                }
            }
        }
        assert_eq!(told, written);
        // What would not get better is told.
        let request = pb::DeleteApiTokenRequest { token_id: eve.token_id, ..Default::default() };
        service.tokens(&service.root).delete_api_token(request).await.unwrap();
        let why = loop {
            if let Err(why) = changes.next().await {
                break why;
            }
        };
        assert!(matches!(why, NoReply::Asker(_)), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revisions_are_kept_current_and_what_is_not_heard_of_is_not_known() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let (proxy, through) = Proxy::before(&format!("x@{}", service.grpc())).await;
        let url = format!("http://{}", through.rsplit_once('@').unwrap().1);
        let client = client(&url, &eve).await;
        let umbrella = service.tenant("Umbrella").await;
        let mut revisions = Revisions::follow(&client, [acme.clone(), umbrella.clone()]);
        let newest = rename(&service, &acme, "Newest").await;
        let known = async |revisions: &mut Revisions, token: &str| {
            while revisions.of(&acme).is_none_or(|known| known.consistency_token != token) {
                tokio::time::timeout(PATIENCE, revisions.heard()).await.unwrap();
            }
        };
        known(&mut revisions, &newest).await;
        assert!(revisions.of(&umbrella).is_none(), "what may not be watched is not known");
        proxy.set(Way::Cut);
        let newest = rename(&service, &acme, "Unseen").await;
        let began = std::time::Instant::now();
        while revisions.of(&acme).is_some() {
            assert!(began.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        proxy.set(Way::Open);
        known(&mut revisions, &newest).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_command_prints_what_changes() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let begun = rename(&service, &acme, "First").await;
        let next = rename(&service, &acme, "Second").await;
        let url = format!("http://{}", service.grpc());
        for json in [false, true] {
            let mut arguments =
                vec!["watch", &acme, "--server", &url, "--resume-after", &begun, "--writes", "1"];
            arguments.extend(json.then_some("--json"));
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chancery"));
            command.args(&arguments).env("CHANCERY_TOKEN", &eve.token);
            let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await;
            let done = done.unwrap();
            let said = String::from_utf8(done.stdout).unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            assert_eq!(said.lines().count(), 1, "{said}");
            if json {
                let told: serde_json::Value = serde_json::from_str(&said).unwrap();
                assert_eq!(told["consistencyToken"], next);
                assert_eq!(told["changes"][0]["entity"], format!("account/{acme}"));
            } else {
                assert!(
                    said.contains(&format!("account.update account/{acme} in {acme}")),
                    "{said}"
                );
            }
        }
    }
}
