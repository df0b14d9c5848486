//! Every RPC, from the descriptors: by nobody, with bad credentials, by outsiders, and with bad input.
//!
//! A method that is added is tested here without a line being written.

use std::collections::BTreeSet;

use bytes::Bytes;
use chancery::decision::Access;
use chancery::layers::Rules;
use chancery::proto;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config as Runs, TestRunner};
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, ReflectMessage as _, Value};
use tonic::{Code, Request};

use crate::raw::{call, call_with, methods, path, set};
use crate::support::{Person, Service, engines, said, stranger};

/// The RPCs that anybody may call. A reviewer sees this list grow.
pub(crate) const PUBLIC: &[&str] = &[
    "/chancery.v1.SessionService/CreateSession",
    "/chancery.v1.SessionService/ExchangeToken",
    "/chancery.v1.SessionService/RefreshSession",
    "/chancery.v1.SessionService/RequestPasswordReset",
    "/chancery.v1.SessionService/ResetPassword",
    "/chancery.v1.TokenService/GetJwks",
    "/chancery.v1.TokenService/ValidateToken",
];

/// The RPCs that need a credential and no right: each is about its caller alone, and a test of its own shows that.
const OWN: &[(&str, &str)] =
    &[("/chancery.v1.SessionService/ChangePassword", include_str!("password/changing.rs"))];

/// What a request needs besides ids, to be well formed.
fn fill(message: &mut DynamicMessage) {
    for (path, value) in [
        ("user.user_name", "somebody"),
        ("account.display_name", "Something"),
        ("user_name", "somebody"),
        ("password", "no password of anybody"),
        ("current_password", "no password of anybody"),
        ("new_password", "nor is this one"),
        ("role.name", "some_role"),
        ("role_type", "USER"),
        ("rights_document.rights_doc_name", "Something"),
        ("catalogue_yaml", "{ catalogue: some, version: 1 }"),
        ("subject.type", "user"),
        ("action.name", "read"),
        ("resource.type", "account"),
        ("reason", "because"),
        ("session_id", "ses_01h455vb4pex5vsknk084sn02q"),
        ("refresh_token", "no credential of anybody"),
        ("subject_token", "no credential of anybody"),
        ("key_id", "key_01h455vb4pex5vsknk084sn02q"),
    ] {
        set(message, path, Value::String(value.to_owned()));
    }
}

/// A well-formed request that names objects by the ids given.
pub(crate) fn about(method: &MethodDescriptor, ids: &Ids) -> DynamicMessage {
    let mut message = DynamicMessage::new(method.input());
    fill(&mut message);
    for (path, id) in [
        ("account_id", &ids.account),
        ("account", &ids.account),
        ("account.account_id", &ids.account),
        ("parent_account_id", &ids.account),
        ("new_parent_account_id", &ids.account),
        ("user_id", &ids.user),
        ("user.user_id", &ids.user),
        ("old_user_id", &ids.user),
        ("reassign_user_id", &ids.user),
        ("parent_user_id", &ids.user),
        ("token_id", &ids.token),
        ("role.role", &ids.role),
        ("rights_doc_id", &ids.document),
        ("rights_document.rights_doc_id", &ids.document),
        ("assigned_user_id", &ids.user),
        ("other_user_id", &ids.user),
        ("suspend_account.account_id", &ids.account),
        ("subject.id", &ids.user),
        ("resource.id", &ids.account),
    ] {
        set(&mut message, path, Value::String(id.clone()));
    }
    set(&mut message, "user_ids", Value::List(vec![Value::String(ids.user.clone())]));
    if message.descriptor().get_field_by_name("token_id").is_none() {
        set(&mut message, "token", Value::String("no credential of anybody".to_owned()));
    }
    let takes_role = ["GetRole", "DeleteRole"].contains(&method.name());
    if takes_role {
        set(&mut message, "role", Value::String(ids.role.clone()));
    }
    message
}

