//! Ending all that a user may do, and telling what that was.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::standing::not_oneself;
use super::{UserDone, changed, still_open};
use crate::decision::{Caller, Snapshot, lives, may, sees_document, sees_user};
use crate::model::{
    ApiToken, Change, ChangeKind, DocId, Image, Named, ResourcePath, Session, UserId,
};
use crate::store::etags::{unchanged, user_etag};
use crate::store::last_super_user::still_governed;
use crate::store::{Refusal, Tx};

/// So many of each kind are named.
const NAMED: usize = 100;

/// How many there are of something, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// How many.
    pub count: usize,
    /// The first hundred.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    fn add(&mut self, one: T) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(one);
        }
    }
}

/// What offboarding took from a user and what it left, as far as the caller sees it (`model.md` §3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offboarded {
    /// It was enabled until then.
    pub disabled: bool,
    /// The roles that were taken, each with what it was limited to.
    pub roles: Listed<(String, Option<String>)>,
    /// The documents that were taken.
    pub documents: Listed<DocId>,
    /// The API tokens that ended.
    pub api_tokens: Listed<String>,
    /// The service keys that ended.
    pub service_keys: Listed<String>,
    /// The sessions that ended.
    pub sessions: Listed<String>,
    /// The documents that it owned, and who owns them now, where the caller sees that.
    pub handed_on: Listed<(DocId, Option<UserId>)>,
    /// Those who stay right below it.
    pub children: Listed<UserId>,
    /// There is more that the caller does not see.
    pub others: bool,
}

impl Tx {
    /// Disables a user and takes all its roles, documents and tokens. Its children stay where they are; what it owns goes to
    /// whoever stands above it. `sessions` are those that it has; which of them end is told.
    pub async fn offboard_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        sessions: &[Session],
        etag: &str,
    ) -> Result<UserDone, Refusal> {
        let (before, grants) = self.living_with_grants(id).await?;
        not_oneself(caller, id, "user.offboard")?;
        unchanged(etag, &user_etag(self.world(), &before))?;
        still_open(self.world(), before.account)?;
        let (world, account) = (self.world().clone(), before.account);
        if before.enabled {
            let mut after = before.clone();
            after.enabled = false;
            after.update_time = self.now();
            after.session_marks = before.session_marks.with_all_ended(self.now(), None);
            self.put(changed(ChangeKind::UserOffboard, before, after))?;
        }
        for grant in grants {
            let (kind, before) = (ChangeKind::RoleRevoke, Some(Image::RoleGrant(grant)));
            self.put(Change { account, kind, before, after: None })?;
        }
        self.strip_documents(id).await?;
        self.end_tokens(account, id)?;
        still_governed(self)?;
        let mut done = UserDone::of(id);
        done.handed_on = self.hand_on_documents(caller, &[id], None).await?;
        done.offboarded = Some(Box::new(self.told(caller, id, sessions)));
        self.note(&mut done, &world, account);
        Ok(done)
    }

    /// Tells what this write took from a user. What the caller does not see now it is not told either.
    fn told(&self, caller: &Caller, id: UserId, sessions: &[Session]) -> Offboarded {
        let eye = Eye { caller, home: self.home(), world: self.found(), id, now: self.now() };
        let mut told = Offboarded::default();
        for change in self.changes() {
            let seen = told.takes(&eye, change);
            told.others |= !seen;
        }
        for session in sessions.iter().filter(|one| self.ends(one)) {
            let name = session.id.to_string();
            if eye.may("session.read", Some(("session", Named::Id(name.clone())))) {
                told.sessions.add(name);
            }
        }
        // Whether somebody is signed in is not told by the way.
        told.others |= told.disabled && !eye.may("session.read", Some(("session", Named::Any)));
        for child in eye.world.children(id).filter(|child| eye.world.user(*child).is_some()) {
            if eye.user(child) {
                told.children.add(child);
            } else {
                told.others = true;
            }
        }
        told
    }

    fn ends(&self, session: &Session) -> bool {
        let now = self.now();
        lives(self.found(), session, now) && !lives(self.world(), session, now)
    }
}

impl Offboarded {
    /// Notes what a change has taken, if it is seen; returns whether it is.
    fn takes(&mut self, eye: &Eye<'_>, change: &Change) -> bool {
        match (&change.before, &change.after) {
            (Some(Image::User(_)), _) => {
                self.disabled = true;
                true
            }
            (Some(Image::RoleGrant(grant)), None) => {
                let seen = eye.may("role.read", None);
                if seen {
                    self.roles.add((grant.role.to_string(), grant.scope.clone()));
                }
                seen
            }
            (Some(Image::Assignment(one)), None) => {
                let seen = eye.document(one.document);
                if seen {
                    self.documents.add(one.document);
                }
                seen
            }
            (Some(Image::ApiToken(token)), None) => self.token(eye, token),
            (_, Some(Image::Document(document))) => {
                let seen = eye.document(document.id);
                if seen {
                    let owner = Some(document.owner).filter(|owner| eye.user(*owner));
                    self.handed_on.add((document.id, owner));
                }
                seen
            }
            _ => true,
        }
    }

    /// Notes a token or key that ended, if it is seen; returns whether it is.
    fn token(&mut self, eye: &Eye<'_>, token: &ApiToken) -> bool {
        let (kind, name) = token.named();
        let seen = eye.may(&format!("{kind}.read"), Some((kind, Named::Id(name.clone()))));
        if seen {
            let list =
                if token.key.is_some() { &mut self.service_keys } else { &mut self.api_tokens };
            list.add(name);
        }
        seen
    }
}

/// What the caller sees of a user, before anything was done to it.
struct Eye<'a> {
    caller: &'a Caller,
    home: &'a Snapshot,
    world: &'a Snapshot,
    id: UserId,
    now: DateTime<Utc>,
}

impl Eye<'_> {
    /// Returns whether the caller may do something to the user, or to something of it.
    fn may(&self, permission: &str, of_it: Option<(&str, Named)>) -> bool {
        let Some(user) = self.world.user(self.id) else { return false };
        let mut path =
            ResourcePath::account(user.account).with("user", Named::Id(self.id.to_string()));
        if let Some((kind, named)) = of_it {
            path = path.with(kind, named);
        }
        may(self.caller, self.home, self.world, permission, &path, self.now)
    }

    fn document(&self, id: DocId) -> bool {
        sees_document(self.caller, self.home, self.world, id, self.now)
    }

    fn user(&self, id: UserId) -> bool {
        let here = self.world.any_user(id).is_some();
        let world = if here { self.world } else { self.home };
        sees_user(self.caller, self.home, world, id, self.now)
    }
}
