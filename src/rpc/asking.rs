//! Asking on somebody's behalf: who may ask what about whom, and how much of the answer is theirs to see.
//!
//! What the asker may not ask about is answered as if it did not exist (`edges.md` §3).

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use super::answer;
use super::properties::Sent;
use super::question::{self, SubjectName};
use super::shared::{Reader, Shared, with_revision};
use crate::crypto::ConsistencyToken;
use crate::decision::{
    Anchor, Answer, Limits, Nothing, Question, Reason, Snapshot, Subject, Worlds, decide, holdings,
    sees_account, sees_document, sees_user,
};
use crate::layers::{BadCredential, Source};
use crate::model::{AccountId, Named, Relation, ResourcePath, Revision, UserId};
use crate::proto::v1 as pb;

/// The nearest names are looked up for so many faulty items of one request.
const HELPED: usize = 8;

/// One request's questions: one asker, one instant, each tenant at one revision.
pub(super) struct Asking {
    shared: Shared,
    by: Reader,
    explain: bool,
    full: bool,
    /// How many items could not be read so far.
    failed: usize,
    now: DateTime<Utc>,
    worlds: HashMap<AccountId, Arc<Snapshot>>,
    stood_at: Arc<Snapshot>,
    platform: Revision,
}

/// Who is asked about, found.
struct Found {
    subject: Subject,
    account: Option<AccountId>,
    home: Arc<Snapshot>,
    limits: Option<Arc<Limits>>,
    /// What is wrong with the credential that named it.
    credential: Option<Reason>,
}

impl Found {
    fn nobody(home: &Arc<Snapshot>) -> Self {
        let home = Arc::clone(home);
        Self { subject: Subject::Unknown, account: None, home, limits: None, credential: None }
    }
}

impl Asking {
    pub(super) fn new(
        shared: Shared,
        by: Reader,
        explain: bool,
        full: bool,
        platform: Revision,
    ) -> Self {
        let now = shared.clock.now();
        let home = Arc::clone(&by.home);
        let worlds = HashMap::from([(home.tenant(), Arc::clone(&home))]);
        Self { shared, by, explain, full, failed: 0, now, worlds, stood_at: home, platform }
    }

    /// Answers one item, or says what is wrong with it.
    pub(super) async fn answer(
        &mut self,
        item: &pb::EvaluationRequest,
    ) -> Result<pb::AuthorizeResponse, Status> {
        let asked = &Sent::of(item)?;
        let helpful = self.failed < HELPED;
        let (name, also) = question::subject(item.subject.as_ref())?;
        let found = self.find(&name, also.as_ref()).await?;
        // While a new catalogue comes, the asker's tenant may have it and the subject's not yet.
        let catalogue = Arc::clone(found.home.catalogue());
        let path = question::resource(&catalogue, item.resource.as_ref(), found.account, helpful)?;
        let (permission, path) = question::action(&catalogue, item.action.as_ref(), path, helpful)?;
        let there = self.there(&found, path.account).await?;
        self.stood_at = Arc::clone(there.as_ref().unwrap_or(&found.home));

        let own = found.subject == Subject::User(self.by.caller.user);
        let over_resource =
            self.may("decision.evaluate", &ResourcePath::account(path.account)).await?;
        if !self.may_ask_of(&found, own).await? {
            self.refuse_if_never()?;
            return Ok(self.reply(&Answer::deny(Reason::SubjectUnknown)));
        }
        if !own && !over_resource {
            self.refuse_if_never()?;
            return Ok(self.reply(&Answer::deny(Reason::NoGrant)));
        }
        if let Some(reason) = found.credential {
            return Ok(self.reply(&Answer::deny(reason)));
        }
        let worlds = Worlds { home: &found.home, there: there.as_deref() };
        let limits = found.limits.as_deref();
        let (subject, now) = (found.subject, self.now);
        let question = Question { subject, limits, permission, resource: &path, now, asked };
        let mut answer = decide(worlds, &question);
        if own && !over_resource && !answer.is_permit() && !self.sees_account(path.account).await? {
            // About oneself, reasons are told only of accounts that one may read.
            answer = Answer::deny(Reason::NoGrant);
        }
        let mut reply = self.reply(&answer);
        reply.context = answer.untold.as_ref().map(|untold| answer::untold(&found.home, untold));
        if self.explain {
            self.check_explain(&found, &path, own).await?;
            let visible =
                |user| sees_user(&self.by.caller, &self.by.home, &found.home, user, self.now);
            let document =
                |id| sees_document(&self.by.caller, &self.by.home, &found.home, id, self.now);
            reply.grants = answer::grants(&found.home, found.account, &answer, visible, document);
        }
        Ok(reply)
    }

