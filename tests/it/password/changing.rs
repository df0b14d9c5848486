//! One's own password, changed.

use chancery::model::{Image, Revision};

use super::*;
use crate::support::engines;

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        // R62, V28.
        let wrong = change(&service, &ann, OTHER, "noch ein satz davor").await;
        refused(wrong, Code::Unauthenticated, "WRONG_PASSWORD");
        has(&service, &ann, GOOD, OTHER).await;
        change(&service, &ann, GOOD, OTHER).await.unwrap();
        has(&service, &ann, OTHER, GOOD).await;
        // Who has none does not begin with one by ChangePassword.
        let bob = service.person(&acme, "bob", &[]).await;
        let told = change(&service, &bob, "", GOOD).await;
        refused(told, Code::InvalidArgument, "INVALID_FIELD");
        let told = change(&service, &bob, GOOD, GOOD).await;
        refused(told, Code::Unauthenticated, "WRONG_PASSWORD");
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_change_ends_all_other_sessions_and_api_tokens_unless_they_are_to_be_kept() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let [own, other] =
            [service.session(&ann).await, service.session(&ann).await].map(|one| ann.with(&one));
        let works = async |who: &Person| {
            let mut tokens = service.tokens(&nobody());
            let request = pb::ValidateTokenRequest { token: who.token.clone() };
            tokens.validate_token(request).await.unwrap().into_inner().valid
        };
        let request = |old: &str, new: &str, keep_api_tokens| pb::ChangePasswordRequest {
            current_password: old.to_owned(),
            new_password: new.to_owned(),
            keep_api_tokens,
        };
        service.sessions(&own).change_password(request(GOOD, OTHER, true)).await.unwrap();
        assert!(works(&own).await && works(&ann).await && !works(&other).await);
        service.sessions(&own).change_password(request(OTHER, GOOD, false)).await.unwrap();
        assert!(works(&own).await && !works(&ann).await);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn only_the_user_itself_in_a_session_changes_its_password() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let request = pb::ChangePasswordRequest {
            current_password: GOOD.to_owned(),
            new_password: OTHER.to_owned(),
            keep_api_tokens: false,
        };
        let told = service.sessions(&ann).change_password(request.clone()).await;
        refused(told, Code::PermissionDenied, "ACCESS_DENIED");
        let assume = pb::AssumeUserRequest {
            user_id: ann.user_id.clone(),
            reason: "to see what she sees".to_owned(),
            ..Default::default()
        };
        let root = service.root.with(&service.session(&service.root).await);
        let acting = service.sessions(&root).assume_user(assume).await.unwrap().into_inner();
        let acting = ann.with(&acting.session.unwrap());
        let told = service.sessions(&acting).change_password(request).await;
        refused(told, Code::PermissionDenied, "ACCESS_DENIED");
        has(&service, &ann, GOOD, OTHER).await;
        service.stop().await;
    }
}

/// It needs no right: it is about the caller, whatever else there is with the same password.
#[tokio::test]
async fn of_a_change_nobody_else_is_touched() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let bob = with_password(&service, &hook, &acme, "bob").await;
        let theirs = bob.with(&service.session(&bob).await);
        let own = ann.with(&service.session(&ann).await);
        let entries = async || {
            service.store.entries(acme.parse().unwrap(), Revision::default(), 1_000).await.unwrap()
        };
        let before = entries().await.len();
        let request = pb::ChangePasswordRequest {
            current_password: GOOD.to_owned(),
            new_password: OTHER.to_owned(),
            keep_api_tokens: false,
        };
        service.sessions(&own).change_password(request).await.unwrap();
        let since = entries().await.split_off(before);
        assert!(!since.is_empty());
        for entry in since {
            let of = match entry.change.before.as_ref().or(entry.change.after.as_ref()).unwrap() {
                Image::User(user) => user.id,
                Image::ApiToken(token) => token.user,
                other => panic!("{other:?}"),
            };
            assert_eq!(of.to_string(), ann.user_id);
        }
        let mut tokens = service.tokens(&nobody());
        for token in [&bob.token, &theirs.token] {
            let request = pb::ValidateTokenRequest { token: token.clone() };
            assert!(tokens.validate_token(request).await.unwrap().into_inner().valid);
        }
        has(&service, &bob, GOOD, OTHER).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn of_changes_at_once_one_is_made() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let words = ["regen", "wolke", "stein", "brot"];
        let new = words.map(|word| format!("kaufhaus zwiebel {word} 7"));
        let all = new.iter().map(|new| change(&service, &ann, GOOD, new));
        let done = futures::future::join_all(all).await;
        let won: Vec<_> = done.iter().zip(&new).filter(|(done, _)| done.is_ok()).collect();
        assert_eq!(won.len(), 1);
        has(&service, &ann, won[0].1, GOOD).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn where_too_many_wait_the_rest_are_told_to_come_again() {
    for engine in engines() {
        let settings = [("passwords.queue", "1"), ("passwords.hash_threads", "1")];
        let (service, hook) = start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let (ann, _) = invited(&service, &hook, &acme, "ann").await;
        let all = (0..12).map(|_| change(&service, &ann, GOOD, OTHER));
        let done = futures::future::join_all(all).await;
        let full = done.into_iter().filter(|done| {
            let status = done.as_ref().unwrap_err();
            crate::support::said(status).1 == "LOGIN_QUEUE_FULL"
        });
        // ChangePassword, and ResetPassword with it, waits in one queue.
        assert!(full.count() >= 5);
        service.stop().await;
    }
}
