//! What a user gains, whoever else may know its credentials gains.

use chancery::proto::v1 as pb;
use tonic::Code;

use super::{give, given, made, role, texts, update};
use crate::support::{Person, Service, engines, refused};

/// Makes a user of whom nobody has a token yet.
async fn user(service: &Service, account: &str, name: &str, roles: &[&str]) -> Person {
    let one = service.person(account, name, roles).await;
    let ended = pb::DeleteApiTokenRequest { token_id: one.token_id.clone(), ..Default::default() };
    service.tokens(&service.root).delete_api_token(ended).await.unwrap();
    one
}

/// Makes a token of a user, with which the user then calls.
async fn token(service: &Service, by: &Person, of: &Person) -> Person {
    let request = pb::CreateApiTokenRequest {
        user_id: of.user_id.clone(),
        scopes: texts(&["*"]),
        ..Default::default()
    };
    let made = service.tokens(by).create_api_token(request).await.unwrap().into_inner();
    let token_id = made.api_token.unwrap().token_id;
    Person { token: made.secret, token_id, ..of.clone() }
}

/// Gives a role and is told which tokens others may know.
async fn stopped(service: &Service, by: &Person, to: &Person) -> String {
    let answer = service.roles(by).add_user_role(give(&to.user_id, "WFO_ACCESS")).await;
    refused(answer, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS").message().to_owned()
}

#[tokio::test]
async fn a_token_that_was_made_with_a_token_is_known_to_whoever_made_the_first() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let b = service.person(&acme, "b", &["SUPER_USER"]).await;
        let c = service.person(&acme, "c", &["SUPER_USER"]).await;
        let a = user(&service, &acme, "a", &[]).await;
        let first = token(&service, &b, &a).await;
        let second = token(&service, &first, &a).await;
        let told = stopped(&service, &c, &a).await;
        for one in [&first, &second] {
            assert!(told.contains(&one.token_id), "{told}");
        }
        // Put in the place of itself it is no better, nor is what is made with that, nor on another replica.
        let request =
            pb::RotateApiTokenRequest { token_id: second.token_id.clone(), ..Default::default() };
        let made = service.tokens(&second).rotate_api_token(request).await.unwrap().into_inner();
        let token_id = made.api_token.unwrap().token_id;
        let third = Person { token: made.secret, token_id, ..a.clone() };
        let fourth = token(&service, &third, &a).await;
        let replica = service.replica().await;
        for service in [&service, &replica] {
            let told = stopped(service, &c, &a).await;
            assert!(told.contains(&third.token_id) && told.contains(&fourth.token_id), "{told}");
        }
        replica.stop().await;
        // Nobody but `b` may know any of them.
        service.roles(&b).add_user_role(give(&a.user_id, "WFO_ACCESS")).await.unwrap();
        let forced = pb::AddUserRoleRequest { force: true, ..give(&a.user_id, "USER") };
        service.roles(&c).add_user_role(forced).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn an_edit_that_gives_more_is_a_grant_to_each_holder() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let base = made(&service, &acme, role("base", &["recording.read", "gate.read"])).await;
        let upper = pb::Role { includes: texts(&["base"]), ..role("upper", &[]) };
        made(&service, &acme, upper).await;
        // The root made the tokens of both.
        let one = service.person(&acme, "one", &[]).await;
        let two = service.person(&acme, "two", &[]).await;
        given(&service, &one, "base").await;
        given(&service, &two, "upper").await;
        let edit = |permits: &[&str]| {
            let role = pb::Role { permits: texts(permits), ..Default::default() };
            update(pb::Role { role: base.role.clone(), ..role }, &["permits"])
        };
        let wider = edit(&["recording.read", "recording.delete"]);
        let answer = service.roles(&boss).update_role(wider.clone()).await;
        let told = refused(answer, Code::FailedPrecondition, "CREDENTIALS_BY_OTHERS");
        for token in [&one.token_id, &two.token_id] {
            assert!(told.message().contains(token), "{}", told.message());
        }
        let dry = pb::UpdateRoleRequest { validate_only: true, ..wider.clone() };
        let shown = service.roles(&boss).update_role(dry).await.unwrap().into_inner();
        let warnings = shown.preview.unwrap().warnings;
        assert_eq!((warnings.len(), warnings[0].entity_ids.len()), (1, 2));
        assert_eq!(warnings[0].reason, "CREDENTIALS_BY_OTHERS");
        // To give less, or the same, is to give nothing.
        service.roles(&boss).update_role(edit(&["recording.read"])).await.unwrap();
        service.roles(&boss).update_role(edit(&["recording.read"])).await.unwrap();
        let forced = pb::UpdateRoleRequest { force: true, ..wider };
        service.roles(&boss).update_role(forced).await.unwrap();
        // Who made them himself may.
        let all = edit(&["recording.*"]);
        service.roles(&service.root).update_role(all).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}
