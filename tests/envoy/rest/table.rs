//! Who calls what in which order, and what is answered.

mod documents;
mod tokens;
mod users;

use chancery::proto::v1 as pb;

use super::{Front, NO_DOCUMENT, NOBODY};
use crate::support::{Person, stranger};

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// Somebody who may everything in the account.
    Boss,
    /// The same user, by a token that sees users and changes nothing.
    Viewer,
    /// The same user, by a token that sees tokens and ends none.
    Reader,
    /// Nobody: no credential is sent.
    Nobody,
}
use By::{Boss, Nobody, Reader, Viewer};

/// What the rows name.
pub(super) struct World {
    boss: String,
    viewer: String,
    reader: String,
    names: Vec<(&'static str, String)>,
}

impl World {
    /// A world of nothing but names in the right form.
    pub(super) fn nobodys(by: &Person) -> Self {
        let names = vec![
            ("{nobody}", NOBODY.to_owned()),
            ("{no_document}", NO_DOCUMENT.to_owned()),
            ("{stranger}", stranger()),
        ];
        Self { boss: by.token.clone(), viewer: String::new(), reader: String::new(), names }
    }

    /// An account with a boss, people below without credentials, and documents.
    pub(super) async fn make(front: &Front) -> Self {
        let service = &front.service;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let mut world = Self::nobodys(&boss);
        world.viewer = service.mint(&boss.user_id, &["user.read", "account.read"]).await.1;
        world.reader = service.mint(&boss.user_id, &["user.read", "api_token.read"]).await.1;
        world.names.push(("{spare}", service.mint(&boss.user_id, &["*"]).await.1));
        world.names.push(("{account}", acme.clone()));
        for name in ["{sam}", "{leaver}", "{parent}"] {
            let id = user(front, &boss, name.trim_matches(['{', '}']), None).await;
            world.names.push((name, id));
        }
        let parent = world.fill("{parent}");
        let below = pb::CreateUserRequest {
            parent_user_id: parent,
            user: Some(pb::User { user_name: Some("below".to_owned()), ..Default::default() }),
            ..Default::default()
        };
        service.users(&boss).create_user(below).await.unwrap();
        user(front, &boss, "mia", Some("mia@example.com")).await;
        let link = front.hook.next().await["token"].as_str().unwrap().to_owned();
        world.names.push(("{link}", link));
        world.names.push(("{boss}", boss.user_id.clone()));
        let document = pb::RightsDocument {
            rights_doc_name: Some("Audit".to_owned()),
            account_permissions: vec!["READ".to_owned()],
            ..Default::default()
        };
        let request = pb::CreateRightsDocumentRequest {
            rights_document: Some(document),
            ..Default::default()
        };
        let made = service.rights(&boss).create_rights_document(request).await.unwrap();
        let made = made.into_inner().rights_document.unwrap();
        world.names.push(("{document}", made.rights_doc_id));
        world
    }

    /// Puts ids in the place of names.
    pub(super) fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    pub(super) fn token(&self, by: By) -> &str {
        match by {
            Boss => &self.boss,
            Viewer => &self.viewer,
            Reader => &self.reader,
            Nobody => "",
        }
    }
}

async fn user(front: &Front, by: &Person, name: &str, email: Option<&str>) -> String {
    let user = pb::User {
        user_name: Some(name.to_owned()),
        email: email.map(str::to_owned),
        roles: vec!["USER".to_owned()],
        ..Default::default()
    };
    let request = pb::CreateUserRequest { user: Some(user), ..Default::default() };
    let made = front.service.users(by).create_user(request).await.unwrap().into_inner();
    made.user.unwrap().user_id
}

/// One call.
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) by: By,
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

const fn row(
    operation: &'static str,
    by: By,
    path: &'static str,
    body: &'static str,
    status: u16,
    code: &'static str,
) -> Row {
    Row { operation, by, path, body, status, code }
}

const MISSING: &str = "token.missing.exception";
const DENIED: &str = "access.denied.exception";
const FIELD: &str = "invalid.field.exception";
/// Refused by the transcoder itself.
const REQUEST: &str = "invalid.request.exception";
const NO_USER: &str = "user.not.found.exception";
const NO_DOC: &str = "rights.document.not.found.exception";

/// One world sees them in this order.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [users::ROWS, documents::ROWS, users::LEAVING, tokens::ROWS].into_iter().flatten()
}
