//! What counts as held by who gives, and by who is given to.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{give, named, role, take};
use crate::support::{Person, Service, engines, refused};

fn active(user_id: &str, is_active: bool) -> pb::SetUserActiveRequest {
    pb::SetUserActiveRequest { user_id: user_id.to_owned(), is_active, ..Default::default() }
}

#[tokio::test]
async fn a_narrow_token_gives_no_more_than_it_may_do_itself() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let user = service.person(&acme, "user", &[]).await;
        let with = async |scopes: &[&str]| {
            let (_, token) = service.mint(&boss.user_id, scopes).await;
            Person { token, ..boss.clone() }
        };
        let narrow = with(&["role.*", "user.read"]).await;
        let given = service.roles(&narrow).add_user_role(give(&user.user_id, "WFO_ACCESS")).await;
        refused(given, Code::PermissionDenied, "ESCALATION");
        let wider = with(&["role.*", "user.read", "integration.*"]).await;
        service.roles(&wider).add_user_role(give(&user.user_id, "WFO_ACCESS")).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_account_of_who_gets_it_cuts_off_is_not_given() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let ceiling = pb::SetAccountRoleRequest {
            account_id: below.clone(),
            role: "ProvisioningAgent".to_owned(),
            ..Default::default()
        };
        service.accounts(&service.root).set_account_role(ceiling).await.unwrap();
        let granter = pb::Role {
            reach: Some(pb::Reach::Subtree.into()),
            ..named("granter", &["role.assign", "user.read", "account.read", "recording.read"])
        };
        let granter = role(&service, &acme, granter).await;
        let granter = service.person(&acme, "granter", &[&granter]).await;
        let keeper =
            role(&service, &acme, named("keeper", &["recording.read", "recording.delete"]));
        let keeper = keeper.await;
        let (here, there) =
            (service.person(&acme, "here", &[]).await, service.person(&below, "there", &[]).await);
        let given = service.roles(&granter).add_user_role(give(&here.user_id, &keeper)).await;
        let status = refused(given, Code::PermissionDenied, "ESCALATION");
        assert!(status.message().contains("recording.delete"), "{}", status.message());
        // Below that ceiling nobody deletes recordings, so that right is not given there.
        service.roles(&granter).add_user_role(give(&there.user_id, &keeper)).await.unwrap();
        service.verify(&acme).await;
    }
}

#[tokio::test]
async fn enabling_gives_back_what_others_gave() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let manager = service.person(&acme, "manager", &["MANAGE_USERS"]).await;
        let strong = service.person_under(&acme, Some(&manager), "strong", &["SUPER_USER"]).await;
        for is_active in [false, true] {
            let request = active(&strong.user_id, is_active);
            service.users(&manager).set_user_active(request).await.unwrap();
        }
        // Resuming an account likewise needs its own permission and no more.
        let below = service.account(&acme, "Below").await;
        service.person(&below, "boss", &["SUPER_USER"]).await;
        let resumes = pb::Role {
            reach: Some(pb::Reach::Subtree.into()),
            ..named("resumes", &["account.suspend", "account.resume", "account.read"])
        };
        let resumes = role(&service, &acme, resumes).await;
        let clerk = service.person(&acme, "clerk", &[&resumes]).await;
        let account_id = below.clone();
        let request = pb::SuspendAccountRequest { account_id, ..Default::default() };
        service.accounts(&clerk).suspend_account(request).await.unwrap();
        let request = pb::ResumeAccountRequest { account_id: below, ..Default::default() };
        service.accounts(&clerk).resume_account(request).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_holds_everything_by_whatever_name_keeps_the_platform() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let root = service.root.clone();
        let manager = service.person(&root.account_id, "manager", &["MANAGE_USERS"]).await;
        let name = "voximplant/MainAccount";
        let other = service.person_under(&root.account_id, Some(&manager), "other", &[name]).await;
        let taken = take(&root.user_id, "SUPER_USER");
        service.roles(&other).remove_user_role(taken).await.unwrap();
        let last = service.users(&manager).set_user_active(active(&other.user_id, false)).await;
        refused(last, Code::FailedPrecondition, "LAST_SUPER_USER");
        service.verify(&root.account_id).await;
    }
}

#[tokio::test]
async fn a_preview_names_whom_the_caller_sees_and_says_that_there_are_others() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let keeps = role(&service, &acme, named("keeps_roles", &["role.*"])).await;
        let clerk = service.person(&acme, "clerk", &[&keeps]).await;
        let own = role(&service, &acme, named("own", &["recording.read"])).await;
        let holder = service.person(&acme, "holder", &[&own]).await;
        let dry = || pb::DeleteRoleRequest {
            role: own.clone(),
            validate_only: true,
            ..Default::default()
        };
        for (by, ids, others) in
            [(&clerk, vec![], true), (&service.root, vec![&holder.user_id], false)]
        {
            let told = service.roles(by).delete_role(dry()).await.unwrap().into_inner();
            let preview = told.preview.unwrap();
            assert_eq!(preview.warnings[0].entity_ids.iter().collect::<Vec<_>>(), ids);
            assert_eq!(preview.others_affected, others);
        }
        let kept = pb::DeleteRoleRequest { validate_only: false, ..dry() };
        let kept = service.roles(&clerk).delete_role(kept).await;
        let status = refused(kept, Code::FailedPrecondition, "ROLE_IN_USE");
        assert!(!status.message().contains(&holder.user_id), "{}", status.message());
    }
}