/// What a request names.
#[derive(Debug)]
pub(crate) struct Ids {
    account: String,
    user: String,
    token: String,
    role: String,
    document: String,
}

impl Ids {
    /// Ids of the right form that nothing has.
    pub(crate) fn absent() -> Self {
        let tail = "01h455vb4pex5vsknk084sn02q";
        Self {
            account: format!("acc_{tail}"),
            user: format!("usr_{tail}"),
            token: format!("tok_{tail}"),
            role: format!("rol_{tail}"),
            document: format!("doc_{tail}"),
        }
    }

    fn in_text(&self, text: &str) -> String {
        [&self.account, &self.user, &self.token, &self.role, &self.document]
            .iter()
            .fold(text.to_owned(), |text, id| text.replace(id.as_str(), "X"))
    }
}

#[test]
fn every_method_has_a_rule_and_only_the_known_ones_are_open() {
    let rules = Rules::parse(&proto::pool().unwrap()).unwrap();
    let that = |is: fn(&Access) -> bool| -> BTreeSet<String> {
        let ours = rules.iter().filter(|rule| rule.method.starts_with("/chancery."));
        ours.filter(|rule| is(&rule.access)).map(|rule| rule.method.to_string()).collect()
    };
    let own = that(|access| matches!(access, Access::Own));
    assert_eq!(own, OWN.iter().map(|(path, _)| (*path).to_owned()).collect());
    for (path, test) in OWN {
        let method = methods().into_iter().find(|method| crate::raw::path(method) == *path);
        // Whom it is about is not for its caller to say.
        for field in method.unwrap().input().fields() {
            let name = field.name();
            assert!(!name.ends_with("_id") && !matches!(field.kind(), Kind::Message(_)), "{name}");
        }
        assert!(test.contains("nobody_else_is_touched"), "{path}");
    }
    let open = that(|access| matches!(access, Access::Public));
    assert_eq!(open, PUBLIC.iter().map(|path| (*path).to_owned()).collect());
    for method in methods() {
        assert!(rules.of(&path(&method)).is_some());
    }
}

#[tokio::test]
async fn nobody_and_bad_credentials_are_unauthenticated_everywhere() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let unknown = "chy_pat_000000000000000000000000000000000000";
        let checked = stranger();
        for method in methods() {
            let path = path(&method);
            if PUBLIC.contains(&path.as_str()) {
                continue;
            }
            let message = about(&method, &Ids::absent()).encode_to_vec();
            let nobody = call(service.by(""), &path, message.clone()).await.unwrap_err();
            assert_eq!(
                said(&nobody),
                (Code::Unauthenticated, "TOKEN_MISSING".to_owned()),
                "{path}"
            );
            for bad in ["x", unknown, checked.as_str(), "Bearer Bearer"] {
                let error = call(service.by(bad), &path, message.clone()).await.unwrap_err();
                assert_eq!(
                    said(&error),
                    (Code::Unauthenticated, "TOKEN_INVALID".to_owned()),
                    "{path}"
                );
            }
            // A second credential makes both worthless, be they the same.
            let mut twice = Request::new(Bytes::from(message));
            let value = format!("Bearer {}", service.root.token);
            twice.metadata_mut().append("authorization", value.parse().unwrap());
            twice.metadata_mut().append("x-auth-token", service.root.token.parse().unwrap());
            let error = call_with(service.by(""), &path, twice).await.unwrap_err();
            assert_eq!(said(&error), (Code::Unauthenticated, "TOKEN_INVALID".to_owned()), "{path}");
        }
    }
}

