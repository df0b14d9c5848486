//! Everything that decisions about one tenant rest on, in memory, as of one revision.
//!
//! Persistent maps: a copy costs nothing and a change copies only what it touches, so readers keep the
//! snapshot they hold while the next one is made (`edges.md` §7).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use imbl::{GenericHashMap, GenericOrdSet, OrdMap, shared_ptr::DefaultSharedPtr};

use super::assigned::Place;
use super::documents::CompiledDocument;
use super::few::Few;
use super::grants::Grants;
use super::limits::Limits;
use super::sums::Sums;
use super::things::Things;
use crate::model::catalogue::{Catalogue, Part, RoleIx};
use crate::model::{
    Account, AccountId, ApiToken, Assignment, CustomRole, DocId, Folded, ResourcePath, Revision,
    RightsDocument, RoleGrant, RoleId, RoleRef, SessionId, SessionMarks, SigningKey, SigningKeyId,
    TokenId, User, UserId, UserKind,
};

/// A persistent ordered set.
pub type Set<T> = GenericOrdSet<T, DefaultSharedPtr>;
/// A persistent map. Its hash is seeded anew by each process, and costs less than the look that it is for.
pub type Map<K, V> = GenericHashMap<K, V, foldhash::fast::RandomState, DefaultSharedPtr>;

/// What a tenant's snapshot is built from.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The tenant; `None` only in an empty value.
    pub tenant: Option<AccountId>,
    /// The revision that the rest stands at.
    pub revision: Revision,
    /// The hash of that revision's last ledger entry.
    pub head: [u8; 32],
    /// Every account of the tenant.
    pub accounts: Vec<Account>,
    /// Every user, deleted ones included.
    pub users: Vec<User>,
    /// Every role on a user.
    pub grants: Vec<RoleGrant>,
    /// Every custom role.
    pub roles: Vec<CustomRole>,
    /// Every API token.
    pub tokens: Vec<ApiToken>,
    /// Every rights document.
    pub documents: Vec<RightsDocument>,
    /// Every rights document on a user.
    pub assignments: Vec<Assignment>,
    /// Every key that access tokens are signed with; of the platform alone.
    pub signing_keys: Vec<SigningKey>,
}

/// The facts contradict each other, or a change does not fit them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenWorld {
    /// Facts without a tenant.
    #[error("the facts name no tenant")]
    NoTenant,
    /// An object names another one that is not there.
    #[error("`{child}` names `{parent}`, which does not exist")]
    NoParent {
        /// Who names it.
        child: String,
        /// What is missing.
        parent: String,
    },
    /// Accounts or users stand above themselves.
    #[error("`{0}` is above itself")]
    Circle(String),
    /// A change whose before or after does not fit.
    #[error("the change to `{0}` does not fit what is there")]
    Misfit(String),
}

/// One role as a user holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What was given.
    pub role: RoleRef,
    /// Its place in the catalogue; `None` for custom roles and for names that have vanished.
    pub built_in: Option<RoleIx>,
    /// Where it holds, if not in all its reach.
    pub scope: Option<Arc<ResourcePath>>,
    /// From when on it is gone.
    pub expire_time: Option<DateTime<Utc>>,
}

impl Held {
    /// Returns whether it still counts at `now` (exact: at its expiry it is gone).
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.expire_time.is_none_or(|end| now < end)
    }
}

/// One user as decisions see it.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Who.
    pub id: UserId,
    /// Where it lives.
    pub account: AccountId,
    /// The user above.
    pub parent: Option<UserId>,
    /// What it is.
    pub kind: UserKind,
    /// Whether it may do anything.
    pub enabled: bool,
    /// Whether it signs in by the account's identity provider only.
    pub sso: bool,
    /// When it was deleted, if it was.
    pub delete_time: Option<DateTime<Utc>>,
    /// The application of an `Application` user.
    pub application: Option<Arc<str>>,
    /// Its folded name.
    pub name: Arc<str>,
    /// Its name as given.
    pub user_name: Arc<str>,
    /// Its roles.
    pub held: Grants,
    /// Its API tokens.
    pub tokens: Vec<TokenId>,
    /// The rights documents assigned to it.
    pub documents: Few<DocId>,
    /// What they come to; `None` = they are few.
    pub(super) sums: Option<Box<Sums>>,
    /// What its sessions are worth; `None` = nothing was ever said of them.
    pub session_marks: Option<Arc<SessionMarks>>,
}

