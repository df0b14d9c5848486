//! No escalation by a new catalogue (`edges.md` §2, Catalogue files): whoever applies one holds at the root all that anyone gains.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ask::Caller;
use super::documents::CompiledDocument;
use super::escalation::{Escalation, within};
use super::holding::{Holding, Place, call_holdings, given};
use super::snapshot::{Held, Snapshot};
use super::stock::Stock;
use crate::model::catalogue::{Catalogue, Difference, Part, PermissionSet};
use crate::model::{AccountId, DocId, Reach, Relation, SystemDocument, UserId};

/// By what somebody may gain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Through {
    /// A role of a catalogue, by its full name: whoever has it.
    Role(String),
    /// A role of a catalogue, as a ceiling: whoever is in an account that has it.
    Ceiling(String),
    /// What is held without being given, or is open to all who hold documents.
    Anything,
    /// A document that is in every account: whoever it is assigned to.
    Document(DocId),
}

/// Who gains is anybody of any tenant: nobody in particular, in no account that is known here. What covers it is held
/// everywhere.
const ANYBODY: (UserId, AccountId) = (UserId(Uuid::nil()), AccountId(Uuid::nil()));

/// Lists by what a new catalogue gives what the caller does not hold at the root; nobody need have any of it.
///
/// `home` is the platform's snapshot, with the catalogue in force. What is newly declared counts as held by whoever holds
/// the lone `*` at the root, and by nobody else.
pub fn given_by_catalogue(
    home: &Snapshot,
    caller: &Caller,
    new: &Arc<Catalogue>,
    now: DateTime<Utc>,
) -> Vec<(Through, Escalation)> {
    let mut found = given_by(home, caller, new, now);
    // In an assumed session it must be held by both.
    if let Some((actor, home)) = caller.actor_in(home) {
        found.extend(given_by(home, actor, new, now));
    }
    found
}

fn given_by(
    home: &Snapshot,
    caller: &Caller,
    new: &Arc<Catalogue>,
    now: DateTime<Utc>,
) -> Vec<(Through, Escalation)> {
    let old = home.catalogue();
    let difference = Difference::new(old, new);
    let world = home.named_by(new);
    let mut granter = call_holdings(home, caller, now);
    for held in &mut granter {
        held.permissions = difference.renumber(&held.permissions);
    }
    if !granter.is_empty() {
        granter.extend(to_come(home, caller, difference.fresh(), now));
    }
    let mut found = Vec::new();
    let granter = Stock::of(&granter);
    let mut check = |through: Through, had: &[Holding], gained: Vec<Holding>| {
        let missing = within(&world, gained, &Stock::of(had), &granter).err();
        found.extend(missing.map(|missing| (through, missing)));
    };
    let everywhere = Part {
        permissions: difference.opened(),
        reach: Reach::Subtree,
        on: Some(Relation::Account),
        when: None,
    };
    check(Through::Anything, &[], vec![holding(&everywhere)]);
    for (_, role) in new.roles() {
        let known = old.role(&role.full_name).map(|ix| old.get(ix));
        let had = known.iter().flat_map(|role| &role.parts);
        let had: Vec<Holding> = had.map(|part| holding(&difference.part(part))).collect();
        let gained: Vec<Holding> = role.parts.iter().map(|part| holding(part)).collect();
        let through = if role.is_baseline() {
            Through::Anything
        } else {
            Through::Role(role.full_name.to_string())
        };
        check(through, &had, gained);
        // A ceiling leaves what it names, on whomever somebody holds it, and as far as the whole role reaches.
        let ceiling =
            |part: Part, reach| holding(&Part { reach, on: Some(Relation::Account), ..part });
        let had: Vec<Holding> = known
            .iter()
            .flat_map(|role| {
                role.parts.iter().map(|part| ceiling(difference.part(part), role.reach))
            })
            .collect();
        let gained: Vec<Holding> =
            role.parts.iter().map(|part| ceiling(Part::clone(part), role.reach)).collect();
        check(Through::Ceiling(role.full_name.to_string()), &had, gained);
    }
    for document in new.system_documents() {
        let gives = |document: &SystemDocument, catalogue: &Catalogue| {
            let compiled = CompiledDocument::system(document, catalogue);
            given(home, &compiled, ANYBODY, None, None)
        };
        // One that comes to hold for those below as well is as one that is given to them.
        let known = old.system_document(document.id);
        let known = known.filter(|known| known.cascade || !document.cascade);
        let mut had = known.map(|known| gives(known, old)).unwrap_or_default();
        for one in &mut had {
            one.permissions = difference.renumber(&one.permissions);
        }
        check(Through::Document(document.id), &had, gives(document, new));
    }
    found
}

/// Returns whether a call may do something in every account of every tenant, on all users.
pub fn sees_tenants(
    home: &Snapshot,
    caller: &Caller,
    permission: &str,
    now: DateTime<Utc>,
) -> bool {
    let wanted = home.catalogue().parse(permission).map(|wanted| Part {
        permissions: std::iter::once(wanted).collect(),
        reach: Reach::Subtree,
        on: Some(Relation::Account),
        when: None,
    });
    let granter = call_holdings(home, caller, now);
    wanted.is_some_and(|wanted| {
        within(home, [holding(&wanted)], &Stock::default(), &Stock::of(&granter)).is_ok()
    }) && caller
        .actor_in(home)
        .is_none_or(|(actor, home)| sees_tenants(home, actor, permission, now))
}

fn holding(part: &Part) -> Holding {
    let (holder, account) = ANYBODY;
    Holding {
        holder,
        account,
        permissions: part.permissions.clone(),
        reach: part.reach,
        on: part.on,
        place: Place::All,
        expire_time: None,
        when: part.when.clone(),
    }
}

/// Lists what is newly declared as held by grants of a lone `*` at the root, as far as the credential lets them count.
fn to_come(
    home: &Snapshot,
    caller: &Caller,
    fresh: &PermissionSet,
    now: DateTime<Utc>,
) -> Vec<Holding> {
    let limits = caller.limits.as_deref();
    let unlimited = limits.is_none_or(|limits| limits.all || limits.permissions.is_none());
    let at_root = home.account(caller.account).is_some_and(|account| account.is_root());
    let Some(user) = home.user(caller.user).filter(|_| unlimited && at_root) else {
        return Vec::new();
    };
    let counts = |held: &&Held| {
        let live = held.is_live(now) && held.scope.is_none();
        live && limits.is_none_or(|limits| limits.counts(&held.role))
    };
    let stars = user.held.iter().filter(counts).filter_map(|held| {
        let role = home.catalogue().get(held.built_in?);
        (role.lone_star && role.active).then(|| Holding {
            holder: user.id,
            account: user.account,
            permissions: fresh.clone(),
            reach: role.reach,
            on: role.on,
            place: Place::All,
            expire_time: held.expire_time,
            // As its own part has it, which is the first.
            when: role.parts.first().and_then(|part| part.when.clone()),
        })
    });
    stars.collect()
}
