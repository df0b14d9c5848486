//! The governance walk of the source system, from the first look to the last check.

use super::*;
use crate::support::engines;

/// R52: list or create, role, document, assignment, verification, removal, offboarding.
#[expect(clippy::too_many_lines, reason = "one walk, from the first step to the last")]
#[tokio::test]
async fn a_user_is_found_equipped_verified_and_seen_off() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let (service, boss) = (&acme.service, &acme.boss);
        let (mut users, mut roles) = (service.users(boss), service.roles(boss));
        // Is there a user of this name? There is none, so one is made.
        let find = pb::ListUsersRequest {
            account_id: acme.account.clone(),
            flatten: true,
            ..Default::default()
        };
        let there = users.list_users(find.clone()).await.unwrap().into_inner().users;
        assert!(there.iter().all(|user| user.user_name() != "auditor"));
        let user = pb::User { user_name: Some("auditor".to_owned()), ..Default::default() };
        let create = pb::CreateUserRequest { user: Some(user), ..Default::default() };
        let user_id = users.create_user(create).await.unwrap().into_inner().user.unwrap().user_id;
        let auditor = Person { user_id: user_id.clone(), ..boss.clone() };
        let there = users.list_users(find).await.unwrap().into_inner().users;
        assert!(there.iter().any(|user| user.user_id == user_id));
        // Two roles and a document.
        for role in ["USER", "ACCESS_AUDIT_LOG"] {
            let give = pb::AddUserRoleRequest {
                user_id: user_id.clone(),
                role_type: role.to_owned(),
                ..Default::default()
            };
            roles.add_user_role(give).await.unwrap();
        }
        let wanted = pb::RightsDocument {
            product_permissions: vec![product("ACD", &["READ", "REPORT"], true)],
            resource_permissions: vec![resource("AGENT_GROUP", "9", &["READ"], true)],
            ..document("Reporting audit access", &["READ"])
        };
        let made = acme.write(boss, wanted.clone()).await.unwrap();
        let id = made.rights_doc_id.clone();
        let given = service.rights(boss).assign_rights_document(assign(&id, &[&auditor])).await;
        assert_eq!(given.unwrap().into_inner().assignments[0].user_id, user_id);
        // It is there from every side: by user, by document, added up, and in decisions.
        assert_eq!(acme.has(&auditor).await, std::slice::from_ref(&id));
        assert_eq!(acme.assignees(boss, &id).await.unwrap(), std::slice::from_ref(&user_id));
        let sums = acme.aggregated(boss, &auditor).await.unwrap();
        assert_eq!(sums.len(), 1);
        let sum = pb::RightsDocument {
            rights_doc_name: wanted.rights_doc_name.clone(),
            account_id: String::new(),
            ..sums[0].clone()
        };
        assert_eq!(sum, wanted);
        let questions = [
            ("account.read", "", true),
            ("gate.report", "gate_group/5/gate/17", true),
            ("agent.read", "agent_group/9/agent/3", true),
            ("agent.update", "agent_group/9/agent/3", false),
            ("gate.update", "gate_group/5/gate/17", false),
        ];
        for (permission, path, expected) in questions {
            assert_eq!(acme.may(&auditor, permission, path).await, expected, "{permission}");
        }
        // What is taken is gone at once, and what is left is left.
        let take = pb::RemoveUserRoleRequest {
            user_id: user_id.clone(),
            role_type: "ACCESS_AUDIT_LOG".to_owned(),
            ..Default::default()
        };
        roles.remove_user_role(take).await.unwrap();
        acme.take(boss, &id, &auditor).await.unwrap();
        assert!(acme.aggregated(boss, &auditor).await.unwrap().is_empty());
        assert!(acme.has(&auditor).await.is_empty());
        let held = pb::ListUserRolesRequest { user_id: user_id.clone(), ..Default::default() };
        let left = roles.list_user_roles(held.clone()).await.unwrap().into_inner().role_grants;
        assert_eq!(left.iter().map(|grant| &grant.role_type).collect::<Vec<_>>(), ["USER"]);
        assert!(!acme.may(&auditor, "gate.report", "gate_group/5/gate/17").await);
        // Once more, to be seen off with all of it.
        acme.give(boss, &id, &[&auditor]).await.unwrap();
        let offboard = pb::OffboardUserRequest { user_id: user_id.clone(), ..Default::default() };
        users.offboard_user(offboard).await.unwrap();
        assert!(acme.has(&auditor).await.is_empty());
        assert!(acme.aggregated(boss, &auditor).await.unwrap().is_empty());
        let left = roles.list_user_roles(held).await.unwrap().into_inner().role_grants;
        assert!(left.is_empty());
        for (permission, path, _) in questions {
            assert!(!acme.may(&auditor, permission, path).await, "{permission}");
        }
        assert!(acme.assignees(boss, &id).await.unwrap().is_empty());
        // The document itself stays; another replica says the same of all this.
        let replica = service.replica().await;
        let get = pb::GetRightsDocumentRequest { rights_doc_id: id, ..Default::default() };
        let there = replica.rights(boss).get_rights_document(get).await.unwrap().into_inner();
        assert_eq!(there.rights_document.unwrap(), made);
        replica.stop().await;
        service.verify(&acme.account).await;
    }
}
