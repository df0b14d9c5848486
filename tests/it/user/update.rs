//! `UpdateUser`.

use prost_types::FieldMask;

use super::*;

fn change(id: &str, user: pb::User, mask: &[&str]) -> pb::UpdateUserRequest {
    let update_mask = (!mask.is_empty()).then(|| FieldMask { paths: texts(mask) });
    let user = Some(pb::User { user_id: id.to_owned(), ..user });
    pb::UpdateUserRequest { user, update_mask, ..Default::default() }
}

async fn update(
    acme: &Acme,
    by: &Person,
    request: pb::UpdateUserRequest,
) -> Result<pb::User, Status> {
    Ok(acme.service.users(by).update_user(request).await?.into_inner().user.unwrap())
}

fn first(name: &str) -> pb::User {
    pb::User { first_name: Some(name.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn what_the_mask_names_changes_and_nothing_else() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &["USER"]).await.user_id;
        let regional = pb::RegionalSettings {
            language: Some("de".to_owned()),
            time_format: Some("24h".to_owned()),
            ..Default::default()
        };
        let user = pb::User {
            last_name: Some("Low".to_owned()),
            email: Some("u@example.com".to_owned()),
            phone_number: Some("+1".to_owned()),
            regional_settings: Some(regional),
            sso: Some(true),
            // Not this RPC's: without a mask they say nothing.
            enabled: Some(false),
            roles: texts(&["SUPER_USER"]),
            ..first("Ulla")
        };
        let whole = update(&acme, &acme.manager, change(&id, user, &[])).await.unwrap();
        assert_eq!(whole.full_name(), "Ulla Low");
        assert_eq!(whole.email(), "u@example.com");
        assert!(whole.enabled() && whole.sso());
        assert_eq!(whole.roles, ["USER"]);

        let language =
            pb::RegionalSettings { language: Some("en".to_owned()), ..Default::default() };
        let user =
            pb::User { regional_settings: Some(language), email: None, ..first("not in the mask") };
        let mask = ["regional_settings.language", "email"];
        let part = update(&acme, &acme.manager, change(&id, user.clone(), &mask)).await.unwrap();
        assert_eq!((part.first_name(), part.email.as_deref()), ("Ulla", None));
        let settings = part.regional_settings.unwrap();
        assert_eq!((settings.language(), settings.time_format()), ("en", "24h"));
        let all = update(&acme, &acme.manager, change(&id, user, &["regional_settings"])).await;
        assert_eq!(all.unwrap().regional_settings.unwrap().time_format, None);

        let star = pb::User { user_name: Some("u2".to_owned()), ..Default::default() };
        let all = update(&acme, &acme.manager, change(&id, star, &["*"])).await.unwrap();
        assert_eq!((all.user_name(), all.sso(), all.first_name()), ("u2", false, ""));
        let nameless = update(&acme, &acme.manager, change(&id, first("x"), &["*"])).await;
        refused(nameless, Code::InvalidArgument, "INVALID_FIELD");
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn a_field_of_another_rpc_is_refused_by_that_name() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        for (field, rpc) in [
            ("enabled", "SetUserActive"),
            ("roles", "AddUserRole"),
            ("parent_user_id", "MoveUser"),
            ("kind", "never"),
            ("no_such_field", "no_such_field"),
        ] {
            let request = change(&acme.manager.user_id, first("x"), &["first_name", field]);
            let status = update(&acme, &acme.boss, request).await;
            let status = refused(status, Code::InvalidArgument, "FIELD_READ_ONLY");
            assert!(status.message().contains(rpc), "{}", status.message());
        }
    }
}

