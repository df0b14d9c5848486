//! The Role service: roles, who holds them, and the catalogues that they come from.

mod effect;
mod fields;
mod view;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::shared::{Done, Reader, Shared, account_of, open, reader};
use super::wire::{field, time};
use crate::decision::{Anchor, Refused, Snapshot, sees_user};
use crate::layers::{Call, status};
use crate::model::{Image, ResourcePath, RoleGrant, RoleId, RoleRef, UserId};
use crate::proto::v1 as pb;
use crate::store::{
    Giving, Misnamed, RoleDeleted, RoleGiven, RoleTaken, Taking, find_role, sees_role,
};

/// Serves roles.
#[derive(Debug, Clone)]
pub struct RoleApi(pub Shared);

#[tonic::async_trait]
impl pb::role_service_server::RoleService for RoleApi {
    async fn list_roles(
        &self,
        request: Request<pb::ListRolesRequest>,
    ) -> Result<Response<pb::ListRolesResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let account = account_of(&call.ask, "account_id")?;
        let page = self.0.page::<String>(&call, request.page_size, &request.page_token)?;
        let holder = fields::holder(request.assignable_to);
        let mut named = view::usable(&by.there, account, &request.catalogue, holder);
        named.retain(|(name, _)| page.after.as_ref().is_none_or(|after| name > after));
        let next_page_token = self.cut(&call, &mut named, page.size, |(name, _)| name.clone());
        let roles = named.iter().filter_map(|(_, role)| view::role(&by.there, role, false));
        let reply = pb::ListRolesResponse { roles: roles.collect(), next_page_token };
        Ok(super::shared::with_revision(Response::new(reply), &by.there))
    }

    async fn get_role(
        &self,
        request: Request<pb::GetRoleRequest>,
    ) -> Result<Response<pb::GetRoleResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let (world, found) = match find_role(&by.home, by.caller.account, &request.role) {
            Ok(found) => (Arc::clone(&by.home), found),
            // One that is used elsewhere is found by its id, where it may be read.
            Err(Misnamed::Unknown { .. }) => {
                let found = self.elsewhere_used(&by, &request.role).await?;
                found.ok_or_else(|| unseen(&request.role))?
            }
            Err(several @ Misnamed::Several { .. }) => {
                return Err(status::bad_field("UNKNOWN_ROLE", "role", several.to_string()));
            }
        };
        let role = view::role(&world, &found, true);
        let reply = pb::GetRoleResponse { role: Some(role.ok_or_else(status::internal)?) };
        Ok(super::shared::with_revision(Response::new(reply), &world))
    }

    async fn create_role(
        &self,
        request: Request<pb::CreateRoleRequest>,
    ) -> Result<Response<pb::CreateRoleResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let account = account_of(&call.ask, "account_id")?;
        let given = fields::created(&request.role.unwrap_or_default())?;
        let copy_from = Some(request.copy_from).filter(|written| !written.is_empty());
        let done = self.0.change(call, move |tx, _| {
            Box::pin(async move { tx.create_role(account, &given, copy_from.as_deref()) })
        });
        let done = done.await?;
        Ok(done.respond(pb::CreateRoleResponse {
            role: self.role_after(&by, &done, done.outcome.role),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn update_role(
        &self,
        request: Request<pb::UpdateRoleRequest>,
    ) -> Result<Response<pb::UpdateRoleResponse>, Status> {
        let (mut call, request) = open(request)?;
        let by = reader(&call)?;
        let role = request.role.unwrap_or_default();
        if role.role.is_empty() {
            return Err(status::bad_field("INVALID_FIELD", "role.role", "is required"));
        }
        let changed = fields::changed(&role, request.update_mask.as_ref())?;
        let target = aim(&mut call, &by, "role.role", &role.role);
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move {
                tx.update_role(caller, target.id()?, &changed, request.force, &role.etag)
            })
        });
        let done = done.await.map_err(|error| target.missed(&role.role, error))?;
        Ok(done.respond(pb::UpdateRoleResponse {
            role: self.role_after(&by, &done, done.outcome.role),
            consistency_token: done.consistency_token(),
            preview: done.preview_with(&done.outcome.notices),
        }))
    }

    async fn delete_role(
        &self,
        request: Request<pb::DeleteRoleRequest>,
    ) -> Result<Response<pb::DeleteRoleResponse>, Status> {
        let (mut call, request) = open(request)?;
        let by = reader(&call)?;
        let target = aim(&mut call, &by, "role", &request.role);
        let pb::DeleteRoleRequest { role: written, force, etag, .. } = request;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.delete_role(caller, target.id()?, force, &etag).await })
        });
        let done = done.await.map_err(|error| target.missed(&written, error))?;
        let RoleDeleted { role, was, notices } = &done.outcome;
        let gone = match was.as_ref().filter(|_| !done.hidden) {
            // What it includes and comes to is named as before.
            Some(was) => view::custom(&by.there, was, true),
            None => pb::Role { role: role.to_string(), ..Default::default() },
        };
        Ok(done.respond(pb::DeleteRoleResponse {
            role: Some(gone),
            consistency_token: done.consistency_token(),
            preview: done.preview_with(notices),
        }))
    }

    async fn list_user_roles(
        &self,
        request: Request<pb::ListUserRolesRequest>,
    ) -> Result<Response<pb::ListUserRolesResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let user: UserId = field("user_id", &request.user_id)?;
        let page = self.0.page::<view::GrantKey>(&call, request.page_size, &request.page_token)?;
        let grants = self.0.store.grants_of(user).await?;
        let mut keyed: Vec<_> =
            grants.into_iter().map(|grant| (view::GrantKey::of(&grant), grant)).collect();
        keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        keyed.retain(|(key, _)| page.after.as_ref().is_none_or(|after| key > after));
        let next_page_token = self.cut(&call, &mut keyed, page.size, |(key, _)| key.clone());
        let role_grants =
            keyed.iter().map(|(_, grant)| self.grant(&by, &by.there, grant)).collect();
        let reply = pb::ListUserRolesResponse { role_grants, next_page_token };
        Ok(super::shared::with_revision(Response::new(reply), &by.there))
    }

    async fn add_user_role(
        &self,
        request: Request<pb::AddUserRoleRequest>,
    ) -> Result<Response<pb::AddUserRoleResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let scope = scope(&request.scope)?;
        let giving = Giving {
            user: field("user_id", &request.user_id)?,
            role_type: request.role_type,
            elsewhere: self.elsewhere(&by, scope.as_ref()).await?,
            scope,
            expire_time: time("expire_time", request.expire_time)?,
            force: request.force,
            etag: request.etag,
        };
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.give_role(caller, giving).await })
        });
        let done = done.await?;
        Ok(done.respond(pb::AddUserRoleResponse {
            role_grant: self.given(&by, &done).await?,
            consistency_token: done.consistency_token(),
            preview: done.preview_with(&done.outcome.notices),
        }))
    }

    async fn remove_user_role(
        &self,
        request: Request<pb::RemoveUserRoleRequest>,
    ) -> Result<Response<pb::RemoveUserRoleResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let taking = Taking {
            user: field("user_id", &request.user_id)?,
            role_type: request.role_type,
            scope: scope(&request.scope)?,
            force: request.force,
            etag: request.etag,
        };
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.take_role(caller, taking).await })
        });
        let done = done.await?;
        let RoleTaken { grants, notices, .. } = &done.outcome;
        let taken = grants.iter().filter(|_| !done.hidden);
        Ok(done.respond(pb::RemoveUserRoleResponse {
            role_grants: taken.map(|grant| self.grant(&by, &done.world, grant)).collect(),
            consistency_token: done.consistency_token(),
            preview: done.preview_with(notices),
        }))
    }

    async fn list_catalogues(
        &self,
        request: Request<pb::ListCataloguesRequest>,
    ) -> Result<Response<pb::ListCataloguesResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let page = self.0.page::<String>(&call, request.page_size, &request.page_token)?;
        let catalogue = by.home.catalogue();
        let mut files: Vec<_> = catalogue.files().iter().collect();
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        files.retain(|file| page.after.as_ref().is_none_or(|after| file.name > *after));
        let next_page_token = self.cut(&call, &mut files, page.size, |file| file.name.clone());
        let catalogues = files.into_iter().map(|file| view::catalogue(catalogue, file)).collect();
        let reply = pb::ListCataloguesResponse { catalogues, next_page_token };
        Ok(super::shared::with_revision(Response::new(reply), &by.home))
    }

    async fn apply_catalogue(
        &self,
        request: Request<pb::ApplyCatalogueRequest>,
    ) -> Result<Response<pb::ApplyCatalogueResponse>, Status> {
        let (call, request) = open(request)?;
        let pb::ApplyCatalogueRequest { catalogue_yaml, etag, .. } = request;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.apply_catalogue(caller, catalogue_yaml, &etag).await })
        });
        let mut done = done.await?;
        // A repeat shows what is in force now.
        let compiled = done.outcome.compiled.take();
        let compiled = compiled.unwrap_or_else(|| Arc::clone(done.world.catalogue()));
        let mut files = compiled.files().iter();
        let file = files.find(|file| file.name == done.outcome.name);
        let effect = done.outcome.effect.take();
        Ok(done.respond(pb::ApplyCatalogueResponse {
            catalogue: file.filter(|_| !done.hidden).map(|file| view::catalogue(&compiled, file)),
            consistency_token: done.consistency_token(),
            preview: effect::preview(done.preview(), effect),
        }))
    }
}

