//! The foundation cases that are about users. A status of the source systems reads here as `model.md` §10 says.

use super::*;

#[tokio::test]
async fn r01_a_manager_creates_a_user_with_what_the_request_says() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let regional = pb::RegionalSettings {
            timezone_name: Some("America/Denver".to_owned()),
            ..Default::default()
        };
        let user = pb::User {
            first_name: Some("Alex".to_owned()),
            last_name: Some("Admin".to_owned()),
            enabled: Some(true),
            roles: texts(&["USER", "MANAGE_USERS"]),
            regional_settings: Some(regional.clone()),
            ..named("alex.admin@example.com")
        };
        // MANAGE_USERS alone is enough: what USER gives on oneself is no escalation (`model.md` §7).
        let manager = acme.below(&acme.boss, "alone", &["MANAGE_USERS"]).await;
        let made = acme.service.users(&manager).create_user(new(user)).await.unwrap();
        let made = made.into_inner().user.unwrap();
        assert!(made.user_id.starts_with("usr_"));
        assert_eq!(made.user_name(), "alex.admin@example.com");
        assert_eq!((made.first_name(), made.last_name()), ("Alex", "Admin"));
        assert_eq!(made.full_name(), "Alex Admin");
        assert!(made.enabled());
        assert_eq!(made.roles, ["MANAGE_USERS", "USER"]);
        assert_eq!(made.regional_settings, Some(regional));
        assert_eq!(made.parent_user_id, manager.user_id);
        assert_eq!(acme.get(&acme.boss, &made.user_id).await.unwrap().etag, made.etag);
    }
}

