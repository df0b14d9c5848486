//! `PreviewChange`: every change can be asked about without making it, by whoever may make it and preview it.

use std::collections::BTreeSet;

use chancery::proto;
use chancery::proto::v1 as pb;
use chancery::proto::v1::preview_change_request::Change;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};
use tonic::{Code, Status};

use crate::examples::{Scene, changing};
use crate::raw::{call, path, set};
use crate::strangers::about;
use crate::support::{Person, Service, engines, refused, said};

/// Wraps the request of any change into one that asks what it would do.
fn asking(change: &DynamicMessage) -> DynamicMessage {
    let asks = proto::pool().unwrap().get_message_by_name("chancery.v1.PreviewChangeRequest");
    let mut asking = DynamicMessage::new(asks.unwrap());
    let fields = asking.descriptor().oneofs().next().unwrap();
    let is = |field: &prost_reflect::FieldDescriptor| {
        field.kind().as_message().map(|kind| kind.full_name().to_owned())
            == Some(change.descriptor().full_name().to_owned())
    };
    let field =
        fields.fields().find(is).unwrap_or_else(|| panic!("{}", change.descriptor().full_name()));
    asking.set_field(&field, Value::Message(change.clone()));
    asking
}

async fn previewed(
    service: &Service,
    by: &Person,
    change: &DynamicMessage,
) -> Result<pb::PreviewChangeResponse, Status> {
    let path = "/chancery.v1.AuthorizationService/PreviewChange";
    let bytes = call(service.by(&by.token), path, asking(change).encode_to_vec()).await?;
    Ok(pb::PreviewChangeResponse::decode(bytes).unwrap())
}

async fn preview(
    service: &Service,
    by: &Person,
    change: Option<Change>,
    page_size: i32,
    page_token: &str,
) -> Result<pb::PreviewChangeResponse, Status> {
    let page_token = page_token.to_owned();
    let request = pb::PreviewChangeRequest { change, page_size, page_token };
    Ok(service.authorization(by).preview_change(request).await?.into_inner())
}

fn suspend(account_id: &str) -> Change {
    let account_id = account_id.to_owned();
    Change::SuspendAccount(pb::SuspendAccountRequest { account_id, ..Default::default() })
}

async fn rehearsed(
    service: &Service,
    by: &Person,
    method: &MethodDescriptor,
    change: &DynamicMessage,
) -> Result<pb::Preview, Status> {
    let mut dry = change.clone();
    assert!(set(&mut dry, "validate_only", Value::Bool(true)));
    let bytes = call(service.by(&by.token), &path(method), dry.encode_to_vec()).await?;
    let reply = DynamicMessage::decode(method.output(), bytes).unwrap();
    let preview = reply.get_field_by_name("preview").unwrap();
    Ok(pb::Preview::decode(preview.as_message().unwrap().encode_to_vec().as_slice()).unwrap())
}

