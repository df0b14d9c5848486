//! Acting as somebody else (`edges.md` §2, Assumed session). Case R66 of `credentials.yaml` is among them.

use std::collections::BTreeSet;

use chancery::model::Revision;
use prost_reflect::{FieldDescriptor, MethodDescriptor};
use tonic::Code;

use super::*;
use crate::raw::{methods, path};
use crate::strangers::PUBLIC;
use crate::support::{engines, refused};

/// A tenant with somebody who may act as those below, and somebody below.
async fn two(service: &Service) -> (String, Person, Person) {
    let acme = service.tenant("Acme").await;
    let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
    let ann = service.person_under(&acme, Some(&boss), "ann", &["USER"]).await;
    (acme, boss, ann)
}

fn rename(of: &Person, name: &str) -> pb::UpdateUserRequest {
    pb::UpdateUserRequest {
        user: Some(pb::User {
            user_id: of.user_id.clone(),
            first_name: Some(name.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn who_acts_as_somebody_is_named_beside_them_everywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, boss, ann) = two(&service).await;
        let (session, by) = assumed(&service, &boss, &ann).await;
        assert_eq!(session.kind(), pb::SessionKind::Assumed);
        assert_eq!((&session.user_id, &session.actor_user_id), (&ann.user_id, &boss.user_id));
        assert_eq!(session.refresh_token, "");
        let told = introspected(&service, &session.access_token).await;
        assert!(told.active && told.kind() == pb::CredentialKind::Access);
        assert_eq!((&told.user_id, &told.actor_user_id), (&ann.user_id, &boss.user_id));
        service.users(&by).update_user(rename(&ann, "Anna")).await.unwrap();
        let all = service.store.entries(acme.parse().unwrap(), Revision::default(), 1_000).await;
        let last = all.unwrap().pop().unwrap();
        assert_eq!(last.actor.unwrap().to_string(), boss.user_id);
        assert_eq!(last.acting_as.unwrap().to_string(), ann.user_id);
        let begun = service.store.entries(acme.parse().unwrap(), Revision::default(), 1_000).await;
        let begun = begun.unwrap();
        let begun = begun.iter().find(|entry| entry.change.kind.name() == "user.assume").unwrap();
        assert!(format!("{:?}", begun.change).contains("ticket 7"));
        let listed = sessions_of(&service, &ann).await;
        assert_eq!((listed.len(), &listed[0].actor_user_id), (1, &boss.user_id));
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn nobody_acts_as_who_may_more_or_who_does_not_sign_in_or_as_oneself() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, boss, ann) = two(&service).await;
        let helper = service.person_under(&acme, Some(&boss), "helper", &["USER", "ASSUME_USERS"]);
        let helper = helper.await;
        let chief = service.person_under(&acme, Some(&helper), "chief", &["SUPER_USER"]).await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let more = service.sessions(&helper).assume_user(assume(&chief)).await;
        refused(more, Code::PermissionDenied, "ESCALATION");
        let machine = service.sessions(&boss).assume_user(assume(&robot)).await;
        refused(machine, Code::InvalidArgument, "WRONG_USER_KIND");
        let oneself = service.sessions(&boss).assume_user(assume(&boss)).await;
        refused(oneself, Code::PermissionDenied, "ACCESS_DENIED");
        let unseen = service.sessions(&ann).assume_user(assume(&chief)).await;
        refused(unseen, Code::NotFound, "USER_NOT_FOUND");
        let off = pb::SetUserActiveRequest { user_id: ann.user_id.clone(), ..Default::default() };
        service.users(&boss).set_user_active(off).await.unwrap();
        let disabled = service.sessions(&boss).assume_user(assume(&ann)).await;
        refused(disabled, Code::FailedPrecondition, "USER_DISABLED");
        service.stop().await;
    }
}

#[tokio::test]
async fn in_an_assumed_session_nobody_is_assumed_and_no_credential_made() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let deputy = service.person_under(&acme, Some(&boss), "deputy", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&deputy), "ann", &[]).await;
        let session = service.session(&boss).await;
        let (_, by) = assumed(&service, &boss.with(&session), &deputy).await;
        let again = service.sessions(&by).assume_user(assume(&ann)).await;
        refused(again, Code::PermissionDenied, "ACCESS_DENIED");
        for whom in [&deputy, &ann] {
            let of =
                pb::CreateApiTokenRequest { user_id: whom.user_id.clone(), ..Default::default() };
            let made = service.tokens(&by).create_api_token(of).await;
            refused(made, Code::PermissionDenied, "ACCESS_DENIED");
        }
        let rotate =
            pb::RotateApiTokenRequest { token_id: deputy.token_id.clone(), ..Default::default() };
        let rotated = service.tokens(&by).rotate_api_token(rotate).await;
        refused(rotated, Code::PermissionDenied, "ACCESS_DENIED");
        service.stop().await;
    }
}

