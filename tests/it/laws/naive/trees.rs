//! The trees of a world, walked by looking at every fact.

use chancery::decision::Facts;
use chancery::model::{Account, AccountId, AccountStatus, User, UserId};

pub(super) fn of(facts: &Facts, id: AccountId) -> Option<&Account> {
    facts.accounts.iter().find(|account| account.id == id)
}

pub(super) fn user(facts: &Facts, id: UserId) -> Option<&User> {
    facts.users.iter().find(|user| user.id == id)
}

/// Everybody strictly above a user.
pub(super) fn ancestors(facts: &Facts, id: UserId) -> Vec<&User> {
    let mut found = Vec::new();
    let mut at = user(facts, id).and_then(|below| below.parent);
    while let Some(above) = at.and_then(|id| user(facts, id)) {
        found.push(above);
        at = above.parent;
    }
    found
}

/// The account and all above it are active and out of quarantine.
pub(super) fn works(facts: &Facts, id: AccountId) -> bool {
    let mut at = of(facts, id);
    if at.is_none() {
        return false;
    }
    while let Some(account) = at {
        if account.status != AccountStatus::Active || account.quarantined_from.is_some() {
            return false;
        }
        at = account.parent.and_then(|parent| of(facts, parent));
    }
    true
}

/// `upper` stands strictly above `lower`.
pub(super) fn above(facts: &Facts, upper: AccountId, lower: AccountId) -> bool {
    let mut at = of(facts, lower).and_then(|account| account.parent);
    while let Some(id) = at {
        if id == upper {
            return true;
        }
        at = of(facts, id).and_then(|account| account.parent);
    }
    false
}