#[tokio::test]
async fn every_change_is_previewed_as_it_is_rehearsed_and_made_by_neither() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let mut scene = Scene::new(&service).await;
        for method in changing() {
            let name = method.full_name().to_owned();
            let [example, _] = scene.example(&method).await;
            let told = previewed(&service, &service.root, &example).await;
            let told = told.unwrap_or_else(|e| panic!("{name}: {e:?}")).preview.unwrap();
            let wanted = rehearsed(&service, &service.root, &method, &example).await;
            let wanted = wanted.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            // Nothing happened in between, and the answers are the same but for permissions that were not all named.
            assert_eq!(told.revision, wanted.revision, "{name}");
            assert_eq!(told.warnings, wanted.warnings, "{name}");
            assert_eq!(told.tokens_ending, wanted.tokens_ending, "{name}");
            let counts = |preview: &pb::Preview| -> Vec<(u32, u32)> {
                preview.users.iter().map(|one| (one.gained_count, one.lost_count)).collect()
            };
            assert_eq!(counts(&told), counts(&wanted), "{name}");
            for user in &told.users {
                let named = (user.gained.len(), user.lost.len());
                assert_eq!(named, (user.gained_count as usize, user.lost_count as usize), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_change_is_refused_for_its_preview_is_refused_for() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (theirs, _) = crate::strangers::tenant(&service, "Acme").await;
        let (_, stranger) = crate::strangers::tenant(&service, "Umbrella").await;
        for method in changing() {
            let change = about(&method, &theirs);
            let wanted = rehearsed(&service, &stranger, &method, &change).await.unwrap_err();
            let told = previewed(&service, &stranger, &change).await.unwrap_err();
            assert_eq!(said(&told), said(&wanted), "{}", method.full_name());
            assert_eq!(told.message(), wanted.message(), "{}", method.full_name());
        }
        let absent = preview(&service, &stranger, Some(suspend("acc_x")), 0, "").await;
        refused(absent, Code::InvalidArgument, "INVALID_FIELD");
        let nothing = preview(&service, &stranger, None, 0, "").await;
        refused(nothing, Code::InvalidArgument, "INVALID_FIELD");
    }
}

/// Both are asked for: to make the change, and to preview changes of the account.
#[tokio::test]
async fn who_may_not_make_or_not_preview_a_change_is_not_told_what_it_would_do() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        for (name, permits) in [
            ("planner", vec!["decision.preview"]),
            ("setter", vec!["user.read", "user.set_active"]),
        ] {
            let role = pb::Role {
                name: Some(name.to_owned()),
                permits: permits.into_iter().map(str::to_owned).collect(),
                on: Some(pb::Relation::Account.into()),
                ..Default::default()
            };
            let (account_id, role) = (acme.clone(), Some(role));
            let request = pb::CreateRoleRequest { account_id, role, ..Default::default() };
            service.roles(&boss).create_role(request).await.unwrap();
        }
        let below = async |name, roles: &[&str]| {
            service.person_under(&acme, Some(&boss), name, roles).await
        };
        let planner = below("only_planner", &["planner"]).await;
        let setter = below("only_setter", &["setter"]).await;
        let both = below("both", &["planner", "setter"]).await;
        for (by, may) in [(&planner, false), (&setter, false), (&both, true)] {
            let child =
                service.person_under(&acme, Some(by), &format!("of_{}", by.token_id), &[]).await;
            let change = Change::SetUserActive(pb::SetUserActiveRequest {
                user_id: child.user_id.clone(),
                is_active: false,
                ..Default::default()
            });
            let told = preview(&service, by, Some(change), 0, "").await;
            if may {
                let told = told.unwrap().preview.unwrap();
                assert!(told.others_affected, "a token ends that they do not see");
            } else {
                assert!(matches!(
                    told.unwrap_err().code(),
                    Code::PermissionDenied | Code::NotFound
                ));
            }
        }
        let change = pb::UpdateAccountRequest {
            account: Some(pb::Account { account_id: acme.clone(), ..Default::default() }),
            ..Default::default()
        };
        let told = preview(&service, &planner, Some(Change::UpdateAccount(change)), 0, "").await;
        refused(told, Code::PermissionDenied, "ACCESS_DENIED");
    }
}

/// Makes a role that is on some users of the boss's account.
async fn relation(
    service: &Service,
    boss: &Person,
    name: &str,
    permits: &[&str],
    on: pb::Relation,
) {
    let role = pb::Role {
        name: Some(name.to_owned()),
        permits: permits.iter().map(|one| (*one).to_owned()).collect(),
        on: Some(on.into()),
        ..Default::default()
    };
    let (account_id, role) = (boss.account_id.clone(), Some(role));
    let request = pb::CreateRoleRequest { account_id, role, ..Default::default() };
    service.roles(boss).create_role(request).await.unwrap();
}

