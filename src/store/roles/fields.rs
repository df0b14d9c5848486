//! A custom role's fields as a request gives them.

use super::Refusal;
use crate::model::{Condition, CustomRole, Holder, Reach, Relation};

/// New values of a custom role's fields; `None` = not said. What they hold is checked by the act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleFields {
    /// Its name; of the form that names have.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Patterns of what it gives.
    pub permits: Option<Vec<String>>,
    /// Patterns taken out of `permits`.
    pub except: Option<Vec<String>>,
    /// Roles that it includes, as written.
    pub includes: Option<Vec<String>>,
    /// How far it reaches.
    pub reach: Option<Reach>,
    /// Which users it counts for; `Some(None)` = none.
    pub on: Option<Option<Relation>>,
    /// A condition; empty = none.
    pub when: Option<String>,
    /// Who can be given it; never accounts.
    pub assignable_to: Option<Vec<Holder>>,
    /// Whether it gives anything.
    pub active: Option<bool>,
}

impl RoleFields {
    /// Puts the values into a role; `includes` is left to be resolved.
    pub(super) fn fill(&self, role: &mut CustomRole) -> Result<(), Refusal> {
        if let Some(when) = &self.when {
            role.when = Some(when.clone()).filter(|when| !when.is_empty());
            if let Some(Err(error)) = role.when.as_deref().map(Condition::compile) {
                return Err(Refusal::invalid("INVALID_CONDITION", "role.when", error.to_string()));
            }
        }
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut role.name, &self.name);
        set(&mut role.description, &self.description);
        role.permits = self.permits.clone().unwrap_or_else(|| role.permits.clone());
        role.except = self.except.clone().unwrap_or_else(|| role.except.clone());
        role.reach = self.reach.unwrap_or(role.reach);
        role.on = self.on.unwrap_or(role.on);
        role.active = self.active.unwrap_or(role.active);
        if let Some(assignable_to) = &self.assignable_to {
            role.assignable_to.clone_from(assignable_to);
            role.assignable_to.sort_unstable();
            role.assignable_to.dedup();
        }
        Ok(())
    }
}
