//! From JSON to the RPCs' messages: AuthZEN's information model, field by field. What it does not name is ignored.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Map, Value};
use tonic::Status;

use super::strict::Strict;
use super::{Asked, Endpoint, Settings};
use crate::layers::status;
use crate::proto::v1 as pb;

/// Deeper than this nothing is taken over; the service takes less.
const DEEPEST: usize = 16;

/// What a body may be encoded by, in HTTP and in gRPC.
pub(super) const ENCODINGS: [HeaderName; 2] =
    [CONTENT_ENCODING, HeaderName::from_static("grpc-encoding")];
/// Why a body that is encoded is refused.
pub(super) const ENCODED: &str = "UNSUPPORTED_ENCODING";

/// What is wrong with which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: String,
    pub(super) why: &'static str,
}

/// How the reply is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    One,
    Many {
        /// The items that cannot be asked.
        faults: Vec<(usize, Fault)>,
        /// Whether each answer is to say why.
        reasons: bool,
    },
    Subjects,
    Resources {
        /// What the question calls the type.
        kind: String,
    },
    Actions,
}

fn fault(field: &str, why: &'static str) -> Fault {
    Fault { field: field.to_owned(), why }
}

impl From<Fault> for Status {
    fn from(Fault { field, why }: Fault) -> Self {
        status::bad_field("INVALID_FIELD", &field, why)
    }
}

/// Reads a request.
pub(super) fn read(
    to: Endpoint,
    headers: &HeaderMap,
    body: &[u8],
    settings: &Settings,
) -> Result<Asked, Status> {
    for name in ENCODINGS {
        let coded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
        if headers.get_all(&name).iter().any(coded) {
            let why = "is not taken: send the body as it is";
            return Err(status::bad_field(ENCODED, name.as_str(), why));
        }
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !is_json(kind) {
        return Err(fault("content-type", "must be application/json").into());
    }
    let whole = match serde_json::from_slice(body) {
        Ok(Strict(whole)) => whole,
        Err(error) if error.is_data() => {
            return Err(fault("body", "must not name a member twice").into());
        }
        Err(_) => return Err(fault("body", "must be JSON").into()),
    };
    let Value::Object(whole) = whole else {
        return Err(fault("body", "must be an object").into());
    };
    Ok(Reader { settings }.asked(to, &whole)?)
}

/// Tells whether a type is that of JSON, which is UTF-8 and nothing else.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = |part: &str| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    named && parts.all(utf8)
}

/// One object that is read, and another that it falls back on.
#[derive(Debug, Clone, Copy)]
struct Whole<'a> {
    own: &'a Map<String, Value>,
    defaults: Option<&'a Map<String, Value>>,
}

impl<'a> Whole<'a> {
    const fn of(own: &'a Map<String, Value>) -> Self {
        Self { own, defaults: None }
    }

    /// Returns a member; what is `null` is not there.
    fn get(self, name: &str) -> Option<&'a Value> {
        let there = |of: &'a Map<String, Value>| of.get(name).filter(|value| !value.is_null());
        there(self.own).or_else(|| self.defaults.and_then(there))
    }

    fn object(self, name: &str) -> Result<Option<Part<'a>>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => {
                Ok(Some(Part { name: name.to_owned(), whole: Self::of(object) }))
            }
            Some(_) => Err(fault(name, "must be an object")),
        }
    }

    fn required(self, name: &str) -> Result<Part<'a>, Fault> {
        self.object(name)?.ok_or_else(|| fault(name, "is required"))
    }
}

/// A member that is an object.
struct Part<'a> {
    name: String,
    whole: Whole<'a>,
}