/// Every method that answers with a secret, but those that need no credential, which do not look at this one.
#[tokio::test]
async fn an_assumed_session_calls_nothing_that_yields_a_secret() {
    let secret = |field: &FieldDescriptor| {
        let options = field.options();
        let redacted = options.get_field_by_name("debug_redact");
        redacted.and_then(|value| value.as_bool()).unwrap_or(false)
    };
    let answers = |method: &MethodDescriptor| {
        let (mut left, mut seen) = (vec![method.output()], BTreeSet::new());
        while let Some(message) = left.pop() {
            if !seen.insert(message.full_name().to_owned()) {
                continue;
            }
            if message.fields().any(|field| secret(&field)) {
                return true;
            }
            left.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
        }
        false
    };
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let deputy = service.person_under(&acme, Some(&boss), "deputy", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&deputy), "ann", &[]).await;
        let robot = service.machine(&acme, "robot", &[]).await;
        let (_, by) = assumed(&service, &boss, &deputy).await;
        let (user_id, token_id) = (robot.user_id.clone(), robot.token_id.clone());
        let mut tokens = service.tokens(&by);
        let token = pb::CreateApiTokenRequest { user_id: user_id.clone(), ..Default::default() };
        let rotate = pb::RotateApiTokenRequest { token_id, ..Default::default() };
        let key = pb::CreateServiceKeyRequest { user_id, ..Default::default() };
        let tried = [
            ("AssumeUser", service.sessions(&by).assume_user(assume(&ann)).await.map(drop)),
            ("CreateApiToken", tokens.create_api_token(token).await.map(drop)),
            ("CreateServiceKey", tokens.create_service_key(key).await.map(drop)),
            ("RotateApiToken", tokens.rotate_api_token(rotate).await.map(drop)),
        ];
        let yielding: BTreeSet<String> = methods()
            .into_iter()
            .filter(|method| !PUBLIC.contains(&path(method).as_str()) && answers(method))
            .map(|method| method.name().to_owned())
            // Sessions are listed, and subjects found, without tokens, for which their messages have a field.
            .filter(|name| !["ListSessions", "SearchSubjects"].contains(&name.as_str()))
            .collect();
        assert_eq!(yielding, tried.iter().map(|(name, _)| (*name).to_owned()).collect());
        for (name, told) in tried {
            let told = refused(told, Code::PermissionDenied, "ACCESS_DENIED");
            assert!(!told.message().is_empty(), "{name}");
        }
        service.stop().await;
    }
}

/// A request is known again by who sends it and as whom.
#[tokio::test]
async fn a_request_of_oneself_is_another_than_one_as_somebody_else() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, boss, ann) = two(&service).await;
        let (_, by) = assumed(&service, &boss, &ann).await;
        let request_id = uuid::Uuid::new_v4().to_string();
        let rename = |name: &str| pb::UpdateUserRequest {
            request_id: request_id.clone(),
            ..rename(&ann, name)
        };
        service.users(&boss).update_user(rename("One")).await.unwrap();
        let other = service.users(&by).update_user(rename("Two")).await.unwrap().into_inner();
        assert_eq!(other.user.unwrap().first_name.as_deref(), Some("Two"));
        // As oneself, the name was used for something else.
        let again = service.users(&boss).update_user(rename("Two")).await;
        refused(again, Code::AlreadyExists, "REQUEST_ID_REUSED");
        service.verify(&acme).await;
        service.stop().await;
    }
}

