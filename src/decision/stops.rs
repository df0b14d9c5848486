//! What a quarantine stops: whoever is in an account or below it and would work without it (`model.md` §2).
//!
//! The tenant with the quarantine is held against the tenant without it, so that what is told of ordering one and of lifting it is
//! the same.

use chrono::{DateTime, Utc};

use super::effect::stands;
use super::snapshot::Snapshot;
use crate::model::{Account, AccountId, EffectiveStatus, TokenId, UserId};

/// What a quarantine stops.
#[derive(Debug)]
pub struct Stops {
    /// The accounts that work only without it, the highest first.
    pub accounts: Vec<AccountId>,
    /// Those below that something else stops in any case, without those that are closed.
    pub others: Vec<AccountId>,
    /// Whoever of those accounts may do something without it, in the order of accounts.
    pub users: Vec<UserId>,
    /// Their tokens and keys that work without it.
    pub tokens: Vec<TokenId>,
    /// Whether everybody was looked at.
    pub complete: bool,
    /// The tenant without the quarantine.
    pub working: Snapshot,
    /// The tenant with it.
    pub stopped: Snapshot,
}

/// Finds what a quarantine of an account stops, be it in force or not; `most` users are looked at. None where there is no such account.
pub fn quarantine_stops(
    world: &Snapshot,
    top: AccountId,
    now: DateTime<Utc>,
    most: usize,
) -> Option<Stops> {
    let account = world.account(top)?;
    let with = |quarantined_from| {
        let mut made = world.clone();
        made.put_account(Account { quarantined_from, ..(**account).clone() });
        made
    };
    let (working, stopped) = (with(None), with(account.quarantined_from.or(Some(top))));
    let (mut accounts, mut others) = (Vec::new(), Vec::new());
    for id in working.account_tree(top) {
        match working.effective_status(id) {
            Some(EffectiveStatus::Active) => accounts.push(id),
            Some(EffectiveStatus::Closed) | None => {}
            Some(_) => others.push(id),
        }
    }
    let members = accounts.iter().flat_map(|id| working.members(*id, None));
    // One more than are looked at tells whether there are others.
    let mut users: Vec<UserId> = members.take(most.saturating_add(1)).collect();
    let complete = users.len() <= most;
    users.truncate(most);
    users.retain(|id| stands(&working, *id));
    let held = users.iter().filter_map(|id| working.user(*id)).flat_map(|user| &user.tokens);
    let live = |id: &&TokenId| working.token(**id).is_some_and(|token| token.is_live(now));
    let tokens = held.filter(live).copied().collect();
    Some(Stops { accounts, others, users, tokens, complete, working, stopped })
}