impl Part<'_> {
    fn fault(&self, name: &str, why: &'static str) -> Fault {
        fault(&format!("{}.{name}", self.name), why)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.whole.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.fault(name, "must be a string")),
        }
    }

    fn required(&self, name: &str) -> Result<String, Fault> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.fault(name, "is required"))
    }

    fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.whole.get(name) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(_) => Err(self.fault(name, "must be true or false")),
        }
    }

    fn properties(&self) -> Result<Option<Struct>, Fault> {
        let Some(Part { whole, .. }) =
            self.whole.object("properties").map_err(|found| self.fault("properties", found.why))?
        else {
            return Ok(None);
        };
        let found = object(whole.own, DEEPEST);
        found.map(Some).ok_or_else(|| self.fault("properties", "is nested too deep"))
    }
}

/// Reads by the settings.
struct Reader<'a> {
    settings: &'a Settings,
}

impl Reader<'_> {
    fn asked(&self, to: Endpoint, whole: &Map<String, Value>) -> Result<Asked, Fault> {
        let all = Whole::of(whole);
        let (message, question) = match to {
            Endpoint::Evaluation => (self.one(all)?.encode_to_vec(), Question::One),
            Endpoint::Evaluations => return self.evaluations(all),
            Endpoint::Subjects => (self.subjects(all)?.encode_to_vec(), Question::Subjects),
            Endpoint::Resources => {
                let kind = all.required("resource")?.required("type")?;
                (self.resources(all)?.encode_to_vec(), Question::Resources { kind })
            }
            Endpoint::Actions => (self.actions(all)?.encode_to_vec(), Question::Actions),
        };
        Ok(Asked { method: to.method(), message, question })
    }

    fn one(&self, whole: Whole<'_>) -> Result<pb::AuthorizeRequest, Fault> {
        Ok(pb::AuthorizeRequest {
            subject: Some(subject(whole)?),
            action: Some(action(whole)?),
            resource: Some(self.resource(whole)?),
            context: context(whole)?,
            ..Default::default()
        })
    }

    /// Reads many questions; without any of them the whole is one.
    fn evaluations(&self, whole: Whole<'_>) -> Result<Asked, Fault> {
        let items: &[Value] = match whole.get("evaluations") {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return Err(fault("evaluations", "must be a list")),
        };
        if items.is_empty() {
            return self.asked(Endpoint::Evaluation, whole.own);
        }
        // Each item may replace what stands here, so that it need not be complete; an object it must be.
        for name in ["subject", "action", "resource", "context"] {
            whole.object(name)?;
        }
        let options = whole.object("options")?;
        let options = options.as_ref();
        let semantic = options.map(|options| options.text("evaluations_semantic")).transpose()?;
        let reasons = options.map(|options| options.flag("reasons")).transpose()?;
        let mut faults = Vec::new();
        let read = items.iter().enumerate().map(|(at, item)| {
            let read = self.item(whole.own, item);
            // The service refuses what is not complete, in the item's turn.
            read.unwrap_or_else(|fault| {
                faults.push((at, fault));
                pb::EvaluationRequest::default()
            })
        });
        let evaluations = read.collect();
        let request = pb::BatchAuthorizeRequest {
            evaluations,
            options: semantic
                .flatten()
                .map(|evaluations_semantic| pb::EvaluationOptions { evaluations_semantic }),
            ..Default::default()
        };
        let question = Question::Many { faults, reasons: reasons.unwrap_or_default() };
        let method = Endpoint::Evaluations.method();
        Ok(Asked { method, message: request.encode_to_vec(), question })
    }

    fn item(
        &self,
        defaults: &Map<String, Value>,
        item: &Value,
    ) -> Result<pb::EvaluationRequest, Fault> {
        let Value::Object(own) = item else { return Err(fault("evaluations", "must be objects")) };
        let one = self.one(Whole { own, defaults: Some(defaults) })?;
        let pb::AuthorizeRequest { subject, action, resource, context, .. } = one;
        Ok(pb::EvaluationRequest { subject, action, resource, context })
    }

    fn subjects(&self, whole: Whole<'_>) -> Result<pb::SearchSubjectsRequest, Fault> {
        // An id of what is sought is not looked at.
        let r#type = whole.required("subject")?.required("type")?;
        Ok(pb::SearchSubjectsRequest {
            subject: Some(pb::Subject { r#type, ..Default::default() }),
            action: Some(action(whole)?),
            resource: Some(self.resource(whole)?),
            context: context(whole)?,
            page: page(whole)?,
            short_ids: true,
            ..Default::default()
        })
    }

    fn resources(&self, whole: Whole<'_>) -> Result<pb::SearchResourcesRequest, Fault> {
        let part = whole.required("resource")?;
        let r#type = self.settings.type_here(&part.required("type")?);
        let properties = part.properties()?;
        Ok(pb::SearchResourcesRequest {
            subject: Some(subject(whole)?),
            action: Some(action(whole)?),
            resource: Some(pb::Resource { r#type, id: String::new(), properties }),
            context: context(whole)?,
            page: page(whole)?,
            short_ids: true,
            ..Default::default()
        })
    }

    fn actions(&self, whole: Whole<'_>) -> Result<pb::SearchActionsRequest, Fault> {
        Ok(pb::SearchActionsRequest {
            subject: Some(subject(whole)?),
            resource: Some(self.resource(whole)?),
            context: context(whole)?,
            page: page(whole)?,
            ..Default::default()
        })
    }

    fn resource(&self, whole: Whole<'_>) -> Result<pb::Resource, Fault> {
        let part = whole.required("resource")?;
        let r#type = self.settings.type_here(&part.required("type")?);
        let (id, properties) = (part.required("id")?, part.properties()?);
        Ok(pb::Resource { r#type, id, properties })
    }
}

/// Reads the subject. Of the type `token` the id is a credential, and is kept where secrets are.
fn subject(whole: Whole<'_>) -> Result<pb::Subject, Fault> {
    let part = whole.required("subject")?;
    let (r#type, named) = (part.required("type")?, part.required("id")?);
    let properties = part.properties()?;
    let is_token = r#type.eq_ignore_ascii_case("token");
    let (id, token) = if is_token { (String::new(), named) } else { (named, String::new()) };
    Ok(pb::Subject { r#type, id, token, properties })
}

fn action(whole: Whole<'_>) -> Result<pb::Action, Fault> {
    let part = whole.required("action")?;
    Ok(pb::Action { name: part.required("name")?, properties: part.properties()? })
}

fn context(whole: Whole<'_>) -> Result<Option<Struct>, Fault> {
    let Some(part) = whole.object("context")? else { return Ok(None) };
    object(part.whole.own, DEEPEST).map(Some).ok_or_else(|| fault("context", "is nested too deep"))
}

fn page(whole: Whole<'_>) -> Result<Option<pb::SearchPage>, Fault> {
    let Some(part) = whole.object("page")? else { return Ok(None) };
    let size = match part.whole.get("limit") {
        None => 0,
        Some(limit) => {
            let limit = limit.as_u64();
            let limit = limit.ok_or_else(|| part.fault("limit", "must be a whole number"))?;
            i32::try_from(limit).unwrap_or(i32::MAX)
        }
    };
    Ok(Some(pb::SearchPage { size, token: part.text("token")?.unwrap_or_default() }))
}

/// Takes an object over; `None` where it is too deep.
fn object(from: &Map<String, Value>, deepest: usize) -> Option<Struct> {
    let below = deepest.checked_sub(1)?;
    let fields = from.iter().map(|(key, value)| Some((key.clone(), wire(value, below)?)));
    Some(Struct { fields: fields.collect::<Option<_>>()? })
}

fn wire(value: &Value, deepest: usize) -> Option<prost_types::Value> {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(yes) => Kind::BoolValue(*yes),
        Value::Number(number) => Kind::NumberValue(number.as_f64()?),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => {
            let below = deepest.checked_sub(1)?;
            let values = list.iter().map(|value| wire(value, below));
            Kind::ListValue(ListValue { values: values.collect::<Option<_>>()? })
        }
        Value::Object(part) => Kind::StructValue(object(part, deepest)?),
    };
    Some(prost_types::Value { kind: Some(kind) })
}
