//! API tokens: made, rotated, ended, listed (`model.md` §9, `edges.md` §2 and §5).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::etags::{token_etag, unchanged};
use super::rows::api_token;
use super::{Error, KeptToken, Refusal, Store, Tx, scopes};
use crate::crypto::token::TokenKind;
use crate::decision::{Caller, Escalation, Limits, TokenFacts, escalation};
use crate::model::{
    AccountId, ApiToken, Change, ChangeKind, EffectiveStatus, Image, PublicKey, TokenId, UserId,
    UserKind,
};

/// What making a token needs, and what rotating one needs.
const CREATE: &str = "api_token.create";
const CREATE_KEY: &str = "service_key.create";
const ROTATE: &str = "api_token.rotate";
/// How long after its user has signed in a session makes tokens for that user.
const RECENT: TimeDelta = TimeDelta::minutes(10);
/// Live tokens of one user that may share a name.
const NAMESAKES: usize = 2;

/// What a new token is to be found by. Which of the two it is, the write finds out: it hangs on the kind of its user.
#[derive(Clone, Copy)]
pub struct Digests {
    /// Of the secret that a person gets.
    pub pat: [u8; 32],
    /// Of the secret that a service user gets.
    pub svc: [u8; 32],
}

/// Without the digests, which are kept from every log.
impl std::fmt::Debug for Digests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digests").finish_non_exhaustive()
    }
}

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose rights it carries.
    pub user: UserId,
    /// What people call it; may be empty.
    pub display_name: String,
    /// Its limits as asked for; empty = those of the credential it is made with.
    pub scopes: Vec<String>,
    /// When it ends; `None` = never by itself.
    pub expire_time: Option<DateTime<Utc>>,
    /// Of a key, its public half.
    pub key: Option<PublicKey>,
    /// What it will be found by.
    pub digests: Digests,
}

/// A token that was just made, and which of the two secrets is its own.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token.
    pub token: ApiToken,
    /// The kind of its secret.
    pub kind: TokenKind,
}

impl Tx {
    /// Makes a token of a user, within what the credential it is made with may do.
    ///
    /// Refuses: a credential that makes no tokens; `UNKNOWN_PERMISSION`, `UNKNOWN_ROLE`, an `expire_time` that is past;
    /// escalation; `ACCOUNT_CLOSED`, `TOKEN_LIMIT`.
    pub fn create_token(&mut self, caller: &Caller, new: NewToken) -> Result<Minted, Refusal> {
        let now = self.now();
        let world = self.world();
        let user = world.user(new.user).cloned();
        let user = user.ok_or_else(|| Refusal::unseen("user", new.user))?;
        let permission = if new.key.is_some() { CREATE_KEY } else { CREATE };
        self.may_mint(caller, permission, user.id, None)?;
        if new.key.is_some() && user.kind != UserKind::Service {
            let why = "is not of kind SERVICE: keys are for machines";
            return Err(Refusal::invalid("WRONG_USER_KIND", "user_id", why));
        }
        if new.expire_time.is_some_and(|end| end <= now) {
            let why = "must be in the future";
            return Err(Refusal::invalid("INVALID_FIELD", "expire_time", why));
        }
        let (given, expanded) = if new.scopes.is_empty() {
            let minting = self.minting(caller);
            minting.map(|facts| scopes::inherited(&facts.token)).unwrap_or_default()
        } else {
            let expanded = scopes::expand(world, &user, &new.scopes, now)?;
            (new.scopes, expanded)
        };
        // What is made with a token that ends does not outlive it.
        let most = self.minting(caller).and_then(|facts| facts.token.expire_time);
        let token = ApiToken {
            id: TokenId::new(&**self.store.clock()),
            user: user.id,
            account: user.account,
            display_name: new.display_name,
            scopes: given,
            expanded,
            created_by: Some(caller.user),
            origin: self.origin(caller, user.id),
            create_time: now,
            expire_time: new.expire_time.or(most),
            key: new.key,
        };
        self.lies_within(caller, &token)?;
        self.not_closed(user.account)?;
        let kind =
            if token.key.is_some() { ChangeKind::KeyCreate } else { ChangeKind::TokenCreate };
        self.mint(kind, token, user.kind, new.digests)
    }

