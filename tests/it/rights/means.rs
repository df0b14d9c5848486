//! What documents give, asked through `Authorize` (`model.md` §5).

use super::*;
use crate::support::engines;

/// Gives a document to somebody new, and returns him.
async fn holder(acme: &Acme, name: &str, document: pb::RightsDocument) -> Person {
    let who = acme.below(&acme.boss, name, &[]).await;
    let id = acme.made(document).await;
    acme.give(&acme.boss, &id, &[&who]).await.unwrap();
    who
}

async fn asked(acme: &Acme, who: &Person, questions: &[(&str, &str, bool)]) {
    for (permission, path, expected) in questions {
        let is = acme.may(who, permission, path).await;
        assert_eq!(is, *expected, "{permission} on `{path}`");
    }
}

#[tokio::test]
async fn an_action_on_the_account_is_one_on_all_in_it() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = holder(&acme, "ann", document("D", &["READ", "CREATE"])).await;
        asked(
            &acme,
            &who,
            &[
                ("account.read", "", true),
                ("account.update", "", false),
                ("gate_group.read", "gate_group/5", true),
                ("gate.read", "gate_group/5/gate/17", true),
                ("gate.delete", "gate_group/5/gate/17", false),
                ("gate_group.create", "gate_group/-", true),
                ("gate.create", "gate_group/5/gate/-", true),
                // Never a sub-account, nor anything of users.
                ("account.create", "", false),
                ("user.create", "user/-", false),
                ("user.read", &format!("user/{}", acme.boss.user_id), false),
                ("product.read", "product/SURVEY", true),
            ],
        )
        .await;
        // In no other account, be it below or above.
        let below = acme.service.account(&acme.account, "Below").await;
        assert!(!acme.may_in(&below, &who, "account.read", "").await);
        assert!(!acme.may_in(&acme.service.root.account_id, &who, "account.read", "").await);
    }
}

#[tokio::test]
async fn a_product_covers_its_types_where_it_cascades() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let of =
            |entry| pb::RightsDocument { product_permissions: vec![entry], ..document("D", &[]) };
        let flat = holder(&acme, "flat", of(product("ACD", &["READ"], false))).await;
        let deep = holder(&acme, "deep", of(product("ACD", &["READ", "CREATE"], true))).await;
        asked(
            &acme,
            &flat,
            &[
                ("product.read", "product/ACD", true),
                ("product.read", "product/AGENT", false),
                ("gate_group.read", "gate_group/5", false),
            ],
        )
        .await;
        asked(
            &acme,
            &deep,
            &[
                ("product.read", "product/ACD", true),
                ("product.read", "product/AGENT", false),
                ("gate_group.read", "gate_group/5", true),
                ("gate.read", "gate_group/5/gate/17", true),
                ("gate.create", "gate_group/5/gate/-", true),
                ("gate.update", "gate_group/5/gate/17", false),
                ("agent_group.read", "agent_group/5", false),
                ("account.read", "", false),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn a_resource_covers_what_it_contains_where_it_cascades() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let of =
            |entry| pb::RightsDocument { resource_permissions: vec![entry], ..document("D", &[]) };
        let actions = ["CREATE", "READ"];
        let flat = holder(&acme, "flat", of(resource("GATE_GROUP", "5", &actions, false))).await;
        let deep = holder(&acme, "deep", of(resource("GATE_GROUP", "5", &actions, true))).await;
        for (who, within) in [(&flat, false), (&deep, true)] {
            asked(
                &acme,
                who,
                &[
                    ("gate_group.read", "gate_group/5", true),
                    ("gate_group.update", "gate_group/5", false),
                    ("gate_group.read", "gate_group/6", false),
                    ("gate.read", "gate_group/5/gate/17", within),
                    // To create in it, not another of it.
                    ("gate.create", "gate_group/5/gate/-", true),
                    ("gate.create", "gate_group/6/gate/-", false),
                    ("gate_group.create", "gate_group/-", false),
                    // One not named is not this one.
                    ("gate_group.read", "gate_group/-", false),
                    ("gate.read", "gate_group/-/gate/17", false),
                ],
            )
            .await;
        }
        // The account itself is a resource as well.
        let entry = |cascade| resource("ACCOUNT", &acme.account, &actions, cascade);
        let flat = holder(&acme, "flat account", of(entry(false))).await;
        let deep = holder(&acme, "deep account", of(entry(true))).await;
        for (who, within) in [(&flat, false), (&deep, true)] {
            asked(
                &acme,
                who,
                &[
                    ("account.read", "", true),
                    ("account.create", "", false),
                    ("gate_group.create", "gate_group/-", true),
                    ("gate.create", "gate_group/5/gate/-", within),
                    ("gate_group.read", "gate_group/5", within),
                ],
            )
            .await;
        }
    }
}

