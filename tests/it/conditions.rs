//! Conditions of roles: what they see, what they refuse, and what they are worth to those who give them on.

use chancery::proto::v1 as pb;
use pb::{Missing, Reason};
use prost_types::value::Kind;
use prost_types::{FieldMask, ListValue, Struct, Value};
use tonic::Code;

use crate::support::{Person, Service, ask, beginning, engines, refused};

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn number(number: f64) -> Value {
    value(Kind::NumberValue(number))
}

fn text(text: &str) -> Value {
    value(Kind::StringValue(text.to_owned()))
}

fn object(fields: &[(&str, Value)]) -> Struct {
    let own = |(key, value): &(&str, Value)| ((*key).to_owned(), value.clone());
    Struct { fields: fields.iter().map(own).collect() }
}

fn role(name: &str, permits: &[&str], when: Option<&str>) -> pb::Role {
    pb::Role {
        name: Some(name.to_owned()),
        permits: permits.iter().map(|text| (*text).to_owned()).collect(),
        when: when.map(str::to_owned),
        on: Some(pb::Relation::Account.into()),
        ..Default::default()
    }
}

async fn made(service: &Service, account_id: &str, role: pb::Role) -> pb::Role {
    let request = pb::CreateRoleRequest {
        account_id: account_id.to_owned(),
        role: Some(role),
        ..Default::default()
    };
    let made = service.roles(&service.root).create_role(request).await.unwrap().into_inner();
    made.role.unwrap()
}

/// Sets the condition of a role, or takes it away.
fn set_when(role: &pb::Role, when: Option<&str>) -> pb::UpdateRoleRequest {
    let role =
        pb::Role { role: role.role.clone(), when: when.map(str::to_owned), ..Default::default() };
    let mask = FieldMask { paths: vec!["when".to_owned()] };
    pb::UpdateRoleRequest {
        role: Some(role),
        update_mask: Some(mask),
        force: true,
        ..Default::default()
    }
}

async fn answer(service: &Service, request: pb::AuthorizeRequest) -> pb::AuthorizeResponse {
    service.authorization(&service.root).authorize(request).await.unwrap().into_inner()
}

