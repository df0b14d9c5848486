//! Entries of a ledger as they are shown, and what of an object is different behind a change.

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Value as Json};

use crate::crypto::chain::hex;
use crate::model::{AccountId, Image};
use crate::proto::v1 as pb;
use crate::rpc::wire::timestamp;
use crate::store::{Entry, Event};

/// A value longer than this stands in the image alone, and not once more beside it.
const LONGEST: usize = 4 << 10;

/// Shows what was found of an entry.
pub(super) fn event(tenant: AccountId, found: &Event) -> pb::AuditEvent {
    match &found.entry {
        Ok(entry) => sound(entry),
        Err(why) => pb::AuditEvent {
            tenant_id: tenant.to_string(),
            revision: found.place.revision.0,
            ordinal: found.place.ordinal,
            account_id: found.account.to_string(),
            time: Some(timestamp(found.at)),
            action: found.kind.clone(),
            entity: found.entity.clone(),
            fault: why.clone(),
            ..Default::default()
        },
    }
}

/// Shows an entry that is what was written.
pub(super) fn sound(entry: &Entry) -> pb::AuditEvent {
    let change = &entry.change;
    let text = |id: Option<String>| id.unwrap_or_default();
    let image = change.after.as_ref().or(change.before.as_ref());
    let (entity_id, user) = image.map(Image::ids).unwrap_or_default();
    let (before, after) = (object(change.before.as_ref()), object(change.after.as_ref()));
    pb::AuditEvent {
        tenant_id: entry.tenant.to_string(),
        revision: entry.revision.0,
        ordinal: entry.ordinal,
        account_id: change.account.to_string(),
        time: Some(timestamp(entry.at)),
        actor_user_id: text(entry.actor.map(|id| id.to_string())),
        acting_as_user_id: text(entry.acting_as.map(|id| id.to_string())),
        request_id: text(entry.request_id.map(|id| id.to_string())),
        source: entry.source.clone(),
        action: change.kind.name().to_owned(),
        entity_type: image.map(|image| image.kind().name().to_owned()).unwrap_or_default(),
        entity_id,
        user_id: text(user.map(|id| id.to_string())),
        entity: change.entity(),
        changes: changes(before.as_ref(), after.as_ref()),
        before: before.map(structure),
        after: after.map(structure),
        hash: hex(&entry.hash),
        platform_revision: entry.platform_revision.0,
        fault: String::new(),
    }
}

/// Returns the fields of an object, without the word for what it is.
fn object(image: Option<&Image>) -> Option<Map<String, Json>> {
    let Ok(Json::Object(tagged)) = serde_json::to_value(image?) else { return None };
    tagged.into_iter().find_map(|(_, fields)| match fields {
        Json::Object(fields) => Some(fields),
        _ => None,
    })
}

/// Lists the fields that are different.
fn changes(
    before: Option<&Map<String, Json>>,
    after: Option<&Map<String, Json>>,
) -> Vec<pb::FieldChange> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    for (fields, into) in [(before, &mut old), (after, &mut new)] {
        if let Some(fields) = fields {
            flatten("", fields, into);
        }
    }
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let differs = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
    differs
        .map(|path| pb::FieldChange {
            path: path.clone(),
            before: old.get(path).copied().and_then(short),
            after: new.get(path).copied().and_then(short),
        })
        .collect()
}

/// Writes down each field with its path. One that holds nothing is as good as none.
fn flatten<'j>(path: &str, fields: &'j Map<String, Json>, into: &mut BTreeMap<String, &'j Json>) {
    for (name, value) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Json::Null => {}
            Json::Object(inner) => flatten(&path, inner, into),
            value => {
                into.insert(path, value);
            }
        }
    }
}

fn short(value: &Json) -> Option<Value> {
    let length = match value {
        Json::String(text) => text.len(),
        Json::Array(_) | Json::Object(_) => value.to_string().len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    };
    (length <= LONGEST).then(|| wire(value.clone()))
}

fn structure(fields: Map<String, Json>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name, wire(value))).collect() }
}

fn wire(value: Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(yes) => Kind::BoolValue(yes),
        // Numbers of a ledger are exact as doubles: it takes no other (RFC 8785).
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => {
            Kind::ListValue(ListValue { values: items.into_iter().map(wire).collect() })
        }
        Json::Object(fields) => Kind::StructValue(structure(fields)),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Json, after: &Json) -> Vec<String> {
        let of = |change: &pb::FieldChange| {
            let has = |value: &Option<Value>| if value.is_some() { "+" } else { "-" };
            format!("{} {}{}", change.path, has(&change.before), has(&change.after))
        };
        changes(before.as_object(), after.as_object()).iter().map(of).collect()
    }

    #[test]
    fn what_differs_is_told_field_by_field_in_the_order_of_the_paths() {
        let before =
            json!({ "b": 1, "a": { "x": "1", "y": [1] }, "same": true, "gone": 1, "null": null });
        let after = json!({ "b": 2, "a": { "x": "2", "y": [1, 2] }, "same": true, "new": 1 });
        assert_eq!(told(&before, &after), ["a.x ++", "a.y ++", "b ++", "gone +-", "new -+"]);
        assert_eq!(told(&Json::Null, &json!({ "a": 1, "none": null })), ["a -+"]);
    }

    #[test]
    fn what_is_long_is_named_and_not_repeated() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(told(&json!({ "yaml": "short" }), &json!({ "yaml": long })), ["yaml +-"]);
    }
}