    /// Answers an item that could not be asked.
    pub(super) fn failed(&mut self, error: &Status) -> pb::AuthorizeResponse {
        self.failed += 1;
        let details = error.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        let field = details
            .bad_request()
            .and_then(|bad| bad.field_violations.first())
            .map(|violation| violation.field.clone())
            .unwrap_or_default();
        let code = answer::code_name(error.code());
        let context = answer::error(code, reason, field, error.message().to_owned());
        let (consistency_token, evaluated_revision) = self.stand();
        pb::AuthorizeResponse {
            decision_id: answer::decision_id(),
            consistency_token,
            evaluated_revision,
            context: Some(context),
            ..Default::default()
        }
    }

    /// Returns the token and revision that the last answer stood at.
    pub(super) fn stand(&self) -> (String, u64) {
        let at = &self.stood_at;
        let mut hash8 = [0; 8];
        hash8.copy_from_slice(at.head().get(..8).unwrap_or(&[0; 8]));
        let token = ConsistencyToken {
            tenant: at.tenant(),
            revision: at.revision(),
            hash8,
            platform: self.platform,
        };
        (token.to_string(), at.revision().0)
    }

    pub(super) fn respond<R>(&self, reply: R) -> Response<R> {
        with_revision(Response::new(reply), &self.stood_at)
    }

    /// Returns a tenant's snapshot, the same one for the whole request.
    async fn world(&mut self, tenant: AccountId) -> Result<Arc<Snapshot>, Status> {
        if let Some(world) = self.worlds.get(&tenant) {
            return Ok(Arc::clone(world));
        }
        let feed = &self.shared.feed;
        let world = if self.full { feed.fresh(tenant).await? } else { feed.tenant(tenant).await? };
        self.worlds.insert(tenant, Arc::clone(&world));
        Ok(world)
    }

    /// Finds the tenant of an object that this asker could have business with.
    async fn world_of(&mut self, anchor: Anchor) -> Result<Option<Arc<Snapshot>>, Status> {
        let home = Arc::clone(&self.by.home);
        let here = match anchor {
            Anchor::User(id) => home.any_user(id).is_some(),
            Anchor::Account(id) => home.account(id).is_some(),
            Anchor::Role(_) | Anchor::Token(_) | Anchor::Document(_) => false,
        };
        if here {
            return Ok(Some(home));
        }
        if home.tenant() != self.shared.feed.root() {
            return Ok(None);
        }
        match self.shared.feed.tenant_of(anchor).await? {
            None => Ok(None),
            Some(tenant) => self.world(tenant).await.map(Some),
        }
    }

    async fn find(
        &mut self,
        name: &SubjectName,
        also: Option<&SubjectName>,
    ) -> Result<Found, Status> {
        let found = match name {
            SubjectName::Nobody => Found::nobody(&self.by.home),
            SubjectName::User(id) => self.find_user(*id).await?,
            SubjectName::UserName(name) => {
                match question::by_name(&self.by.home, self.by.caller.account, name) {
                    Some(id) => self.find_user(id).await?,
                    None => Found::nobody(&self.by.home),
                }
            }
            SubjectName::Account(id) => match self.world_of(Anchor::Account(*id)).await? {
                Some(home) => Found {
                    subject: Subject::Account(*id),
                    account: Some(*id),
                    home,
                    limits: None,
                    credential: None,
                },
                None => Found::nobody(&self.by.home),
            },
            SubjectName::Token(text) => self.find_token(text).await?,
        };
        if let Some(also) = also {
            let other = Box::pin(self.find(also, None)).await?;
            if other.subject != found.subject {
                let why = "names another principal than subject.id";
                return Err(crate::layers::status::bad_field(
                    "INVALID_FIELD",
                    "subject.token",
                    why,
                ));
            }
        }
        Ok(found)
    }

    async fn find_user(&mut self, id: UserId) -> Result<Found, Status> {
        let Some(home) = self.world_of(Anchor::User(id)).await? else {
            return Ok(Found::nobody(&self.by.home));
        };
        let account = home.user(id).map(|user| user.account);
        let subject = account.map_or(Subject::Unknown, |_| Subject::User(id));
        Ok(Found { subject, account, home, limits: None, credential: None })
    }

    async fn find_token(&mut self, text: &str) -> Result<Found, Status> {
        let credentials = Arc::clone(&self.shared.credentials);
        let invalid = |home: &Arc<Snapshot>| Found {
            credential: Some(Reason::TokenInvalid),
            ..Found::nobody(home)
        };
        // An unknown one is counted as the asker's, as at the door it would be its sender's.
        let source = Source::User(self.by.caller.user);
        let owner = credentials.owner(text, source).await?;
        let Some((_, user, _)) = owner else { return Ok(invalid(&self.by.home)) };
        let mut found = self.find_user(user).await?;
        if found.home.any_user(user).is_none() {
            // Of a foreign user: in the words for what is no token at all.
            return Ok(invalid(&self.by.home));
        }
        match credentials.stands(text, source).await {
            Ok(caller) => found.limits = caller.limits,
            Err(BadCredential::Expired) => found.credential = Some(Reason::TokenExpired),
            Err(BadCredential::Revoked) => found.credential = Some(Reason::TokenRevoked),
            Err(BadCredential::Invalid | BadCredential::Missing) => {
                return Ok(invalid(&self.by.home));
            }
            Err(bad @ (BadCredential::TooMany | BadCredential::Unknowable(_))) => {
                return Err(bad.into());
            }
        }
        Ok(found)
    }