#[tokio::test]
async fn r02_who_is_only_a_user_neither_lists_nor_creates() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let plain = acme.below(&acme.manager, "plain", &["USER"]).await;
        let mut users = acme.service.users(&plain);
        let listed = users.list_users(pb::ListUsersRequest::default()).await;
        let status = refused(listed, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(status.message().contains("do not have permission to access this resource"));
        let created = users.create_user(new(named("x"))).await;
        refused(created, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

#[tokio::test]
async fn r04_a_super_user_creates_lists_and_deletes() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut users = acme.service.users(&acme.boss);
        let made = users.create_user(new(named("x"))).await.unwrap().into_inner().user.unwrap();
        let request = pb::ListUsersRequest { flatten: true, ..Default::default() };
        let listed = users.list_users(request).await.unwrap().into_inner().users;
        assert!(listed.iter().any(|user| user.user_id == made.user_id));
        acme.delete(&acme.boss, &made.user_id).await.unwrap();
        let gone = acme.get(&acme.boss, &made.user_id).await;
        refused(gone, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn r06_a_user_without_a_name_is_refused() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let made = acme.service.users(&acme.boss).create_user(new(pb::User::default())).await;
        refused(made, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn r07_a_list_of_active_users_leaves_out_the_disabled() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let third = acme.below(&acme.manager, "third", &[]).await;
        acme.disable(&acme.boss, &third.user_id).await.unwrap();
        for (active_only, count) in [(true, 2), (false, 3)] {
            let request = pb::ListUsersRequest { active_only, flatten: true, ..Default::default() };
            let listed = acme.service.users(&acme.boss).list_users(request).await.unwrap();
            assert_eq!(listed.into_inner().users.len(), count);
        }
    }
}

#[tokio::test]
async fn r09_nobody_sees_into_an_unrelated_sub_tree() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let other = acme.below(&acme.boss, "other", &["USER", "MANAGE_USERS"]).await;
        let child = acme.below(&other, "child", &[]).await;
        let request = pb::ListUsersRequest { flatten: true, ..Default::default() };
        let listed = acme.service.users(&acme.manager).list_users(request).await.unwrap();
        let ids: Vec<String> = listed.into_inner().users.into_iter().map(|u| u.user_id).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(ids[0], acme.manager.user_id);
        refused(acme.get(&acme.manager, &child.user_id).await, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn r11_an_unknown_parent_is_not_found() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let request = pb::CreateUserRequest { parent_user_id: nobody(), ..new(named("x")) };
        let made = acme.service.users(&acme.boss).create_user(request).await;
        refused(made, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn r12_a_sibling_is_changed_with_access_siblings_only() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let b = acme.below(&acme.boss, "b", &["USER"]).await;
        let rename = || pb::UpdateUserRequest {
            user: Some(pb::User {
                user_id: b.user_id.clone(),
                first_name: Some("B".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let denied = acme.service.users(&acme.manager).update_user(rename()).await;
        refused(denied, Code::NotFound, "USER_NOT_FOUND");
        let roles = ["USER", "MANAGE_USERS", "ACCESS_SIBLINGS"];
        let a = acme.below(&acme.boss, "a", &roles).await;
        let user = acme.service.users(&a).update_user(rename()).await.unwrap().into_inner().user;
        assert_eq!(user.unwrap().first_name(), "B");
    }
}

#[tokio::test]
async fn r13_who_is_disabled_is_out_of_the_active_list_and_its_tokens_stop() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let user = acme.below(&acme.manager, "u", &["USER"]).await;
        assert!(acme.get(&user, &user.user_id).await.is_ok());
        let done = acme.disable(&acme.manager, &user.user_id).await.unwrap();
        assert!(!done.is_active);
        let request =
            pb::ListUsersRequest { active_only: true, flatten: true, ..Default::default() };
        let listed = acme.service.users(&acme.boss).list_users(request).await.unwrap();
        assert!(listed.into_inner().users.iter().all(|one| one.user_id != user.user_id));
        let own = acme.get(&user, &user.user_id).await;
        refused(own, Code::Unauthenticated, "TOKEN_REVOKED");
    }
}

#[tokio::test]
async fn r14_children_of_a_deleted_user_go_to_whom_they_are_given() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let p = acme.below(&acme.boss, "p", &[]).await;
        let q = acme.below(&acme.boss, "q", &[]).await;
        let (c1, c2) = (acme.below(&p, "c1", &[]).await, acme.below(&p, "c2", &[]).await);
        let request = pb::DeleteUserRequest {
            user_id: p.user_id.clone(),
            reassign_user_id: q.user_id.clone(),
            ..Default::default()
        };
        acme.service.users(&acme.boss).delete_user(request).await.unwrap();
        refused(acme.get(&acme.boss, &p.user_id).await, Code::NotFound, "USER_NOT_FOUND");
        for child in [c1, c2] {
            let child = acme.get(&acme.boss, &child.user_id).await.unwrap();
            assert_eq!(child.parent_user_id, q.user_id);
        }
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn r16_all_children_are_reassigned_in_one_step() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let p = acme.below(&acme.boss, "p", &[]).await;
        let q = acme.below(&acme.boss, "q", &[]).await;
        let (c1, c2) = (acme.below(&p, "c1", &[]).await, acme.below(&p, "c2", &[]).await);
        let request = pb::ReassignChildrenRequest {
            old_user_id: p.user_id.clone(),
            reassign_user_id: q.user_id.clone(),
            ..Default::default()
        };
        let moved = acme.service.users(&acme.boss).reassign_children(request).await.unwrap();
        let moved = moved.into_inner().users;
        let ids: Vec<&str> = moved.iter().map(|user| user.user_id.as_str()).collect();
        assert_eq!(ids, [c1.user_id.as_str(), c2.user_id.as_str()]);
        assert!(moved.iter().all(|user| user.parent_user_id == q.user_id));
    }
}

#[tokio::test]
async fn r17_nobody_is_hung_below_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let p = acme.below(&acme.boss, "p", &[]).await;
        let q = acme.below(&p, "q", &[]).await;
        let moved = acme.move_to(&acme.boss, &p.user_id, &q.user_id).await;
        refused(moved, Code::FailedPrecondition, "CYCLE");
    }
}

#[tokio::test]
async fn r18_an_unknown_user_is_not_found_whatever_is_asked() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        refused(acme.get(&acme.boss, &nobody()).await, Code::NotFound, "USER_NOT_FOUND");
        refused(acme.delete(&acme.boss, &nobody()).await, Code::NotFound, "USER_NOT_FOUND");
        refused(acme.disable(&acme.boss, &nobody()).await, Code::NotFound, "USER_NOT_FOUND");
        let user = pb::User { user_id: nobody(), ..named("x") };
        let request = pb::UpdateUserRequest { user: Some(user), ..Default::default() };
        let updated = acme.service.users(&acme.boss).update_user(request).await;
        refused(updated, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn r19_a_root_user_is_made_by_who_may_make_one() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let root = || new(pb::User { root_user: true, ..named("top") });
        let denied = acme.service.users(&acme.manager).create_user(root()).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let made = acme.service.users(&acme.boss).create_user(root()).await.unwrap();
        let made = made.into_inner().user.unwrap();
        assert!(made.root_user && made.parent_user_id.is_empty());
    }
}

#[tokio::test]
async fn r28_r29_other_roles_do_not_list_users() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for role in ["WFO_ACCESS", "ACCESS_AUDIT_LOG"] {
            let one = acme.below(&acme.boss, role, &["USER", role]).await;
            let listed = acme.service.users(&one).list_users(pb::ListUsersRequest::default()).await;
            refused(listed, Code::PermissionDenied, "ACCESS_DENIED");
        }
    }
}
