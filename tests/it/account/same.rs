//! What every change of accounts has in common: repeats, rehearsals, and nobody's calls.

use chancery::proto::v1 as pb;
use prost::Message;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use super::{Tree, create, get, named, new, revision, with};
use crate::raw::call;
use crate::support::{Person, Service, engines, refused};

/// What a reply to a change says.
#[derive(Debug)]
struct Reply {
    account: Option<pb::Account>,
    token: String,
    preview: Option<pb::Preview>,
}

/// Makes each change of an account, on accounts on which it changes something.
macro_rules! changes {
    ($tree:ident; $($name:ident: $rpc:ident($request:ident) = $fields:tt;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Changing { $($name),* }

        impl Changing {
            const ALL: &[Self] = &[$(Self::$name),*];

            async fn ask(
                self,
                $tree: &Tree,
                by: &Person,
                request_id: &str,
                validate_only: bool,
            ) -> Result<Reply, Status> {
                let mut client = $tree.service.accounts(by);
                match self {
                    $(Self::$name => {
                        let request_id = request_id.to_owned();
                        let request = changes!(@ $request $fields request_id validate_only);
                        let reply = client.$rpc(request).await.map(Response::into_inner)?;
                        let token = reply.consistency_token;
                        Ok(Reply { account: reply.account, token, preview: reply.preview })
                    })*
                }
            }
        }
    };
    (@ $request:ident { $($field:ident: $value:expr),* } $id:ident $dry:ident) => {
        pb::$request {
            $($field: $value,)*
            request_id: $id,
            validate_only: $dry,
        }
    };
}

changes! {
    tree;
    Create: create_account(CreateAccountRequest) = {
        parent_account_id: tree.left.clone(), account: Some(named("made"))
    };
    Update: update_account(UpdateAccountRequest) = {
        update_mask: None,
        account: Some(pb::Account { account_id: tree.left.clone(), ..named("Renamed") })
    };
    SetRole: set_account_role(SetAccountRoleRequest) = {
        etag: String::new(), account_id: tree.left.clone(), role: "Developer".to_owned()
    };
    Move: move_account(MoveAccountRequest) = {
        etag: String::new(), account_id: tree.low.clone(), new_parent_account_id: tree.right.clone()
    };
    Suspend: suspend_account(SuspendAccountRequest) = {
        etag: String::new(), account_id: tree.left.clone()
    };
    Resume: resume_account(ResumeAccountRequest) = {
        etag: String::new(), account_id: tree.left.clone()
    };
    Quarantine: quarantine_account(QuarantineAccountRequest) = {
        etag: String::new(), account_id: tree.left.clone()
    };
    Release: release_account(ReleaseAccountRequest) = {
        etag: String::new(), account_id: tree.left.clone()
    };
    Close: close_account(CloseAccountRequest) = {
        etag: String::new(), account_id: tree.right.clone()
    };
}

#[tokio::test]
async fn a_change_is_rehearsed_without_a_trace_then_made_and_its_repeat_changes_nothing() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let (service, ann) = (&tree.service, &tree.ann);
        for change in Changing::ALL {
            let (id, at) = (Uuid::new_v4().to_string(), revision(service, &tree.top).await);
            let dry = change.ask(&tree, ann, &id, true).await.unwrap();
            let preview = dry.preview.expect("what a rehearsal says");
            assert_eq!((dry.token.as_str(), preview.revision), ("", at), "{change:?}");
            assert_eq!(revision(service, &tree.top).await, at, "{change:?}");

            service.advance(5);
            let first = change.ask(&tree, ann, &id, false).await.unwrap();
            assert!(first.preview.is_none() && !first.token.is_empty());
            let made = first.account.expect("what was changed");
            assert_eq!(revision(service, &tree.top).await, at + 1, "{change:?}");
            let would = dry.account.expect("what would be");
            assert_eq!(blank(&would), blank(&made), "{change:?}: the rehearsal told the truth");
            assert!(would.etag.is_empty() && would.update_time.is_none(), "{change:?}");

            let again = change.ask(&tree, ann, &id, false).await.unwrap();
            assert_eq!(again.account, Some(made), "{change:?}");
            assert_eq!(again.token, first.token, "{change:?}");
            assert_eq!(revision(service, &tree.top).await, at + 1, "{change:?}");
        }
        tree.done().await;
    }
}

/// An account without what is made only when it is.
fn blank(account: &pb::Account) -> pb::Account {
    let new = account.display_name() == "made";
    pb::Account {
        etag: String::new(),
        update_time: None,
        account_id: if new { String::new() } else { account.account_id.clone() },
        login_uri: if new { String::new() } else { account.login_uri.clone() },
        create_time: if new { None } else { account.create_time },
        ..account.clone()
    }
}