/// A tenant with somebody in it, a role of its own, a token and a rights document.
pub(crate) async fn tenant(service: &Service, name: &str) -> (Ids, Person) {
    let account = service.tenant(name).await;
    let boss = service.person(&account, "boss", &["SUPER_USER"]).await;
    let other = service.person_under(&account, Some(&boss), "other", &["USER"]).await;
    let role = chancery::proto::v1::Role {
        name: Some("some_role".to_owned()),
        permits: vec!["account.read".to_owned()],
        ..Default::default()
    };
    let request = chancery::proto::v1::CreateRoleRequest {
        account_id: account.clone(),
        role: Some(role),
        ..Default::default()
    };
    let made = service.roles(&boss).create_role(request).await.unwrap().into_inner();
    let document = chancery::proto::v1::RightsDocument {
        rights_doc_name: Some("Some document".to_owned()),
        ..Default::default()
    };
    let request = chancery::proto::v1::CreateRightsDocumentRequest {
        rights_document: Some(document),
        ..Default::default()
    };
    let written = service.rights(&boss).create_rights_document(request).await.unwrap().into_inner();
    let ids = Ids {
        account,
        user: other.user_id,
        token: other.token_id,
        role: made.role.unwrap().role,
        document: written.rights_document.unwrap().rights_doc_id,
    };
    (ids, boss)
}

/// These name no object, or answer about it instead of refusing.
const ANSWERING: [&str; 19] = [
    "ChangePassword",
    "RequestPasswordReset",
    "ResetPassword",
    "ListCatalogues",
    "ValidateToken",
    "GetJwks",
    "CreateSession",
    "ExchangeToken",
    "RefreshSession",
    "IntrospectToken",
    "ExplainToken",
    "ListExpiring",
    "ReportLeakedToken",
    "Authorize",
    "BatchAuthorize",
    "ExplainAuthorization",
    "SearchSubjects",
    "SearchActions",
    "SearchResources",
];

#[tokio::test]
async fn what_lies_in_a_foreign_tenant_is_not_there_in_the_same_words() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (_, stranger) = tenant(&service, "Acme").await;
        let (theirs, _) = tenant(&service, "Umbrella").await;
        let absent = Ids::absent();
        for method in methods() {
            let path = path(&method);
            let mut said_of = Vec::new();
            for ids in [&theirs, &absent] {
                let message = about(&method, ids).encode_to_vec();
                let answer = call(service.by(&stranger.token), &path, message).await;
                if !ANSWERING.contains(&method.name()) {
                    let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
                    assert_eq!(code, Code::NotFound, "{path}");
                }
                let refusal = answer.map(drop);
                said_of.push(refusal.map_err(|error| (said(&error), ids.in_text(error.message()))));
            }
            assert_eq!(said_of[0], said_of[1], "{path}");
        }
        service.verify(&theirs.account).await;
    }
}

/// Whether the object of a method is a user or what is a user's, which a colleague without any role does not see.
fn is_of_user(method: &MethodDescriptor) -> bool {
    let named = ["user_id", "old_user_id", "token_id", "user.user_id", "assigned_user_id"];
    let mut message = DynamicMessage::new(method.input());
    named.iter().any(|name| set(&mut message, name, Value::String(String::new())))
        && !["CreateUser", "ListUsers", "ListActivity"].contains(&method.name())
}

/// Every method that names anything: what may not be seen is told in the words for what is not there, also where it is not
/// the object, as a parent or a role.
#[tokio::test]
async fn a_colleague_who_may_not_be_seen_is_not_there_in_the_same_words() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (theirs, boss) = tenant(&service, "Acme").await;
        let plain = service.person_under(&theirs.account, Some(&boss), "plain", &[]).await;
        let absent = Ids { account: theirs.account.clone(), ..Ids::absent() };
        for method in methods() {
            let path = path(&method);
            let mut said_of = Vec::new();
            for ids in [&theirs, &absent] {
                let message = about(&method, ids).encode_to_vec();
                let answer = call(service.by(&plain.token), &path, message).await;
                if is_of_user(&method) {
                    let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
                    assert_eq!(code, Code::NotFound, "{path}");
                }
                let refusal = answer.map(drop);
                said_of.push(refusal.map_err(|error| (said(&error), ids.in_text(error.message()))));
            }
            assert_eq!(said_of[0], said_of[1], "{path}");
        }
    }
}

