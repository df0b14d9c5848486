//! `CreateUser` and `CheckUserNameAvailability`.

use super::*;

#[tokio::test]
async fn the_caller_is_the_parent_where_nobody_else_is_named() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut users = acme.service.users(&acme.boss);
        let made = users.create_user(new(named("a"))).await.unwrap().into_inner();
        let user = made.user.unwrap();
        assert_eq!(user.parent_user_id, acme.boss.user_id);
        assert_eq!(user.kind(), pb::UserKind::Admin);
        assert!(user.enabled() && !user.sso() && user.email.is_none() && user.roles.is_empty());
        assert!(
            made.login_uri.ends_with(&format!("/login/{}", acme.account)),
            "{}",
            made.login_uri
        );
        // From another account nobody is put above; from above, a root user is made.
        let request = pb::CreateUserRequest { account_id: acme.account.clone(), ..new(named("b")) };
        let made = acme.service.users(&acme.service.root).create_user(request).await.unwrap();
        assert!(made.into_inner().user.unwrap().root_user);
    }
}

#[tokio::test]
async fn the_sign_in_link_is_the_account_s_and_only_of_those_who_sign_in() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let account = pb::Account {
            account_id: acme.account.clone(),
            login_alias: Some("acme".to_owned()),
            ..Default::default()
        };
        let request = pb::UpdateAccountRequest { account: Some(account), ..Default::default() };
        acme.service.accounts(&acme.service.root).update_account(request).await.unwrap();
        let mut users = acme.service.users(&acme.boss);
        let made = users.create_user(new(named("a"))).await.unwrap().into_inner();
        assert!(made.login_uri.ends_with("/login/acme"), "{}", made.login_uri);
        let machine = pb::User { kind: Some(pb::UserKind::Service.into()), ..named("machine") };
        let made = users.create_user(new(machine)).await.unwrap().into_inner();
        assert_eq!(made.login_uri, "");
    }
}

#[tokio::test]
async fn what_does_not_fit_the_kind_is_refused() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let kind = |kind: pb::UserKind| pb::User { kind: Some(kind.into()), ..named("x") };
        let customer = |user: pb::User| pb::User { application_id: "app".to_owned(), ..user };
        let under_boss = |user: pb::User| pb::CreateUserRequest {
            parent_user_id: acme.boss.user_id.clone(),
            ..new(user)
        };
        let bad = [
            new(kind(pb::UserKind::Application)),
            under_boss(customer(kind(pb::UserKind::Application))),
            new(customer(kind(pb::UserKind::Admin))),
            new(customer(kind(pb::UserKind::Service))),
            new(pb::User { sso: Some(true), ..kind(pb::UserKind::Service) }),
            pb::CreateUserRequest { sso: true, ..new(kind(pb::UserKind::Service)) },
        ];
        let mut users = acme.service.users(&acme.boss);
        for request in bad {
            let made = users.create_user(request).await;
            refused(made, Code::InvalidArgument, "WRONG_USER_KIND");
        }
        let made = users.create_user(new(customer(kind(pb::UserKind::Application)))).await.unwrap();
        let made = made.into_inner();
        let user = made.user.unwrap();
        assert!(user.parent_user_id.is_empty() && made.login_uri.is_empty());
        assert_eq!(user.application_id, "app");
        let under = pb::CreateUserRequest { parent_user_id: user.user_id, ..new(named("y")) };
        let made = users.create_user(under).await;
        refused(made, Code::InvalidArgument, "WRONG_USER_KIND");
        let sso = pb::CreateUserRequest { sso: true, ..new(named("sso")) };
        assert!(users.create_user(sso).await.unwrap().into_inner().user.unwrap().sso());
    }
}

#[tokio::test]
async fn fields_that_cannot_be_are_refused() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let bad = [
            new(named("a\u{200b}b")),
            new(named("   ")),
            pb::CreateUserRequest {
                return_uri: "https://evil.example".to_owned(),
                ..new(named("x"))
            },
            pb::CreateUserRequest {
                parent_user_id: acme.boss.user_id.clone(),
                ..new(pb::User { root_user: true, ..named("x") })
            },
            new(pb::User { email: Some("no address".to_owned()), ..named("x") }),
        ];
        for request in bad {
            let made = acme.service.users(&acme.boss).create_user(request).await;
            refused(made, Code::InvalidArgument, "INVALID_FIELD");
        }
    }
}

