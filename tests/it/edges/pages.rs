//! Pages: the same for every replica, and judged anew each time.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::take;
use crate::support::{Service, engines, refused};

fn page(page_token: &str) -> pb::ListUsersRequest {
    pb::ListUsersRequest {
        flatten: true,
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_page_goes_on_at_another_replica() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        service.person(&acme, "second", &[]).await;
        let other = service.replica().await;
        let first = service.users(&boss).list_users(page("")).await.unwrap().into_inner();
        let token = &first.next_page_token;
        let second = other.users(&boss).list_users(page(token)).await.unwrap().into_inner();
        assert_eq!((second.users.len(), second.next_page_token.as_str()), (1, ""));
        assert_ne!(second.users[0].user_id, first.users[0].user_id);
        // It says nothing of where it goes on.
        assert!(!token.contains(first.users[0].user_id.trim_start_matches("usr_")));
        other.stop().await;
    }
}

#[tokio::test]
async fn who_has_lost_the_right_gets_no_further_page() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let reader = service.person(&acme, "reader", &["AUDITOR"]).await;
        service.person(&acme, "second", &[]).await;
        let first = service.users(&reader).list_users(page("")).await.unwrap().into_inner();
        let taken = take(&reader.user_id, "AUDITOR");
        service.roles(&service.root).remove_user_role(taken).await.unwrap();
        let second = service.users(&reader).list_users(page(&first.next_page_token)).await;
        refused(second, Code::PermissionDenied, "ACCESS_DENIED");
    }
}
