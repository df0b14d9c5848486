//! `SetUserActive` and `OffboardUser`.

use super::*;

async fn offboard(acme: &Acme, by: &Person, id: &str) -> Result<pb::User, Status> {
    let request = pb::OffboardUserRequest { user_id: id.to_owned(), ..Default::default() };
    let reply = acme.service.users(by).offboard_user(request).await?;
    Ok(reply.into_inner().user.unwrap())
}

fn set(id: &str, is_active: bool) -> pb::SetUserActiveRequest {
    pb::SetUserActiveRequest { user_id: id.to_owned(), is_active, ..Default::default() }
}

#[tokio::test]
async fn a_disabled_user_comes_back_as_it_was() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &["USER"]).await;
        acme.disable(&acme.manager, &u.user_id).await.unwrap();
        let deny = acme.service.decides(&u.user_id, "account.read", "account", &acme.account).await;
        assert_eq!(deny.reason(), pb::Reason::SubjectDisabled);
        let before = acme.revision().await;
        acme.disable(&acme.manager, &u.user_id).await.unwrap();
        assert_eq!(acme.revision().await, before, "to the state it has: nothing is written");
        let mut users = acme.service.users(&acme.manager);
        let done = users.set_user_active(set(&u.user_id, true)).await.unwrap().into_inner();
        assert!(done.is_active && done.user.unwrap().enabled());
        assert!(acme.get(&u, &u.user_id).await.is_ok());
    }
}

#[tokio::test]
async fn nobody_disables_or_offboards_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let own = acme.disable(&acme.boss, &acme.boss.user_id).await;
        refused(own, Code::PermissionDenied, "ACCESS_DENIED");
        let own = offboard(&acme, &acme.boss, &acme.boss.user_id).await;
        refused(own, Code::PermissionDenied, "ACCESS_DENIED");
        // Who is seen but not one's own to disable.
        let reader = acme.below(&acme.boss, "reader", &["core/AUDITOR"]).await;
        let denied = acme.disable(&reader, &acme.manager.user_id).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let denied = offboard(&acme, &reader, &acme.manager.user_id).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn an_offboarded_user_keeps_its_children_and_nothing_else() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let u = acme.below(&acme.manager, "u", &["USER", "MANAGE_USERS"]).await;
        let child = acme.below(&u, "child", &[]).await;
        let gone = offboard(&acme, &acme.manager, &u.user_id).await.unwrap();
        assert!(!gone.enabled() && gone.roles.is_empty());
        assert_eq!(acme.get(&acme.boss, &child.user_id).await.unwrap().parent_user_id, u.user_id);
        // Enabled again it holds nothing, and its token stays dead.
        acme.service.users(&acme.boss).set_user_active(set(&u.user_id, true)).await.unwrap();
        assert!(acme.get(&u, &u.user_id).await.is_err());
        acme.disable(&acme.boss, &u.user_id).await.unwrap();
        let before = acme.revision().await;
        offboard(&acme, &acme.boss, &u.user_id).await.unwrap();
        assert_eq!(acme.revision().await, before);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn the_platform_keeps_one_who_may_do_everything() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let top = acme.service.root.account_id.clone();
        let keeper = acme.service.person(&top, "keeper", &["USER", "MANAGE_USERS"]).await;
        let chief = acme.service.person_under(&top, Some(&keeper), "chief", &["SUPER_USER"]).await;
        // Two hold everything; one may go.
        let first = acme.service.root.clone();
        acme.disable(&chief, &first.user_id).await.unwrap();
        let refusals = [
            acme.disable(&keeper, &chief.user_id).await.map(drop),
            offboard(&acme, &keeper, &chief.user_id).await.map(drop),
            acme.delete(&keeper, &chief.user_id).await.map(drop),
            acme.delete(&chief, &keeper.user_id).await.map(drop),
        ];
        let [disabled, offboarded, deleted, above] = refusals;
        for refusal in [disabled, offboarded, deleted] {
            refused(refusal, Code::FailedPrecondition, "LAST_SUPER_USER");
        }
        // With whom it would go itself.
        refused(above, Code::PermissionDenied, "ACCESS_DENIED");
        acme.service.users(&chief).set_user_active(set(&first.user_id, true)).await.unwrap();
        acme.delete(&keeper, &chief.user_id).await.unwrap();
        acme.service.verify(&top).await;
    }
}