#[tokio::test]
async fn a_parent_is_one_of_the_account_and_one_that_is_seen() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let other = acme.service.tenant("Other").await;
        let foreign = acme.service.person(&other, "foreign", &[]).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let lower = acme.service.person(&below, "lower", &[]).await;
        let hidden = acme.below(&acme.boss, "hidden", &[]).await;
        let gone = acme.below(&acme.manager, "gone", &[]).await;
        acme.delete(&acme.manager, &gone.user_id).await.unwrap();
        let cases = [
            (&acme.boss, &foreign),
            // Seen, but not of the account: the caller's own sub-account's.
            (&acme.boss, &lower),
            (&acme.manager, &hidden),
            (&acme.manager, &gone),
        ];
        for (by, parent) in cases {
            let request =
                pb::CreateUserRequest { parent_user_id: parent.user_id.clone(), ..new(named("x")) };
            let made = acme.service.users(by).create_user(request).await;
            refused(made, Code::NotFound, "USER_NOT_FOUND");
        }
        // Nor is the caller itself, for a user of another account.
        let request = pb::CreateUserRequest {
            account_id: below,
            parent_user_id: acme.boss.user_id.clone(),
            ..new(named("x"))
        };
        let made = acme.service.users(&acme.boss).create_user(request).await;
        refused(made, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn roles_are_named_once_and_meant_once() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let with =
            |name: &str, roles: &[&str]| new(pb::User { roles: texts(roles), ..named(name) });
        let mut users = acme.service.users(&acme.boss);
        let made = users.create_user(with("a", &["USER", "ringcx/USER", "USER"])).await.unwrap();
        assert_eq!(made.into_inner().user.unwrap().roles, ["USER"]);
        let unknown = users.create_user(with("b", &["USER", "ADMIN_OF_ALL"])).await;
        let status = refused(unknown, Code::InvalidArgument, "UNKNOWN_ROLE");
        assert!(status.message().starts_with("user.roles[1]"), "{}", status.message());
        // Restcomm's Developer is for accounts: a bare name is sought among what the holder can have.
        let made = users.create_user(with("c", &["Developer"])).await.unwrap();
        assert_eq!(made.into_inner().user.unwrap().roles, ["Developer"]);
        let wrong = users.create_user(with("d", &["voximplant/Owner@service"])).await;
        refused(wrong, Code::InvalidArgument, "ROLE_NOT_ASSIGNABLE");
        let foreign = users.create_user(with("e", &["rol_01h455vb4pex5vsknk084sn02q"])).await;
        refused(foreign, Code::InvalidArgument, "UNKNOWN_ROLE");
    }
}

#[tokio::test]
async fn a_custom_role_is_given_by_name_or_id_where_it_is_usable() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let below = acme.service.account(&acme.account, "Below").await;
        let role = |name: &str| pb::Role {
            name: Some(name.to_owned()),
            permits: texts(&["account.read"]),
            assignable_to: vec![pb::Holder::Admin.into()],
            ..Default::default()
        };
        let mut ids = Vec::new();
        for (account, name) in [(&acme.account, "reads_all"), (&below, "reads_below")] {
            let request = pb::CreateRoleRequest {
                account_id: account.clone(),
                role: Some(role(name)),
                ..Default::default()
            };
            let made = acme.service.roles(&acme.boss).create_role(request).await.unwrap();
            ids.push(made.into_inner().role.unwrap().role);
        }
        let with = |account: &str, name: &str, role: &str| pb::CreateUserRequest {
            account_id: account.to_owned(),
            ..new(pb::User { roles: texts(&[role]), ..named(name) })
        };
        let mut users = acme.service.users(&acme.boss);
        let cases = [
            (&acme.account, "reads_all", "reads_all"),
            (&below, ids[0].as_str(), "reads_all"),
            (&below, ids[1].as_str(), "reads_below"),
        ];
        for (at, (account, written, shown)) in cases.into_iter().enumerate() {
            let made = users.create_user(with(account, &at.to_string(), written)).await.unwrap();
            assert_eq!(made.into_inner().user.unwrap().roles, [shown]);
        }
        for written in ["reads_below", ids[1].as_str()] {
            let made = users.create_user(with(&acme.account, "x", written)).await;
            refused(made, Code::InvalidArgument, "UNKNOWN_ROLE");
        }
        let machine = pb::User {
            kind: Some(pb::UserKind::Service.into()),
            roles: texts(&["reads_all"]),
            ..named("machine")
        };
        let made = users.create_user(new(machine)).await;
        refused(made, Code::InvalidArgument, "ROLE_NOT_ASSIGNABLE");
    }
}

