//! Finding who is asked about, and whether the asker may ask.

use std::sync::Arc;

use tonic::Status;

use super::super::question::{self, SubjectName};
use super::{Asking, Ready, Right};
use crate::decision::{Actor, Anchor, Caller, Limits, Reason, Snapshot, Subject, sees_account};
use crate::layers::{BadCredential, Owner, Seen, Source};
use crate::model::{AccountId, Named, ResourcePath, UserId};

/// Who is asked about, found.
pub(in crate::rpc) struct Found {
    pub(in crate::rpc) subject: Subject,
    pub(in crate::rpc) account: Option<AccountId>,
    pub(in crate::rpc) home: Arc<Snapshot>,
    pub(in crate::rpc) limits: Option<Arc<Limits>>,
    /// Who really acts with the credential that named it.
    pub(in crate::rpc) actor: Option<Arc<Actor>>,
    /// What is wrong with the credential that named it.
    pub(in crate::rpc) credential: Option<Reason>,
}

impl Found {
    pub(in crate::rpc) fn nobody(home: &Arc<Snapshot>) -> Self {
        let home = Arc::clone(home);
        Self {
            subject: Subject::Unknown,
            account: None,
            home,
            limits: None,
            actor: None,
            credential: None,
        }
    }

    pub(in crate::rpc) fn no_credential(home: &Arc<Snapshot>) -> Self {
        Self { credential: Some(Reason::TokenInvalid), ..Self::nobody(home) }
    }

    /// Takes what the credential that named it says.
    fn by(mut self, stands: Result<Caller, BadCredential>) -> Result<Self, Status> {
        match stands {
            Ok(caller) => {
                self.limits = caller.limits;
                self.actor = caller.actor;
            }
            Err(BadCredential::Expired) => self.credential = Some(Reason::TokenExpired),
            Err(BadCredential::Revoked(_)) => self.credential = Some(Reason::TokenRevoked),
            Err(bad) => return Err(bad.into()),
        }
        Ok(self)
    }
}

impl Asking {
    /// Returns a tenant's snapshot, the same one for the whole request.
    pub(in crate::rpc) async fn world(
        &mut self,
        tenant: AccountId,
    ) -> Result<Arc<Snapshot>, Status> {
        if tenant == self.by.home.tenant() {
            return Ok(Arc::clone(&self.by.home));
        }
        if let Some(world) = self.worlds.get(&tenant) {
            return Ok(Arc::clone(world));
        }
        let feed = &self.shared.feed;
        let world = if self.full { feed.fresh(tenant).await? } else { feed.tenant(tenant).await? };
        self.worlds.insert(tenant, Arc::clone(&world));
        Ok(world)
    }

