//! The work of a search: candidates in order, each asked of the engine, until the page or the time is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::permits;
use crate::decision::{
    Caller, Question, Snapshot, Subject, Worlds, known, may, possible_users, sees_account,
    sees_document, sees_user,
};
use crate::model::catalogue::Permission;
use crate::model::{AccountId, Named, ResourcePath, UserId};
use crate::proto::v1::SearchStop;

use super::super::asking::Found;
use super::super::properties::Kept;

/// One call looks at so many candidates at most,
const MOST_LOOKED_AT: usize = 20_000;
/// and for so long.
const LONGEST: Duration = Duration::from_millis(200);

/// What a search found, and where it ended.
pub(super) struct Sifted<T> {
    pub(super) results: Vec<T>,
    pub(super) stop: SearchStop,
    /// Where to go on.
    pub(super) cursor: Option<String>,
}

impl<T> Sifted<T> {
    pub(super) const fn nothing() -> Self {
        Self { results: Vec::new(), stop: SearchStop::Unspecified, cursor: None }
    }
}

/// Takes what passes of the candidates, each under the key that a later call goes on behind.
pub(super) fn sift<C, T>(
    candidates: impl Iterator<Item = (String, C)>,
    size: usize,
    mut test: impl FnMut(C) -> Option<T>,
) -> Sifted<T> {
    let began = Instant::now();
    let mut found = Sifted::nothing();
    for (looked_at, (key, candidate)) in candidates.enumerate() {
        let stop = if found.results.len() >= size {
            Some(SearchStop::PageFull)
        } else if looked_at >= MOST_LOOKED_AT || (looked_at > 0 && began.elapsed() > LONGEST) {
            Some(SearchStop::WorkLimit)
        } else {
            None
        };
        if let Some(stop) = stop {
            found.stop = stop;
            return found;
        }
        found.results.extend(test(candidate));
        found.cursor = Some(key);
    }
    found.cursor = None;
    found
}

/// The accounts that an asker may search about.
struct Covered<'a> {
    caller: &'a Caller,
    mine: &'a Snapshot,
    now: DateTime<Utc>,
    known: HashMap<AccountId, bool>,
}

impl<'a> Covered<'a> {
    fn new(caller: &'a Caller, mine: &'a Snapshot, now: DateTime<Utc>) -> Self {
        Self { caller, mine, now, known: HashMap::new() }
    }

    fn contains(&mut self, world: &Snapshot, account: AccountId) -> bool {
        let Self { caller, mine, now, .. } = *self;
        *self.known.entry(account).or_insert_with(|| {
            let path = ResourcePath::account(account).with("decision", Named::Any);
            may(caller, mine, world, "decision.search", &path, now)
        })
    }

    /// Returns whether the caller may search about itself.
    fn is_itself(&self) -> bool {
        let me = Named::Id(self.caller.user.to_string());
        let path = ResourcePath::account(self.caller.account).with("user", me);
        let path = path.with("decision", Named::Any);
        may(self.caller, self.mine, self.mine, "decision.search", &path, self.now)
    }
}

/// A search for subjects.
pub(super) struct Subjects {
    pub(super) caller: Caller,
    pub(super) mine: Arc<Snapshot>,
    pub(super) there: Arc<Snapshot>,
    pub(super) permission: Permission,
    pub(super) path: ResourcePath,
    /// Whether accounts are sought, and not users.
    pub(super) accounts: bool,
    pub(super) now: DateTime<Utc>,
    /// What the asker says, for conditions.
    pub(super) asked: Kept,
}

impl Subjects {
    pub(super) fn find(&self, after: Option<&str>, size: usize) -> Sifted<Subject> {
        let mut covered = Covered::new(&self.caller, &self.mine, self.now);
        let itself = covered.is_itself();
        let candidates = self.candidates(after);
        sift(candidates, size, |(home, subject)| {
            let (account, seen) = match subject {
                Subject::User(id) => (home.user(id)?.account, self.sees_user(home, id)),
                Subject::Account(id) => (id, self.sees_account(home, id)),
                Subject::Unknown => return None,
            };
            let own = itself && subject == Subject::User(self.caller.user);
            let found = seen
                && (own || covered.contains(home, account))
                && permits(Worlds { home, there: Some(&self.there) }, &self.question(subject));
            found.then_some(subject)
        })
    }