#[tokio::test]
async fn a_request_id_is_for_one_request() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let request_id = Uuid::new_v4().to_string();
        let first = pb::CreateAccountRequest { request_id: request_id.clone(), ..new("", "one") };
        let made = create(service, &tree.ann, first.clone()).await.unwrap();
        // A UUID is one in either case of letters.
        let request_id = request_id.to_uppercase();
        let again = pb::CreateAccountRequest { request_id: request_id.clone(), ..new("", "one") };
        assert_eq!(create(service, &tree.ann, again).await.unwrap(), made);
        let other = pb::CreateAccountRequest { request_id, ..new("", "two") };
        let asked = create(service, &tree.ann, other).await;
        refused(asked, Code::AlreadyExists, "REQUEST_ID_REUSED");
        // Of another caller it is another request.
        let theirs = create(service, &tree.operator, first.clone()).await.unwrap();
        assert_ne!(theirs.account_id, made.account_id);
        // A main account's repeat finds it in its own tenant, as it is by now.
        let again = create(service, &tree.operator, first.clone()).await.unwrap();
        assert_eq!(again, theirs);
        super::State::Suspend.ask(service, &tree.operator, &theirs.account_id).await.unwrap();
        let again = create(service, &tree.operator, first).await.unwrap();
        assert_eq!(again.status(), pb::AccountStatus::Suspended);
        let odd = pb::CreateAccountRequest { request_id: "1".to_owned(), ..new("", "x") };
        refused(create(service, &tree.ann, odd).await, Code::InvalidArgument, "INVALID_FIELD");
        tree.done().await;
    }
}

/// The bytes of a message as another encoder writes them: the same fields in another order, those of its account too.
fn backwards(request: &pb::CreateAccountRequest) -> Vec<u8> {
    let pb::CreateAccountRequest { parent_account_id, account, request_id, .. } = request.clone();
    let account = account.unwrap();
    let parts = [
        pb::Account { role: account.role.clone(), ..Default::default() },
        pb::Account { email: account.email.clone(), ..Default::default() },
        pb::Account { display_name: account.display_name.clone(), ..Default::default() },
    ];
    let account: Vec<u8> = parts.iter().flat_map(Message::encode_to_vec).collect();
    let mut bytes = pb::CreateAccountRequest { request_id, ..Default::default() }.encode_to_vec();
    // Field 2, as bytes with their length.
    bytes.extend([2 << 3 | 2, u8::try_from(account.len()).unwrap()]);
    bytes.extend(account);
    bytes.extend(
        pb::CreateAccountRequest { parent_account_id, ..Default::default() }.encode_to_vec(),
    );
    bytes
}

#[tokio::test]
async fn a_request_is_the_same_in_whatever_order_its_fields_are_sent() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let request_id = Uuid::new_v4().to_string();
        let account = pb::Account {
            email: Some("desk@example.com".to_owned()),
            role: "Developer".to_owned(),
            ..named("one")
        };
        let request = pb::CreateAccountRequest { request_id, ..with(&tree.left, account) };
        let bytes = backwards(&request);
        assert_ne!(bytes, request.encode_to_vec());
        assert_eq!(pb::CreateAccountRequest::decode(bytes.as_slice()).unwrap(), request);
        let made = create(service, &tree.ann, request).await.unwrap();
        let path = "/chancery.v1.AccountService/CreateAccount";
        let again = call(service.by(&tree.ann.token), path, bytes).await.unwrap();
        let again = pb::CreateAccountResponse::decode(again).unwrap();
        assert_eq!(again.account, Some(made));
        tree.done().await;
    }
}

#[tokio::test]
async fn a_main_account_is_rehearsed_without_an_id() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let root = &service.root.account_id;
        let at = revision(service, root).await;
        let request = pb::CreateAccountRequest { validate_only: true, ..new(root, "Third") };
        let reply = service.accounts(&service.root).create_account(request).await.unwrap();
        let would = reply.into_inner().account.unwrap();
        assert_eq!((would.account_id.as_str(), would.tenant_id.as_str()), ("", ""));
        assert_eq!((would.depth, &would.parent_account_id), (2, root));
        assert_eq!(would.effective_status(), pb::AccountStatus::Active);
        assert_eq!(revision(service, root).await, at);
        tree.done().await;
    }
}

#[tokio::test]
async fn nobody_and_strangers_change_nothing() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service = &tree.service;
        let other = service.tenant("Other").await;
        let stranger = service.person(&other, "stranger", &["SUPER_USER"]).await;
        let sibling = service.person(&tree.low, "sibling", &["SUPER_USER"]).await;
        let nobody = Person { token: String::new(), ..stranger.clone() };
        let at = revision(service, &tree.top).await;
        for change in Changing::ALL {
            let asked = change.ask(&tree, &nobody, "", false).await;
            refused(asked, Code::Unauthenticated, "TOKEN_MISSING");
            let asked = change.ask(&tree, &stranger, "", false).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
            let asked = change.ask(&tree, &sibling, "", false).await;
            refused(asked, Code::NotFound, "ACCOUNT_NOT_FOUND");
        }
        refused(get(service, &nobody, "").await, Code::Unauthenticated, "TOKEN_MISSING");
        refused(get(service, &stranger, &tree.left).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        assert_eq!(revision(service, &tree.top).await, at);
        tree.done().await;
    }
}

/// Two at once who want the same address: the database's own rule decides.
#[tokio::test]
async fn of_two_tenants_that_want_one_alias_at_once_one_gets_it() {
    for engine in engines() {
        let tree = Tree::grow(&engine).await;
        let service: &Service = &tree.service;
        let other = service.tenant("Other").await;
        let wanted = |parent: &str| {
            let account = pb::Account { login_alias: Some("the-one".to_owned()), ..named("x") };
            super::with(parent, account)
        };
        let (here, there) = tokio::join!(
            create(service, &service.root, wanted(&tree.top)),
            create(service, &service.root, wanted(&other)),
        );
        let (won, lost): (Vec<_>, Vec<_>) = [here, there].into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1));
        for lost in lost {
            refused(lost, Code::AlreadyExists, "LOGIN_ALIAS_TAKEN");
        }
        service.verify(&other).await;
        tree.done().await;
    }
}
