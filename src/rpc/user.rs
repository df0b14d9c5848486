//! The User service: the users of an account, each RPC from wire to store and back.

mod list;
mod offboarded;
mod request;
mod view;

use tonic::{Request, Response, Status};

use super::shared::{Done, Reader, Shared, account_of, open, reader, with_revision};
use super::wire::{field, optional};
use crate::decision::sees_user;
use crate::layers::status;
use crate::model::{UserId, fold};
use crate::proto::v1 as pb;
use crate::store::{Below, UserDone};
use request::{edits, new_user};
use view::Eye;

/// The most users that one answer holds.
const MOST: usize = 1000;
/// So many sessions of one user are looked at to tell which end.
const SESSIONS: u64 = 10_000;

/// Answers for users.
#[derive(Debug, Clone)]
pub struct UserApi(pub Shared);

#[tonic::async_trait]
impl pb::user_service_server::UserService for UserApi {
    async fn create_user(
        &self,
        request: Request<pb::CreateUserRequest>,
    ) -> Result<Response<pb::CreateUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let settings = &self.0.settings;
        let (keys, return_uri) = (self.0.keys.clone(), request.return_uri.clone());
        let new = new_user(account_of(&call.ask, "account_id")?, request, &settings.return_uris)?;
        let depth = settings.user_depth;
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(
                    async move { tx.create_user(caller, new, depth, (return_uri, &keys)).await },
                )
            })
            .await?;
        self.0.bell.notify_one();
        // What the caller has just made it knows, whatever it may read later.
        let fresh = !done.repeat;
        let user = self
            .answer(by, &done, fresh)
            .await?
            .map(|user| if done.dry_run { view::without_id(user) } else { user });
        let login_uri = if user.is_some() { self.login_uri(&done).await? } else { String::new() };
        Ok(done.respond(pb::CreateUserResponse {
            user,
            login_uri,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn get_user(
        &self,
        request: Request<pb::GetUserRequest>,
    ) -> Result<Response<pb::GetUserResponse>, Status> {
        let (call, request) = open(request)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let eye = Eye::of(reader(&call)?, self.0.clock.now());
        let found = self.0.store.user(id).await?.filter(|user| user.delete_time.is_none());
        let user = found.ok_or_else(|| unseen(id))?;
        Ok(with_revision(
            Response::new(pb::GetUserResponse { user: Some(eye.user(&user)) }),
            &eye.there,
        ))
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        let (call, request) = open(request)?;
        let eye = Eye::of(reader(&call)?, self.0.clock.now());
        let reply = list::list(&self.0, &call, &eye, &request).await?;
        Ok(with_revision(Response::new(reply), &eye.there))
    }

    async fn update_user(
        &self,
        request: Request<pb::UpdateUserRequest>,
    ) -> Result<Response<pb::UpdateUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let user = request.user.unwrap_or_default();
        let id: UserId = field("user.user_id", &user.user_id)?;
        let edits = edits(&user, request.update_mask)?;
        let etag = user.etag;
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.update_user(caller, id, &edits, &etag).await })
            })
            .await?;
        let user = self.answer(by, &done, false).await?;
        Ok(done.respond(pb::UpdateUserResponse {
            user,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn set_user_active(
        &self,
        request: Request<pb::SetUserActiveRequest>,
    ) -> Result<Response<pb::SetUserActiveResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let (active, etag) = (request.is_active, request.etag);
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.set_user_active(caller, id, active, &etag).await })
            })
            .await?;
        let user = self.answer(by, &done, false).await?;
        Ok(done.respond(pb::SetUserActiveResponse {
            is_active: user.as_ref().and_then(|user| user.enabled).unwrap_or(active),
            user,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn delete_user(
        &self,
        request: Request<pb::DeleteUserRequest>,
    ) -> Result<Response<pb::DeleteUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let below = below(&request)?;
        let (etag, depth) = (request.etag, self.0.settings.user_depth);
        // Nobody sees it afterwards; whoever saw it is told what went.
        let seen = sees_user(&by.caller, &by.home, &by.there, id, self.0.clock.now());
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.delete_user(caller, id, below, &etag, depth).await })
            })
            .await?;
        let user = self.answer(by, &done, seen && !done.repeat).await?;
        Ok(done.respond(pb::DeleteUserResponse {
            user,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn undelete_user(
        &self,
        request: Request<pb::UndeleteUserRequest>,
    ) -> Result<Response<pb::UndeleteUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let (etag, depth) = (request.etag, self.0.settings.user_depth);
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.undelete_user(caller, id, &etag, depth).await })
            })
            .await?;
        let user = self.answer(by, &done, false).await?;
        Ok(done.respond(pb::UndeleteUserResponse {
            user,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn reassign_children(
        &self,
        request: Request<pb::ReassignChildrenRequest>,
    ) -> Result<Response<pb::ReassignChildrenResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let from: UserId = field("old_user_id", &request.old_user_id)?;
        let to: UserId = field("reassign_user_id", &request.reassign_user_id)?;
        let (etag, depth) = (request.etag, self.0.settings.user_depth);
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.reassign_children(caller, from, to, &etag, depth).await })
            })
            .await?;
        let users = self.moved(by, &done).await?;
        Ok(done.respond(pb::ReassignChildrenResponse {
            users,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn move_user(
        &self,
        request: Request<pb::MoveUserRequest>,
    ) -> Result<Response<pb::MoveUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let parent: Option<UserId> = optional("parent_user_id", &request.parent_user_id)?;
        let (etag, depth) = (request.etag, self.0.settings.user_depth);
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.move_user(caller, id, parent, &etag, depth).await })
            })
            .await?;
        let user = self.answer(by, &done, false).await?;
        Ok(done.respond(pb::MoveUserResponse {
            user,
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }

    async fn check_user_name_availability(
        &self,
        request: Request<pb::CheckUserNameAvailabilityRequest>,
    ) -> Result<Response<pb::CheckUserNameAvailabilityResponse>, Status> {
        let (call, request) = open(request)?;
        let account = account_of(&call.ask, "account_id")?;
        let there = reader(&call)?.there;
        let key =
            fold(&request.user_name).map_err(|error| request::bad_name("user_name", error))?;
        let available = there.named(account, &key).is_none();
        let reply = pb::CheckUserNameAvailabilityResponse { available };
        Ok(with_revision(Response::new(reply), &there))
    }

    async fn offboard_user(
        &self,
        request: Request<pb::OffboardUserRequest>,
    ) -> Result<Response<pb::OffboardUserResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: UserId = field("user_id", &request.user_id)?;
        let etag = request.etag;
        // Before others have to wait for it: sessions come and go without a change.
        let sessions = self.0.store.sessions_of(id, None, SESSIONS).await?;
        let done = self
            .0
            .change(call, move |tx, caller| {
                Box::pin(async move { tx.offboard_user(caller, id, &sessions, &etag).await })
            })
            .await?;
        let user = self.answer(by, &done, false).await?;
        Ok(done.respond(pb::OffboardUserResponse {
            user,
            effect: offboarded::effect(&done),
            consistency_token: done.consistency_token(),
            preview: preview(&done),
        }))
    }
}

