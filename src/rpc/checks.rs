//! Why a credential is good, or is not: the checks that a call with it passes through, told from the predicate itself.

use tonic::Status;

use super::introspection::is_active;
use super::shared::{Reader, Shared};
use crate::crypto::jwt;
use crate::crypto::token::{self, Malformed, TokenKind};
use crate::layers::{BadCredential, CredentialForm, Gone, Owner, Source};
use crate::proto::v1 as pb;
use crate::proto::v1::TokenCheckKind as Check;

/// Of a text before it is known whose it is: an opaque token's, and an access token's.
const OPAQUE: [Check; 4] = [Check::Form, Check::Checksum, Check::Purpose, Check::Known];
const SIGNED: [Check; 3] = [Check::Form, Check::Signature, Check::Known];

/// How far a credential came.
struct Came {
    kind: pb::CredentialKind,
    /// All checks, in the order in which they are made.
    checks: Vec<Check>,
    /// Which one it did not pass, and why.
    failed: Option<(Check, String)>,
}

impl Shared {
    /// Tells how far a text comes as a credential. What is unknown and what this caller may not ask about come equally far.
    pub(super) async fn checked(
        &self,
        by: &Reader,
        text: &str,
    ) -> Result<pb::ExplainTokenResponse, Status> {
        let came = if jwt::is_jwt(text) {
            self.came(by, text, pb::CredentialKind::Access, &SIGNED).await?
        } else {
            match token::parse(text).map(|parsed| parsed.kind()) {
                Ok(TokenKind::Pat) => self.came(by, text, pb::CredentialKind::Pat, &OPAQUE).await?,
                Ok(TokenKind::Svc) => self.came(by, text, pb::CredentialKind::Svc, &OPAQUE).await?,
                Ok(kind @ (TokenKind::Ref | TokenKind::Rst)) => {
                    failed(Check::Purpose, purpose(kind))
                }
                Err(error @ Malformed::Form) => failed(Check::Form, &error.to_string()),
                Err(error @ Malformed::Checksum) => failed(Check::Checksum, &error.to_string()),
            }
        };
        Ok(came.told())
    }

    async fn came(
        &self,
        by: &Reader,
        text: &str,
        kind: pb::CredentialKind,
        first: &[Check],
    ) -> Result<Came, Status> {
        let unknown = |checks: &[Check]| {
            let signed = checks.contains(&Check::Signature);
            let check = if signed { Check::Signature } else { Check::Known };
            let why = if signed {
                "it is not signed by this service, for its own issuer and audience, with a key that is published now"
            } else {
                UNSEEN
            };
            Came { kind, checks: checks.to_vec(), failed: Some((check, why.to_owned())) }
        };
        let source = Source::User(by.caller.user);
        let owner = self.credentials.owner(text, source).await;
        let Some(owner) = known(owner)? else { return Ok(unknown(first)) };
        let there = self.feed.tenant(owner.tenant).await?;
        let user = there.any_user(owner.user);
        let foreign = owner.tenant != by.caller.tenant && by.caller.tenant != self.feed.root();
        let seen = user
            .filter(|_| !foreign)
            .filter(|user| self.may_introspect(by, &there, user.account, user.id));
        let Some(user) = seen else {
            let failed = Some((Check::Known, UNSEEN.to_owned()));
            return Ok(Came { kind, checks: first.to_vec(), failed });
        };
        let checks = [first, rest(owner.form)].concat();
        let mut failed = match self.credentials.stands(text, source).await {
            Ok(_) => None,
            Err(bad) => Some(refused(bad)?),
        };
        if failed.is_none() && !is_active(&there, user.account) {
            let why = "the account of its user, or one above it, is not active";
            failed = Some((Check::Account, why.to_owned()));
        }
        Ok(Came { kind, checks, failed })
    }
}

/// What is said of a credential that is not there, or not for this caller.
const UNSEEN: &str = "it is unknown, or you may not ask about it";

/// Returns what is asked once it is known whose a credential is, in the order of the predicate.
fn rest(form: CredentialForm) -> &'static [Check] {
    match form {
        CredentialForm::Token => &[Check::NotEnded, Check::User, Check::InTime, Check::Account],
        CredentialForm::Key => &[Check::InTime, Check::NotEnded, Check::User, Check::Account],
        CredentialForm::Session => &[Check::InTime, Check::User, Check::NotEnded, Check::Account],
        CredentialForm::Assumed => {
            &[Check::InTime, Check::User, Check::NotEnded, Check::Actor, Check::Account]
        }
    }
}

/// Returns which check the predicate has refused a known credential by; an error only where that is unknown.
fn refused(bad: BadCredential) -> Result<(Check, String), Status> {
    let check = match &bad {
        BadCredential::Expired => Check::InTime,
        BadCredential::Revoked(Gone::Ended) => Check::NotEnded,
        BadCredential::Revoked(Gone::User) => Check::User,
        BadCredential::Revoked(Gone::Actor) => Check::Actor,
        BadCredential::Missing | BadCredential::Invalid => Check::Known,
        BadCredential::TooMany | BadCredential::Unknowable(_) => return Err(bad.into()),
    };
    let why = match &bad {
        BadCredential::Revoked(gone) => gone.to_string(),
        BadCredential::Expired => "its time is over".to_owned(),
        _ => UNSEEN.to_owned(),
    };
    Ok((check, why))
}

fn known(owner: Result<Option<Owner>, BadCredential>) -> Result<Option<Owner>, Status> {
    match owner {
        Ok(owner) => Ok(owner),
        Err(bad @ (BadCredential::TooMany | BadCredential::Unknowable(_))) => Err(bad.into()),
        Err(_) => Ok(None),
    }
}

fn failed(check: Check, why: &str) -> Came {
    let failed = Some((check, why.to_owned()));
    Came { kind: pb::CredentialKind::Unspecified, checks: OPAQUE.to_vec(), failed }
}

/// Says what a token of a session or of a message is for.
fn purpose(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Ref => "it goes on with a session (RefreshSession) and calls nothing else",
        TokenKind::Rst => "it sets a password once (ResetPassword) and calls nothing else",
        TokenKind::Pat | TokenKind::Svc => "it is for calls",
    }
}

impl Came {
    fn told(self) -> pb::ExplainTokenResponse {
        let Self { kind, checks, failed } = self;
        let stopped = failed.as_ref().map(|(check, _)| *check);
        let mut before = true;
        let tell = |check: Check| {
            let here = stopped == Some(check);
            let result = match (before, here) {
                (true, false) => pb::TokenCheckResult::Passed,
                (true, true) => pb::TokenCheckResult::Failed,
                (false, _) => pb::TokenCheckResult::NotReached,
            };
            before &= !here;
            let why = failed.as_ref().filter(|_| here).map(|(_, why)| why.clone());
            pb::TokenCheck {
                check: check.into(),
                result: result.into(),
                why: why.unwrap_or_default(),
            }
        };
        let checks = checks.into_iter().map(tell).collect();
        pb::ExplainTokenResponse { valid: stopped.is_none(), kind: kind.into(), checks }
    }
}