/// Random values for the fields of a message, near what is expected and far from it.
fn scramble(message: &mut DynamicMessage, runner: &mut TestRunner, depth: usize) {
    let texts = prop_oneof![
        Just(String::new()),
        Just("usr_01h455vb4pex5vsknk084sn02q".to_owned()),
        Just("acc_01h455vb4pex5vsknk084sn02q".to_owned()),
        Just("account/acc_01h455vb4pex5vsknk084sn02q/user/-".to_owned()),
        Just("*".to_owned()),
        ".{0,20}",
        "[a-z_]{1,20}",
        Just("x".repeat(5000)),
    ];
    let fields: Vec<_> = message.descriptor().fields().collect();
    for field in fields {
        let skip = prop::bool::weighted(0.4).new_tree(runner).unwrap().current();
        if skip {
            continue;
        }
        let one = |runner: &mut TestRunner| match field.kind() {
            Kind::String => Some(Value::String(texts.new_tree(runner).unwrap().current())),
            Kind::Bool => Some(Value::Bool(any::<bool>().new_tree(runner).unwrap().current())),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Some(Value::I32(any::<i32>().new_tree(runner).unwrap().current()))
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                Some(Value::I64(any::<i64>().new_tree(runner).unwrap().current()))
            }
            Kind::Uint32 | Kind::Fixed32 => {
                Some(Value::U32(any::<u32>().new_tree(runner).unwrap().current()))
            }
            Kind::Uint64 | Kind::Fixed64 => {
                Some(Value::U64(any::<u64>().new_tree(runner).unwrap().current()))
            }
            Kind::Double => Some(Value::F64(any::<f64>().new_tree(runner).unwrap().current())),
            Kind::Enum(_) => {
                Some(Value::EnumNumber((-2..12_i32).new_tree(runner).unwrap().current()))
            }
            Kind::Message(inner) if depth < 3 => {
                let mut inner = DynamicMessage::new(inner);
                scramble(&mut inner, runner, depth + 1);
                Some(Value::Message(inner))
            }
            _ => None,
        };
        if field.is_map() {
            continue;
        }
        if field.is_list() {
            let many = (0..3_usize).new_tree(runner).unwrap().current();
            let list: Vec<Value> = (0..many).filter_map(|_| one(runner)).collect();
            let _ = message.try_set_field(&field, Value::List(list));
        } else if let Some(value) = one(runner) {
            let _ = message.try_set_field(&field, value);
        }
    }
}

/// The codes that bad input may end in. `INTERNAL` and `UNKNOWN` are faults of ours.
fn is_sane(code: Code) -> bool {
    !matches!(code, Code::Internal | Code::Unknown | Code::DataLoss)
}

#[tokio::test]
async fn no_bytes_and_no_values_break_any_method() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let mut runner = TestRunner::deterministic();
        let bytes = prop::collection::vec(any::<u8>(), 0..80);
        for method in methods() {
            let path = path(&method);
            for round in 0..30 {
                let message = if round % 3 == 0 {
                    bytes.new_tree(&mut runner).unwrap().current()
                } else {
                    let mut message = DynamicMessage::new(method.input());
                    fill(&mut message);
                    scramble(&mut message, &mut runner, 0);
                    message.encode_to_vec()
                };
                let result = call(service.by(&service.root.token), &path, message.clone()).await;
                if let Err(error) = result {
                    assert!(is_sane(error.code()), "{path} {message:?}: {error:?}");
                    if error.code() == Code::InvalidArgument {
                        let _ = said(&error);
                    }
                }
            }
        }
        let root = service.root.account_id.clone();
        service.verify(&root).await;
        let _ = Runs::default();
    }
}
