//! Who calls what in which order, and what is answered.

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

const USERS: &str = "GET /v1/admin/users";
const NEW_USER: &str = "POST /v1/admin/users";
const USER: &str = "GET /v1/admin/users/{userId}";
const EDIT: &str = "PUT /v1/admin/users/{userId}";
const ACTIVE: &str = "PUT /v1/admin/users/{userId}/setIsActive";
const GONE: &str = "DELETE /v1/admin/users/{userId}";
const ROLES: &str = "GET /v1/admin/users/{userId}/roles";
const GIVE: &str = "POST /v1/admin/users/{userId}/roles/{roleType}";
const TAKE: &str = "DELETE /v1/admin/users/{userId}/roles/{roleType}";
const DOCS: &str = "GET /v1/admin/users/{userId}/rightsDocs";
const NEW_DOC: &str = "POST /v1/admin/users/{userId}/rightsDocs";
const EDIT_DOC: &str = "PUT /v1/admin/users/{userId}/rightsDocs/{rightsDocId}";
const DOC_GONE: &str = "DELETE /v1/admin/users/{userId}/rightsDocs/{rightsDocId}";
const ASSIGNED: &str = "GET /v1/admin/users/{userId}/assignedRightsDocs";
const MASTERS: &str = "GET /v1/admin/users/{userId}/assignedMasterRightsDocs";
const ASSIGN: &str = "POST /v1/admin/rightsDocs/{rightsDocId}/assignments";
const UNASSIGN: &str = "DELETE /v1/admin/rightsDocs/{rightsDocId}/assignments/{assignedUserId}";
const TOKENS: &str = "GET /v1/admin/token";
const NEW_TOKEN: &str = "POST /v1/admin/token";
const NO_TOKEN: &str = "DELETE /v1/admin/token/{token}";
const VALID: &str = "GET /v1/auth/isTokenValid";
const RESET: &str = "POST /v1/auth/passwordReset";
const ASK_RESET: &str = "POST /v1/auth/passwordResetRequest";

