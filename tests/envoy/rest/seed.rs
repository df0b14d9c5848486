//! The operations that the source system documents, and the statuses that each may answer with.

/// One operation.
pub(super) struct Operation {
    /// Verb and path, as the source system writes them.
    pub(super) name: &'static str,
    /// All statuses that it answers with, in order.
    pub(super) statuses: &'static [u16],
    /// It needs no credential.
    pub(super) public: bool,
    /// A path with the names of `World` in it, and a body, that are in the right form.
    pub(super) example: &'static str,
    pub(super) body: &'static str,
}

impl Operation {
    pub(super) fn verb(&self) -> &'static str {
        self.name.split_once(' ').unwrap().0
    }
}

const fn reads(name: &'static str, statuses: &'static [u16]) -> Operation {
    Operation { name, statuses, public: false, example: "", body: "" }
}

const fn changes(
    name: &'static str,
    statuses: &'static [u16],
    example: &'static str,
    body: &'static str,
) -> Operation {
    Operation { name, statuses, public: false, example, body }
}

const fn open(name: &'static str, statuses: &'static [u16]) -> Operation {
    Operation { name, statuses, public: true, example: "", body: "" }
}

const READ: &[u16] = &[200, 400, 401, 403, 404];
const CHANGE: &[u16] = &[200, 400, 401, 403, 404, 429];
const CREATE: &[u16] = &[200, 400, 401, 403, 404, 409, 429];

/// All of them, in the order of its tables. Whoever may not read a user is told that there is none, so reading one is never 403.
pub(super) const OPERATIONS: &[Operation] = &[
    reads("GET /v1/admin/users", READ),
    changes("POST /v1/admin/users", CREATE, "/v1/admin/users", r#"{"userName": "new"}"#),
    reads("GET /v1/admin/users/{userId}", &[200, 400, 401, 404]),
    changes(
        "PUT /v1/admin/users/{userId}",
        CREATE,
        "/v1/admin/users/{nobody}",
        r#"{"firstName": "New"}"#,
    ),
    changes(
        "PUT /v1/admin/users/{userId}/setIsActive",
        CHANGE,
        "/v1/admin/users/{nobody}/setIsActive",
        r#"{"isActive": true}"#,
    ),
    changes("DELETE /v1/admin/users/{userId}", CHANGE, "/v1/admin/users/{nobody}", ""),
    reads("GET /v1/admin/users/{userId}/roles", READ),
    changes(
        "POST /v1/admin/users/{userId}/roles/{roleType}",
        CREATE,
        "/v1/admin/users/{nobody}/roles/USER",
        "",
    ),
    changes(
        "DELETE /v1/admin/users/{userId}/roles/{roleType}",
        CHANGE,
        "/v1/admin/users/{nobody}/roles/USER",
        "",
    ),
    reads("GET /v1/admin/users/{userId}/rightsDocs", READ),
    changes(
        "POST /v1/admin/users/{userId}/rightsDocs",
        CHANGE,
        "/v1/admin/users/{nobody}/rightsDocs",
        r#"{"rightsDocName": "New"}"#,
    ),
    changes(
        "PUT /v1/admin/users/{userId}/rightsDocs/{rightsDocId}",
        CREATE,
        "/v1/admin/users/{nobody}/rightsDocs/{no_document}",
        r#"{"rightsDocName": "New"}"#,
    ),
    changes(
        "DELETE /v1/admin/users/{userId}/rightsDocs/{rightsDocId}",
        CHANGE,
        "/v1/admin/users/{nobody}/rightsDocs/{no_document}",
        "",
    ),
    reads("GET /v1/admin/users/{userId}/assignedRightsDocs", READ),
    reads("GET /v1/admin/users/{userId}/assignedMasterRightsDocs", READ),
    changes(
        "POST /v1/admin/rightsDocs/{rightsDocId}/assignments",
        CREATE,
        "/v1/admin/rightsDocs/{no_document}/assignments?userIds={nobody}",
        "",
    ),
    changes(
        "DELETE /v1/admin/rightsDocs/{rightsDocId}/assignments/{assignedUserId}",
        CHANGE,
        "/v1/admin/rightsDocs/{no_document}/assignments/{nobody}",
        "",
    ),
    reads("GET /v1/admin/token", READ),
    changes("POST /v1/admin/token", CHANGE, "/v1/admin/token", ""),
    changes("DELETE /v1/admin/token/{token}", CHANGE, "/v1/admin/token/{stranger}", ""),
    open("GET /v1/auth/isTokenValid", &[200, 400]),
    open("POST /v1/auth/passwordReset", &[200, 400, 401]),
    open("POST /v1/auth/passwordResetRequest", &[200, 400]),
];
