//! Telling what a string is: whether it is a credential that works now, and whose.

use tonic::Status;

use super::shared::{Reader, Shared};
use super::wire::timestamp;
use crate::crypto::token::{self, TokenKind};
use crate::decision::{Caller, Snapshot};
use crate::layers::{BadCredential, Source};
use crate::model::{AccountId, EffectiveStatus, Named, ResourcePath, UserId};
use crate::proto::v1 as pb;
use crate::proto::v1::introspect_token_response::Credential;

impl Shared {
    /// Tells whether a string is a credential that would be let in now.
    ///
    /// Nobody knows who asks, so the `source` answers for how much is asked; and that somebody looks is no use of it.
    pub(super) async fn is_valid(&self, text: &str, source: &str) -> Result<bool, Status> {
        match good(self.credentials.stands(text, Source::Address(source)).await)? {
            Some(of) => Ok(is_active(&*self.feed.tenant(of.tenant).await?, of.account)),
            None => Ok(false),
        }
    }

    /// Tells whose a credential is; `None` where it is unknown, not good, or nothing for this caller.
    pub(super) async fn introspect(
        &self,
        by: &Reader,
        text: &str,
    ) -> Result<Option<pb::IntrospectTokenResponse>, Status> {
        let feed = &self.feed;
        let source = Source::User(by.caller.user);
        let Some(of) = good(self.credentials.stands(text, source).await)? else {
            return Ok(None);
        };
        // Only the platform's own users have business in another tenant than theirs.
        if of.tenant != by.caller.tenant && by.caller.tenant != feed.root() {
            return Ok(None);
        }
        let there = feed.tenant(of.tenant).await?;
        if !is_active(&there, of.account) || !self.may_introspect(by, &there, of.account, of.user) {
            return Ok(None);
        }
        let told = pb::IntrospectTokenResponse {
            active: true,
            user_id: of.user.to_string(),
            account_id: of.account.to_string(),
            kind: kind(text, &of).into(),
            actor_user_id: of
                .actor
                .as_ref()
                .map(|actor| actor.caller.user.to_string())
                .unwrap_or_default(),
            ..Default::default()
        };
        if let Some(session) = of.session {
            let credential = Some(Credential::SessionId(session.id.to_string()));
            let expire_time = Some(timestamp(session.expire_time));
            return Ok(Some(pb::IntrospectTokenResponse { expire_time, credential, ..told }));
        }
        let Some(facts) = of.token.and_then(|id| there.token(id)) else { return Ok(None) };
        self.credentials.note_use(&of);
        let scopes = facts.token.scopes.clone();
        let (id, end) = match &facts.token.key {
            None => (facts.token.id.to_string(), facts.token.expire_time),
            Some(_) => {
                (facts.token.key_id().to_string(), self.credentials.access_expiry(text).await)
            }
        };
        let (expire_time, credential) = (end.map(timestamp), Some(Credential::TokenId(id)));
        Ok(Some(pb::IntrospectTokenResponse { scopes, expire_time, credential, ..told }))
    }

    /// Asks the engine for what the method's rule declares. A caller whose own account does not work has come no further
    /// than the layers.
    pub(super) fn may_introspect(
        &self,
        by: &Reader,
        there: &Snapshot,
        account: AccountId,
        user: UserId,
    ) -> bool {
        let wanted = by.home.catalogue().permission("decision", "introspect");
        let path = ResourcePath::account(account)
            .with("user", Named::Id(user.to_string()))
            .with("decision", Named::Any);
        wanted.is_some_and(|permission| {
            let now = self.clock.now();
            by.caller.ask(&by.home, Some(there), permission, &path, now).is_permit()
        })
    }
}

fn kind(text: &str, of: &Caller) -> pb::CredentialKind {
    match token::parse(text).map(|parsed| parsed.kind()) {
        Ok(TokenKind::Pat) => pb::CredentialKind::Pat,
        Ok(TokenKind::Svc) => pb::CredentialKind::Svc,
        Err(_) if of.session.is_some() || of.token.is_some() => pb::CredentialKind::Access,
        Ok(TokenKind::Ref | TokenKind::Rst) | Err(_) => pb::CredentialKind::Unspecified,
    }
}

/// Returns the caller behind a credential, or nothing for one that is not good; an error only where that is unknown.
fn good(stands: Result<Caller, BadCredential>) -> Result<Option<Caller>, Status> {
    use BadCredential::{Expired, Invalid, Missing, Revoked, TooMany, Unknowable};
    match stands {
        Ok(caller) => Ok(Some(caller)),
        Err(Missing | Invalid | Expired | Revoked(_)) => Ok(None),
        Err(bad @ (TooMany | Unknowable(_))) => Err(bad.into()),
    }
}

pub(super) fn is_active(world: &Snapshot, account: AccountId) -> bool {
    world.effective_status(account) == Some(EffectiveStatus::Active)
}
