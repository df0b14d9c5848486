//! A program that knows the REST paths of the source system and nothing of us onboards an administrator.

use std::process::Command;

use chancery::proto::v1 as pb;
use serde_json::Value;

use super::{Front, engines};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/envoy/rest/onboard.py");

/// Runs the program; what it prints, or what it complains of.
async fn run(arguments: &[&str]) -> Result<Value, String> {
    let mut command = Command::new("python3");
    command.arg(PROGRAM).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("python3 is needed for a client that is not ours");
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_program_onboards_an_administrator() {
    for engine in engines() {
        let front = Front::start(&engine, "0").await;
        let service = &front.service;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let document = pb::RightsDocument {
            rights_doc_name: Some("Audit".to_owned()),
            account_permissions: vec!["READ".to_owned()],
            ..Default::default()
        };
        let request = pb::CreateRightsDocumentRequest {
            rights_document: Some(document),
            ..Default::default()
        };
        let made = service.rights(&boss).create_rights_document(request).await.unwrap();
        let document = made.into_inner().rights_document.unwrap().rights_doc_id;

        let base = format!("http://{}", front.at());
        let arguments = [&base, &boss.token, "ada@example.com", "MANAGE_USERS", &document];
        let user = run(&arguments).await.unwrap();
        assert_eq!(user["userName"], "ada@example.com");

        let user_id = user["userId"].as_str().unwrap().to_owned();
        let request = pb::GetUserRequest { user_id: user_id.clone() };
        let kept = service.users(&boss).get_user(request).await.unwrap().into_inner().user.unwrap();
        assert_eq!(kept.roles, ["MANAGE_USERS", "USER"]);
        assert_eq!(kept.regional_settings.unwrap().timezone_name.unwrap(), "Europe/London");
        let request = pb::ListAssignedRightsDocumentsRequest { user_id, ..Default::default() };
        let held = service.rights(&boss).list_assigned_rights_documents(request).await.unwrap();
        assert_eq!(held.into_inner().rights_documents[0].rights_doc_id, document);
        // Who has onboarded her already learns it as it does from the source system.
        let again = run(&arguments).await.unwrap_err();
        assert!(again.contains("HTTP Error 409: Conflict"), "{again}");
        service.verify(&acme).await;
        front.stop().await;
    }
}
