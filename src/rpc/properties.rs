//! What an asker says of the parts of a question, for conditions.

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::{Map, Value as Json};
use tonic::Status;

use crate::decision::{Asked, Properties};
use crate::layers::status;
use crate::proto::v1 as pb;

/// The most bytes of each, as sent.
const LONGEST: usize = 8192;
/// How deep lists and objects may lie in each other.
const DEEPEST: usize = 8;

/// The properties of one question; turned into values only where a condition is met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a>(&'a pb::EvaluationRequest);

impl<'a> Sent<'a> {
    /// Checks what is sent: evaluating conditions takes time by it.
    pub(super) fn of(item: &'a pb::EvaluationRequest) -> Result<Self, Status> {
        let sent = Self(item);
        let [subject, action, resource, context] = sent.parts();
        check("subject.properties", subject)?;
        check("action.properties", action)?;
        check("resource.properties", resource)?;
        check("context", context)?;
        Ok(sent)
    }

    fn parts(self) -> [Option<&'a Struct>; 4] {
        let Self(item) = self;
        [
            item.subject.as_ref().and_then(|subject| subject.properties.as_ref()),
            item.action.as_ref().and_then(|action| action.properties.as_ref()),
            item.resource.as_ref().and_then(|resource| resource.properties.as_ref()),
            item.context.as_ref(),
        ]
    }
}

/// The same, kept for longer than the request is.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept([Option<Struct>; 4]);

impl Sent<'_> {
    /// Keeps it. Mostly there is nothing to keep.
    pub(super) fn keep(self) -> Kept {
        Kept(self.parts().map(Option::<&Struct>::cloned))
    }
}

impl Kept {
    /// Returns what was sent of each part.
    pub(super) const fn parts(&self) -> &[Option<Struct>; 4] {
        &self.0
    }
}

impl Asked for Kept {
    fn properties(&self) -> Properties {
        let [subject, action, resource, context] =
            self.0.each_ref().map(|part| part.as_ref().map(object).unwrap_or_default());
        Properties { subject, action, resource, context }
    }
}

impl Asked for Sent<'_> {
    fn properties(&self) -> Properties {
        let [subject, action, resource, context] =
            self.parts().map(|part| part.map(object).unwrap_or_default());
        Properties { subject, action, resource, context }
    }
}

fn check(field: &str, part: Option<&Struct>) -> Result<(), Status> {
    let Some(part) = part else { return Ok(()) };
    let bad = |why: String| Err(status::bad_field("INVALID_FIELD", field, why));
    if !part.fields.values().all(|value| is_plain(value, DEEPEST)) {
        return bad(format!("is nested deeper than {DEEPEST}, or has a number that is none"));
    }
    if part.encoded_len() > LONGEST {
        return bad(format!("is larger than {LONGEST} bytes"));
    }
    Ok(())
}

fn is_plain(value: &Value, deepest: usize) -> bool {
    let Some(below) = deepest.checked_sub(1) else { return false };
    match &value.kind {
        Some(Kind::NumberValue(number)) => number.is_finite(),
        Some(Kind::StructValue(part)) => part.fields.values().all(|value| is_plain(value, below)),
        Some(Kind::ListValue(list)) => list.values.iter().all(|value| is_plain(value, below)),
        Some(Kind::NullValue(_) | Kind::BoolValue(_) | Kind::StringValue(_)) | None => true,
    }
}

fn object(part: &Struct) -> Map<String, Json> {
    part.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

fn json(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(yes)) => Json::Bool(*yes),
        Some(Kind::NumberValue(number)) => Json::from(*number),
        Some(Kind::StringValue(text)) => Json::String(text.clone()),
        Some(Kind::ListValue(list)) => list.values.iter().map(json).collect(),
        Some(Kind::StructValue(part)) => Json::Object(object(part)),
    }
}
