//! What a proxy is told, and through it its client.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use envoy_types::pb::google::rpc;
use http::HeaderMap;
use serde_json::json;
use tonic::Code;

use super::headers::spoofed;

/// The header that says which user calls.
pub(super) const USER: &str = "x-chancery-user";
/// And of which account.
pub(super) const ACCOUNT: &str = "x-chancery-account";
/// And at which revision that was decided.
pub(super) const REVISION: &str = "x-chancery-revision";
/// The header of the answer to the client by which a decision is found again.
const DECISION: &str = "chancery-decision-id";

/// What is known of a decision, for access logs and whatever stands behind in the proxy.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whose the credential is, if it is good.
    pub(super) subject: Option<String>,
    /// The subject's account.
    pub(super) account: Option<String>,
    /// The workload at the other end, where a proxy that is believed says so.
    pub(super) peer: Option<String>,
    /// At which revision it was decided.
    pub(super) revision: Option<u64>,
    /// Why.
    pub(super) reason: &'static str,
    /// The decision's id; empty where none was made.
    pub(super) decision_id: String,
}

/// Why a request does not go on. The client reads it in the form of the REST API's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// It can be read in two ways.
    Malformed(&'static str),
    /// No credential, or none that is good.
    Unauthenticated(Unproved),
    /// Not permitted, or nothing that has a route.
    Forbidden,
    /// Its source has sent too many credentials that are none.
    TooMany,
}

/// Why nobody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unproved {
    /// No credential was sent.
    Missing,
    /// It is none of ours, or of somebody about whom the proxy may not ask.
    Invalid,
    /// Its time is over.
    Expired,
    /// It, or whose it was, is no more.
    Revoked,
}

impl Denied {
    /// Returns the status, the error's code as the REST API writes it, which is our reason, and what is said.
    const fn parts(self) -> (u16, Code, &'static str, &'static str) {
        match self {
            Self::Malformed(why) => (400, Code::InvalidArgument, "invalid.request.exception", why),
            Self::Unauthenticated(Unproved::Missing) => (
                401,
                Code::Unauthenticated,
                "token.missing.exception",
                "A credential is needed: send `authorization: Bearer <token>`",
            ),
            Self::Unauthenticated(Unproved::Invalid) => {
                (401, Code::Unauthenticated, "token.invalid.exception", "The token is not valid")
            }
            Self::Unauthenticated(Unproved::Expired) => {
                (401, Code::Unauthenticated, "token.expired.exception", "The token is expired")
            }
            Self::Unauthenticated(Unproved::Revoked) => {
                (401, Code::Unauthenticated, "token.revoked.exception", "The token was revoked")
            }
            Self::Forbidden => (
                403,
                Code::PermissionDenied,
                "access.denied.exception",
                "You do not have permission to access this resource",
            ),
            Self::TooMany => (
                429,
                Code::ResourceExhausted,
                "rate.limited.exception",
                "Too many unknown credentials came from this address: try again later",
            ),
        }
    }
}

/// Lets a request go on, with who calls in headers of ours and of nobody else.
pub(super) fn permitted(inbound: &HeaderMap, known: &Known) -> CheckResponse {
    let said = [
        (USER, known.subject.clone()),
        (ACCOUNT, known.account.clone()),
        (REVISION, known.revision.map(|revision| revision.to_string())),
    ];
    let set: Vec<(&str, String)> =
        said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let names: Vec<&str> = set.iter().map(|(name, _)| *name).collect();
    let ok = OkHttpResponse {
        headers: set.into_iter().map(|(name, value)| header(name, value)).collect(),
        headers_to_remove: spoofed(inbound, &names),
        response_headers_to_add: decision(known),
        ..OkHttpResponse::default()
    };
    response(Code::Ok, "", HttpResponse::OkResponse(ok), known)
}

/// Ends a request here.
pub(super) fn denied(why: Denied, known: &Known, now: DateTime<Utc>) -> CheckResponse {
    let (status, code, error, message) = why.parts();
    let body = json!({
        "errorCode": error,
        "generalMessage": message,
        "timestamp": now.timestamp_millis(),
    });
    let mut headers = vec![header("content-type", "application/json".to_owned())];
    headers.extend(decision(known));
    match why {
        Denied::Unauthenticated(unproved) => {
            // RFC 6750 §3: an error is named only where a credential was sent.
            let sent = match unproved {
                Unproved::Missing => "",
                Unproved::Invalid | Unproved::Expired | Unproved::Revoked => {
                    ", error=\"invalid_token\""
                }
            };
            let value = format!("Bearer realm=\"chancery\"{sent}");
            headers.push(header("www-authenticate", value));
        }
        Denied::TooMany => headers.push(header("retry-after", "60".to_owned())),
        Denied::Malformed(_) | Denied::Forbidden => {}
    }
    let http = DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers,
        body: body.to_string(),
    };
    response(code, message, HttpResponse::DeniedResponse(http), known)
}

fn response(code: Code, message: &str, http: HttpResponse, known: &Known) -> CheckResponse {
    let status =
        rpc::Status { code: code.into(), message: message.to_owned(), details: Vec::new() };
    CheckResponse {
        status: Some(status),
        dynamic_metadata: Some(metadata(known)),
        http_response: Some(http),
    }
}

fn metadata(known: &Known) -> Struct {
    let texts = [
        ("subject", known.subject.clone()),
        ("account", known.account.clone()),
        ("peer", known.peer.clone()),
        ("revision", known.revision.map(|revision| revision.to_string())),
        ("reason", Some(known.reason.to_owned())),
        ("decision_id", Some(known.decision_id.clone()).filter(|id| !id.is_empty())),
    ];
    let value = |text| Value { kind: Some(Kind::StringValue(text)) };
    let fields: HashMap<String, Value> = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), value(text?))))
        .collect();
    Struct { fields }
}

fn decision(known: &Known) -> Vec<HeaderValueOption> {
    let id = Some(known.decision_id.clone()).filter(|id| !id.is_empty());
    id.map(|id| header(DECISION, id)).into_iter().collect()
}

/// A header in place of whatever has its name.
fn header(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, raw_value: Vec::new() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}