/// One who holds many documents is answered by an index; the answers are the same.
#[tokio::test]
async fn of_many_documents_each_counts() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = acme.below(&acme.boss, "ann", &[]).await;
        for group in 1..=12 {
            let entry = resource("GATE_GROUP", &group.to_string(), &["READ"], group % 2 == 0);
            let one =
                pb::RightsDocument { resource_permissions: vec![entry], ..document("D", &[]) };
            let id = acme.made(one).await;
            acme.give(&acme.boss, &id, &[&who]).await.unwrap();
        }
        for group in 1..=13 {
            let path = format!("gate_group/{group}");
            assert_eq!(acme.may(&who, "gate_group.read", &path).await, group < 13, "{group}");
            let inner = format!("{path}/gate/1");
            let within = group < 13 && group % 2 == 0;
            assert_eq!(acme.may(&who, "gate.read", &inner).await, within, "{group}");
        }
        let account = acme.made(document("All", &["REPORT"])).await;
        acme.give(&acme.boss, &account, &[&who]).await.unwrap();
        assert!(acme.may(&who, "gate_group.report", "gate_group/99").await);
        let system = chancery::model::DocId::of_system("ringcx", "ACD_MANAGER").to_string();
        acme.give(&acme.boss, &system, &[&who]).await.unwrap();
        assert!(acme.may(&who, "gate_group.update", "gate_group/99").await);
        acme.take(&acme.boss, &system, &who).await.unwrap();
        assert!(!acme.may(&who, "gate_group.update", "gate_group/99").await);
    }
}

#[tokio::test]
async fn a_token_that_names_roles_counts_no_documents() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = holder(&acme, "ann", document("D", &["READ"])).await;
        let role = pb::AddUserRoleRequest {
            user_id: who.user_id.clone(),
            role_type: "WFO_ACCESS".to_owned(),
            ..Default::default()
        };
        acme.service.roles(&acme.service.root).add_user_role(role).await.unwrap();
        for (scopes, reads) in [
            (&["*"][..], true),
            (&["gate_group.*"], true),
            (&["role:WFO_ACCESS"], false),
            (&["role:WFO_ACCESS", "gate_group.read"], false),
            (&["account.read"], false),
        ] {
            let (_, token) = acme.service.mint(&who.user_id, scopes).await;
            let path = format!("account/{}/gate_group/5", acme.account);
            let mut request = crate::support::ask("", "gate_group.read", "gate_group", &path);
            request.subject =
                Some(pb::Subject { r#type: "token".to_owned(), token, ..Default::default() });
            let by = &acme.service.root;
            let answer = acme.service.authorization(by).authorize(request).await.unwrap();
            let answer = answer.into_inner();
            assert_eq!(answer.decision, reads, "{scopes:?}");
            let scope = if reads { pb::Reason::Permitted } else { pb::Reason::TokenScope };
            assert_eq!(answer.reason(), scope, "{scopes:?}");
        }
    }
}

#[tokio::test]
async fn suspended_accounts_disabled_users_and_ceilings_end_what_documents_give() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = holder(&acme, "ann", document("D", &["READ"])).await;
        let reads = async || {
            let path = format!("account/{}/gate_group/5", acme.account);
            acme.service
                .decides(&who.user_id, "gate_group.read", "gate_group", &path)
                .await
                .reason()
        };
        assert_eq!(reads().await, pb::Reason::Permitted);
        let account_id = || acme.account.clone();
        let accounts = || acme.service.accounts(&acme.service.root);
        let stop = pb::SuspendAccountRequest { account_id: account_id(), ..Default::default() };
        accounts().suspend_account(stop).await.unwrap();
        assert_eq!(reads().await, pb::Reason::AccountNotActive);
        let resume = pb::ResumeAccountRequest { account_id: account_id(), ..Default::default() };
        accounts().resume_account(resume).await.unwrap();
        assert_eq!(reads().await, pb::Reason::Permitted);
        let active = |active| pb::SetUserActiveRequest {
            user_id: who.user_id.clone(),
            is_active: active,
            ..Default::default()
        };
        acme.service.users(&acme.boss).set_user_active(active(false)).await.unwrap();
        assert_eq!(reads().await, pb::Reason::SubjectDisabled);
        acme.service.users(&acme.boss).set_user_active(active(true)).await.unwrap();
        assert_eq!(reads().await, pb::Reason::Permitted);
        let ceiling = pb::SetAccountRoleRequest {
            account_id: account_id(),
            role: "ProvisioningAgent".to_owned(),
            ..Default::default()
        };
        accounts().set_account_role(ceiling).await.unwrap();
        assert_eq!(reads().await, pb::Reason::AccountRoleCeiling);
    }
}

/// E-mail and alias of an account are changed by a role only.
#[tokio::test]
async fn a_document_changes_an_account_but_for_its_email_and_alias() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let who = holder(&acme, "ann", document("D", &["READ", "UPDATE"])).await;
        let update = async |account: pb::Account| {
            let account = pb::Account { account_id: acme.account.clone(), ..account };
            let request = pb::UpdateAccountRequest { account: Some(account), ..Default::default() };
            acme.service.accounts(&who).update_account(request).await
        };
        let name = pb::Account { display_name: Some("New".to_owned()), ..Default::default() };
        update(name).await.unwrap();
        for account in [
            pb::Account { email: Some("a@b.example".to_owned()), ..Default::default() },
            pb::Account { login_alias: Some("alias".to_owned()), ..Default::default() },
        ] {
            let status = update(account).await;
            crate::support::refused(status, tonic::Code::PermissionDenied, "ACCESS_DENIED");
        }
    }
}