/// What `context.error` of an answer says.
fn error(answer: &pb::AuthorizeResponse, name: &str) -> Option<String> {
    let error = answer.context.as_ref()?.fields.get("error")?;
    let Some(Kind::StructValue(error)) = &error.kind else { panic!("{error:?}") };
    match &error.fields.get(name)?.kind {
        Some(Kind::StringValue(text)) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_role_counts_where_its_condition_holds() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let pager = role("pager", &["recording.delete"], Some("context.level > 2"));
        let pager = made(&service, &acme, pager).await;
        assert_eq!(pager.when(), "context.level > 2");
        let ann = service.person(&acme, "ann", &["pager"]).await;
        let path = format!("account/{acme}/recording/7");
        let asked = |context: Option<Struct>| pb::AuthorizeRequest {
            context,
            ..ask(&ann.user_id, "delete", "recording", &path)
        };
        let level = |level: f64| Some(object(&[("level", number(level))]));

        let permit = answer(&service, asked(level(3.0))).await;
        assert!(permit.decision && permit.context.is_none());
        let deny = answer(&service, asked(level(2.0))).await;
        assert_eq!((deny.reason(), deny.missing()), (Reason::NoGrant, Missing::ConditionFailed));
        assert!(deny.context.is_none(), "it could be evaluated");

        for (context, field) in [
            (None, "level"),
            (Some(object(&[("lever", number(3.0))])), "level"),
            (Some(object(&[("level", text("much"))])), ""),
        ] {
            let deny = answer(&service, asked(context)).await;
            assert_eq!(deny.missing(), Missing::ConditionFailed);
            assert_eq!(error(&deny, "reason").unwrap(), "CONDITION_FAILED");
            assert_eq!(error(&deny, "code").unwrap(), "INVALID_ARGUMENT");
            assert_eq!(error(&deny, "field").unwrap(), field);
            let message = error(&deny, "message").unwrap();
            assert!(message.contains("`pager`") && !message.contains("much"), "{message}");
        }

        // A condition is changed, and taken away.
        let change = set_when(&pager, Some("context.level > 5"));
        service.roles(&service.root).update_role(change).await.unwrap();
        assert!(!answer(&service, asked(level(3.0))).await.decision);
        let changed = service.roles(&service.root).update_role(set_when(&pager, None)).await;
        assert_eq!(changed.unwrap().into_inner().role.unwrap().when, None);
        assert!(answer(&service, asked(None)).await.decision);
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_condition_sees_subject_action_resource_and_the_time() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let end = (beginning() + chrono::TimeDelta::hours(1)).to_rfc3339();
        let when = format!(
            "subject.user_name == 'Ann' && subject.kind == 'ADMIN' && subject.type == 'user' && \
             subject.account_id == resource.account_id && action.name == 'recording.delete' && \
             resource.type == 'recording' && resource.id == '7' && \
             resource.path == 'account/' + string(0) || \
             (resource.path.endsWith('/recording/7') && subject.user_name == 'Ann' && \
              subject.properties.teams.exists(t, t == resource.properties.team) && \
              action.properties.careful && now < timestamp('{end}'))"
        );
        // Texts are not added.
        let request = pb::CreateRoleRequest {
            account_id: acme.clone(),
            role: Some(role("sees", &["recording.delete"], Some(&when))),
            ..Default::default()
        };
        let result = service.roles(&service.root).create_role(request).await;
        refused(result, Code::InvalidArgument, "INVALID_CONDITION");
        let when = when.replace("resource.path == 'account/' + string(0) || ", "");
        made(&service, &acme, role("sees", &["recording.delete"], Some(&when))).await;
        let ann = service.person(&acme, "Ann", &["sees"]).await;
        let path = format!("account/{acme}/recording/7");
        let mut asked = ask(&ann.user_id, "Delete", "Recording", &path);
        let teams = ListValue { values: vec![text("red"), text("blue")] };
        asked.subject.as_mut().unwrap().properties =
            Some(object(&[("teams", value(Kind::ListValue(teams)))]));
        asked.resource.as_mut().unwrap().properties = Some(object(&[("team", text("blue"))]));
        asked.action.as_mut().unwrap().properties =
            Some(object(&[("careful", value(Kind::BoolValue(true)))]));
        assert!(answer(&service, asked.clone()).await.decision);
        service.advance(3600);
        let late = answer(&service, asked).await;
        assert_eq!((late.missing(), late.context), (Missing::ConditionFailed, None));
        service.stop().await;
    }
}

#[tokio::test]
async fn our_own_calls_are_judged_under_conditions_too() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let end = (beginning() + chrono::TimeDelta::hours(1)).to_rfc3339();
        let day = format!("now < timestamp('{end}')");
        made(&service, &acme, role("day_shift", &["user.read"], Some(&day))).await;
        let said = role("by_word", &["user.read"], Some("context.word == 'please'"));
        made(&service, &acme, said).await;
        let day = service.person(&acme, "day", &["day_shift"]).await;
        let word = service.person(&acme, "word", &["by_word"]).await;
        let get = pb::GetUserRequest { user_id: word.user_id.clone() };
        service.users(&day).get_user(get.clone()).await.unwrap();
        service.advance(3600);
        let late = service.users(&day).get_user(get).await;
        refused(late, Code::NotFound, "USER_NOT_FOUND");
        // To our own calls nobody adds words.
        let get = pb::GetUserRequest { user_id: day.user_id.clone() };
        refused(service.users(&word).get_user(get).await, Code::NotFound, "USER_NOT_FOUND");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_condition_is_refused_with_what_is_wrong() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let fine = role("fine", &["recording.read"], Some("context.level > 2"));
        let fine = made(&service, &acme, fine).await;
        for (when, what) in [
            ("context.level >", "CEL"),
            ("user.id == 'x'", "`user`"),
            ("subject.name == 'x'", "`name`"),
            ("run('x')", "`run`"),
            ("context.name.matches('.*')", "`matches`"),
            ("context.list.map(x, x) == []", "`map`"),
            ("  ", "empty"),
        ] {
            let request = pb::CreateRoleRequest {
                account_id: acme.clone(),
                role: Some(role("bad", &["recording.read"], Some(when))),
                ..Default::default()
            };
            let results = [
                service.roles(&service.root).create_role(request).await.map(|_| ()),
                service
                    .roles(&service.root)
                    .update_role(set_when(&fine, Some(when)))
                    .await
                    .map(|_| ()),
            ];
            for result in results {
                let status = refused(result, Code::InvalidArgument, "INVALID_CONDITION");
                assert!(status.message().starts_with("role.when"), "{}", status.message());
                assert!(status.message().contains(what), "{}", status.message());
            }
        }
        service.stop().await;
    }
}