impl RoleApi {
    /// Cuts a list to its page, and makes the token of the next one where there is more.
    fn cut<T, C: std::fmt::Display>(
        &self,
        call: &Call,
        list: &mut Vec<T>,
        size: usize,
        cursor: impl Fn(&T) -> C,
    ) -> String {
        let more = list.len() > size;
        list.truncate(size);
        let end = list.last().filter(|_| more);
        end.map(|end| self.0.next_page(call, &cursor(end))).unwrap_or_default()
    }

    /// Finds a custom role that cannot be used in the caller's account, by its id, if the caller may read it.
    async fn elsewhere_used(
        &self,
        by: &Reader,
        written: &str,
    ) -> Result<Option<(Arc<Snapshot>, RoleRef)>, Status> {
        let (feed, now) = (&self.0.feed, self.0.clock.now());
        let Ok(id) = written.parse::<RoleId>() else { return Ok(None) };
        let world = match by.home.role(id) {
            Some(_) => Arc::clone(&by.home),
            None if by.caller.tenant != feed.root() => return Ok(None),
            None => match feed.tenant_of(Anchor::Role(id)).await? {
                Some(tenant) => feed.tenant(tenant).await?,
                None => return Ok(None),
            },
        };
        let seen = world
            .role(id)
            .is_some_and(|found| sees_role(&by.caller, &by.home, &world, &found.role, now));
        Ok(seen.then_some((world, RoleRef::Custom(id))))
    }

