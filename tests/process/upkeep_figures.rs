//! Figures of what a server looks after by itself: whether its ledgers are whole, and what expires.

use chancery::model::{Clock as _, SystemClock};
use chancery::proto::v1 as pb;
use pb::audit_service_client::AuditServiceClient;
use pb::role_service_client::RoleServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tempfile::TempDir;

use crate::figures::page;
use crate::meddle::Meddler;
use crate::server::{Server, connect, prepare};
use crate::support::{As, engines};

const DAY: i64 = 86_400;

fn in_days(days: i64) -> prost_types::Timestamp {
    let seconds = SystemClock.now().timestamp() + days * DAY - 3_600;
    prost_types::Timestamp { seconds, nanos: 0 }
}

async fn user(by: &As, name: &str) -> String {
    let user = pb::User { user_name: Some(name.to_owned()), root_user: true, ..Default::default() };
    let request = pb::CreateUserRequest { user: Some(user), ..Default::default() };
    let made = UserServiceClient::new(by.clone()).create_user(request).await.unwrap();
    made.into_inner().user.unwrap().user_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_finds_who_verifies_a_ledger_is_in_the_figures() {
    for engine in engines() {
        let folder = TempDir::new().unwrap();
        let url = engine.fresh(&folder).await;
        let settings = [("CHANCERY_LEDGER__VERIFY_HOURS", "0")];
        let root = prepare(&url, folder.path(), &settings);
        let server = Server::start(&url, folder.path(), &settings);
        let by = connect(&server.address, &root).await;
        user(&by, "ann").await;
        page(&server, &["chancery_ledger_faults 0"]).await;
        let verify = async || {
            let mut audit = AuditServiceClient::new(by.clone());
            audit.verify_ledger(pb::VerifyLedgerRequest::default()).await.unwrap();
        };
        let meddler = Meddler::new(&url).await;
        let put = async |name: &str| {
            let sql = format!("update users set first_name = '{name}' where user_name = 'ann'");
            meddler.run(&sql).await;
        };
        put("Eve").await;
        verify().await;
        page(&server, &["chancery_ledger_faults 1"]).await;
        put("").await;
        verify().await;
        page(&server, &["chancery_ledger_faults 0"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expires_soon_is_counted_by_kind_and_by_how_soon() {
    for engine in engines() {
        let folder = TempDir::new().unwrap();
        let url = engine.fresh(&folder).await;
        let root = prepare(&url, folder.path(), &[]);
        let server = Server::start(&url, folder.path(), &[]);
        let none: Vec<String> = ["api_token", "service_key"]
            .iter()
            .flat_map(|kind| ["1d", "7d", "30d"].map(|within| expiring(kind, within, 0)))
            .collect();
        page(&server, &none.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let by = connect(&server.address, &root).await;
        let ann = user(&by, "ann").await;
        let mut tokens = TokenServiceClient::new(by.clone());
        let mut made = Vec::new();
        for days in [1, 1, 3, 20, 90] {
            let request = pb::CreateApiTokenRequest {
                user_id: ann.clone(),
                expire_time: Some(in_days(days)),
                display_name: days.to_string(),
                ..Default::default()
            };
            made.push(tokens.create_api_token(request).await.unwrap().into_inner().api_token);
        }
        // What was ended before its time does not expire any more.
        let token_id = made.remove(1).unwrap().token_id;
        let ended = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
        tokens.delete_api_token(ended).await.unwrap();
        let request = pb::AddUserRoleRequest {
            user_id: ann,
            role_type: "USER".to_owned(),
            expire_time: Some(in_days(5)),
            ..Default::default()
        };
        RoleServiceClient::new(by).add_user_role(request).await.unwrap();
        let another = Server::start(&url, folder.path(), &[]);
        let wanted = [
            &expiring("api_token", "1d", 1),
            &expiring("api_token", "7d", 2),
            &expiring("api_token", "30d", 3),
            &expiring("service_key", "30d", 0),
            "chancery_credentials_expired{kind=\"api_token\"} 0",
            "chancery_grants_expiring{within=\"1d\"} 0",
            "chancery_grants_expiring{within=\"7d\"} 1",
            "chancery_grants_expired 0",
        ];
        page(&another, &wanted).await;
    }
}

fn expiring(kind: &str, within: &str, count: u32) -> String {
    format!("chancery_credentials_expiring{{kind=\"{kind}\",within=\"{within}\"}} {count}")
}