    /// Finds the tenant of an object that this asker could have business with.
    pub(in crate::rpc) async fn world_of(
        &mut self,
        anchor: Anchor,
    ) -> Result<Option<Arc<Snapshot>>, Status> {
        let home = Arc::clone(&self.by.home);
        let here = match anchor {
            Anchor::User(id) => home.any_user(id).is_some(),
            Anchor::Account(id) => home.account(id).is_some(),
            Anchor::Role(_) | Anchor::Token(_) | Anchor::Key(_) | Anchor::Document(_) => false,
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

    pub(in crate::rpc) async fn find(
        &mut self,
        name: &SubjectName,
        also: Option<&SubjectName>,
    ) -> Result<Found, Status> {
        let found = match name {
            SubjectName::Nobody => Found::nobody(&self.asked(&Arc::clone(&self.by.home)).await?),
            SubjectName::User(id) => self.find_user(*id).await?,
            SubjectName::UserName(name) => {
                let home = self.asked(&Arc::clone(&self.by.home)).await?;
                match question::by_name(&home, self.by.caller.account, name) {
                    Some(id) => self.find_user(id).await?,
                    None => Found::nobody(&home),
                }
            }
            SubjectName::Account(id) => match self.asked_of(Anchor::Account(*id)).await? {
                Some(home) => Found {
                    subject: Subject::Account(*id),
                    account: Some(*id),
                    home,
                    limits: None,
                    actor: None,
                    credential: None,
                },
                None => Found::nobody(&self.asked(&Arc::clone(&self.by.home)).await?),
            },
            SubjectName::Token(text) => Box::pin(self.find_token(text)).await?,
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
        let Some(home) = self.asked_of(Anchor::User(id)).await? else {
            return Ok(Found::nobody(&self.asked(&Arc::clone(&self.by.home)).await?));
        };
        let account = home.user(id).map(|user| user.account);
        let subject = account.map_or(Subject::Unknown, |_| Subject::User(id));
        Ok(Found { subject, account, home, limits: None, actor: None, credential: None })
    }

    async fn find_token(&mut self, text: &str) -> Result<Found, Status> {
        let credentials = Arc::clone(&self.shared.credentials);
        // An unknown one is counted as the asker's, as at the door it would be its sender's.
        let source = Source::User(self.by.caller.user);
        let owner = credentials.owner(text, source).await?;
        let Some(Owner { user, .. }) = owner else {
            return Ok(Found::no_credential(&self.by.home));
        };
        let found = self.find_user(user).await?;
        if found.home.any_user(user).is_none() {
            // Of a foreign user: in the words for what is no token at all.
            return Ok(Found::no_credential(&self.by.home));
        }
        match credentials.stands(text, source).await {
            Err(BadCredential::Invalid | BadCredential::Missing) => {
                Ok(Found::no_credential(&self.by.home))
            }
            stands => found.by(stands),
        }
    }

    /// Finds whom a credential stands for that was sent before.
    pub(in crate::rpc) async fn find_seen(
        &mut self,
        user: UserId,
        seen: Seen,
    ) -> Result<Found, Status> {
        let credentials = Arc::clone(&self.shared.credentials);
        let mut found = self.find_user(user).await?;
        match credentials.still_stands(seen).await {
            Err(BadCredential::Invalid | BadCredential::Missing) => {
                found.credential = Some(Reason::TokenInvalid);
                Ok(found)
            }
            stands => found.by(stands),
        }
    }

    /// Finds the snapshot of the resource's tenant, if the subject could reach it at all.
    pub(in crate::rpc) async fn there(
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
            Some(tenant) => {
                let world = self.world(tenant).await?;
                self.asked(&world).await.map(Some)
            }
        }
    }

    /// Asks the engine about the asker itself.
    pub(in crate::rpc) async fn may(
        &mut self,
        permission: &str,
        path: &ResourcePath,
    ) -> Result<bool, Status> {
        let home = Arc::clone(&self.by.home);
        let Some(permission) = home.catalogue().parse(permission) else { return Ok(false) };
        let there = self.world_of(Anchor::Account(path.account)).await?;
        let kind = home.catalogue().kind_of(permission);
        let path = path.clone().with(kind, Named::Any);
        let answer = self.by.caller.ask(&home, there.as_deref(), permission, &path, self.now);
        Ok(answer.is_permit())
    }

    /// Returns whether the asker may ask about the subject. An invalid token's subject is anybody's to ask about.
    pub(in crate::rpc) async fn may_ask_of(
        &mut self,
        found: &Found,
        own: bool,
        right: Right,
    ) -> Result<bool, Status> {
        if own && !right.own {
            return Ok(true);
        }
        if own {
            let me = Named::Id(self.by.caller.user.to_string());
            let path = ResourcePath::account(self.by.caller.account).with("user", me);
            return self.may(right.permission, &path).await;
        }
        match found.account {
            Some(account) => self.may(right.permission, &ResourcePath::account(account)).await,
            None if found.credential.is_some() => {
                let mine = ResourcePath::account(self.by.caller.account);
                self.may(right.permission, &mine).await
            }
            None => Ok(false),
        }
    }

    /// Refuses an asker that holds the permission nowhere but on itself.
    pub(in crate::rpc) fn refuse_if_never(&self, right: Right) -> Result<(), Status> {
        if self.by.caller.holds_somewhere(&self.by.home, right.permission, self.now) {
            return Ok(());
        }
        let permission = right.permission.to_owned();
        Err(crate::decision::Refused::Forbidden { permission }.into())
    }

    pub(in crate::rpc) async fn sees_account(
        &mut self,
        account: AccountId,
    ) -> Result<bool, Status> {
        let Some(there) = self.world_of(Anchor::Account(account)).await? else { return Ok(false) };
        Ok(sees_account(&self.by.caller, &self.by.home, &there, account, self.now))
    }

    /// Grants are named to those alone who hold `decision.explain` on both sides.
    pub(in crate::rpc) async fn check_explain(&mut self, ready: &Ready) -> Result<(), Status> {
        let at = ResourcePath::account(ready.path.account);
        let mut may = self.may("decision.explain", &at).await?;
        if let Some(account) = ready.found.account.filter(|_| !ready.own) {
            may = may && self.may("decision.explain", &ResourcePath::account(account)).await?;
        }
        if may {
            return Ok(());
        }
        let permission = "decision.explain".to_owned();
        Err(crate::decision::Refused::Forbidden { permission }.into())
    }
}
