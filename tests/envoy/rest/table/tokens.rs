//! Tokens, and passwords that are set anew.

use super::*;

const TOKENS: &str = "GET /v1/admin/token";
const NEW_TOKEN: &str = "POST /v1/admin/token";
const NO_TOKEN: &str = "DELETE /v1/admin/token/{token}";
const VALID: &str = "GET /v1/auth/isTokenValid";
const RESET: &str = "POST /v1/auth/passwordReset";
const ASK_RESET: &str = "POST /v1/auth/passwordResetRequest";

/// From minting one to what it is worth when it has ended.
pub(super) const ROWS: &[Row] = &[
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
