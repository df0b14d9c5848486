//! Documents of accounts that move.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

/// One who was assigned it when he stood above its account has it while he stands above, and nobody moves it below him who
/// could not give it.
#[tokio::test]
async fn an_account_takes_its_documents_along_and_brings_them_back() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, root) = (&acme.service, &acme.service.root);
        let one = service.account(&acme.account, "One").await;
        let two = service.account(&acme.account, "Two").await;
        let below = service.account(&one, "Below").await;
        let ann = service.person(&one, "ann", &[]).await;
        let document = pb::RightsDocument { account_id: below.clone(), ..document("D", &["READ"]) };
        let id = acme.made(document).await;
        acme.give(&acme.boss, &id, &[&ann]).await.unwrap();
        let role = pb::Role {
            name: Some("mover".to_owned()),
            permits: texts(&["account.move", "account.read"]),
            reach: Some(pb::Reach::Subtree.into()),
            ..Default::default()
        };
        let role = pb::CreateRoleRequest {
            account_id: acme.account.clone(),
            role: Some(role),
            ..Default::default()
        };
        service.roles(root).create_role(role).await.unwrap();
        let mover = service.person(&acme.account, "mover", &["mover"]).await;
        let go = async |by: &Person, to: &str| {
            let request = pb::MoveAccountRequest {
                account_id: below.clone(),
                new_parent_account_id: to.to_owned(),
                ..Default::default()
            };
            service.accounts(by).move_account(request).await
        };
        let reads = async || acme.may_in(&below, &ann, "gate_group.read", "gate_group/5").await;
        assert!(reads().await);
        go(&mover, &two).await.unwrap();
        assert!(!reads().await);
        // It is assigned to nobody there, nor to her once more from here.
        let status = acme.give(&acme.boss, &id, &[&ann]).await;
        refused(status, Code::InvalidArgument, "INVALID_FIELD");
        let status = go(&mover, &one).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        go(&acme.boss, &one).await.unwrap();
        assert!(reads().await);
        service.verify(&acme.account).await;
    }
}