    /// Makes a token in the place of `id`, with its name, scopes and expiry; the old one goes on for `overlap`, though
    /// not past its own expiry. With an overlap the old one counts among those of its name, without one it does not.
    ///
    /// Refuses as [`Tx::create_token`] does, and a changed `etag`.
    pub fn rotate_token(
        &mut self,
        caller: &Caller,
        id: TokenId,
        overlap: TimeDelta,
        etag: &str,
        digests: Digests,
    ) -> Result<Minted, Refusal> {
        let now = self.now();
        let old = self.live_token(id)?;
        let kind = self.world().user(old.user).map(|user| user.kind);
        let kind = kind.ok_or_else(|| Refusal::unseen("token", id))?;
        self.may_mint(caller, ROTATE, old.user, Some(id))?;
        let new = ApiToken {
            id: TokenId::new(&**self.store.clock()),
            created_by: Some(caller.user),
            origin: self.origin(caller, old.user),
            create_time: now,
            ..old.clone()
        };
        self.lies_within(caller, &new)?;
        unchanged(etag, &token_etag(&old))?;
        self.not_closed(old.account)?;
        if overlap.is_zero() {
            self.put(ended(ChangeKind::TokenDelete, old))?;
        } else {
            let end = now + overlap;
            let end = Some(old.expire_time.map_or(end, |own| own.min(end)));
            self.put(Change {
                account: old.account,
                kind: ChangeKind::TokenExpire,
                before: Some(Image::ApiToken(old.clone())),
                after: Some(Image::ApiToken(ApiToken { expire_time: end, ..old })),
            })?;
        }
        self.mint(ChangeKind::TokenRotate, new, kind, digests)
    }

    /// Ends a token that is live, for the reason `kind`; returns it as it was.
    pub async fn end_token(
        &mut self,
        id: TokenId,
        etag: &str,
        kind: ChangeKind,
    ) -> Result<KeptToken, Refusal> {
        let token = self.live_token(id)?;
        unchanged(etag, &token_etag(&token))?;
        let kept = find(&self.db, id).await?;
        let last_used_time = kept.and_then(|kept| kept.last_used_time);
        self.put(ended(kind, token.clone()))?;
        Ok(KeptToken { token, last_used_time })
    }

    fn live_token(&self, id: TokenId) -> Result<ApiToken, Refusal> {
        let facts = self.world().token(id).filter(|facts| facts.is_live(self.now()));
        let facts = facts.filter(|facts| facts.token.key.is_none());
        let token = facts.map(|facts| facts.token.clone());
        token.ok_or_else(|| Refusal::unseen("token", id))
    }

    /// Finds the token that the caller calls with, as it stands in this write.
    fn minting(&self, caller: &Caller) -> Option<&Arc<TokenFacts>> {
        self.home().token(caller.token?)
    }

    /// Finds who may know a token of `user` that the caller makes, where that is another than the caller: who made the
    /// token that it calls with, since whoever has that one could be the one who calls.
    ///
    /// Only of a token of one's own: what a user makes for somebody else is on that user's account, whoever may call for
    /// it, since they can do in its name whatever it can.
    fn origin(&self, caller: &Caller, user: UserId) -> Option<UserId> {
        let minting = self.minting(caller).filter(|_| user == caller.user);
        minting.and_then(|facts| facts.token.maker()).filter(|maker| *maker != caller.user)
    }

    /// Refuses a credential that makes no others of `user` (`edges.md` §2, Minting). What does: a session that was signed in
    /// to a moment ago, or any where it is for somebody else; a token whose own scopes name the permission. A service user
    /// rotates the very token it calls with, `old`, in any case, and nobody who acts as somebody else makes any.
    fn may_mint(
        &self,
        caller: &Caller,
        permission: &'static str,
        user: UserId,
        old: Option<TokenId>,
    ) -> Result<(), Refusal> {
        if caller.actor.is_some() {
            return Err(Refusal::Unnamed { permission });
        }
        if let Some(session) = caller.session {
            let recent = self.now().signed_duration_since(session.auth_time) <= RECENT;
            let may = recent || user != caller.user;
            return if may { Ok(()) } else { Err(Refusal::Unnamed { permission }) };
        }
        let itself = old.is_some() && old == caller.token && caller.kind == UserKind::Service;
        let limits = self.minting(caller).and_then(|facts| facts.limits.as_ref());
        let wanted = self.home().catalogue().parse(permission);
        let named = limits.zip(wanted).is_some_and(|(limits, wanted)| limits.names(wanted));
        if itself || named { Ok(()) } else { Err(Refusal::Unnamed { permission }) }
    }