#[tokio::test]
async fn one_s_own_profile_is_one_s_own_and_one_s_sign_in_is_not() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let plain = acme.below(&acme.manager, "plain", &["USER"]).await;
        let own = update(&acme, &plain, change(&plain.user_id, first("Me"), &[])).await.unwrap();
        assert_eq!(own.first_name(), "Me");
        let email = pb::User { email: Some("me@example.com".to_owned()), ..Default::default() };
        for request in
            [change(&plain.user_id, email, &[]), change(&plain.user_id, named("me"), &["*"])]
        {
            refused(update(&acme, &plain, request).await, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let other = change(&acme.manager.user_id, first("You"), &[]);
        refused(update(&acme, &plain, other).await, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_one_signs_in_by_is_changed_only_by_who_holds_as_much() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let strong = acme.below(&acme.manager, "strong", &["MANAGE_RIGHTS"]).await;
        let id = &strong.user_id;
        let takes = [
            named("mine"),
            pb::User { email: Some("mine@example.com".to_owned()), ..Default::default() },
            pb::User { sso: Some(true), ..Default::default() },
        ];
        for user in takes.clone() {
            let status = update(&acme, &acme.manager, change(id, user, &[])).await;
            refused(status, Code::PermissionDenied, "ESCALATION");
        }
        // To what it is already, and the rest of the profile: no control is taken.
        let same = pb::User { first_name: Some("S".to_owned()), ..named("strong") };
        assert!(update(&acme, &acme.manager, change(id, same, &[])).await.is_ok());
        for user in takes {
            assert!(update(&acme, &acme.boss, change(id, user, &[])).await.is_ok());
        }
        // A narrow token does not win what its own user holds.
        let (_, token) = acme.service.mint(&acme.boss.user_id, &["user.update", "user.read"]).await;
        let narrow = Person { token, ..acme.boss.clone() };
        let status = update(&acme, &narrow, change(&acme.boss.user_id, named("chief"), &[])).await;
        refused(status, Code::PermissionDenied, "ESCALATION");
    }
}

#[tokio::test]
async fn names_and_kinds_are_kept() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        let taken = update(&acme, &acme.boss, change(&id, named("BOSS"), &[])).await;
        refused(taken, Code::AlreadyExists, "USER_NAME_TAKEN");
        let bad = update(&acme, &acme.boss, change(&id, named("a\u{202e}"), &[])).await;
        refused(bad, Code::InvalidArgument, "INVALID_FIELD");
        // Another spelling of one's own name is one's own.
        let own = update(&acme, &acme.boss, change(&id, named("U"), &[])).await.unwrap();
        assert_eq!(own.user_name(), "U");
        let machine = acme.service.machine(&acme.account, "machine", &[]).await.user_id;
        let sso = || pb::User { sso: Some(true), ..Default::default() };
        let wrong = update(&acme, &acme.boss, change(&machine, sso(), &[])).await;
        refused(wrong, Code::InvalidArgument, "WRONG_USER_KIND");
    }
}

#[tokio::test]
async fn a_stale_etag_a_repeat_a_rehearsal_and_no_change_at_all() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        let old = acme.get(&acme.boss, &id).await.unwrap().etag;
        let with = |name: &str, etag: &str| {
            change(&id, pb::User { etag: etag.to_owned(), ..first(name) }, &[])
        };
        acme.service.advance(1);
        let new = update(&acme, &acme.boss, with("A", &old)).await.unwrap();
        assert_ne!(new.etag, old);
        refused(update(&acme, &acme.boss, with("B", &old)).await, Code::Aborted, "ETAG_MISMATCH");

        let before = acme.revision().await;
        let same = update(&acme, &acme.boss, with("A", &new.etag)).await.unwrap();
        assert_eq!(same, new);
        let mut rehearsal = with("B", "");
        rehearsal.validate_only = true;
        let reply = acme.service.users(&acme.boss).update_user(rehearsal).await.unwrap();
        let reply = reply.into_inner();
        assert_eq!(reply.user.unwrap().first_name(), "B");
        assert_eq!(reply.preview.unwrap().revision, before);
        assert_eq!(acme.revision().await, before);

        let mut request = with("B", "");
        request.request_id = once();
        let done = update(&acme, &acme.boss, request.clone()).await.unwrap();
        update(&acme, &acme.boss, with("C", "")).await.unwrap();
        // The outcome of then, the object of now.
        let again = update(&acme, &acme.boss, request).await.unwrap();
        assert_eq!((done.first_name(), again.first_name()), ("B", "C"));
        assert_eq!(acme.revision().await, before + 2);
        acme.service.verify(&acme.account).await;
    }
}

#[tokio::test]
async fn strangers_change_nobody_and_the_closed_stay_as_they_are() {
    for engine in engines() {
        let acme = Acme::start(&engine).await;
        let id = acme.below(&acme.manager, "u", &[]).await.user_id;
        is_closed_to_strangers(&acme, |by| {
            let (acme, request) = (&acme, change(&id, first("x"), &[]));
            async move { update(acme, &by, request).await }
        })
        .await;
        acme.close().await;
        let root = acme.service.root.clone();
        let status = update(&acme, &root, change(&id, first("x"), &[])).await;
        refused(status, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    }
}