    /// Finds the tenant of a scope that lies in another than the user's, as an operator's may.
    async fn elsewhere(
        &self,
        by: &Reader,
        scope: Option<&ResourcePath>,
    ) -> Result<Option<Arc<Snapshot>>, Status> {
        let feed = &self.0.feed;
        let Some(scope) = scope else { return Ok(None) };
        if by.there.tenant() != feed.root() || by.there.account(scope.account).is_some() {
            return Ok(None);
        }
        match feed.tenant_of(Anchor::Account(scope.account)).await? {
            Some(tenant) if tenant != feed.root() => Ok(Some(feed.tenant(tenant).await?)),
            _ => Ok(None),
        }
    }

    /// Shows a role after a change; on a repeat as it is now, if it is there and visible.
    fn role_after<T>(&self, by: &Reader, done: &Done<T>, id: RoleId) -> Option<pb::Role> {
        let found = done.world.role(id).filter(|_| !done.hidden)?;
        let now = self.0.clock.now();
        if done.repeat && !sees_role(&by.caller, home(by, done), &done.world, &found.role, now) {
            return None;
        }
        let mut role = view::custom(&done.world, &found.role, true);
        if done.dry_run {
            // Ids, times and what hangs on them are made when the change is.
            let kept = by.there.role(id).is_some();
            role.role = if kept { role.role } else { String::new() };
            role.create_time = role.create_time.filter(|_| kept);
            role.update_time = None;
            role.etag = String::new();
        }
        Some(role)
    }