/// Who could bring others below himself does not get to know them by asking what it would do.
#[tokio::test]
async fn nobody_is_named_whom_the_caller_would_see_by_the_change_alone() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let whole = pb::Relation::Account;
        relation(&service, &boss, "mover", &["user.move", "decision.preview"], whole).await;
        let under = pb::Relation::Subtree;
        relation(&service, &boss, "reader", &["user.read", "gate.read"], under).await;
        let below = async |by: &Person, name, roles: &[&str]| {
            service.person_under(&acme, Some(by), name, roles).await
        };
        let mover = below(&boss, "the_mover", &["mover", "reader"]).await;
        let far = below(&boss, "far", &[]).await;
        let hidden = below(&far, "hidden", &[]).await;
        let document = pb::RightsDocument {
            rights_doc_name: Some("Gates".to_owned()),
            resource_permissions: vec![pb::ResourcePermissions {
                resource_type: "GATE".to_owned(),
                resource_id: "5".to_owned(),
                permissions: vec!["READ".to_owned()],
                ..Default::default()
            }],
            cascade: Some(true),
            ..Default::default()
        };
        let request = pb::CreateRightsDocumentRequest {
            user_id: boss.user_id.clone(),
            rights_document: Some(document),
            ..Default::default()
        };
        let made = service.rights(&boss).create_rights_document(request).await.unwrap();
        let assign = pb::AssignRightsDocumentRequest {
            rights_doc_id: made.into_inner().rights_document.unwrap().rights_doc_id,
            user_ids: vec![mover.user_id.clone()],
            force: true,
            ..Default::default()
        };
        service.rights(&boss).assign_rights_document(assign).await.unwrap();
        let change = Change::MoveUser(pb::MoveUserRequest {
            user_id: far.user_id.clone(),
            parent_user_id: mover.user_id.clone(),
            ..Default::default()
        });
        let wanted = [far.user_id.clone(), hidden.user_id.clone()];
        for (by, names) in [(&boss, &wanted[..]), (&mover, &[])] {
            let told = preview(&service, by, Some(change.clone()), 0, "").await.unwrap();
            let told = told.preview.unwrap();
            let named: Vec<String> = told.users.into_iter().map(|user| user.user_id).collect();
            assert_eq!(named, names);
            assert_eq!(usize::try_from(told.users_gaining).unwrap(), names.len());
            assert_eq!(told.others_affected, names.is_empty());
        }
    }
}

