//! The one table from this program's errors to what a client is told (`model.md` §10).
//!
//! Each match is exhaustive on purpose: a new way to fail does not compile until somebody has said what a client
//! is told of it. It stands here and not in `rpc`, because the layers refuse by the same table.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::authn::BadCredential;
use crate::decision::Refused;
use crate::feed;
use crate::store::{self, Constraint, Refusal};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "chancery";

/// The most characters of a text that a status repeats.
const LONGEST: usize = 400;

/// A fault of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's path in the request.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

fn details(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: std::collections::HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message.into(), details(reason, &[]))
}

fn retry(code: Code, reason: &str, message: &str, after: Duration) -> Status {
    let mut details = details(reason, &[]);
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// Cuts what echoes a request: a status travels in headers, and those are bounded.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Refuses fields: `INVALID_ARGUMENT` with every fault named.
pub fn invalid(reason: &str, faults: &[FieldFault]) -> Status {
    let mut details = details(reason, &[]);
    for fault in faults {
        details.add_bad_request_violation(cut(&fault.field), cut(&fault.why));
    }
    let message: Vec<String> = faults
        .iter()
        .take(5)
        .map(|fault| format!("{}: {}", cut(&fault.field), cut(&fault.why)))
        .collect();
    Status::with_error_details(Code::InvalidArgument, message.join("; "), details)
}

/// Refuses one field.
pub fn bad_field(reason: &str, field: &str, why: impl Into<String>) -> Status {
    invalid(reason, &[FieldFault { field: field.to_owned(), why: why.into() }])
}

/// All places are taken.
pub fn overloaded() -> Status {
    let after = Duration::from_millis(100);
    retry(Code::ResourceExhausted, "OVERLOADED", "too many requests at once: try again", after)
}

/// The principal changes too much.
pub(super) fn rate_limited(after: Duration) -> Status {
    retry(Code::ResourceExhausted, "RATE_LIMITED", "too many in this minute", after)
}

/// Time is up.
pub(super) fn deadline() -> Status {
    status(Code::DeadlineExceeded, "DEADLINE", "the request was not done within its deadline")
}

/// There is no thread for a password in time.
pub fn login_queue_full() -> Status {
    let after = Duration::from_secs(2);
    let message = "too many passwords are waiting to be checked: try again";
    retry(Code::ResourceExhausted, "LOGIN_QUEUE_FULL", message, after)
}

/// The source has failed too often.
pub fn too_many_failures(after: Duration) -> Status {
    let message = "too many sign-ins from this source have failed: try again later";
    retry(Code::ResourceExhausted, "RATE_LIMITED", message, after)
}

/// Whatever speaks against a sign-in: nobody is told what it is.
pub fn sign_in_failed() -> Status {
    status(
        Code::Unauthenticated,
        "SIGN_IN_FAILED",
        "the sign-in failed: account, user name or password is wrong",
    )
}

/// The link of a message is not good: nobody is told why.
pub fn bad_link() -> Status {
    status(Code::Unauthenticated, "TOKEN_INVALID", "the token is not valid: ask for another link")
}

/// The password that stands for the caller is another.
pub fn wrong_password() -> Status {
    status(Code::Unauthenticated, "WRONG_PASSWORD", "the current password is another")
}

/// The caller's credential is no session of its own.
pub fn only_a_session() -> Status {
    let message = "this takes a session of your own: sign in first";
    status(Code::PermissionDenied, "ACCESS_DENIED", message)
}

/// No such method.
pub(super) fn unimplemented() -> Status {
    status(Code::Unimplemented, "UNKNOWN_METHOD", "there is no such method")
}

/// There are too many streams, of this caller or of all.
pub fn too_many_streams(whose: &str) -> Status {
    let message = format!("too many streams {whose}: end one first");
    retry(Code::ResourceExhausted, "OVERLOADED", &message, Duration::from_secs(10))
}

/// This server stops; the stream goes on at another.
pub fn stream_ended(resume_after: &str) -> Status {
    let mut details = details("STREAM_ENDED", &[("resume_after", resume_after)]);
    details.set_retry_info(Some(Duration::ZERO));
    let message = "the server stops: open another stream, with the last token in `resume_after`";
    Status::with_error_details(Code::Unavailable, message, details)
}

/// The stream's reader has read nothing for too long.
pub fn stream_stalled(resume_after: &str) -> Status {
    let details = details("STREAM_STALLED", &[("resume_after", resume_after)]);
    let message = "nothing was read from the stream for too long: open another, with the last token in `resume_after`";
    Status::with_error_details(Code::Aborted, message, details)
}

/// What came is HTTP and no gRPC.
pub(super) fn not_grpc(why: &str) -> Status {
    status(Code::Unimplemented, "NOT_GRPC", why)
}

/// The body did not come in time.
pub(super) fn slow_body() -> Status {
    status(Code::DeadlineExceeded, "SLOW_BODY", "the request's body did not arrive in time")
}

/// The body is too large.
pub(super) fn large_body(most: usize) -> Status {
    let text = format!("the request's message is larger than {most} bytes");
    status(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", text)
}

/// Something of ours broke; the log says what.
pub fn internal() -> Status {
    status(
        Code::Internal,
        "INTERNAL",
        "something went wrong here; the log knows it by the request id",
    )
}

/// Something needed is away.
pub fn unavailable() -> Status {
    let after = Duration::from_secs(1);
    retry(Code::Unavailable, "STORE_UNAVAILABLE", "the store cannot be reached: try again", after)
}

/// Whether a request may go on cannot be told: a proxy is to take it for an error, and never for a refusal.
pub fn undecided(why: &str) -> Status {
    retry(Code::Unavailable, "UNDECIDED", why, Duration::from_millis(100))
}

/// An identity provider is away: whether it has signed something cannot be told.
pub fn issuer_away() -> Status {
    let message = "the keys of the token's issuer cannot be fetched: try again";
    retry(Code::Unavailable, "ISSUER_UNAVAILABLE", message, Duration::from_secs(10))
}

impl From<BadCredential> for Status {
    fn from(bad: BadCredential) -> Self {
        let (reason, message) = match bad {
            BadCredential::Missing => {
                ("TOKEN_MISSING", "a credential is needed: send `authorization: Bearer <token>`")
            }
            BadCredential::Invalid => ("TOKEN_INVALID", "the token is not valid"),
            BadCredential::Expired => ("TOKEN_EXPIRED", "the token is expired"),
            BadCredential::Revoked(_) => ("TOKEN_REVOKED", "the token was revoked"),
            BadCredential::TooMany => {
                let message = "too many unknown credentials from this source: try again later";
                let after = Duration::from_mins(1);
                return retry(Code::ResourceExhausted, "RATE_LIMITED", message, after);
            }
            BadCredential::Unknowable(error) => return error.into(),
        };
        status(Code::Unauthenticated, reason, message)
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match &refused {
            Refused::AccountNotActive => {
                status(Code::PermissionDenied, "ACCOUNT_NOT_ACTIVE", refused.to_string())
            }
            Refused::Forbidden { permission } => {
                let details = details("ACCESS_DENIED", &[("permission", permission)]);
                Self::with_error_details(Code::PermissionDenied, refused.to_string(), details)
            }
            Refused::Unseen { kind, id } => {
                let reason = format!("{}_NOT_FOUND", kind.to_ascii_uppercase());
                let mut details = details(&reason, &[]);
                details.set_resource_info(format!("chancery/{kind}"), id.clone(), "", "not found");
                Self::with_error_details(Code::NotFound, refused.to_string(), details)
            }
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused(refused) => refused.into(),
            Refusal::Invalid { reason, field, why } => bad_field(reason, &field, why),
            Refusal::Precondition { reason, why } => {
                let mut details = details(reason, &[]);
                details.add_precondition_failure_violation(reason, "", why.clone());
                Self::with_error_details(Code::FailedPrecondition, why, details)
            }
            Refusal::Exists { reason, why } => status(Code::AlreadyExists, reason, why),
            Refusal::Unnamed { permission } => {
                let details = details("ACCESS_DENIED", &[("permission", permission)]);
                Self::with_error_details(Code::PermissionDenied, refusal.to_string(), details)
            }
            Refusal::NotHeld { ref role } => {
                let mut details = details("ROLE_NOT_HELD", &[]);
                details.set_resource_info("chancery/role_grant", role.clone(), "", "not held");
                Self::with_error_details(Code::NotFound, refusal.to_string(), details)
            }
            Refusal::Escalation(escalation) => {
                let missing = escalation.missing.join(",");
                let details = details("ESCALATION", &[("missing", &missing)]);
                Self::with_error_details(Code::PermissionDenied, escalation.to_string(), details)
            }
            Refusal::BeyondCeiling { ref missing, .. } => {
                let details = details("ESCALATION", &[("missing", &missing.join(","))]);
                Self::with_error_details(Code::PermissionDenied, refusal.to_string(), details)
            }
            Refusal::BadLink => bad_link(),
            Refusal::WrongPassword => wrong_password(),
            Refusal::Stale => status(Code::Aborted, "ETAG_MISMATCH", refusal.to_string()),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for Status {
    fn from(error: store::Error) -> Self {
        use store::Error;
        match &error {
            Error::Taken { constraint } => {
                let (reason, what) = match constraint {
                    Constraint::UserName => ("USER_NAME_TAKEN", "the user name is taken"),
                    Constraint::Email => ("EMAIL_TAKEN", "the e-mail address is taken"),
                    Constraint::LoginAlias => ("LOGIN_ALIAS_TAKEN", "the login alias is taken"),
                    Constraint::RoleName => ("ROLE_NAME_TAKEN", "the role's name is taken"),
                    Constraint::Grant => ("ROLE_ALREADY_HELD", "the role is held already"),
                    Constraint::TokenDigest => return broke(&error),
                };
                status(Code::AlreadyExists, reason, what)
            }
            Error::RequestIdReused => {
                status(Code::AlreadyExists, "REQUEST_ID_REUSED", error.to_string())
            }
            Error::Overloaded(_) => overloaded(),
            Error::Busy | Error::Stale { .. } | Error::Unavailable(_) | Error::Forked { .. } => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the store is away");
                unavailable()
            }
            Error::TooLong => bad_field("INVALID_FIELD", "", "a value is too long to be kept"),
            Error::NoTenant(_)
            | Error::Unjudged
            | Error::Misfit(_)
            | Error::Corrupt { .. }
            | Error::Newer(_)
            | Error::NotMigrated { .. }
            | Error::Address(_)
            | Error::Database(_) => broke(&error),
        }
    }
}

fn broke(error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error, "the store failed");
    internal()
}

impl From<feed::NotDone> for Status {
    fn from(error: feed::NotDone) -> Self {
        match error {
            feed::NotDone::Refused(refusal) => refusal.into(),
            feed::NotDone::Feed(error) => error.into(),
        }
    }
}

impl From<feed::Error> for Status {
    fn from(error: feed::Error) -> Self {
        match &error {
            // What is no tenant was one a moment ago: the store was turned back, and the next try finds how it is.
            feed::Error::Stale | feed::Error::Slow | feed::Error::NoTenant | feed::Error::Newer => {
                unavailable()
            }
            // It will not be mended by trying again.
            feed::Error::Store(inner) if matches!(**inner, store::Error::Corrupt { .. }) => {
                broke(&error)
            }
            feed::Error::Store(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the store is away");
                unavailable()
            }
            feed::Error::OtherHistory => {
                let mut details = details("TOKEN_OF_OTHER_HISTORY", &[]);
                details.add_precondition_failure_violation("consistency", "", error.to_string());
                Self::with_error_details(Code::FailedPrecondition, error.to_string(), details)
            }
            feed::Error::Lost => status(Code::DataLoss, "HISTORY_LOST", error.to_string()),
            feed::Error::Pruned => status(Code::OutOfRange, "HISTORY_PRUNED", error.to_string()),
            feed::Error::NotBegun => {
                status(Code::OutOfRange, "HISTORY_NOT_BEGUN", error.to_string())
            }
            feed::Error::TooFar => status(Code::OutOfRange, "HISTORY_TOO_FAR", error.to_string()),
            feed::Error::World(_) | feed::Error::Catalogue(_) | feed::Error::NoKey => broke(&error),
        }
    }
}