#[tokio::test]
async fn nobody_creates_somebody_stronger_than_himself() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let with = |roles: &[&str]| new(pb::User { roles: texts(roles), ..named("strong") });
        let mut users = acme.service.users(&acme.manager);
        for roles in [&["MANAGE_RIGHTS"][..], &["USER", "SUPER_USER"], &["voximplant/Owner"]] {
            let status = users.create_user(with(roles)).await;
            refused(status, Code::PermissionDenied, "ESCALATION");
        }
        // A token that may less than its user gives no more than itself.
        let (_, token) = acme.service.mint(&acme.boss.user_id, &["user.*", "role.*"]).await;
        let narrow = Person { token, ..acme.boss.clone() };
        let status = acme.service.users(&narrow).create_user(with(&["MANAGE_USERS"])).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
        // Nothing is left of the attempts.
        assert!(acme.service.users(&acme.boss).create_user(with(&["MANAGE_RIGHTS"])).await.is_ok());
    }
}

#[tokio::test]
async fn a_role_that_takes_everything_away_needs_the_right_to_disable() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let hiring = acme.below(&acme.boss, "hiring", &["USER", "ONBOARDING"]).await;
        let locked = |name: &str| new(pb::User { roles: texts(&["NO_ACCESS"]), ..named(name) });
        let denied = acme.service.users(&hiring).create_user(locked("a")).await;
        let status = refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        assert!(status.message().contains("user.set_active"));
        assert!(acme.service.users(&acme.manager).create_user(locked("b")).await.is_ok());
    }
}

#[tokio::test]
async fn the_forest_has_a_bottom() {
    for engine in engines() {
        let settings = [("limits.changes_per_minute", "0"), ("limits.user_depth", "3")];
        let acme = Acme::of(Service::start_with(&engine, &settings).await).await;
        let third = acme.below(&acme.manager, "third", &["USER", "MANAGE_USERS"]).await;
        let made = acme.service.users(&third).create_user(new(named("fourth"))).await;
        refused(made, Code::FailedPrecondition, "DEPTH_LIMIT");
    }
}

#[tokio::test]
async fn a_name_is_given_once_in_any_spelling_and_for_ever() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut users = acme.service.users(&acme.boss);
        let first =
            users.create_user(new(named("Straße"))).await.unwrap().into_inner().user.unwrap();
        let free = |name: &str| pb::CheckUserNameAvailabilityRequest {
            user_name: name.to_owned(),
            ..Default::default()
        };
        for name in ["Straße", " STRASSE ", "strasse"] {
            refused(
                users.create_user(new(named(name))).await,
                Code::AlreadyExists,
                "USER_NAME_TAKEN",
            );
            let answer = users.check_user_name_availability(free(name)).await.unwrap();
            assert!(!answer.into_inner().available);
        }
        acme.delete(&acme.boss, &first.user_id).await.unwrap();
        let again = users.create_user(new(named("strasse"))).await;
        refused(again, Code::AlreadyExists, "USER_NAME_TAKEN");
        assert!(
            !users
                .check_user_name_availability(free("strasse"))
                .await
                .unwrap()
                .into_inner()
                .available
        );
        assert!(
            users.check_user_name_availability(free("gasse")).await.unwrap().into_inner().available
        );
        // In another account it is another name.
        let other = acme.service.tenant("Other").await;
        acme.service.person(&other, "Straße", &[]).await;
    }
}