/// One world sees them in this order.
pub(super) const ROWS: &[Row] = &[
    row(USERS, Boss, "/v1/admin/users?activeOnly=true&flatten=true", "", 200, ""),
    row(USERS, Boss, "/v1/admin/users?unknown=1", "", 400, REQUEST),
    row(USERS, Boss, "/v1/admin/users?activeOnly=maybe", "", 400, REQUEST),
    row(USERS, Nobody, "/v1/admin/users", "", 401, MISSING),
    row(USERS, Viewer, "/v1/admin/users", "", 403, DENIED),
    row(USERS, Boss, "/v1/admin/users?parentUserId={nobody}", "", 404, NO_USER),
    row(
        NEW_USER,
        Boss,
        "/v1/admin/users?parentUserId={sam}",
        r#"{"userName": "new", "roles": ["USER"]}"#,
        200,
        "",
    ),
    row(NEW_USER, Boss, "/v1/admin/users", r#"{"firstName": "Nameless"}"#, 400, FIELD),
    row(NEW_USER, Boss, "/v1/admin/users", r#"{"userName": "#, 400, REQUEST),
    row(
        NEW_USER,
        Boss,
        "/v1/admin/users",
        r#"{"userName": "x", "roles": ["NONE_SUCH"]}"#,
        400,
        "unknown.role.exception",
    ),
    row(NEW_USER, Nobody, "/v1/admin/users", r#"{"userName": "x"}"#, 401, MISSING),
    row(NEW_USER, Viewer, "/v1/admin/users", r#"{"userName": "x"}"#, 403, DENIED),
    row(
        NEW_USER,
        Boss,
        "/v1/admin/users?parentUserId={nobody}",
        r#"{"userName": "x"}"#,
        404,
        NO_USER,
    ),
    row(
        NEW_USER,
        Boss,
        "/v1/admin/users",
        r#"{"userName": "NEW"}"#,
        409,
        "user.name.taken.exception",
    ),
    row(USER, Boss, "/v1/admin/users/{sam}", "", 200, ""),
    row(USER, Boss, "/v1/admin/users/17", "", 400, FIELD),
    row(USER, Nobody, "/v1/admin/users/{sam}", "", 401, MISSING),
    row(USER, Boss, "/v1/admin/users/{nobody}", "", 404, NO_USER),
    row(EDIT, Boss, "/v1/admin/users/{sam}", r#"{"firstName": "Sam"}"#, 200, ""),
    row(EDIT, Boss, "/v1/admin/users/{sam}", r#"{"email": "no address"}"#, 400, FIELD),
    row(EDIT, Nobody, "/v1/admin/users/{sam}", r#"{"firstName": "Sam"}"#, 401, MISSING),
    row(EDIT, Viewer, "/v1/admin/users/{sam}", r#"{"firstName": "Sam"}"#, 403, DENIED),
    row(EDIT, Boss, "/v1/admin/users/{nobody}", r#"{"firstName": "Sam"}"#, 404, NO_USER),
    row(
        EDIT,
        Boss,
        "/v1/admin/users/{sam}",
        r#"{"userName": "boss"}"#,
        409,
        "user.name.taken.exception",
    ),
    row(ACTIVE, Boss, "/v1/admin/users/{sam}/setIsActive", r#"{"isActive": false}"#, 200, ""),
    row(ACTIVE, Boss, "/v1/admin/users/{sam}/setIsActive", r#"{"isActive": true}"#, 200, ""),
    row(ACTIVE, Boss, "/v1/admin/users/{sam}/setIsActive", r#"{"isActive": "so"}"#, 400, REQUEST),
    row(ACTIVE, Nobody, "/v1/admin/users/{sam}/setIsActive", r#"{"isActive": true}"#, 401, MISSING),
    row(ACTIVE, Viewer, "/v1/admin/users/{sam}/setIsActive", r#"{"isActive": true}"#, 403, DENIED),
    row(
        ACTIVE,
        Boss,
        "/v1/admin/users/{nobody}/setIsActive",
        r#"{"isActive": true}"#,
        404,
        NO_USER,
    ),
    row(ROLES, Boss, "/v1/admin/users/{sam}/roles", "", 200, ""),
    row(ROLES, Boss, "/v1/admin/users/sam/roles", "", 400, FIELD),
    row(ROLES, Nobody, "/v1/admin/users/{sam}/roles", "", 401, MISSING),
    row(ROLES, Viewer, "/v1/admin/users/{sam}/roles", "", 403, DENIED),
    row(ROLES, Boss, "/v1/admin/users/{nobody}/roles", "", 404, NO_USER),
    row(GIVE, Boss, "/v1/admin/users/{sam}/roles/MANAGE_USERS", "", 200, ""),
    row(GIVE, Boss, "/v1/admin/users/{sam}/roles/NONE_SUCH", "", 400, "unknown.role.exception"),
    row(GIVE, Nobody, "/v1/admin/users/{sam}/roles/MANAGE_USERS", "", 401, MISSING),
    row(GIVE, Viewer, "/v1/admin/users/{sam}/roles/MANAGE_USERS", "", 403, DENIED),
    row(GIVE, Boss, "/v1/admin/users/{nobody}/roles/MANAGE_USERS", "", 404, NO_USER),
    row(
        GIVE,
        Boss,
        "/v1/admin/users/{sam}/roles/ringcx%2FMANAGE_USERS",
        "",
        409,
        "role.already.held.exception",
    ),
    row(TAKE, Boss, "/v1/admin/users/{sam}/roles/MANAGE_USERS", "", 200, ""),
    row(TAKE, Boss, "/v1/admin/users/{sam}/roles/NONE_SUCH", "", 400, "unknown.role.exception"),
    row(TAKE, Nobody, "/v1/admin/users/{sam}/roles/USER", "", 401, MISSING),
    row(TAKE, Viewer, "/v1/admin/users/{sam}/roles/USER", "", 403, DENIED),
    row(TAKE, Boss, "/v1/admin/users/{sam}/roles/MANAGE_USERS", "", 404, "role.not.held.exception"),
    row(DOCS, Boss, "/v1/admin/users/{boss}/rightsDocs", "", 200, ""),
    row(DOCS, Boss, "/v1/admin/users/17/rightsDocs", "", 400, FIELD),
    row(DOCS, Nobody, "/v1/admin/users/{boss}/rightsDocs", "", 401, MISSING),
    row(DOCS, Viewer, "/v1/admin/users/{boss}/rightsDocs", "", 403, DENIED),
    row(DOCS, Boss, "/v1/admin/users/{nobody}/rightsDocs", "", 404, NO_USER),
    row(
        NEW_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs",
        r#"{"rightsDocName": "Reporting audit access", "cascade": false, "isMaster": false, "accountPermissions": ["READ"], "productPermissions": [], "resourcePermissions": []}"#,
        200,
        "",
    ),
    row(
        NEW_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs",
        r#"{"rightsDocName": "x", "accountPermissions": ["FLY"]}"#,
        400,
        "unknown.permission.exception",
    ),
    row(
        NEW_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs",
        r#"{"accountPermissions": ["READ"]}"#,
        400,
        FIELD,
    ),
    row(
        NEW_DOC,
        Nobody,
        "/v1/admin/users/{boss}/rightsDocs",
        r#"{"rightsDocName": "x"}"#,
        401,
        MISSING,
    ),
    row(
        NEW_DOC,
        Viewer,
        "/v1/admin/users/{sam}/rightsDocs",
        r#"{"rightsDocName": "x"}"#,
        403,
        DENIED,
    ),
    row(
        NEW_DOC,
        Boss,
        "/v1/admin/users/{nobody}/rightsDocs",
        r#"{"rightsDocName": "x"}"#,
        404,
        NO_USER,
    ),
    row(
        EDIT_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs/{document}",
        r#"{"rightsDocName": "Other"}"#,
        200,
        "",
    ),
    row(
        EDIT_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs/{document}",
        r#"{"accountPermissions": ["FLY"]}"#,
        400,
        "unknown.permission.exception",
    ),
    row(
        EDIT_DOC,
        Nobody,
        "/v1/admin/users/{boss}/rightsDocs/{document}",
        r#"{"rightsDocName": "Other"}"#,
        401,
        MISSING,
    ),
    row(
        EDIT_DOC,
        Viewer,
        "/v1/admin/users/{boss}/rightsDocs/{document}",
        r#"{"rightsDocName": "Other"}"#,
        403,
        DENIED,
    ),
    row(
        EDIT_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs/{no_document}",
        r#"{"rightsDocName": "Other"}"#,
        404,
        NO_DOC,
    ),
    row(
        EDIT_DOC,
        Boss,
        "/v1/admin/users/{boss}/rightsDocs/{document}",
        r#"{"rightsDocName": "Another", "etag": "old"}"#,
        409,
        "etag.mismatch.exception",
    ),
    row(
        ASSIGN,
        Boss,
        "/v1/admin/rightsDocs/{document}/assignments?userIds={sam}&userIds={leaver}",
        "",
        200,
        "",
    ),
    row(ASSIGN, Boss, "/v1/admin/rightsDocs/{document}/assignments", "", 400, FIELD),
    row(
        ASSIGN,
        Nobody,
        "/v1/admin/rightsDocs/{document}/assignments?userIds={sam}",
        "",
        401,
        MISSING,
    ),
    row(
        ASSIGN,
        Viewer,
        "/v1/admin/rightsDocs/{document}/assignments?userIds={parent}",
        "",
        403,
        DENIED,
    ),
    row(
        ASSIGN,
        Boss,
        "/v1/admin/rightsDocs/{document}/assignments?userIds={nobody}",
        "",
        404,
        NO_USER,
    ),
    row(
        ASSIGN,
        Boss,
        "/v1/admin/rightsDocs/{no_document}/assignments?userIds={sam}",
        "",
        404,
        NO_DOC,
    ),
    row(
        ASSIGN,
        Boss,
        "/v1/admin/rightsDocs/{document}/assignments?userIds={sam}",
        "",
        409,
        "already.assigned.exception",
    ),
    row(ASSIGNED, Boss, "/v1/admin/users/{sam}/assignedRightsDocs", "", 200, ""),
    row(ASSIGNED, Boss, "/v1/admin/users/17/assignedRightsDocs", "", 400, FIELD),
    row(ASSIGNED, Nobody, "/v1/admin/users/{sam}/assignedRightsDocs", "", 401, MISSING),
    row(ASSIGNED, Viewer, "/v1/admin/users/{sam}/assignedRightsDocs", "", 403, DENIED),
    row(ASSIGNED, Boss, "/v1/admin/users/{nobody}/assignedRightsDocs", "", 404, NO_USER),
    row(MASTERS, Boss, "/v1/admin/users/{sam}/assignedMasterRightsDocs", "", 200, ""),
    row(MASTERS, Boss, "/v1/admin/users/17/assignedMasterRightsDocs", "", 400, FIELD),
    row(MASTERS, Nobody, "/v1/admin/users/{sam}/assignedMasterRightsDocs", "", 401, MISSING),
    row(MASTERS, Viewer, "/v1/admin/users/{sam}/assignedMasterRightsDocs", "", 403, DENIED),
    row(MASTERS, Boss, "/v1/admin/users/{nobody}/assignedMasterRightsDocs", "", 404, NO_USER),
    row(UNASSIGN, Boss, "/v1/admin/rightsDocs/{document}/assignments/{leaver}", "", 200, ""),
    row(UNASSIGN, Boss, "/v1/admin/rightsDocs/17/assignments/{sam}", "", 400, FIELD),
    row(UNASSIGN, Nobody, "/v1/admin/rightsDocs/{document}/assignments/{sam}", "", 401, MISSING),
    row(UNASSIGN, Viewer, "/v1/admin/rightsDocs/{document}/assignments/{sam}", "", 403, DENIED),
    row(
        UNASSIGN,
        Boss,
        "/v1/admin/rightsDocs/{document}/assignments/{leaver}",
        "",
        404,
        "assignment.not.found.exception",
    ),
    row(DOC_GONE, Boss, "/v1/admin/users/{boss}/rightsDocs/17", "", 400, FIELD),
    row(DOC_GONE, Nobody, "/v1/admin/users/{boss}/rightsDocs/{document}", "", 401, MISSING),
    row(DOC_GONE, Viewer, "/v1/admin/users/{boss}/rightsDocs/{document}", "", 403, DENIED),
    row(DOC_GONE, Boss, "/v1/admin/users/{boss}/rightsDocs/{document}", "", 200, ""),
    row(DOC_GONE, Boss, "/v1/admin/users/{boss}/rightsDocs/{document}", "", 404, NO_DOC),
    row(
        GONE,
        Boss,
        "/v1/admin/users/{parent}?cascadeDelete=false",
        "",
        400,
        "has.children.exception",
    ),
    row(GONE, Nobody, "/v1/admin/users/{leaver}", "", 401, MISSING),
    row(GONE, Viewer, "/v1/admin/users/{leaver}", "", 403, DENIED),
    row(GONE, Boss, "/v1/admin/users/{leaver}", "", 200, ""),
    row(GONE, Boss, "/v1/admin/users/{leaver}", "", 404, NO_USER),
    row(TOKENS, Boss, "/v1/admin/token", "", 200, ""),
    row(TOKENS, Boss, "/v1/admin/token?userId=17", "", 400, FIELD),
    row(TOKENS, Nobody, "/v1/admin/token", "", 401, MISSING),
    row(TOKENS, Viewer, "/v1/admin/token?userId={sam}", "", 403, DENIED),
    row(TOKENS, Boss, "/v1/admin/token?userId={nobody}", "", 404, NO_USER),
    row(NEW_TOKEN, Boss, "/v1/admin/token", r#"{"displayName": "nightly"}"#, 200, ""),
    row(
        NEW_TOKEN,
        Boss,
        "/v1/admin/token",
        r#"{"scopes": ["fly.*"]}"#,
        400,
        "unknown.permission.exception",
    ),
    row(NEW_TOKEN, Nobody, "/v1/admin/token", "", 401, MISSING),
    row(NEW_TOKEN, Viewer, "/v1/admin/token", "", 403, DENIED),
    row(NEW_TOKEN, Boss, "/v1/admin/token?userId={nobody}", "", 404, NO_USER),
    row(NO_TOKEN, Boss, "/v1/admin/token/{spare}?unknown=1", "", 400, REQUEST),
    row(NO_TOKEN, Nobody, "/v1/admin/token/{spare}", "", 401, MISSING),
    row(NO_TOKEN, Reader, "/v1/admin/token/{spare}", "", 403, DENIED),
    row(VALID, Nobody, "/v1/auth/isTokenValid?token={spare}", "", 200, ""),
    row(NO_TOKEN, Boss, "/v1/admin/token/{spare}", "", 200, ""),
    row(NO_TOKEN, Boss, "/v1/admin/token/{spare}", "", 404, "token.not.found.exception"),
    row(VALID, Nobody, "/v1/auth/isTokenValid?token={spare}", "", 200, ""),
    row(VALID, Nobody, "/v1/auth/isTokenValid?tocken={spare}", "", 400, REQUEST),
    row(
        ASK_RESET,
        Nobody,
        "/v1/auth/passwordResetRequest?userName=nobody&account={account}",
        "",
        200,
        "",
    ),
    row(
        ASK_RESET,
        Nobody,
        "/v1/auth/passwordResetRequest",
        r#"{"userName": "nobody", "account": "{account}"}"#,
        200,
        "",
    ),
    row(
        ASK_RESET,
        Nobody,
        "/v1/auth/passwordResetRequest?userName=mia&returnPath=https://elsewhere.example",
        "",
        400,
        FIELD,
    ),
    row(
        RESET,
        Nobody,
        "/v1/auth/passwordReset",
        r#"{"token": "{link}", "password": "short"}"#,
        400,
        "weak.password.exception",
    ),
    row(
        RESET,
        Nobody,
        "/v1/auth/passwordReset",
        r#"{"token": "{link}", "password": "kaufhaus tiger lampe"}"#,
        200,
        "",
    ),
    row(
        RESET,
        Nobody,
        "/v1/auth/passwordReset?token={link}&password=regen%20zwiebel%20turm%209",
        "",
        401,
        "token.invalid.exception",
    ),
];
