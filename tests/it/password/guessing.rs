//! Whoever guesses waits, longer and longer; the owner does not wait with him.

use futures::future::join_all;
use tonic::Request;
use tonic_types::StatusExt as _;

use super::*;
use crate::meddle::Meddler;
use crate::support::{engines, said};

/// So many mistakes cost nothing; the one after them costs a second.
const FREE: usize = 11;

/// Tries a password from somewhere.
async fn try_from(
    service: &Service,
    by: &Person,
    source: &str,
    password: &str,
) -> Result<(), Status> {
    let mut request = Request::new(pb::ChangePasswordRequest {
        current_password: password.to_owned(),
        new_password: GOOD.to_owned(),
        keep_api_tokens: true,
    });
    request.metadata_mut().insert("x-forwarded-for", source.parse().unwrap());
    let by = by.with(&service.session(by).await);
    service.sessions(&by).change_password(request).await.map(drop)
}

#[track_caller]
fn is_wrong(tried: Result<(), Status>) {
    refused(tried, Code::Unauthenticated, "WRONG_PASSWORD");
}

#[tokio::test]
async fn of_two_hundred_guesses_at_once_a_few_are_looked_at() {
    for engine in engines() {
        let (service, hook) = start(&engine).await;
        let other = service.replica().await;
        let meddler = Meddler::new(&service.url).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        let ann = ann.with(&service.session(&ann).await);
        let all = (0..200).map(|n| {
            let at = if n % 2 == 0 { &service } else { &other };
            change_within(at, &ann, OTHER, OTHER)
        });
        let done = futures::future::join_all(all).await;
        assert!(done.iter().all(Result::is_err));
        let counted = "select cast(min(count) as bigint) from sign_in_failures";
        assert_eq!(meddler.number(counted).await, i64::try_from(FREE).unwrap());
        other.stop().await;
        service.stop().await;
    }
}

#[tokio::test]
async fn after_some_mistakes_even_the_right_password_waits_twice_as_long_each_time() {
    for engine in engines() {
        let (service, hook) = start_with(&engine, &[("trusted_proxies", "127.0.0.1")]).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        for _ in 0..FREE {
            is_wrong(try_from(&service, &ann, "192.0.2.1", OTHER).await);
        }
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
            service.advance(wait - 1);
            is_wrong(try_from(&service, &ann, "192.0.2.1", GOOD).await);
            service.advance(1);
            is_wrong(try_from(&service, &ann, "192.0.2.1", OTHER).await);
        }
        service.advance(900);
        try_from(&service, &ann, "192.0.2.1", GOOD).await.unwrap();
        // It is forgotten at once.
        for _ in 0..FREE - 1 {
            is_wrong(try_from(&service, &ann, "192.0.2.1", OTHER).await);
        }
        try_from(&service, &ann, "192.0.2.1", GOOD).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn after_a_hundred_mistakes_only_the_owners_places_and_a_link_are_left() {
    for engine in engines() {
        let (service, hook) = start_with(&engine, &[("trusted_proxies", "127.0.0.1")]).await;
        let acme = service.tenant("Acme").await;
        let ann = with_password(&service, &hook, &acme, "ann").await;
        try_from(&service, &ann, "192.0.2.1", GOOD).await.unwrap();
        for guess in 0..100 {
            is_wrong(try_from(&service, &ann, &format!("198.51.100.{guess}"), OTHER).await);
            service.advance(900);
        }
        service.advance(7 * 24 * 3600);
        is_wrong(try_from(&service, &ann, "203.0.113.1", GOOD).await);
        // The guesser has locked himself out, and not her.
        try_from(&service, &ann, "192.0.2.1", GOOD).await.unwrap();

        for guess in 0..100 {
            is_wrong(try_from(&service, &ann, &format!("198.51.100.{guess}"), OTHER).await);
            service.advance(900);
        }
        service.advance(30 * 24 * 3600);
        is_wrong(try_from(&service, &ann, "192.0.2.1", GOOD).await);
        ask(&service, &acme, "ann").await.unwrap();
        set(&service, &token(&hook.next().await), GOOD).await.unwrap();
        try_from(&service, &ann, "203.0.113.1", GOOD).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn a_source_that_fails_for_many_is_held_up_and_others_are_not() {
    for engine in engines() {
        let (service, hook) = start_with(&engine, &[("trusted_proxies", "127.0.0.1")]).await;
        let acme = service.tenant("Acme").await;
        let (ann, _) = invited(&service, &hook, &acme, "ann").await;
        for _ in 0..=100 {
            is_wrong(try_from(&service, &ann, "2001:db8:1:1::7", OTHER).await);
        }
        // ChangePassword knows a network, not an address.
        let told = try_from(&service, &ann, "2001:db8:1:1::8", OTHER).await;
        refused(told, Code::ResourceExhausted, "RATE_LIMITED");
        is_wrong(try_from(&service, &ann, "2001:db8:1:2::7", OTHER).await);
        is_wrong(try_from(&service, &ann, "8.8.8.8, 2001:db8:1:2::7", OTHER).await);
        service.advance(3601);
        is_wrong(try_from(&service, &ann, "2001:db8:1:1::7", OTHER).await);
        service.stop().await;
    }
}

/// However right they are: one source does not take the pool of hashes for itself.
#[tokio::test]
async fn who_signs_in_too_often_from_one_source_waits() {
    for engine in engines() {
        let settings = [
            ("limits.changes_per_minute", "1000"),
            ("limits.sign_ins_per_minute", "2"),
            ("trusted_proxies", "127.0.0.1"),
        ];
        let (service, hook) = start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        with_password(&service, &hook, &acme, "ann").await;
        let sign_in = async |source: &str| {
            let mut request = Request::new(pb::CreateSessionRequest {
                account: acme.clone(),
                user_name: "ann".to_owned(),
                password: GOOD.to_owned(),
                stay_logged_in: false,
            });
            request.metadata_mut().insert("x-forwarded-for", source.parse().unwrap());
            service.sessions(&nobody()).create_session(request).await
        };
        // All at once: by and by they would be let in.
        let many = join_all((0..20).map(|_| sign_in("2001:db8:1:1::7"))).await;
        let limited = (Code::ResourceExhausted, "RATE_LIMITED".to_owned());
        let told: Vec<Status> = many.into_iter().filter_map(Result::err).collect();
        let told = told.iter().find(|status| said(status) == limited).expect("that is too much");
        assert!(told.get_error_details().retry_info().is_some());
        sign_in("2001:db8:1:2::7").await.unwrap();
        service.stop().await;
    }
}