impl Principal {
    /// Returns whether it is there for everybody, that is: not deleted.
    pub const fn exists(&self) -> bool {
        self.delete_time.is_none()
    }

    /// Returns whether one of its sessions was ended.
    pub fn voids(&self, session: SessionId, auth_time: DateTime<Utc>) -> bool {
        self.session_marks.as_ref().is_some_and(|marks| marks.voids(session, auth_time))
    }
}

/// One live API token as decisions see it.
#[derive(Debug, Clone)]
pub struct TokenFacts {
    /// The token's public side.
    pub token: ApiToken,
    /// Its scopes, compiled; `None` = no limit.
    pub limits: Option<Arc<Limits>>,
}

impl TokenFacts {
    /// Returns whether it is still worth something at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.token.expire_time.is_none_or(|end| now < end)
    }
}

/// A custom role, compiled.
#[derive(Debug, Clone)]
pub struct CompiledRole {
    /// The role.
    pub role: CustomRole,
    /// What it gives by itself; what it includes is looked up when deciding.
    pub own: Part,
}

/// The whole of one tenant, as of one revision. Immutable for its readers.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) tenant: AccountId,
    pub(super) revision: Revision,
    pub(super) head: [u8; 32],
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) accounts: OrdMap<AccountId, Arc<Account>>,
    pub(super) sub_accounts: Set<(AccountId, AccountId)>,
    pub(super) users: Map<UserId, Arc<Principal>>,
    pub(super) members: Set<(AccountId, UserId)>,
    pub(super) children: Set<(UserId, UserId)>,
    pub(super) names: Map<(AccountId, Arc<str>), UserId>,
    pub(super) roles: OrdMap<RoleId, Arc<CompiledRole>>,
    pub(super) holders: Set<(RoleRef, UserId)>,
    pub(super) tokens: Map<TokenId, Arc<TokenFacts>>,
    pub(super) documents: OrdMap<DocId, Arc<CompiledDocument>>,
    pub(super) places: Map<Place, Few<DocId>>,
    pub(super) assignees: Set<(DocId, UserId)>,
    pub(super) owned: Set<(UserId, DocId)>,
    /// What of other services grants name.
    pub(super) things: Things,
    /// How many assignments there are of documents that cascade.
    pub(super) cascading: usize,
    pub(super) signing_keys: OrdMap<SigningKeyId, SigningKey>,
}

impl Snapshot {
    /// Builds a snapshot, or says why the facts are not a tenant.
    pub fn build(catalogue: Arc<Catalogue>, facts: Facts) -> Result<Self, BrokenWorld> {
        let mut snapshot = Self {
            tenant: facts.tenant.ok_or(BrokenWorld::NoTenant)?,
            revision: facts.revision,
            head: facts.head,
            catalogue,
            accounts: OrdMap::new(),
            sub_accounts: Set::new(),
            users: Map::new(),
            members: Set::new(),
            children: Set::new(),
            names: Map::new(),
            roles: OrdMap::new(),
            holders: Set::new(),
            tokens: Map::new(),
            documents: OrdMap::new(),
            places: Map::new(),
            assignees: Set::new(),
            owned: Set::new(),
            things: Things::default(),
            cascading: 0,
            signing_keys: facts.signing_keys.into_iter().map(|key| (key.id, key)).collect(),
        };
        snapshot.put_system_documents();
        facts.accounts.into_iter().for_each(|account| snapshot.put_account(account));
        facts.roles.into_iter().for_each(|role| snapshot.put_role(role));
        facts.users.into_iter().for_each(|user| snapshot.put_user(&user));
        // About in the order in which a user's are kept: so each goes behind those before.
        let mut grants: Vec<&RoleGrant> = facts.grants.iter().collect();
        grants.sort_by(|one, other| one.scope.cmp(&other.scope));
        for grant in grants {
            snapshot.put_grant(grant)?;
        }
        for token in facts.tokens {
            snapshot.put_token(token)?;
        }
        facts.documents.into_iter().for_each(|document| snapshot.put_document(document));
        for assignment in &facts.assignments {
            snapshot.put_assignment(assignment)?;
        }
        snapshot.check_trees()?;
        Ok(snapshot)
    }