#[tokio::test]
async fn everybody_concerned_is_named_page_by_page() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let manager = service.person_under(&acme, Some(&boss), "manager", &[]).await;
        let mut wanted = BTreeSet::from([manager.user_id.clone()]);
        for number in 0..7 {
            let name = format!("below_{number}");
            let below = service.person_under(&acme, Some(&manager), &name, &[]).await;
            wanted.insert(below.user_id);
        }
        let document = pb::RightsDocument {
            rights_doc_name: Some("All".to_owned()),
            account_permissions: vec!["READ".to_owned()],
            cascade: Some(true),
            ..Default::default()
        };
        let request = pb::CreateRightsDocumentRequest {
            rights_document: Some(document),
            ..Default::default()
        };
        let made = service.rights(&boss).create_rights_document(request).await.unwrap();
        let rights_doc_id = made.into_inner().rights_document.unwrap().rights_doc_id;
        let change = Change::AssignRightsDocument(pb::AssignRightsDocumentRequest {
            rights_doc_id,
            user_ids: vec![manager.user_id.clone()],
            force: true,
            ..Default::default()
        });
        let (mut named, mut token) = (Vec::new(), String::new());
        loop {
            let page = preview(&service, &boss, Some(change.clone()), 3, &token).await.unwrap();
            let told = page.preview.unwrap();
            assert_eq!((told.users_gaining, told.users_losing), (8, 0), "counts are of all");
            assert!(told.users.len() <= 3);
            assert!(told.users.iter().all(|user| user.gained.contains(&"account.read".to_owned())));
            named.extend(told.users.into_iter().map(|user| user.user_id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            // A token is of one caller and one change.
            let other = preview(&service, &boss, Some(suspend(&acme)), 3, &token).await;
            refused(other, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
            let other = preview(&service, &service.root, Some(change.clone()), 3, &token).await;
            refused(other, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        }
        assert_eq!(named, wanted.into_iter().collect::<Vec<_>>());

        // Who would be made has no id, and stands at the end.
        let user = pb::User {
            user_name: Some("new".to_owned()),
            roles: vec!["USER".to_owned()],
            ..Default::default()
        };
        let change = pb::CreateUserRequest { user: Some(user), ..Default::default() };
        let told = preview(&service, &boss, Some(Change::CreateUser(change)), 0, "").await.unwrap();
        let users = told.preview.unwrap().users;
        assert_eq!((users.len(), users[0].user_id.as_str()), (1, ""));
        assert!(!users[0].gained.is_empty());
    }
}

/// Opens sessions of a user: two that go on, one that is over, one that was ended, and one in which somebody else acts.
/// Returns those that live.
async fn sessions(service: &Service, boss: &Person, ann: &Person) -> Vec<String> {
    service.session(ann).await;
    service.advance(8 * 3600);
    let revoke = pb::RevokeSessionRequest {
        session_id: service.session(ann).await.session_id,
        user_id: ann.user_id.clone(),
        ..Default::default()
    };
    service.sessions(boss).revoke_session(revoke).await.unwrap();
    let assume = pb::AssumeUserRequest {
        user_id: ann.user_id.clone(),
        reason: "ticket 7".to_owned(),
        ..Default::default()
    };
    let acting = service.sessions(boss).assume_user(assume).await.unwrap().into_inner();
    let mut live = vec![acting.session.unwrap().session_id];
    for _ in 0..2 {
        live.push(service.session(ann).await.session_id);
    }
    live.sort_unstable();
    live
}

/// What ends all sessions of a user.
fn endings(user_id: &str) -> [Change; 4] {
    let user_id = || user_id.to_owned();
    [
        Change::SetUserActive(pb::SetUserActiveRequest {
            user_id: user_id(),
            ..Default::default()
        }),
        Change::DeleteUser(pb::DeleteUserRequest { user_id: user_id(), ..Default::default() }),
        Change::OffboardUser(pb::OffboardUserRequest { user_id: user_id(), ..Default::default() }),
        Change::RevokeAllSessions(pb::RevokeAllSessionsRequest {
            user_id: user_id(),
            ..Default::default()
        }),
    ]
}

#[tokio::test]
async fn the_sessions_that_would_end_are_told_to_those_who_see_them() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let ann = service.person_under(&acme, Some(&boss), "ann", &[]).await;
        let own = sessions(&service, &boss, &ann).await;
        let bob = service.person_under(&acme, Some(&boss), "bob", &[]).await;
        service.session(&bob).await;
        let told = async |by: &Person, change: Change| {
            preview(&service, by, Some(change), 0, "").await.unwrap().preview.unwrap()
        };
        for change in endings(&ann.user_id) {
            let told = told(&boss, change.clone()).await;
            assert_eq!(
                (&told.sessions_ending, told.sessions_ending_count),
                (&own, 3),
                "{change:?}"
            );
        }
        assert_eq!(told(&service.root, suspend(&acme)).await.sessions_ending_count, 4);
        let one = Change::RevokeSession(pb::RevokeSessionRequest {
            session_id: own[0].clone(),
            user_id: ann.user_id.clone(),
            ..Default::default()
        });
        assert_eq!(told(&boss, one).await.sessions_ending, own[..1]);
        let rename = pb::User {
            user_id: ann.user_id.clone(),
            first_name: Some("A".to_owned()),
            ..Default::default()
        };
        let rename = pb::UpdateUserRequest { user: Some(rename), ..Default::default() };
        assert_eq!(told(&boss, Change::UpdateUser(rename)).await.sessions_ending_count, 0);
        // A credential that may not list sessions hears of none, but that there may be; whether or not somebody is signed in.
        let scopes =
            ["decision.*", "user.*", "api_token.read", "service_key.read", "session.revoke"];
        let (token_id, token) = service.mint(&boss.user_id, &scopes).await;
        let narrow = Person { token, token_id, ..boss.clone() };
        let eve = service.person_under(&acme, Some(&boss), "eve", &[]).await;
        let rehearsals = endings(&eve.user_id);
        let mut without = Vec::new();
        for change in rehearsals.clone() {
            assert!(!told(&boss, change.clone()).await.others_affected, "{change:?}");
            let told = told(&narrow, change).await;
            assert!(told.sessions_ending_count == 0 && told.others_affected);
            without.push(told);
        }
        service.session(&eve).await;
        for (change, without) in rehearsals.into_iter().zip(without) {
            let with = told(&narrow, change.clone()).await;
            assert_eq!(pb::Preview { revision: without.revision, ..with }, without, "{change:?}");
        }
        service.stop().await;
    }
}
