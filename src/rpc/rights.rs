//! The service of rights documents: documents, who has them, and what they come to.

mod effective;
mod fields;
mod past;
mod view;

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use super::shared::{Done, Reader, Shared, open, reader, with_revision};
use super::wire::{field, optional};
use crate::decision::{
    EffectiveRight, Refused, effective, effective_far, owns_document, sees_document, sees_user,
};
use crate::layers::{Call, status};
use crate::model::{AccountId, Body, DocId, Image, UserId};
use crate::proto::v1 as pb;
use crate::store::{Assigning, DocumentDone};
use effective::Mark;
pub(super) use effective::Reading;

/// So many rights are shown of what differs, each way.
const MOST_COMPARED: usize = 1000;

/// Serves rights documents.
#[derive(Debug, Clone)]
pub struct RightsDocumentApi(pub Shared);

#[tonic::async_trait]
impl pb::rights_document_service_server::RightsDocumentService for RightsDocumentApi {
    async fn create_rights_document(
        &self,
        request: Request<pb::CreateRightsDocumentRequest>,
    ) -> Result<Response<pb::CreateRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let owner = user_of(&call)?;
        let document = request.rights_document.unwrap_or_default();
        let account = optional("rights_document.account_id", &document.account_id)?;
        let given = fields::created(&document)?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.create_document(caller, owner, account, &given) })
        });
        let done = done.await?;
        Ok(done.respond(pb::CreateRightsDocumentResponse {
            rights_document: self.after(&by, &done),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn get_rights_document(
        &self,
        request: Request<pb::GetRightsDocumentRequest>,
    ) -> Result<Response<pb::GetRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: DocId = field("rights_doc_id", &request.rights_doc_id)?;
        let now = self.0.clock.now();
        let owns = |user| owns_document(&by.caller, &by.home, &by.there, user, id, now);
        if !optional("expected_owner_id", &request.expected_owner_id)?.is_none_or(owns) {
            return Err(unseen(id));
        }
        let found = view::document(&by.there, id, by.caller.account);
        let reply = pb::GetRightsDocumentResponse {
            rights_document: Some(self.shown(&by, found.ok_or_else(|| unseen(id))?)),
        };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn list_rights_documents(
        &self,
        request: Request<pb::ListRightsDocumentsRequest>,
    ) -> Result<Response<pb::ListRightsDocumentsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let user = user_of(&call)?;
        let owned = by.there.owned(user);
        let page = (request.page_size, request.page_token.as_str());
        let (rights_documents, next_page_token) = self.list(&call, &by, user, owned, page)?;
        let reply = pb::ListRightsDocumentsResponse { rights_documents, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn update_rights_document(
        &self,
        request: Request<pb::UpdateRightsDocumentRequest>,
    ) -> Result<Response<pb::UpdateRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let document = request.rights_document.unwrap_or_default();
        let id: DocId = field("rights_document.rights_doc_id", &document.rights_doc_id)?;
        let owner: Option<UserId> = optional("expected_owner_id", &request.expected_owner_id)?;
        let changed = fields::changed(&document, request.update_mask.as_ref())?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move {
                tx.expect_owner(caller, id, owner)?;
                tx.update_document(caller, id, &changed, request.force, &document.etag).await
            })
        });
        let done = done.await?;
        Ok(done.respond(pb::UpdateRightsDocumentResponse {
            rights_document: self.after(&by, &done),
            consistency_token: done.consistency_token(),
            preview: done.preview_with(&done.outcome.notices),
        }))
    }

    async fn delete_rights_document(
        &self,
        request: Request<pb::DeleteRightsDocumentRequest>,
    ) -> Result<Response<pb::DeleteRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: DocId = field("rights_doc_id", &request.rights_doc_id)?;
        let owner: Option<UserId> = optional("expected_owner_id", &request.expected_owner_id)?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move {
                tx.expect_owner(caller, id, owner)?;
                tx.delete_document(caller, id, &request.etag).await
            })
        });
        let done = done.await?;
        let gone = match &done.outcome.was {
            Some(was) if !done.hidden => self.shown(&by, view::kept(was)),
            _ => pb::RightsDocument { rights_doc_id: id.to_string(), ..Default::default() },
        };
        let preview = done.preview().map(|preview| pb::Preview {
            others_affected: preview.others_affected || done.outcome.others_affected,
            ..preview
        });
        Ok(done.respond(pb::DeleteRightsDocumentResponse {
            rights_document: Some(gone),
            consistency_token: done.consistency_token(),
            preview,
        }))
    }

    async fn assign_rights_document(
        &self,
        request: Request<pb::AssignRightsDocumentRequest>,
    ) -> Result<Response<pb::AssignRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let users = request.user_ids.iter().enumerate();
        let users = users.map(|(at, id)| field(&format!("user_ids[{at}]"), id));
        let giving = Assigning {
            document: field("rights_doc_id", &request.rights_doc_id)?,
            users: users.collect::<Result<_, _>>()?,
            force: request.force,
            etag: request.etag,
            most: self.0.settings.documents_per_user,
        };
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.assign_document(caller, giving) })
        });
        let done = done.await?;
        Ok(done.respond(pb::AssignRightsDocumentResponse {
            assignments: self.assigned(&by, &done).await?,
            consistency_token: done.consistency_token(),
            preview: done.preview_with(&done.outcome.notices),
        }))
    }

    async fn unassign_rights_document(
        &self,
        request: Request<pb::UnassignRightsDocumentRequest>,
    ) -> Result<Response<pb::UnassignRightsDocumentResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: DocId = field("rights_doc_id", &request.rights_doc_id)?;
        let user: UserId = field("assigned_user_id", &request.assigned_user_id)?;
        let done = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.unassign_document(caller, id, user, &request.etag).await })
        });
        let done = done.await?;
        Ok(done.respond(pb::UnassignRightsDocumentResponse {
            assignment: (!done.hidden).then(|| self.assignment(&by, &done.outcome.assignment)),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn list_rights_document_assignments(
        &self,
        request: Request<pb::ListRightsDocumentAssignmentsRequest>,
    ) -> Result<Response<pb::ListRightsDocumentAssignmentsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: DocId = field("rights_doc_id", &request.rights_doc_id)?;
        let page = self.0.page::<UserId>(&call, request.page_size, &request.page_token)?;
        let now = self.0.clock.now();
        let seen = |user: &UserId| {
            page.after.is_none_or(|after| *user > after)
                && by.there.user(*user).is_some()
                && sees_user(&by.caller, &by.home, &by.there, *user, now)
        };
        let mut users: Vec<UserId> =
            by.there.assignees(id).filter(seen).take(page.size.saturating_add(1)).collect();
        let more = users.len() > page.size;
        users.truncate(page.size);
        let end = users.last().filter(|_| more);
        let next_page_token = end.map(|end| self.0.next_page(&call, end)).unwrap_or_default();
        let kept = self.0.store.assignments(by.there.tenant(), id, &users).await?;
        let assignments = kept.iter().map(|one| self.assignment(&by, one)).collect();
        let reply = pb::ListRightsDocumentAssignmentsResponse { assignments, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn list_assigned_rights_documents(
        &self,
        request: Request<pb::ListAssignedRightsDocumentsRequest>,
    ) -> Result<Response<pb::ListAssignedRightsDocumentsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let user = user_of(&call)?;
        let assigned = assigned(&by, user, false);
        let page = (request.page_size, request.page_token.as_str());
        let (rights_documents, next_page_token) =
            self.list(&call, &by, user, assigned.into_iter(), page)?;
        let reply = pb::ListAssignedRightsDocumentsResponse { rights_documents, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn list_assigned_master_rights_documents(
        &self,
        request: Request<pb::ListAssignedMasterRightsDocumentsRequest>,
    ) -> Result<Response<pb::ListAssignedMasterRightsDocumentsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let user = user_of(&call)?;
        let assigned = assigned(&by, user, true);
        let page = (request.page_size, request.page_token.as_str());
        let (rights_documents, next_page_token) =
            self.list(&call, &by, user, assigned.into_iter(), page)?;
        let reply =
            pb::ListAssignedMasterRightsDocumentsResponse { rights_documents, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn get_aggregated_rights(
        &self,
        request: Request<pb::GetAggregatedRightsRequest>,
    ) -> Result<Response<pb::GetAggregatedRightsResponse>, Status> {
        let (call, _) = open(request)?;
        let by = reader(&call)?;
        let user = user_of(&call)?;
        let Some(user) = by.there.user(user) else {
            return Err(Refused::Unseen { kind: "user", id: user.to_string() }.into());
        };
        let mut sums: BTreeMap<AccountId, Body> = BTreeMap::new();
        let held = user.documents.iter().filter_map(|id| by.there.document(*id));
        for document in held {
            let of =
                if document.master { by.there.tenant() } else { document.account(user.account) };
            view::add(sums.entry(of).or_default(), view::body(&by.there, document));
        }
        let rights_documents =
            sums.into_iter().map(|(account, body)| view::sum(account, &body)).collect();
        let reply = pb::GetAggregatedRightsResponse { rights_documents };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn get_effective_rights(
        &self,
        request: Request<pb::GetEffectiveRightsRequest>,
    ) -> Result<Response<pb::GetEffectiveRightsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let of = user_of(&call)?;
        let account: Option<AccountId> = optional("account_id", &request.account_id)?;
        let far = self.far(&by, account, self.0.clock.now()).await?;
        let (by, at) = self.at(&by, of, request.as_of).await?;
        let size = if request.page_size == 0 { i32::MAX } else { request.page_size };
        let page = self.0.page::<Mark>(&call, size, &request.page_token)?;
        let start = Mark::start(page.after, by.there.revision())?;
        let rights = match far {
            Some(account) => effective_far(&by.there, of, account, at),
            None => effective(&by.there, of, account, at),
        };
        let reading = Reading::new(&by, of, self.0.clock.now());
        let here = rights.iter().skip(start.place).take(page.size);
        let effective_rights: Vec<_> = here.map(|right| reading.right(right)).collect();
        let end = Mark { place: start.place + effective_rights.len(), ..start };
        let more = end.place < rights.len();
        let next_page_token = if more { self.0.next_page(&call, &end) } else { String::new() };
        let reply = pb::GetEffectiveRightsResponse { effective_rights, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn compare_rights(
        &self,
        request: Request<pb::CompareRightsRequest>,
    ) -> Result<Response<pb::CompareRightsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let (one, now) = (user_of(&call)?, self.0.clock.now());
        let other: Option<UserId> = optional("other_user_id", &request.other_user_id)?;
        let (other, found) = match (other, request.as_of) {
            (Some(other), None) => (other, Self::between(&by, one, other, now)),
            (None, Some(as_of)) => (one, self.since(&by, one, as_of).await?),
            _ => return Err(compares_with_one()),
        };
        let shown = |of, (by, rights): &(Reader, Vec<EffectiveRight>)| {
            let reading = Reading::new(by, of, now);
            rights.iter().take(MOST_COMPARED).map(|right| reading.right(right)).collect()
        };
        let most = found.only_one.1.len().max(found.only_other.1.len());
        let reply = pb::CompareRightsResponse {
            only_user: shown(one, &found.only_one),
            only_other: shown(other, &found.only_other),
            partial: most > MOST_COMPARED,
        };
        Ok(with_revision(Response::new(reply), &by.there))
    }
}

impl RightsDocumentApi {
    /// Shows a page of documents, which come in the order of their ids.
    fn list(
        &self,
        call: &Call,
        by: &Reader,
        user: UserId,
        ids: impl Iterator<Item = DocId>,
        (size, token): (i32, &str),
    ) -> Result<(Vec<pb::RightsDocument>, String), Status> {
        let page = self.0.page::<DocId>(call, size, token)?;
        let account = by.there.user(user).map_or(by.caller.account, |user| user.account);
        let rest = ids.filter(|id| page.after.is_none_or(|after| *id > after));
        let mut found: Vec<DocId> = rest.take(page.size.saturating_add(1)).collect();
        let more = found.len() > page.size;
        found.truncate(page.size);
        let end = found.last().filter(|_| more);
        let next = end.map(|end| self.0.next_page(call, end)).unwrap_or_default();
        let shown = found.iter().filter_map(|id| view::document(&by.there, *id, account));
        Ok((shown.map(|document| self.shown(by, document)).collect(), next))
    }

    /// Names the owner of a document to those alone who see it: who sees a document does not for that see its owner.
    fn shown(&self, by: &Reader, document: pb::RightsDocument) -> pb::RightsDocument {
        let owner = document.owner_id.parse().ok();
        pb::RightsDocument { owner_id: by.name(owner, self.0.clock.now()), ..document }
    }

    /// Shows a document after a change; on a repeat as it is now, if it is there and visible.
    fn after(&self, by: &Reader, done: &Done<DocumentDone>) -> Option<pb::RightsDocument> {
        let id = done.outcome.document;
        let (world, now) = (&done.world, self.0.clock.now());
        let home = if by.home.tenant() == world.tenant() { world } else { &by.home };
        if done.hidden || (done.repeat && !sees_document(&by.caller, home, world, id, now)) {
            return None;
        }
        let mut document = self.shown(by, view::document(world, id, by.caller.account)?);
        if done.dry_run {
            // Ids, times and what hangs on them are made when the change is.
            let kept = by.there.document(id).is_some();
            document.rights_doc_id = if kept { document.rights_doc_id } else { String::new() };
            document.create_time = document.create_time.filter(|_| kept);
            document.update_time = None;
            document.etag = String::new();
        }
        Some(document)
    }

    /// Shows assignments as they were made, on a repeat those that are there still, in the order of the request.
    async fn assigned(
        &self,
        by: &Reader,
        done: &Done<crate::store::Assigned>,
    ) -> Result<Vec<pb::Assignment>, Status> {
        let outcome = &done.outcome;
        if done.repeat {
            let (world, now) = (&done.world, self.0.clock.now());
            let home = if by.home.tenant() == world.tenant() { world } else { &by.home };
            let mut users = outcome.users.clone();
            users.retain(|id| !done.hidden && sees_user(&by.caller, home, world, *id, now));
            let kept = self.0.store.assignments(world.tenant(), outcome.document, &users).await?;
            let of = |user: &UserId| kept.iter().find(|one| one.user == *user);
            return Ok(users.iter().filter_map(of).map(|one| self.assignment(by, one)).collect());
        }
        let made = done.each_after().filter_map(|image| match image {
            Image::Assignment(one) => Some(self.assignment(by, one)),
            _ => None,
        });
        let shown = made.map(|one| pb::Assignment {
            create_time: one.create_time.filter(|_| !done.dry_run),
            ..one
        });
        Ok(shown.collect())
    }

    fn assignment(&self, by: &Reader, one: &crate::model::Assignment) -> pb::Assignment {
        let now = self.0.clock.now();
        view::assignment(one, by.name(one.created_by, now))
    }
}

fn compares_with_one() -> Status {
    let why = "compare with one of another user and another time";
    status::bad_field("INVALID_FIELD", "other_user_id", why)
}

fn user_of(call: &Call) -> Result<UserId, Status> {
    field("user_id", call.ask.fields().text("user_id").unwrap_or_default())
}

fn assigned(by: &Reader, user: UserId, master: bool) -> Vec<DocId> {
    let Some(user) = by.there.user(user) else { return Vec::new() };
    let wanted =
        |id: &DocId| by.there.document(*id).is_some_and(|document| document.master == master);
    user.documents.iter().copied().filter(wanted).collect()
}

fn unseen(id: DocId) -> Status {
    Refused::Unseen { kind: "rights_document", id: id.to_string() }.into()
}
