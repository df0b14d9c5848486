//! The conditions that one question meets (`edges.md` §3).

use std::cell::{OnceCell, RefCell};

use serde_json::{Map, Value, json};

use super::question::{Missing, Question, Subject, Untold, Worlds};
use crate::model::catalogue::Part;
use crate::model::{Named, RoleRef, UserKind, View};

/// Evaluates conditions. What they see is put together at the first, since most questions meet none.
pub(super) struct Conditions<'a> {
    worlds: Worlds<'a>,
    question: &'a Question<'a>,
    view: OnceCell<View>,
    untold: RefCell<Option<Untold>>,
}

impl<'a> Conditions<'a> {
    pub(super) const fn new(worlds: Worlds<'a>, question: &'a Question<'a>) -> Self {
        Self { worlds, question, view: OnceCell::new(), untold: RefCell::new(None) }
    }

    /// Tests the condition of a part, if it has one; `role` is what is held.
    pub(super) fn test(&self, part: &Part, role: Option<&RoleRef>) -> Result<(), Missing> {
        let Some(condition) = &part.when else { return Ok(()) };
        match condition.holds(self.view.get_or_init(|| self.view())) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(fault) => {
                if let Some(role) = role {
                    let untold = || Untold { role: role.clone(), fault };
                    self.untold.borrow_mut().get_or_insert_with(untold);
                }
            }
        }
        Err(Missing::ConditionFailed)
    }

    /// Returns the first that could not be evaluated, where a condition is what is missing.
    pub(super) fn untold(&self, missing: Missing) -> Option<Untold> {
        (missing == Missing::ConditionFailed).then(|| self.untold.take()).flatten()
    }

    fn view(&self) -> View {
        let Question { resource, permission, now, asked, .. } = self.question;
        let said = asked.properties();
        let id = match resource.pairs.last().map(|pair| &pair.named) {
            None => resource.account.to_string(),
            Some(Named::Id(id)) => id.clone(),
            Some(Named::Any) => "-".to_owned(),
        };
        let action = json!({
            "name": self.worlds.home.catalogue().name(*permission),
            "properties": said.action,
        });
        let resource = json!({
            "type": resource.kind(),
            "id": id,
            "path": resource.to_string(),
            "account_id": resource.account.to_string(),
            "properties": said.resource,
        });
        let subject = self.subject(&said.subject);
        View::new(&subject, &action, &resource, &Value::Object(said.context), *now)
    }

    /// An account has neither kind nor user name.
    fn subject(&self, properties: &Map<String, Value>) -> Value {
        match self.question.subject {
            Subject::Unknown => json!({}),
            Subject::Account(id) => json!({
                "id": id.to_string(),
                "type": "account",
                "account_id": id.to_string(),
                "properties": properties,
            }),
            Subject::User(id) => {
                let mut subject = json!({
                    "id": id.to_string(),
                    "type": "user",
                    "properties": properties,
                });
                if let Some((user, subject)) =
                    self.worlds.home.user(id).zip(subject.as_object_mut())
                {
                    let kind = match user.kind {
                        UserKind::Admin => "ADMIN",
                        UserKind::Service => "SERVICE",
                        UserKind::Application => "APPLICATION",
                    };
                    subject.insert("kind".to_owned(), kind.into());
                    subject.insert("account_id".to_owned(), user.account.to_string().into());
                    subject.insert("user_name".to_owned(), (*user.user_name).into());
                }
                subject
            }
        }
    }
}
