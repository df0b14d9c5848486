//! What happens to a request before anybody looks at what it says.

use chancery::proto::v1 as pb;
use tonic::Code;

use crate::meddle::Meddler;
use crate::support::{Person, Service, engines, refused, stranger};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_house_is_shown_to_none_but_those_who_may_come_in() {
    for engine in engines() {
        let service = Service::start_with(&engine, &[("limits.in_flight", "1")]).await;
        let list =
            async |by: &Person| service.users(by).list_users(pb::ListUsersRequest::default()).await;
        let with = |token: &str| Person { token: token.to_owned(), ..service.root.clone() };
        // A change that waits for another writer holds the one place.
        let other = Meddler::new(&service.url).await;
        other.take_the_lock().await;
        let waiting = tokio::spawn({
            let mut accounts = service.accounts(&service.root);
            let account =
                pb::Account { display_name: Some("Acme".to_owned()), ..Default::default() };
            let request = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
            async move {
                // The lists below may be in the one place.
                while let Err(status) = accounts.create_account(request.clone()).await {
                    refused(Err::<(), _>(status), Code::ResourceExhausted, "OVERLOADED");
                }
            }
        });
        while list(&service.root).await.is_ok() {
            tokio::task::yield_now().await;
        }
        refused(list(&service.root).await, Code::ResourceExhausted, "OVERLOADED");
        refused(list(&with("")).await, Code::Unauthenticated, "TOKEN_MISSING");
        refused(list(&with("x")).await, Code::Unauthenticated, "TOKEN_INVALID");
        refused(list(&with(&stranger())).await, Code::Unauthenticated, "TOKEN_INVALID");
        assert!(!waiting.is_finished(), "the house was full all the while");
        other.run("rollback").await;
        waiting.await.unwrap();
        assert!(list(&service.root).await.is_ok());
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_too_long_is_told_to_those_alone_who_may_come_in() {
    for engine in engines() {
        let service = Service::start_with(&engine, &[("limits.message_bytes", "4096")]).await;
        let request = || pb::ListUsersRequest { filter: "x".repeat(5_000), ..Default::default() };
        let nobody = Person { token: String::new(), ..service.root.clone() };
        let answer = service.users(&nobody).list_users(request()).await;
        refused(answer, Code::Unauthenticated, "TOKEN_MISSING");
        let answer = service.users(&service.root).list_users(request()).await;
        refused(answer, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
        service.stop().await;
    }
}