fn give(to: &Person, role: &pb::Role) -> pb::AddUserRoleRequest {
    pb::AddUserRoleRequest {
        user_id: to.user_id.clone(),
        role_type: role.role.clone(),
        // The root made tokens of everybody here.
        force: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn who_holds_under_a_condition_gives_only_under_the_same() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let pager = |name: &str, when| role(name, &["recording.delete"], when);
        made(&service, &acme, pager("same", Some("context.level > 2"))).await;
        let twin = made(&service, &acme, pager("twin", Some("context.level > 2"))).await;
        let other = made(&service, &acme, pager("other", Some("context.level > 1"))).await;
        let free = made(&service, &acme, pager("free", None)).await;
        let edits = ["role.*", "user.read", "account.read"];
        made(&service, &acme, role("editor", &edits, None)).await;
        let under = service.person(&acme, "under", &["editor", "same"]).await;
        let unbound = service.person(&acme, "unbound", &["editor", "free"]).await;
        let holder = service.person(&acme, "holder", &[]).await;

        service.roles(&under).add_user_role(give(&holder, &twin)).await.unwrap();
        for more in [&other, &free] {
            let result = service.roles(&under).add_user_role(give(&holder, more)).await;
            refused(result, Code::PermissionDenied, "ESCALATION");
        }
        for when in [None, Some("context.level > 1")] {
            let result = service.roles(&under).update_role(set_when(&twin, when)).await;
            refused(result, Code::PermissionDenied, "ESCALATION");
        }
        // Who holds it under none gives it under any.
        service.roles(&unbound).add_user_role(give(&holder, &other)).await.unwrap();
        service.roles(&unbound).update_role(set_when(&twin, None)).await.unwrap();
        service.verify(&acme).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_batch_lends_its_context_whole_to_questions_without_one() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let when = "context.level > 2 && context.word == 'please'";
        made(&service, &acme, role("pager", &["recording.delete"], Some(when))).await;
        let ann = service.person(&acme, "ann", &["pager"]).await;
        let path = format!("account/{acme}/recording/7");
        let asked = ask(&ann.user_id, "delete", "recording", &path);
        let item =
            |context: Option<Struct>| pb::EvaluationRequest { context, ..Default::default() };
        let request = pb::BatchAuthorizeRequest {
            subject: asked.subject,
            action: asked.action,
            resource: asked.resource,
            context: Some(object(&[("level", number(3.0)), ("word", text("please"))])),
            evaluations: vec![
                item(None),
                item(Some(object(&[("level", number(3.0))]))),
                item(Some(object(&[("level", number(2.0))]))),
                item(Some(object(&[("long", text(&"x".repeat(9000)))]))),
            ],
            ..Default::default()
        };
        let answers = service.authorization(&service.root).batch_authorize(request).await.unwrap();
        let answers = answers.into_inner().evaluations;
        let said: Vec<_> = answers.iter().map(|one| (one.decision, error(one, "field"))).collect();
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(
            said,
            [(true, None), (false, field("word")), (false, None), (false, field("context"))]
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_said_is_bounded() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let ann = service.person(&acme, "ann", &[]).await;
        let asked = |context| pb::AuthorizeRequest {
            context: Some(context),
            ..ask(&ann.user_id, "read", "account", &acme)
        };
        let mut deep = number(1.0);
        for _ in 0..8 {
            deep = value(Kind::ListValue(ListValue { values: vec![deep] }));
        }
        for bad in [
            object(&[("long", text(&"x".repeat(8192)))]),
            object(&[("deep", deep)]),
            object(&[("number", number(f64::NAN))]),
        ] {
            let result = service.authorization(&service.root).authorize(asked(bad.clone())).await;
            let status = refused(result, Code::InvalidArgument, "INVALID_FIELD");
            assert!(status.message().starts_with("context"), "{}", status.message());
            let mut other = ask(&ann.user_id, "read", "account", &acme);
            other.resource.as_mut().unwrap().properties = Some(bad);
            let result = service.authorization(&service.root).authorize(other).await;
            let status = refused(result, Code::InvalidArgument, "INVALID_FIELD");
            assert!(status.message().starts_with("resource.properties"), "{}", status.message());
        }
        service.stop().await;
    }
}
