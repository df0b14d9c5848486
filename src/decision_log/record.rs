//! What is recorded of a decision.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::{
    AccountId, DecisionId, DocId, Named, ResourcePath, Revision, SessionId, TokenId, UserId,
};
use crate::telemetry::Traced;

/// The number of this form of records. Fields may be added under it; what is there keeps its name and meaning.
pub const VERSION: u32 = 1;

/// One decision.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// Which answer it was.
    pub decision_id: DecisionId,
    /// The instant that it was decided at.
    #[serde(serialize_with = "micros")]
    pub time: DateTime<Utc>,
    /// The time that it was asked about, where that was another: such an answer lets nobody in.
    #[serde(serialize_with = "maybe_micros", skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Which door the question came in by: the method that was called.
    pub door: &'static str,
    /// The request that asked.
    pub request_id: String,
    /// The trace and the span that it belongs to, as far as they are known.
    #[serde(flatten, serialize_with = "ids")]
    pub traced: Option<Traced>,
    /// Who asked.
    pub caller: CallerOf,
    /// Who was asked about.
    pub subject: SubjectOf,
    /// What was to be done; `None` = the question could not be read.
    pub action: Option<String>,
    /// To what; `None` = the question could not be read.
    #[serde(serialize_with = "path")]
    pub resource: Option<ResourcePath>,
    /// What the asker said for conditions.
    pub properties: Keys,
    /// True permits.
    pub decision: bool,
    /// Why; `None` = the question could not be read.
    pub reason: Option<&'static str>,
    /// What was missing, where nothing granted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<&'static str>,
    /// The reason that the asker was told, where that is another: it may not know the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_reason: Option<&'static str>,
    /// What decided it.
    pub grants: Vec<GrantOf>,
    /// The tenant whose state it stands on.
    pub tenant_id: AccountId,
    /// That tenant's revision.
    pub revision: Revision,
    /// The platform's.
    pub platform_revision: Revision,
    /// What was wrong with a question that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// About what it takes in memory.
    #[serde(skip)]
    pub bytes: usize,
}

/// Who asked.
#[derive(Debug, Clone, Serialize)]
pub struct CallerOf {
    /// The user.
    pub user_id: UserId,
    /// Its account.
    pub account_id: AccountId,
    /// The API token that it called with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Or the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Who really acted, in an assumed session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_user_id: Option<UserId>,
}

/// Who was asked about. A name or a credential that is nobody's is not repeated: it may be a secret that went astray.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SubjectOf {
    /// `user` or `account`; `None` = nobody that is known.
    pub r#type: Option<&'static str>,
    /// Its id.
    pub id: Option<String>,
    /// Its account.
    pub account_id: Option<AccountId>,
    /// Whether a credential named it.
    pub by_credential: bool,
    /// Who really acts by that credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_user_id: Option<UserId>,
}

/// What askers say for conditions: of each part its keys, or where values are wanted all of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Keys {
    /// Of the subject.
    #[serde(skip_serializing_if = "is_nothing")]
    pub subject: Value,
    /// Of the action.
    #[serde(skip_serializing_if = "is_nothing")]
    pub action: Value,
    /// Of the resource.
    #[serde(skip_serializing_if = "is_nothing")]
    pub resource: Value,
    /// What else.
    #[serde(skip_serializing_if = "is_nothing")]
    pub context: Value,
}

impl Keys {
    /// Writes one part down.
    pub fn part(map: Map<String, Value>, values: bool) -> Value {
        match (map.is_empty(), values) {
            (true, _) => Value::Null,
            (false, true) => Value::Object(map),
            (false, false) => {
                Value::Array(map.into_iter().map(|(key, _)| spared(&key).into()).collect())
            }
        }
    }
}

/// A grant that decided.
#[derive(Debug, Clone, Serialize)]
pub struct GrantOf {
    /// What kind of grant.
    pub kind: GrantKind,
    /// The role, with its catalogue or by its id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role_type: String,
    /// The rights document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rights_doc_id: Option<DocId>,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_user_id: Option<UserId>,
    /// Where it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// What it is limited to.
    #[serde(serialize_with = "path", skip_serializing_if = "Option::is_none")]
    pub scope: Option<ResourcePath>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<DateTime<Utc>>,
}

/// The kinds of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GrantKind {
    /// What every user holds.
    Baseline,
    /// A role on a user.
    Role,
    /// A rights document.
    Document,
    /// The account's own role.
    AccountRole,
}

/// What was wrong with a question.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// The code.
    pub code: &'static str,
    /// The stable reason.
    pub reason: String,
    /// The field.
    pub field: String,
}

#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn ids<S: Serializer>(traced: &Option<Traced>, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    if let Some(traced) = traced {
        map.serialize_entry("trace_id", &traced.trace_id().to_string())?;
        if let Some(span) = traced.span_id() {
            map.serialize_entry("span_id", &span.to_string())?;
        }
    }
    map.end()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null()
}

fn micros<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn maybe_micros<S: Serializer>(at: &Option<DateTime<Utc>>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => micros(at, to),
        None => to.serialize_none(),
    }
}

#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn path<S: Serializer>(path: &Option<ResourcePath>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => {
            let mut path = path.clone();
            for pair in &mut path.pairs {
                if let Named::Id(id) = &mut pair.named {
                    *id = spared(id).to_owned();
                }
            }
            to.collect_str(&path)
        }
        None => to.serialize_none(),
    }
}

/// Spares a text that looks like a credential, an API token, a link's or a signed one: somebody may have sent one where a name
/// belongs.
fn spared(text: &str) -> &str {
    if text.starts_with("chy_") || text.starts_with("eyJ") { "redacted" } else { text }
}
