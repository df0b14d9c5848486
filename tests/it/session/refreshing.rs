//! Going on with a session. Cases R58 and R59 of `credentials.yaml` are among them.
//! All of it is `RefreshSession`.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn an_access_token_lives_for_five_minutes_and_a_refresh_gives_the_next() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &["USER"]).await;
        let first = service.session(&ann).await;
        let mine = called(&service, &ann.with(&first)).await.unwrap().sessions;
        assert_eq!(mine.len(), 1);
        assert_eq!((&mine[0].session_id, mine[0].current), (&first.session_id, true));
        assert_eq!((&*mine[0].access_token, &*mine[0].refresh_token), ("", ""));
        assert_eq!((&*mine[0].source, &*mine[0].user_agent), ("192.0.2.7", "a test"));
        service.advance(299);
        called(&service, &ann.with(&first)).await.unwrap();
        service.advance(1);
        let late = called(&service, &ann.with(&first)).await;
        let late = refused(late, Code::Unauthenticated, "TOKEN_EXPIRED");
        assert!(late.message().contains("expired"), "{}", late.message());
        let second = service.refresh(&first.refresh_token).await.unwrap();
        assert_eq!(second.session_id, first.session_id);
        assert_ne!(second.refresh_token, first.refresh_token);
        called(&service, &ann.with(&second)).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_for_a_refresh_alone_and_an_access_token_for_none() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let as_bearer = Person { token: session.refresh_token.clone(), ..ann.clone() };
        refused(called(&service, &as_bearer).await, Code::Unauthenticated, "TOKEN_INVALID");
        assert!(!is_valid(&service, &session.refresh_token).await);
        assert!(!introspected(&service, &session.refresh_token).await.active);
        for wrong in [&session.access_token, &ann.token, "nonsense", &crate::support::stranger()] {
            let refresh = service.refresh(wrong).await;
            refused(refresh, Code::Unauthenticated, "TOKEN_INVALID");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn who_did_not_get_the_answer_asks_again_and_goes_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let first = service.session(&ann).await;
        // The answers to these are lost, one after the other.
        for _ in 0..3 {
            service.refresh(&first.refresh_token).await.unwrap();
        }
        let second = service.refresh(&first.refresh_token).await.unwrap();
        let third = service.refresh(&second.refresh_token).await.unwrap();
        called(&service, &ann.with(&third)).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_refresh_token_in_two_hands_ends_the_whole_session() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let other = service.session(&ann).await;

        // The one before last comes a second time, after its successor was used.
        let first = service.session(&ann).await;
        let second = service.refresh(&first.refresh_token).await.unwrap();
        let third = service.refresh(&second.refresh_token).await.unwrap();
        let replayed = service.refresh(&first.refresh_token).await;
        refused(replayed, Code::Unauthenticated, "TOKEN_INVALID");
        refused(
            service.refresh(&third.refresh_token).await,
            Code::Unauthenticated,
            "TOKEN_INVALID",
        );
        let dead = called(&service, &ann.with(&third)).await;
        refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");

        // Two that were given for one: whichever is used first, the other ends both.
        let first = service.session(&ann).await;
        let stolen = service.refresh(&first.refresh_token).await.unwrap();
        let own = service.refresh(&first.refresh_token).await.unwrap();
        let thief = service.refresh(&stolen.refresh_token).await.unwrap();
        refused(service.refresh(&own.refresh_token).await, Code::Unauthenticated, "TOKEN_INVALID");
        refused(
            service.refresh(&thief.refresh_token).await,
            Code::Unauthenticated,
            "TOKEN_INVALID",
        );
        assert!(!is_valid(&service, &thief.access_token).await);

        // Her other session has nothing to do with it.
        called(&service, &ann.with(&other)).await.unwrap();
        assert_eq!(sessions_of(&service, &ann).await.len(), 1);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_was_used_is_known_after_a_restart_and_on_another_replica() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let first = service.session(&ann).await;
        let second = service.refresh(&first.refresh_token).await.unwrap();
        let replica = service.replica().await;
        service.stop().await;
        called(&replica, &ann.with(&second)).await.unwrap();
        let third = replica.refresh(&second.refresh_token).await.unwrap();
        let replayed = replica.refresh(&first.refresh_token).await;
        refused(replayed, Code::Unauthenticated, "TOKEN_INVALID");
        assert!(!is_valid(&replica, &third.access_token).await);
        replica.stop().await;
    }
}

#[tokio::test]
async fn many_who_come_at_once_with_one_token_leave_one_line_that_goes_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let first = service.session(&ann).await;
        let asked = (0..8).map(|_| service.refresh(&first.refresh_token));
        let answers = futures::future::join_all(asked).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let next = service.refresh(&answers[5].refresh_token).await.unwrap();
        called(&service, &ann.with(&next)).await.unwrap();
        // The others were given in its place: from now on they are copies.
        let copy = service.refresh(&answers[2].refresh_token).await;
        refused(copy, Code::Unauthenticated, "TOKEN_INVALID");
        refused(service.refresh(&next.refresh_token).await, Code::Unauthenticated, "TOKEN_INVALID");
        service.stop().await;
    }
}

/// V20.
#[tokio::test]
async fn a_session_lasts_eight_hours_or_fourteen_days_from_its_last_use() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let (short, long) = (service.session(&ann).await, service.session_that(&ann, true).await);
        service.advance(8 * 3600 - 60);
        let short = service.refresh(&short.refresh_token).await.unwrap();
        // The last access token ends with its session.
        service.advance(60);
        let over = called(&service, &ann.with(&short)).await;
        refused(over, Code::Unauthenticated, "TOKEN_EXPIRED");
        let over = service.refresh(&short.refresh_token).await;
        refused(over, Code::Unauthenticated, "TOKEN_INVALID");
        assert_eq!(sessions_of(&service, &ann).await.len(), 1);

        service.advance(13 * 86_400);
        let long = service.refresh(&long.refresh_token).await.unwrap();
        service.advance(13 * 86_400);
        let long = service.refresh(&long.refresh_token).await.unwrap();
        service.advance(14 * 86_400);
        let over = service.refresh(&long.refresh_token).await;
        refused(over, Code::Unauthenticated, "TOKEN_INVALID");
        assert_eq!(service.store.forget_sessions().await.unwrap(), 1, "the other is not old yet");
        service.advance(2 * 3600);
        assert_eq!(service.store.forget_sessions().await.unwrap(), 1);
        service.stop().await;
    }
}