#[tokio::test]
async fn elsewhere_the_last_one_is_a_warning_of_the_rehearsal() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let request =
            pb::SetUserActiveRequest { validate_only: true, ..set(&acme.boss.user_id, false) };
        let before = acme.revision().await;
        let root = &acme.service.root;
        let reply = acme.service.users(root).set_user_active(request).await.unwrap().into_inner();
        assert!(!reply.is_active && reply.consistency_token.is_empty());
        let warnings = reply.preview.unwrap().warnings;
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].reason, "LAST_SUPER_USER");
        assert_eq!(acme.revision().await, before);
        assert!(acme.get(&acme.boss, &acme.boss.user_id).await.unwrap().enabled());
        acme.disable(root, &acme.boss.user_id).await.unwrap();
    }
}

#[tokio::test]
async fn etags_and_request_ids_hold_for_standing_too() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &["USER"]).await.user_id;
        let etag = acme.get(&acme.boss, &id).await.unwrap().etag;
        let mut users = acme.service.users(&acme.boss);
        let request_id = once();
        let request = pb::SetUserActiveRequest {
            etag: etag.clone(),
            request_id: request_id.clone(),
            ..set(&id, false)
        };
        let first = users.set_user_active(request.clone()).await.unwrap().into_inner();
        let again = users.set_user_active(request.clone()).await.unwrap().into_inner();
        assert_eq!((&first.user, first.is_active), (&again.user, again.is_active));
        let reused = pb::SetUserActiveRequest { is_active: true, ..request };
        refused(users.set_user_active(reused).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
        let stale = pb::SetUserActiveRequest { etag: etag.clone(), ..set(&id, true) };
        refused(users.set_user_active(stale).await, Code::Aborted, "ETAG_MISMATCH");
        let stale = pb::OffboardUserRequest { user_id: id.clone(), etag, ..Default::default() };
        refused(users.offboard_user(stale).await, Code::Aborted, "ETAG_MISMATCH");

        let before = acme.revision().await;
        let rehearsal = pb::OffboardUserRequest {
            user_id: id.clone(),
            validate_only: true,
            ..Default::default()
        };
        let would = users.offboard_user(rehearsal).await.unwrap().into_inner().user.unwrap();
        assert!(would.roles.is_empty());
        assert_eq!(acme.revision().await, before);
        let request = pb::OffboardUserRequest {
            user_id: id.clone(),
            request_id: once(),
            ..Default::default()
        };
        let first = users.offboard_user(request.clone()).await.unwrap().into_inner().user;
        let again = users.offboard_user(request).await.unwrap().into_inner().user;
        assert_eq!(first, again);
        assert_eq!(acme.revision().await, before + 1);
    }
}

#[tokio::test]
async fn strangers_stop_nobody_and_in_a_closed_account_nobody_is_stopped() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        is_closed_to_strangers(&acme, |by| {
            let (acme, id) = (&acme, id.clone());
            async move {
                let standing = acme.disable(&by, &id).await.map(drop);
                let offboarded = offboard(acme, &by, &id).await.map(drop);
                assert_eq!(
                    standing.as_ref().unwrap_err().message(),
                    offboarded.as_ref().unwrap_err().message()
                );
                standing
            }
        })
        .await;
        acme.close().await;
        let root = acme.service.root.clone();
        let status = acme.disable(&root, &id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
        let status = offboard(&acme, &root, &id).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}