    /// Walks those who could: of the resource's tenant, then, for the platform's operators, of the platform.
    fn candidates(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (String, (&Snapshot, Subject))> {
        let (first, after) = after.and_then(|after| after.split_once('/')).unwrap_or(("0", ""));
        let skipped: usize = first.parse().unwrap_or_default();
        let platform = (self.mine.tenant() != self.there.tenant()).then_some(&self.mine);
        let worlds = std::iter::once(&self.there).chain(platform).enumerate().skip(skipped);
        let after = after.to_owned();
        worlds.flat_map(move |(at, world)| {
            let after = if at == skipped { after.as_str() } else { "" };
            let found: Box<dyn Iterator<Item = (String, Subject)>> = if self.accounts {
                let found = known(world, "account", Some(after).filter(|after| !after.is_empty()));
                Box::new(found.map(|one| (one.key, Subject::Account(one.path.account))))
            } else {
                let after: Option<UserId> = after.parse().ok();
                let found = possible_users(world, self.permission, &self.path, after);
                Box::new(found.map(|id| (id.to_string(), Subject::User(id))))
            };
            let world: &Snapshot = world;
            found.map(move |(key, subject)| (format!("{at}/{key}"), (world, subject)))
        })
    }

    fn question(&self, subject: Subject) -> Question<'_> {
        let (permission, now) = (self.permission, self.now);
        let (resource, asked) = (&self.path, &self.asked);
        Question { subject, limits: None, permission, resource, now, asked }
    }

    fn sees_user(&self, home: &Snapshot, id: UserId) -> bool {
        sees_user(&self.caller, &self.mine, home, id, self.now)
    }

    fn sees_account(&self, home: &Snapshot, id: AccountId) -> bool {
        sees_account(&self.caller, &self.mine, home, id, self.now)
    }
}

/// A search for resources.
pub(super) struct Resources {
    pub(super) caller: Caller,
    pub(super) mine: Arc<Snapshot>,
    pub(super) found: Found,
    /// Whether the subject reaches tenants besides its own.
    pub(super) everywhere: bool,
    pub(super) permission: Permission,
    /// The type that lies in what is sought, where the permission is about such.
    pub(super) inner: Option<String>,
    pub(super) kind: String,
    pub(super) now: DateTime<Utc>,
    /// What the asker says, for conditions.
    pub(super) asked: Kept,
}

impl Resources {
    pub(super) fn find(&self, after: Option<&str>, size: usize) -> Sifted<ResourcePath> {
        let home: &Snapshot = &self.found.home;
        let mut covered = Covered::new(&self.caller, &self.mine, self.now);
        let own = self.found.subject == Subject::User(self.caller.user);
        let candidates = known(home, &self.kind, after).map(|known| (known.key, known.path));
        let mut found = sift(candidates, size, |path| {
            home.account(path.account)?;
            let found = (own || covered.contains(home, path.account))
                && self.sees(&path)
                && self.permits(&path);
            found.then_some(path)
        });
        if self.everywhere && found.stop == SearchStop::Unspecified {
            found.stop = SearchStop::OtherTenants;
        }
        found
    }

    fn permits(&self, path: &ResourcePath) -> bool {
        let home: &Snapshot = &self.found.home;
        let inner = self.inner.as_ref().map(|kind| path.clone().with(kind, Named::Any));
        let question = Question {
            subject: self.found.subject,
            limits: self.found.limits.as_deref(),
            permission: self.permission,
            resource: inner.as_ref().unwrap_or(path),
            now: self.now,
            asked: &self.asked,
        };
        permits(Worlds { home, there: Some(home) }, &question)
            && self.found.actor.as_ref().is_none_or(|actor| {
                // Of an assumed session: both.
                let subject = Subject::User(actor.caller.user);
                let limits = actor.caller.limits.as_deref();
                let same = actor.home.tenant() == home.tenant();
                let worlds =
                    Worlds { home: if same { home } else { &actor.home }, there: Some(home) };
                permits(worlds, &Question { subject, limits, ..question })
            })
    }

    /// Returns whether the asker sees it, where it is an object of this service.
    fn sees(&self, path: &ResourcePath) -> bool {
        let Self { caller, mine, found, now, .. } = self;
        let home: &Snapshot = &found.home;
        let named = path.pairs.last().map(|pair| &pair.named);
        let id = match named {
            Some(Named::Id(id)) => id.as_str(),
            Some(Named::Any) | None => "",
        };
        match path.kind() {
            "account" => sees_account(caller, mine, home, path.account, *now),
            "user" | "application_user" => {
                id.parse().map_or(true, |id| sees_user(caller, mine, home, id, *now))
            }
            "rights_document" => {
                id.parse().is_ok_and(|id| sees_document(caller, mine, home, id, *now))
            }
            "role" => may(caller, mine, home, "role.read", path, *now),
            _ => true,
        }
    }
}
