//! Setting a password: by a link that is asked for, that an administrator sends or that comes with an invitation; or by whoever knows the
//! one before (`model.md` §9).

use chrono::TimeDelta;
use tonic::{Request, Response, Status};

use super::passwords::{Sent, lane};
use super::shared::{Shared, open, reader, with_revision};
use super::sign_in::Attempt;
use super::wire::field;
use crate::crypto::password::Counter;
use crate::crypto::token::{self, TokenKind};
use crate::layers::{network, status};
use crate::model::{Account, Folded, User, UserId, UserKind, fold};
use crate::proto::v1 as pb;
use crate::store::{BackOff, Outgoing};

/// Links that somebody may ask for: three in an hour for one name, without being told that the fourth was not sent.
const LINKS: BackOff = BackOff { free: 3, most: Some(6), memory: Some(TimeDelta::hours(1)) };
/// And from one source, which may be a whole office.
const ASKED: BackOff = BackOff { free: 60, most: None, memory: Some(TimeDelta::hours(1)) };
/// Links from one source that were none.
const TRIED: BackOff = BackOff { free: 100, most: None, memory: Some(TimeDelta::hours(1)) };

impl Shared {
    /// Sends a link to whoever has a name, if somebody has: the answer does not tell, and neither does the time that it takes.
    pub(super) async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Result<Response<pb::RequestPasswordResetResponse>, Status> {
        let (call, request) = open(request)?;
        self.leads_back(&request.return_path)?;
        let source = network(&call.source);
        let from = Counter::Source(&source).reset(&self.keys);
        self.in_time(&from).await?;
        let home = self.home_of(&request.account).await?;
        let name = fold(&request.user_name);
        let found = home.as_ref().zip(name.as_ref().ok()).and_then(|((account, world), name)| {
            let user = world.user(world.named(*account, name)?)?;
            (user.enabled && user.kind != UserKind::Service).then_some(user.id)
        });
        let account = home.map(|(account, _)| account);
        let name = name.map_or_else(|_| request.user_name.clone(), Folded::into_string);
        let counter = found.map_or(Counter::Nobody(account, &name), Counter::User);
        let wanted = self.store.count_try(&counter.reset(&self.keys), LINKS).await?;
        self.store.count_try(&from, ASKED).await?;
        // Too many, or for nobody: a row all the same, and nothing that is sent.
        let found = found.filter(|_| wanted);
        self.store.ask_for_reset(&self.keys, found, &request.return_path).await?;
        self.bell.notify_one();
        Ok(Response::new(pb::RequestPasswordResetResponse {}))
    }

    /// Sends a user a link, in the name of an administrator who never sees it.
    pub(super) async fn send_password_reset(
        &self,
        request: Request<pb::SendPasswordResetRequest>,
    ) -> Result<Response<pb::SendPasswordResetResponse>, Status> {
        let (call, request) = open(request)?;
        self.leads_back(&request.return_path)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let keys = self.keys.clone();
        let done = self
            .change(call, move |tx, caller| {
                Box::pin(async move {
                    tx.send_reset(caller, id, request.return_path, &request.etag, &keys).await
                })
            })
            .await?;
        self.bell.notify_one();
        Ok(done.respond(pb::SendPasswordResetResponse {
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    /// Sets a password by a link. It signs nobody in.
    pub(super) async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Result<Response<pb::ResetPasswordResponse>, Status> {
        let (call, request) = open(request)?;
        let password = Sent::new(request.password);
        let source = network(&call.source);
        let from = Counter::Source(&source).reset(&self.keys);
        self.in_time(&from).await?;
        let digest = token::parse(&request.token).ok().filter(|text| text.kind() == TokenKind::Rst);
        let found = match digest {
            Some(text) => {
                self.store.message_by_digest(&self.keys, &text.digest(&self.keys)).await?
            }
            None => None,
        };
        let Some(Outgoing { message, user, account, .. }) = found else {
            self.store.count_try(&from, TRIED).await?;
            return Err(status::bad_link());
        };
        let lane = lane(Some(account.id), &call.source);
        let names = names(&user, &account);
        let hash = self.passwords.hash_new(lane, user.id, &password, names, "password").await?;
        let (keys, tenant) = (self.keys.clone(), account.tenant);
        let done = self.feed.change(tenant, "ResetPassword", Some(call.source), move |tx| {
            Box::pin(async move { tx.reset_password(&message, hash, &keys).await })
        });
        done.await?;
        let world = self.feed.tenant(tenant).await?;
        Ok(with_revision(Response::new(pb::ResetPasswordResponse {}), &world))
    }

    /// Changes the caller's own password.
    pub(super) async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Result<Response<pb::ChangePasswordResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?.caller;
        let session = by.session.map(|session| session.id);
        // Neither a program with a token nor somebody who acts as the user is the user (`edges.md` §2).
        if by.actor.is_some() || session.is_none() {
            return Err(status::only_a_session());
        }
        let current = Sent::new(request.current_password);
        let new = Sent::new(request.new_password);
        let user = self.store.user(by.user).await?.filter(|user| !user.sso);
        let attempt = Attempt {
            account: Some(by.account),
            name: "",
            user: user.as_ref().map(|user| user.id),
            source: &call.source,
            password: &current,
        };
        let old = self.try_password(&attempt).await?;
        let (Some(old), Some(user)) = (old, user) else { return Err(status::wrong_password()) };
        let account = self.store.account(user.account).await?.ok_or_else(status::internal)?;
        let (lane, names) = (lane(Some(account.id), &call.source), names(&user, &account));
        let hash = self.passwords.hash_new(lane, user.id, &new, names, "new_password").await?;
        let (keys, keep) = (self.keys.clone(), request.keep_api_tokens);
        let done = self
            .change(call, move |tx, caller| {
                Box::pin(async move {
                    tx.change_password(caller.user, (&old, hash), keep, session, &keys).await
                })
            })
            .await?;
        Ok(done.respond(pb::ChangePasswordResponse { consistency_token: done.consistency_token() }))
    }

    /// Refuses a source that has to wait.
    pub(super) async fn in_time(&self, from: &[u8; 32]) -> Result<(), Status> {
        let until = self.store.waits_until(from).await?;
        match until.and_then(|until| (until - self.clock.now()).to_std().ok()) {
            Some(wait) if !wait.is_zero() => Err(status::too_many_failures(wait)),
            _ => Ok(()),
        }
    }

    /// Refuses a link that would lead back to where the operator does not want it to.
    fn leads_back(&self, path: &str) -> Result<(), Status> {
        if path.is_empty() || self.settings.return_uris.iter().any(|uri| uri == path) {
            return Ok(());
        }
        let why = "is none of the addresses that links may lead back to";
        Err(status::bad_field("INVALID_FIELD", "return_path", why))
    }
}

/// Lists what a user and its account are called: none of it makes a password.
fn names(user: &User, account: &Account) -> Vec<String> {
    let own = [&user.user_name, &user.first_name, &user.last_name, &user.full_name];
    let mut names: Vec<String> = own.into_iter().cloned().collect();
    names.extend(user.email.clone());
    names.push(account.display_name.clone());
    names.extend(account.login_alias.clone());
    names
}
