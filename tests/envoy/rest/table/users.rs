//! Users and their roles.

use super::*;

const USERS: &str = "GET /v1/admin/users";
const NEW_USER: &str = "POST /v1/admin/users";
const USER: &str = "GET /v1/admin/users/{userId}";
const EDIT: &str = "PUT /v1/admin/users/{userId}";
const ACTIVE: &str = "PUT /v1/admin/users/{userId}/setIsActive";
const GONE: &str = "DELETE /v1/admin/users/{userId}";
const ROLES: &str = "GET /v1/admin/users/{userId}/roles";
const GIVE: &str = "POST /v1/admin/users/{userId}/roles/{roleType}";
const TAKE: &str = "DELETE /v1/admin/users/{userId}/roles/{roleType}";

/// How they come and are changed.
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
];

/// And how they go, once nobody else speaks of them.
pub(super) const LEAVING: &[Row] = &[
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
];
