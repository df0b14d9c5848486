//! Telling what a string is: whether it is a credential that works now, and whose.

use tonic::Status;

use super::shared::{Reader, Shared};
use super::wire::timestamp;
use crate::crypto::token::{self, TokenKind};
use crate::decision::{Caller, Nothing, Question, Snapshot, Subject, Worlds, decide};
use crate::layers::{BadCredential, Source};
use crate::model::{AccountId, EffectiveStatus, Named, ResourcePath};
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
        let facts = of.token.and_then(|id| there.token(id));
        let (Some(facts), true) = (facts, is_active(&there, of.account)) else { return Ok(None) };
        if !self.may_introspect(by, &there, &of) {
            return Ok(None);
        }
        self.credentials.note_use(&of);
        let kind = match token::parse(text).map(|parsed| parsed.kind()) {
            Ok(TokenKind::Pat) => pb::CredentialKind::Pat,
            Ok(TokenKind::Svc) => pb::CredentialKind::Svc,
            Err(_) => pb::CredentialKind::Unspecified,
        };
        Ok(Some(pb::IntrospectTokenResponse {
            active: true,
            user_id: of.user.to_string(),
            account_id: of.account.to_string(),
            kind: kind.into(),
            scopes: facts.token.scopes.clone(),
            expire_time: facts.token.expire_time.map(timestamp),
            actor_user_id: String::new(),
            credential: Some(Credential::TokenId(facts.token.id.to_string())),
        }))
    }

    /// Asks the engine for what the method's rule declares. A caller whose own account does not work has come no further
    /// than the layers.
    fn may_introspect(&self, by: &Reader, there: &Snapshot, of: &Caller) -> bool {
        let wanted = by.home.catalogue().permission("decision", "introspect");
        let path = ResourcePath::account(of.account)
            .with("user", Named::Id(of.user.to_string()))
            .with("decision", Named::Any);
        let worlds = Worlds { home: &by.home, there: Some(there) };
        wanted.is_some_and(|permission| {
            let question = Question {
                subject: Subject::User(by.caller.user),
                limits: by.caller.limits.as_deref(),
                permission,
                resource: &path,
                now: self.clock.now(),
                asked: &Nothing,
            };
            decide(worlds, &question).is_permit()
        })
    }
}

/// Returns the caller behind a credential, or nothing for one that is not good; an error only where that is unknown.
fn good(stands: Result<Caller, BadCredential>) -> Result<Option<Caller>, Status> {
    use BadCredential::{Expired, Invalid, Missing, Revoked, TooMany, Unknowable};
    match stands {
        Ok(caller) => Ok(Some(caller)),
        Err(Missing | Invalid | Expired | Revoked) => Ok(None),
        Err(bad @ (TooMany | Unknowable(_))) => Err(bad.into()),
    }
}

fn is_active(world: &Snapshot, account: AccountId) -> bool {
    world.effective_status(account) == Some(EffectiveStatus::Active)
}