impl UserApi {
    /// Shows the user that a change was about, if the caller sees it or is known to know it.
    ///
    /// Of a user that is deleted by now, a repeat tells that much and no more.
    async fn answer(
        &self,
        by: Reader,
        done: &Done<UserDone>,
        known: bool,
    ) -> Result<Option<pb::User>, Status> {
        let eye = Eye::after(by, done, self.0.clock.now());
        let Some(user) = self.0.user_after(done, done.outcome.user).await? else { return Ok(None) };
        if !done.hidden && (known || eye.sees(user.id)) {
            let shown = eye.user(&user);
            return Ok(Some(if done.dry_run { view::without_times(shown) } else { shown }));
        }
        let bare = || pb::User { delete_time: view::delete_time(&user), ..view::named(&user) };
        Ok((done.repeat && user.delete_time.is_some()).then(bare))
    }

    /// Shows those that hang elsewhere now, as far as the caller sees them.
    async fn moved(&self, by: Reader, done: &Done<UserDone>) -> Result<Vec<pb::User>, Status> {
        let now = self.0.clock.now();
        // Who only tries sees no more by it than before.
        let moved = done.outcome.moved.iter().copied().filter(|_| !done.hidden);
        let moved: Vec<UserId> = moved
            .filter(|id| !done.dry_run || sees_user(&by.caller, &by.home, &by.there, *id, now))
            .collect();
        let eye = Eye::after(by, done, now);
        let ids: Vec<UserId> = moved.into_iter().filter(|id| eye.sees(*id)).take(MOST).collect();
        let mut users = Vec::with_capacity(ids.len());
        if done.dry_run {
            for id in ids {
                let user = self.0.user_after(done, id).await?;
                users.extend(user.map(|user| view::without_times(eye.user(&user))));
            }
            return Ok(users);
        }
        let rows = self.0.store.users(&ids).await?;
        users.extend(rows.iter().filter(|user| user.delete_time.is_none()).map(|u| eye.user(u)));
        Ok(users)
    }

    /// Returns where the users of a new user's account sign in, if it is one that does.
    async fn login_uri(&self, done: &Done<UserDone>) -> Result<String, Status> {
        let Some(user) = self.0.user_after(done, done.outcome.user).await? else {
            return Ok(String::new());
        };
        if user.kind != crate::model::UserKind::Admin {
            return Ok(String::new());
        }
        let account = done.world.account(user.account);
        let alias = account.and_then(|account| account.login_alias.clone());
        let name = alias.unwrap_or_else(|| user.account.to_string());
        Ok(format!("{}/login/{name}", self.0.settings.base_url.trim_end_matches('/')))
    }
}

/// Reads what is to become of those below a user that is deleted.
fn below(request: &pb::DeleteUserRequest) -> Result<Below, Status> {
    let to: Option<UserId> = optional("reassign_user_id", &request.reassign_user_id)?;
    match (to, request.cascade_delete) {
        (Some(_), Some(true)) => {
            let why = "cannot be true where reassign_user_id is given";
            Err(status::bad_field("INVALID_FIELD", "cascade_delete", why))
        }
        (Some(to), _) => Ok(Below::Give(to)),
        (None, Some(false)) => Ok(Below::Refuse),
        (None, _) => Ok(Below::Delete),
    }
}

/// Adds to the preview of a dry run what is worth knowing about users.
fn preview(done: &Done<UserDone>) -> Option<pb::Preview> {
    let mut preview = done.preview()?;
    preview.others_affected |= done.outcome.others_affected;
    if done.outcome.last_super_user {
        preview.warnings.push(pb::Warning {
            reason: "LAST_SUPER_USER".to_owned(),
            message: "the account would have nobody left who may do everything in it".to_owned(),
            entity_ids: vec![done.outcome.user.to_string()],
        });
    }
    Some(preview)
}

fn unseen(id: UserId) -> Status {
    crate::decision::Refused::Unseen { kind: "user", id: id.to_string() }.into()
}