/// What both may: at every question, not only when it began.
#[tokio::test]
async fn an_assumed_session_shrinks_when_the_actor_does() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, boss, _) = two(&service).await;
        let actor = service
            .person_under(&acme, Some(&boss), "actor", &["SUPER_USER", "ASSUME_USERS"])
            .await;
        let target = service.person_under(&acme, Some(&actor), "target", &["SUPER_USER"]).await;
        let victim = service.person_under(&acme, Some(&target), "victim", &[]).await;
        let (session, by) = assumed(&service, &actor, &target).await;
        let token = &session.access_token;
        service.users(&by).update_user(rename(&victim, "One")).await.unwrap();
        assert!(decides(&service, token, "update", &victim).await.decision);

        let take = pb::RemoveUserRoleRequest {
            user_id: actor.user_id.clone(),
            role_type: "SUPER_USER".to_owned(),
            ..Default::default()
        };
        service.roles(&boss).remove_user_role(take).await.unwrap();
        let smaller = decides(&service, token, "update", &victim).await;
        assert!(!smaller.decision);
        let whole = decides(&service, &target.token, "update", &victim).await;
        assert!(whole.decision, "the user itself has lost nothing");
        let may_not = service.users(&by).update_user(rename(&victim, "Two")).await;
        let status = may_not.unwrap_err();
        assert!(matches!(status.code(), Code::PermissionDenied | Code::NotFound), "{status:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn an_assumed_session_ends_with_what_it_was_begun_with() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &["USER"]).await;
        let dead = async |by: &Person| {
            refused(called(&service, by).await, Code::Unauthenticated, "TOKEN_REVOKED");
            assert!(!is_valid(&service, &by.token).await);
            assert!(!introspected(&service, &by.token).await.active);
            let answer = decides(&service, &by.token, "read", &ann).await;
            assert_eq!(answer.reason(), pb::Reason::TokenRevoked);
        };

        // With the actor's session.
        let session = service.session(&boss).await;
        let (_, by) = assumed(&service, &boss.with(&session), &ann).await;
        called(&service, &by).await.unwrap();
        service.sessions(&boss).revoke_session(revoke(&session)).await.unwrap();
        dead(&by).await;

        // With the actor's token.
        let (token_id, token) = service.mint(&boss.user_id, &["*"]).await;
        let (_, by) = assumed(&service, &Person { token, ..boss.clone() }, &ann).await;
        called(&service, &by).await.unwrap();
        let delete = pb::DeleteApiTokenRequest { token_id, ..Default::default() };
        service.tokens(&boss).delete_api_token(delete).await.unwrap();
        dead(&by).await;

        // By itself, by whoever ends the user's sessions, or after an hour.
        let (one, by) = assumed(&service, &boss, &ann).await;
        service.sessions(&boss).revoke_session(revoke(&one)).await.unwrap();
        dead(&by).await;
        let (_, by) = assumed(&service, &boss, &ann).await;
        service.sessions(&boss).revoke_all_sessions(revoke_all(&ann)).await.unwrap();
        dead(&by).await;
        let (_, by) = assumed(&service, &boss, &ann).await;
        service.advance(3599);
        called(&service, &by).await.unwrap();
        service.advance(1);
        refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_EXPIRED");

        // With the right to act as the user.
        let helper = service.person_under(&acme, Some(&boss), "helper", &["USER", "ASSUME_USERS"]);
        let helper = helper.await;
        let below = service.person_under(&acme, Some(&helper), "below", &[]).await;
        let (_, by) = assumed(&service, &helper, &below).await;
        assert!(is_valid(&service, &by.token).await);
        // What the user may by itself, and who acts does not, is not in it.
        refused(called(&service, &by).await, Code::PermissionDenied, "ACCESS_DENIED");
        let take = pb::RemoveUserRoleRequest {
            user_id: helper.user_id.clone(),
            role_type: "ASSUME_USERS".to_owned(),
            ..Default::default()
        };
        service.roles(&boss).remove_user_role(take).await.unwrap();
        refused(called(&service, &by).await, Code::Unauthenticated, "TOKEN_REVOKED");
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn the_platforms_own_people_act_as_users_of_tenants() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, _, ann) = two(&service).await;
        let root = service.root.clone();
        let (_, by) = assumed(&service, &root, &ann).await;
        let replica = service.replica().await;
        let own = pb::ListSessionsRequest::default();
        replica.sessions(&by).list_sessions(own).await.unwrap();
        service.verify(&acme).await;
        replica.stop().await;
        service.stop().await;
    }
}