    /// Answers with the grant as it was made, on a repeat as it is now, if it is there and its holder is visible.
    async fn given(
        &self,
        by: &Reader,
        done: &Done<RoleGiven>,
    ) -> Result<Option<pb::RoleGrant>, Status> {
        let RoleGiven { user, role, scope, .. } = &done.outcome;
        if let Some(Image::RoleGrant(grant)) =
            done.after(|image| matches!(image, Image::RoleGrant(_)))
        {
            let created_on = |grant: pb::RoleGrant| grant.created_on.filter(|_| !done.dry_run);
            let shown = self.grant(by, &done.world, grant);
            return Ok(Some(pb::RoleGrant { created_on: created_on(shown.clone()), ..shown }));
        }
        let now = self.0.clock.now();
        if done.hidden || !sees_user(&by.caller, home(by, done), &done.world, *user, now) {
            return Ok(None);
        }
        let grants = self.0.store.grants_of(*user).await?;
        let found = grants.iter().find(|grant| grant.role == *role && grant.scope == *scope);
        Ok(found.map(|grant| self.grant(by, &done.world, grant)))
    }

    /// Shows a role on a user, and who gave it, if the reader may know.
    fn grant(&self, by: &Reader, world: &Snapshot, grant: &RoleGrant) -> pb::RoleGrant {
        view::grant(world, grant, by.name(grant.created_by, self.0.clock.now()))
    }
}

/// What a request to change a role names.
#[derive(Debug, Clone, Copy)]
enum Target {
    Custom(RoleId),
    BuiltIn,
    Nothing,
}

impl Target {
    fn id(self) -> Result<RoleId, crate::store::Refusal> {
        match self {
            Self::Custom(id) => Ok(id),
            // Who may change roles here is told that this one is its catalogue's.
            Self::BuiltIn => Err(crate::store::Refusal::forbidden("catalogue.apply")),
            Self::Nothing => Err(crate::store::Refusal::unseen("role", "")),
        }
    }

    /// Says that there is no such role in the words of the request.
    fn missed(self, written: &str, error: Status) -> Status {
        let absent = matches!(self, Self::Nothing) && error.code() == tonic::Code::NotFound;
        if absent { unseen(written) } else { error }
    }
}

/// Finds the role to change, and tells the rule, which knows ids only, what a name stands for in the caller's account.
///
/// What has no such name is judged as an id that nothing has: a repeated request is still known for what it was.
fn aim(call: &mut Call, by: &Reader, field: &str, written: &str) -> Target {
    if let Ok(id) = written.parse() {
        return Target::Custom(id);
    }
    match find_role(&by.home, by.caller.account, written) {
        Ok(RoleRef::Custom(id)) => {
            call.ask.fill(field, id.to_string());
            Target::Custom(id)
        }
        Ok(RoleRef::BuiltIn(_)) | Err(Misnamed::Several { .. }) => {
            call.ask.fill("account_id", by.caller.account.to_string());
            Target::BuiltIn
        }
        Err(Misnamed::Unknown { .. }) => {
            call.ask.fill(field, RoleId(uuid::Uuid::nil()).to_string());
            Target::Nothing
        }
    }
}

fn unseen(written: &str) -> Status {
    Refused::Unseen { kind: "role", id: written.to_owned() }.into()
}

fn scope(text: &str) -> Result<Option<ResourcePath>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let bad = |error: crate::model::BadPath| {
        status::bad_field("INVALID_PATH", "scope", error.to_string())
    };
    text.parse().map(Some).map_err(bad)
}

/// Returns the caller's own tenant, as new as the change where it is the one that changed.
fn home<'a, T>(by: &'a Reader, done: &'a Done<T>) -> &'a Snapshot {
    if by.home.tenant() == done.world.tenant() { &done.world } else { &by.home }
}