    /// Finds the snapshot of the resource's tenant, if the subject could reach it at all.
    async fn there(
        &mut self,
        found: &Found,
        account: AccountId,
    ) -> Result<Option<Arc<Snapshot>>, Status> {
        if found.home.account(account).is_some() {
            return Ok(Some(Arc::clone(&found.home)));
        }
        if found.home.tenant() != self.shared.feed.root() {
            return Ok(None);
        }
        match self.shared.feed.tenant_of(Anchor::Account(account)).await? {
            None => Ok(None),
            Some(tenant) => self.world(tenant).await.map(Some),
        }
    }

    /// Asks the engine about the asker itself.
    async fn may(&mut self, permission: &str, path: &ResourcePath) -> Result<bool, Status> {
        let home = Arc::clone(&self.by.home);
        let Some(permission) = home.catalogue().parse(permission) else { return Ok(false) };
        let there = self.world_of(Anchor::Account(path.account)).await?;
        let kind = home.catalogue().kind_of(permission);
        let path = path.clone().with(kind, Named::Any);
        let caller = &self.by.caller;
        let question = Question {
            subject: Subject::User(caller.user),
            limits: caller.limits.as_deref(),
            permission,
            resource: &path,
            now: self.now,
            asked: &Nothing,
        };
        Ok(decide(Worlds { home: &home, there: there.as_deref() }, &question).is_permit())
    }

    /// Returns whether the asker may ask about the subject. An invalid token's subject is anybody's to ask about.
    async fn may_ask_of(&mut self, found: &Found, own: bool) -> Result<bool, Status> {
        if own {
            let me = Named::Id(self.by.caller.user.to_string());
            let path = ResourcePath::account(self.by.caller.account).with("user", me);
            return self.may("decision.evaluate", &path).await;
        }
        match found.account {
            Some(account) => self.may("decision.evaluate", &ResourcePath::account(account)).await,
            None if found.credential.is_some() => {
                let mine = ResourcePath::account(self.by.caller.account);
                self.may("decision.evaluate", &mine).await
            }
            None => Ok(false),
        }
    }

    /// Refuses an asker that holds the permission nowhere but on itself.
    fn refuse_if_never(&self) -> Result<(), Status> {
        let home = &self.by.home;
        let wanted = home.catalogue().parse("decision.evaluate");
        let limits = self.by.caller.limits.as_deref();
        let left = wanted.filter(|wanted| limits.is_none_or(|limits| limits.allows(*wanted)));
        let held = left.is_some_and(|wanted| {
            holdings(home, self.by.caller.user, self.now).iter().any(|holding| {
                holding.permissions.contains(wanted) && holding.on != Some(Relation::Own)
            })
        });
        if held {
            return Ok(());
        }
        let permission = "decision.evaluate".to_owned();
        Err(crate::decision::Refused::Forbidden { permission }.into())
    }

    async fn sees_account(&mut self, account: AccountId) -> Result<bool, Status> {
        let Some(there) = self.world_of(Anchor::Account(account)).await? else { return Ok(false) };
        Ok(sees_account(&self.by.caller, &self.by.home, &there, account, self.now))
    }

    /// Grants are named to those alone who hold `decision.explain` on both sides.
    async fn check_explain(
        &mut self,
        found: &Found,
        path: &ResourcePath,
        own: bool,
    ) -> Result<(), Status> {
        let mut may = self.may("decision.explain", &ResourcePath::account(path.account)).await?;
        if let Some(account) = found.account.filter(|_| !own) {
            may = may && self.may("decision.explain", &ResourcePath::account(account)).await?;
        }
        if may {
            return Ok(());
        }
        let permission = "decision.explain".to_owned();
        Err(crate::decision::Refused::Forbidden { permission }.into())
    }

    fn reply(&self, answer: &Answer) -> pb::AuthorizeResponse {
        let (consistency_token, evaluated_revision) = self.stand();
        let decision = answer.is_permit();
        let label = if decision { "permit" } else { "deny" };
        metrics::counter!("chancery_decisions_total", "decision" => label).increment(1);
        pb::AuthorizeResponse {
            decision,
            reason: answer::wire_reason(answer.reason).into(),
            missing: answer.missing.map(answer::wire_missing).unwrap_or_default().into(),
            decision_id: answer::decision_id(),
            consistency_token,
            evaluated_revision,
            ..Default::default()
        }
    }
}