    /// Refuses a token that would do more than the credential it is made with, and, of somebody else, one of a user
    /// who holds more than the caller: to make it is to take control of that user (`edges.md` §2).
    fn lies_within(&self, caller: &Caller, token: &ApiToken) -> Result<(), Refusal> {
        let home = self.home();
        let inner = Limits::compile(&token.expanded, home.catalogue());
        let outer = self.minting(caller).and_then(|facts| facts.limits.as_deref());
        let missing = scopes::beyond(home.catalogue(), inner.as_ref(), outer);
        if !missing.is_empty() {
            return Err(Escalation { user: token.user, missing }.into());
        }
        let end = self.minting(caller).and_then(|facts| facts.token.expire_time);
        if end.is_some_and(|end| token.expire_time.is_none_or(|own| own > end)) {
            let missing = vec!["a later expire_time".to_owned()];
            return Err(Escalation { user: token.user, missing }.into());
        }
        if token.user != caller.user {
            escalation(home, caller, None, self.world(), &[token.user], self.now())?;
        }
        Ok(())
    }

    fn not_closed(&self, account: AccountId) -> Result<(), Refusal> {
        if self.world().effective_status(account) == Some(EffectiveStatus::Closed) {
            return Err(Refusal::precondition("ACCOUNT_CLOSED", "the account is closed"));
        }
        Ok(())
    }

    fn mint(
        &mut self,
        kind: ChangeKind,
        token: ApiToken,
        user: UserKind,
        digests: Digests,
    ) -> Result<Minted, Refusal> {
        let (secret, digest) = match user {
            UserKind::Service => (TokenKind::Svc, digests.svc),
            UserKind::Admin | UserKind::Application => (TokenKind::Pat, digests.pat),
        };
        self.set_digest(token.id, digest);
        self.put(Change {
            account: token.account,
            kind,
            before: None,
            after: Some(Image::ApiToken(token.clone())),
        })?;
        if !token.display_name.is_empty() && self.namesakes(&token) > NAMESAKES {
            let what = if token.key.is_some() { "keys" } else { "live tokens" };
            let way_out = if kind == ChangeKind::TokenRotate {
                "delete the other one first, or rotate with an `overlap` of 0"
            } else {
                "delete one, or choose another name"
            };
            let name = &token.display_name;
            let why = format!("the user has {NAMESAKES} {what} named `{name}`: {way_out}");
            return Err(Refusal::precondition("TOKEN_LIMIT", why));
        }
        Ok(Minted { token, kind: secret })
    }

    /// Counts the live tokens of the same user and name, this one included.
    fn namesakes(&self, token: &ApiToken) -> usize {
        let world = self.world();
        let ids = world.user(token.user).map(|user| user.tokens.as_slice()).unwrap_or_default();
        let others = ids.iter().filter_map(|id| world.token(*id));
        let same = |facts: &&Arc<TokenFacts>| {
            facts.is_live(self.now())
                && facts.token.display_name == token.display_name
                && facts.token.key.is_some() == token.key.is_some()
        };
        others.filter(same).count()
    }
}

fn ended(kind: ChangeKind, token: ApiToken) -> Change {
    Change { account: token.account, kind, before: Some(Image::ApiToken(token)), after: None }
}

impl Store {
    /// Finds an API token that was not ended; it may have expired.
    pub async fn token(&self, id: TokenId) -> Result<Option<KeptToken>, Error> {
        find(self.credentials(), id).await
    }

    /// Finds those of some tokens that were not ended; they may have expired.
    pub async fn tokens_among(&self, ids: &[TokenId]) -> Result<Vec<KeptToken>, Error> {
        let tokens = api_token::Entity::find()
            .filter(api_token::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .filter(api_token::Column::EndTime.is_null());
        let rows = tokens.all(self.credentials()).await?;
        rows.into_iter().map(KeptToken::try_from).collect()
    }

    /// Lists a user's live API tokens, in order of id, from behind `after` on.
    pub async fn tokens_of(
        &self,
        user: UserId,
        after: Option<TokenId>,
        limit: u64,
    ) -> Result<Vec<KeptToken>, Error> {
        let lives = Condition::any()
            .add(api_token::Column::ExpireTime.is_null())
            .add(api_token::Column::ExpireTime.gt(self.clock().now()));
        let mut tokens = api_token::Entity::find()
            .filter(api_token::Column::UserId.eq(user.0))
            .filter(api_token::Column::EndTime.is_null())
            .filter(api_token::Column::Key.is_null())
            .filter(lives);
        if let Some(after) = after {
            tokens = tokens.filter(api_token::Column::Id.gt(after.0));
        }
        let tokens = tokens.order_by_asc(api_token::Column::Id).limit(limit);
        let rows = tokens.all(self.credentials()).await?;
        rows.into_iter().map(KeptToken::try_from).collect()
    }
}

async fn find<C: ConnectionTrait>(db: &C, id: TokenId) -> Result<Option<KeptToken>, Error> {
    let found = api_token::Entity::find_by_id(id.0).filter(api_token::Column::EndTime.is_null());
    found.one(db).await?.map(KeptToken::try_from).transpose()
}