#[tokio::test]
async fn asking_whether_a_name_is_free_needs_the_right_to_create() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let free = |account: &str, name: &str| pb::CheckUserNameAvailabilityRequest {
            account_id: account.to_owned(),
            user_name: name.to_owned(),
        };
        let plain = acme.below(&acme.manager, "plain", &["USER"]).await;
        let denied = acme.service.users(&plain).check_user_name_availability(free("", "x")).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let bad =
            acme.service.users(&acme.boss).check_user_name_availability(free("", "a\u{0}")).await;
        refused(bad, Code::InvalidArgument, "INVALID_FIELD");
        let other = acme.service.tenant("Other").await;
        let foreign =
            acme.service.users(&acme.boss).check_user_name_availability(free(&other, "x")).await;
        refused(foreign, Code::NotFound, "ACCOUNT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_foreign_account_is_not_there_and_a_closed_one_is_closed() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let other = acme.service.tenant("Other").await;
        let there = |account: &str| pb::CreateUserRequest {
            account_id: account.to_owned(),
            ..new(named("x"))
        };
        let foreign = acme.service.users(&acme.boss).create_user(there(&other)).await;
        refused(foreign, Code::NotFound, "ACCOUNT_NOT_FOUND");
        acme.close().await;
        let own = acme.service.users(&acme.boss).create_user(new(named("x"))).await;
        refused(own, Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE");
        let root = &acme.service.root;
        let above = acme.service.users(root).create_user(there(&acme.account)).await;
        refused(above, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}

#[tokio::test]
async fn who_manages_the_customers_of_an_application_needs_no_more() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let keeper = acme.below(&acme.boss, "keeper", &["voximplant/UserManager"]).await;
        let customer = |name: &str| pb::User {
            kind: Some(pb::UserKind::Application.into()),
            application_id: "app".to_owned(),
            ..named(name)
        };
        let mut users = acme.service.users(&keeper);
        let made = users.create_user(new(customer("c"))).await.unwrap().into_inner().user.unwrap();
        assert!(acme.get(&keeper, &made.user_id).await.is_ok());
        refused(users.create_user(new(named("a"))).await, Code::PermissionDenied, "ACCESS_DENIED");
        let request = pb::ListUsersRequest {
            filter: "application_id = \"app\"".to_owned(),
            ..Default::default()
        };
        let listed = users.list_users(request).await.unwrap().into_inner().users;
        assert_eq!(listed.len(), 1);
        assert!(!acme.disable(&keeper, &made.user_id).await.unwrap().is_active);
        acme.delete(&keeper, &made.user_id).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeat_creates_nobody_and_a_rehearsal_leaves_no_trace() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let mut users = acme.service.users(&acme.boss);
        let before = acme.revision().await;
        let rehearsal = pb::CreateUserRequest { validate_only: true, ..new(named("x")) };
        let would = users.create_user(rehearsal).await.unwrap().into_inner();
        let user = would.user.unwrap();
        assert!(user.user_id.is_empty() && user.etag.is_empty() && user.create_time.is_none());
        assert_eq!(user.user_name(), "x");
        assert!(would.consistency_token.is_empty());
        assert_eq!(would.preview.unwrap().revision, before);
        assert_eq!(acme.revision().await, before);

        let request = pb::CreateUserRequest { request_id: once(), ..new(named("x")) };
        let first = users.create_user(request.clone()).await.unwrap().into_inner();
        let again = users.create_user(request.clone()).await.unwrap().into_inner();
        assert_eq!(first.user, again.user);
        assert_eq!(first.login_uri, again.login_uri);
        assert_eq!(acme.revision().await, before + 1);
        let reused = pb::CreateUserRequest { user: Some(named("y")), ..request };
        refused(users.create_user(reused).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
        acme.service.verify(&acme.account).await;
    }
}
