//! Ending sessions: one, all, by whom.

use tonic::Code;

use super::*;
use crate::support::{engines, refused};

#[tokio::test]
async fn a_session_that_is_ended_is_worth_nothing_at_once() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let (one, other) = (service.session(&ann).await, service.session(&ann).await);
        let by = ann.with(&other);
        let dry = pb::RevokeSessionRequest { validate_only: true, ..revoke(&one) };
        service.sessions(&by).revoke_session(dry).await.unwrap();
        called(&service, &ann.with(&one)).await.unwrap();
        service.sessions(&by).revoke_session(revoke(&one)).await.unwrap();
        let dead = called(&service, &ann.with(&one)).await;
        refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
        refused(service.refresh(&one.refresh_token).await, Code::Unauthenticated, "TOKEN_INVALID");
        let again = service.sessions(&by).revoke_session(revoke(&one)).await;
        refused(again, Code::NotFound, "SESSION_NOT_FOUND");
        assert_eq!(sessions_of(&service, &ann).await.len(), 1);
        // Its own, too: that is what signing out is.
        service.sessions(&by).revoke_session(revoke(&other)).await.unwrap();
        refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_REVOKED");
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_end_and_its_tokens_and_the_next_sessions_do_not() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let bob = service.person(&acme, "bob", &[]).await;
        let (one, other) = (service.session(&ann).await, service.session(&ann).await);
        let of_bob = service.session(&bob).await;
        service.sessions(&ann).revoke_all_sessions(revoke_all(&ann)).await.unwrap();
        for session in [&one, &other] {
            let dead = called(&service, &ann.with(session)).await;
            refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
            let dead = service.refresh(&session.refresh_token).await;
            refused(dead, Code::Unauthenticated, "TOKEN_INVALID");
        }
        called(&service, &ann).await.unwrap();
        called(&service, &bob.with(&of_bob)).await.unwrap();
        let next = service.session(&ann).await;
        called(&service, &ann.with(&next)).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn sessions_of_others_are_listed_and_ended_by_whoever_may_and_by_nobody_else() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let reader = service.person(&acme, "reader", &["core/AUDITOR"]).await;
        let plain = service.person(&acme, "plain", &[]).await;
        let ann = service.person(&acme, "ann", &[]).await;
        let session = service.session(&ann).await;
        let list = pb::ListSessionsRequest { user_id: ann.user_id.clone(), ..Default::default() };

        let unseen = service.sessions(&plain).list_sessions(list.clone()).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");
        let unseen = service.sessions(&plain).revoke_session(revoke(&session)).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");
        let unseen = service.sessions(&plain).revoke_all_sessions(revoke_all(&ann)).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");

        service.sessions(&reader).list_sessions(list.clone()).await.unwrap();
        let may_not = service.sessions(&reader).revoke_session(revoke(&session)).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");
        let may_not = service.sessions(&reader).revoke_all_sessions(revoke_all(&ann)).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");
        let (_, only) = service.mint(&boss.user_id, &["user.read"]).await;
        let limited = Person { token: only, ..boss.clone() };
        let may_not = service.sessions(&limited).list_sessions(list.clone()).await;
        refused(may_not, Code::PermissionDenied, "ACCESS_DENIED");

        // Named as another's, it is not there.
        let wrong = pb::RevokeSessionRequest { user_id: plain.user_id.clone(), ..revoke(&session) };
        let wrong = service.sessions(&boss).revoke_session(wrong).await;
        refused(wrong, Code::NotFound, "SESSION_NOT_FOUND");
        service.sessions(&boss).revoke_session(revoke(&session)).await.unwrap();
        assert!(!is_valid(&service, &session.access_token).await);
        service.stop().await;
    }
}

#[tokio::test]
async fn sessions_are_listed_page_by_page() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        for _ in 0..3 {
            service.session(&ann).await;
        }
        let first = pb::ListSessionsRequest { page_size: 2, ..Default::default() };
        let mut sessions = service.sessions(&ann);
        let page = sessions.list_sessions(first.clone()).await.unwrap().into_inner();
        assert_eq!(page.sessions.len(), 2);
        let next =
            pb::ListSessionsRequest { page_token: page.next_page_token.clone(), ..first.clone() };
        let rest = sessions.list_sessions(next.clone()).await.unwrap().into_inner();
        assert_eq!((rest.sessions.len(), &*rest.next_page_token), (1, ""));
        let others = service.sessions(&service.root).list_sessions(next).await;
        refused(others, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        service.stop().await;
    }
}

/// A session that was ended, that is over, or that is of somebody who may not sign in, does not come back with its user.
#[tokio::test]
async fn who_is_disabled_or_deleted_and_comes_back_signs_in_again() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let bob = service.person(&acme, "bob", &[]).await;
        let (hers, his) = (service.session(&ann).await, service.session(&bob).await);
        let active = |is_active| pb::SetUserActiveRequest {
            user_id: ann.user_id.clone(),
            is_active,
            ..Default::default()
        };
        let mut users = service.users(&service.root);
        users.set_user_active(active(false)).await.unwrap();
        let gone = pb::DeleteUserRequest { user_id: bob.user_id.clone(), ..Default::default() };
        users.delete_user(gone).await.unwrap();
        for (person, session) in [(&ann, &hers), (&bob, &his)] {
            let dead = called(&service, &person.with(session)).await;
            refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
        }
        users.set_user_active(active(true)).await.unwrap();
        let back = pb::UndeleteUserRequest { user_id: bob.user_id.clone(), ..Default::default() };
        users.undelete_user(back).await.unwrap();
        for (person, session) in [(&ann, &hers), (&bob, &his)] {
            let dead = called(&service, &person.with(session)).await;
            refused(dead, Code::Unauthenticated, "TOKEN_REVOKED");
            let dead = service.refresh(&session.refresh_token).await;
            refused(dead, Code::Unauthenticated, "TOKEN_INVALID");
            let new = service.session(person).await;
            called(&service, &person.with(&new)).await.unwrap();
        }
        service.verify(&acme).await;
        service.stop().await;
    }
}