    /// Returns the tenant: the id of its main account.
    pub const fn tenant(&self) -> AccountId {
        self.tenant
    }

    /// Returns the revision that this snapshot shows.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the hash of that revision's last ledger entry.
    pub const fn head(&self) -> &[u8; 32] {
        &self.head
    }

    /// Returns the catalogue it was compiled with.
    pub const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Returns these trees of accounts and users beside another catalogue, for holding what is in its numbers against one
    /// another. What was compiled with the old one is left as it is: no question is to be decided by it.
    #[must_use]
    pub fn named_by(&self, catalogue: &Arc<Catalogue>) -> Self {
        Self { catalogue: Arc::clone(catalogue), ..self.clone() }
    }

    /// Says that the changes applied so far make this revision.
    pub const fn advance(&mut self, revision: Revision, head: [u8; 32]) {
        self.revision = revision;
        self.head = head;
    }

    /// Finds an account of this tenant.
    pub fn account(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    /// Walks all accounts in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// Finds a user, deleted or not.
    pub fn any_user(&self, id: UserId) -> Option<&Arc<Principal>> {
        self.users.get(&id)
    }

    /// Finds a user that is not deleted.
    pub fn user(&self, id: UserId) -> Option<&Arc<Principal>> {
        self.users.get(&id).filter(|user| user.exists())
    }

    /// Finds whoever has a folded name in an account, deleted users included.
    pub fn named(&self, account: AccountId, name: &Folded) -> Option<UserId> {
        self.names.get(&(account, Arc::from(name.as_str()))).copied()
    }

    /// Walks the users of an account after `after`, in the order of their ids, deleted ones included.
    pub fn members(
        &self,
        account: AccountId,
        after: Option<UserId>,
    ) -> impl Iterator<Item = UserId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = match after {
            Some(after) => Excluded((account, after)),
            None => Excluded((account, UserId(uuid::Uuid::nil()))),
        };
        self.members
            .range((start, Unbounded))
            .take_while(move |(of, _)| *of == account)
            .map(|(_, user)| *user)
    }

    /// Walks the users right below one, in the order of their ids, deleted ones included.
    pub fn children(&self, user: UserId) -> impl Iterator<Item = UserId> {
        self.children
            .range((user, UserId(uuid::Uuid::nil()))..)
            .take_while(move |(of, _)| *of == user)
            .map(|(_, child)| *child)
    }

    /// Walks the accounts right below one, in the order of their ids.
    pub fn sub_accounts(&self, account: AccountId) -> impl Iterator<Item = AccountId> {
        self.sub_accounts
            .range((account, AccountId(uuid::Uuid::nil()))..)
            .take_while(move |(of, _)| *of == account)
            .map(|(_, child)| *child)
    }

    /// Finds a custom role.
    pub fn role(&self, id: RoleId) -> Option<&Arc<CompiledRole>> {
        self.roles.get(&id)
    }

    /// Walks all custom roles in the order of their ids.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<CompiledRole>> {
        self.roles.values()
    }

    /// Walks whoever holds a role, deleted users included.
    pub fn holders(&self, role: &RoleRef) -> impl Iterator<Item = UserId> {
        let wanted = role.clone();
        self.holders
            .range((role.clone(), UserId(uuid::Uuid::nil()))..)
            .take_while(move |(of, _)| *of == wanted)
            .map(|(_, user)| *user)
    }

    /// Finds an API token that has not been deleted; it may have expired.
    pub fn token(&self, id: TokenId) -> Option<&Arc<TokenFacts>> {
        self.tokens.get(&id)
    }

    /// Walks the keys that access tokens are signed with, those to come and those to go included.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.signing_keys.values()
    }

    /// Returns how many users it holds, deleted ones included.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }
}
