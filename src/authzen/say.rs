//! From the RPCs' replies to JSON, and from refusals to HTTP.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use prost::Message;
use prost_types::value::Kind;
use serde_json::{Map, Value, json};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::ask::{ENCODED, Fault, Question};
use crate::layers::status;
use crate::proto::v1 as pb;
use pb::Reason;

/// Puts the reply to a question into JSON.
pub(super) fn reply(question: &Question, reply: &[u8]) -> Result<Value, Status> {
    Ok(match question {
        Question::One => {
            let answer = decoded::<pb::AuthorizeResponse>(reply)?;
            json!({ "decision": answer.decision, "context": context(&answer) })
        }
        Question::Many { faults, reasons } => {
            let answers = decoded::<pb::BatchAuthorizeResponse>(reply)?.evaluations;
            let items = answers.iter().enumerate().map(|(at, answer)| {
                let fault = faults.iter().find(|(of, _)| *of == at).map(|(_, fault)| fault);
                item(answer, fault, *reasons)
            });
            json!({ "evaluations": items.collect::<Vec<_>>() })
        }
        Question::Subjects => {
            let found = decoded::<pb::SearchSubjectsResponse>(reply)?;
            let results = found.results.iter();
            let results = results.map(|one| json!({ "type": one.r#type, "id": one.id }));
            list(results, found.page.as_ref(), &found.consistency_token)
        }
        Question::Resources { kind } => {
            let found = decoded::<pb::SearchResourcesResponse>(reply)?;
            let results = found.results.iter();
            let results = results.map(|one| json!({ "type": kind, "id": one.id }));
            list(results, found.page.as_ref(), &found.consistency_token)
        }
        Question::Actions => {
            let found = decoded::<pb::SearchActionsResponse>(reply)?;
            let results = found.results.iter().map(|action| json!({ "name": action.name }));
            list(results, found.page.as_ref(), &found.consistency_token)
        }
    })
}

fn decoded<M: Message + Default>(reply: &[u8]) -> Result<M, Status> {
    M::decode(reply).map_err(|_| status::internal())
}

/// Says what else there is to say of one answer.
fn context(answer: &pb::AuthorizeResponse) -> Value {
    let mut context = Map::new();
    let name = answer.reason().as_str_name();
    let mut say = |key: &str, value: Value| context.insert(key.to_owned(), value);
    say("id", answer.decision_id.as_str().into());
    say("reason", name.strip_prefix("REASON_").unwrap_or(name).into());
    if !answer.decision {
        let (admin, user) = reasons(answer.reason());
        say("reason_admin", json!({ "en": admin }));
        say("reason_user", json!({ "en": user }));
    }
    if answer.missing() != pb::Missing::Unspecified {
        let name = answer.missing().as_str_name();
        say("missing", name.strip_prefix("MISSING_").unwrap_or(name).into());
    }
    say("consistency_token", answer.consistency_token.as_str().into());
    if let Some(error) = error(answer) {
        say("error", error);
    }
    Value::Object(context)
}

/// Says one answer of many: bare, as far as nothing is wrong and no reasons are asked for.
fn item(answer: &pb::AuthorizeResponse, fault: Option<&Fault>, reasons: bool) -> Value {
    if let Some(Fault { field, why }) = fault {
        let error = json!({
            "code": "INVALID_ARGUMENT",
            "reason": "INVALID_FIELD",
            "field": field,
            "message": format!("{field}: {why}"),
        });
        return json!({ "decision": false, "context": { "error": error } });
    }
    match error(answer) {
        _ if reasons => json!({ "decision": answer.decision, "context": context(answer) }),
        Some(error) => json!({ "decision": answer.decision, "context": { "error": error } }),
        None => json!({ "decision": answer.decision }),
    }
}

fn error(answer: &pb::AuthorizeResponse) -> Option<Value> {
    let error = answer.context.as_ref()?.fields.get("error")?;
    Some(plain(error))
}

fn plain(value: &prost_types::Value) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(yes)) => (*yes).into(),
        Some(Kind::NumberValue(number)) => (*number).into(),
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(plain).collect(),
        Some(Kind::StructValue(part)) => {
            part.fields.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
        }
    }
}

/// Says why, to whoever runs the program that asks, and to whoever uses it.
const fn reasons(reason: Reason) -> (&'static str, &'static str) {
    const NOT_YOU: &str = "You may not do this. Ask an administrator.";
    const SIGN_IN: &str = "Sign in again.";
    const CLOSED: &str = "This account is not active.";
    match reason {
        Reason::Unspecified => ("the question could not be read", NOT_YOU),
        Reason::Permitted => ("permitted", "You may do this."),
        Reason::SubjectUnknown => {
            ("the subject does not exist, or may not be asked about", NOT_YOU)
        }
        Reason::SubjectDisabled => ("the subject is disabled", NOT_YOU),
        Reason::TokenInvalid => ("the subject's credential is none of ours", SIGN_IN),
        Reason::TokenExpired => ("the subject's credential has expired", SIGN_IN),
        Reason::TokenRevoked => ("the subject's credential was ended", SIGN_IN),
        Reason::AccountNotActive => {
            ("the account of the subject or of the resource, or one above, is not active", CLOSED)
        }
        Reason::NoAccess => ("the subject holds a role that suppresses everything else", NOT_YOU),
        Reason::NoGrant => ("nothing that the subject holds gives it", NOT_YOU),
        Reason::AccountRoleCeiling => {
            ("the role of the subject's account, or of one above, lacks it", NOT_YOU)
        }
        Reason::TokenScope => ("the scopes of the subject's credential lack it", NOT_YOU),
    }
}

fn list(results: impl Iterator<Item = Value>, end: Option<&pb::SearchEnd>, token: &str) -> Value {
    let results: Vec<Value> = results.collect();
    let next = end.map(|end| end.next_token.as_str()).unwrap_or_default();
    json!({
        "page": { "next_token": next, "count": results.len() },
        "results": results,
        "context": {
            "complete": end.is_some_and(|end| end.complete),
            "consistency_token": token,
        },
    })
}

/// What a search answers that names what is nowhere.
pub(super) fn nothing() -> Value {
    json!({ "results": [], "page": { "next_token": "", "count": 0 } })
}

/// Returns the stable reason of a refusal.
pub(super) fn reason(status: &Status) -> Option<String> {
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

/// Refuses the call: the status and a line for people that begins with the stable reason.
pub(super) fn refusal(refused: &Status) -> Response<Body> {
    let details = refused.get_error_details();
    let reason = details.error_info().map_or("INTERNAL", |info| info.reason.as_str());
    let code = match refused.code() {
        _ if reason == "MESSAGE_TOO_LARGE" => StatusCode::PAYLOAD_TOO_LARGE,
        _ if reason == ENCODED => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut response = text(code, &format!("{reason}: {}", refused.message()));
    if code == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    if let Some(after) = details.retry_info().and_then(|info| info.retry_delay) {
        // Whole seconds are all that the header can say.
        let seconds = after.as_secs().max(u64::from(after > Duration::ZERO));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Answers in JSON.
pub(super) fn json(value: &Value) -> Response<Body> {
    answer(StatusCode::OK, "application/json", format!("{value}\n"))
}

/// Answers a line for people.
pub(super) fn text(code: StatusCode, line: &str) -> Response<Body> {
    answer(code, "text/plain; charset=utf-8", format!("{line}\n"))
}

fn answer(code: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(bytes::Bytes::from(text))));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
