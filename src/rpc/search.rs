//! Searches: who may do something, what somebody may do, and to what. What is found is what `Authorize` permits.

mod sift;

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use super::asking::{Asking, Found, Prepared, SEARCH};
use super::authorization::AuthorizationApi;
use super::properties::{Kept, Sent};
use super::question;
use super::shared::{Reader, open, reader};
use crate::crypto::seal;
use crate::decision::{Anchor, Question, Snapshot, Subject, Worlds, decide};
use crate::layers::Call;
use crate::model::catalogue::Permission;
use crate::model::{AccountId, Named, ResourcePath, UserId};
use crate::proto::v1 as pb;
use sift::{Resources, Sifted, Subjects};

/// One search under way: what its cursors are bound to, and which part is wanted.
struct Search {
    bound: Vec<u8>,
    size: usize,
    after: Option<String>,
    asking: Asking,
    by: Reader,
}

impl AuthorizationApi {
    /// Opens a search. `question` is the request without its page.
    async fn search(
        &self,
        call: &Call,
        question: &impl Message,
        page: Option<pb::SearchPage>,
        consistency: Option<pb::Consistency>,
    ) -> Result<Search, Status> {
        let caller = call.caller.as_ref().map(|caller| caller.user.to_string()).unwrap_or_default();
        let method = &call.ask.rule().method;
        let question = question.encode_to_vec();
        let bound = seal::context(&[caller.as_bytes(), method.as_bytes(), &question]);
        let page = page.unwrap_or_default();
        let page = self.0.page_in::<String>(&bound, page.size, &page.token)?;
        let asking = self.asking(reader(call)?, consistency, false).await?;
        asking.is_about_now("a search is about now")?;
        let by = asking.reader();
        Ok(Search { bound, size: page.size, after: page.after, asking, by })
    }

    pub(super) async fn subjects(
        &self,
        request: Request<pb::SearchSubjectsRequest>,
    ) -> Result<Response<pb::SearchSubjectsResponse>, Status> {
        let (call, mut request) = open(request)?;
        let (page, short) = (request.page.take(), request.short_ids);
        let consistency = request.consistency.clone();
        let mut search = self.search(&call, &request, page, consistency).await?;
        let asked = said(
            None,
            request.action.as_ref(),
            request.resource.as_ref(),
            request.context.as_ref(),
        )?;
        let kind = request.subject.as_ref().map(|subject| subject.r#type.to_ascii_lowercase());
        let accounts = match kind.as_deref().unwrap_or_default() {
            "user" | "" => Some(false),
            "account" => Some(true),
            _ => None,
        };
        let sought = search.about(request.resource.as_ref(), request.action.as_ref()).await?;
        let found = match (accounts, sought) {
            (Some(accounts), Some((there, permission, path))) => {
                let subjects = Subjects {
                    caller: search.by.caller.clone(),
                    mine: Arc::clone(&search.by.home),
                    there,
                    permission,
                    path,
                    accounts,
                    now: search.asking.now(),
                    asked,
                };
                let (after, size) = (search.after.take(), search.size);
                let work = move || subjects.find(after.as_deref(), size);
                self.0.heavy.run(search.by.caller.tenant, work).await?
            }
            _ => Sifted::nothing(),
        };
        let page = Some(self.end(&search, &found));
        let (consistency_token, evaluated_revision) = search.asking.stand();
        Ok(search.asking.respond(pb::SearchSubjectsResponse {
            results: found.results.into_iter().map(|one| search.wire(one, short)).collect(),
            page,
            consistency_token,
            evaluated_revision,
        }))
    }

    pub(super) async fn actions(
        &self,
        request: Request<pb::SearchActionsRequest>,
    ) -> Result<Response<pb::SearchActionsResponse>, Status> {
        let (call, mut request) = open(request)?;
        let page = request.page.take();
        let consistency = request.consistency.clone();
        let mut search = self.search(&call, &request, page, consistency).await?;
        let catalogue = Arc::clone(search.by.home.catalogue());
        let kind = request.resource.as_ref().map(|resource| resource.r#type.to_ascii_lowercase());
        let kind = kind.as_deref().and_then(|kind| catalogue.kind(kind));
        let mut found = Sifted::nothing();
        let first = kind.and_then(|kind| kind.actions.first());
        let is_a_type = is_a_type(request.subject.as_ref());
        if let (Some(kind), Some(first), true) = (kind, first, is_a_type) {
            // Whether anything may be asked of the two does not depend on the action.
            let item = pb::EvaluationRequest {
                subject: request.subject,
                action: Some(pb::Action { name: first.clone(), properties: None }),
                resource: request.resource,
                context: request.context,
            };
            if let Prepared::Ready(ready) = search.asking.prepare(&item, SEARCH).await? {
                let actions = kind.actions.iter().enumerate();
                let keyed = actions.map(|(at, name)| (format!("{at:05}"), name));
                let after = search.after.take();
                let rest = keyed.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
                found = sift::sift(rest, search.size, |name| {
                    let permission = catalogue.permission(&kind.name, name)?;
                    let permit = ready.decide(permission).is_permit();
                    permit.then(|| pb::Action { name: name.clone(), properties: None })
                });
            }
        }
        let page = Some(self.end(&search, &found));
        let (consistency_token, evaluated_revision) = search.asking.stand();
        Ok(search.asking.respond(pb::SearchActionsResponse {
            results: found.results,
            page,
            consistency_token,
            evaluated_revision,
        }))
    }

    pub(super) async fn resources(
        &self,
        request: Request<pb::SearchResourcesRequest>,
    ) -> Result<Response<pb::SearchResourcesResponse>, Status> {
        let (call, mut request) = open(request)?;
        let page = request.page.take();
        let consistency = request.consistency.clone();
        let mut search = self.search(&call, &request, page, consistency).await?;
        let kind = request.resource.as_ref().map(|resource| resource.r#type.to_ascii_lowercase());
        let kind = kind.unwrap_or_default();
        let subject = request.subject.clone();
        let asked = said(
            subject,
            request.action.as_ref(),
            request.resource.as_ref(),
            request.context.as_ref(),
        )?;
        let who = search.who(request.subject.as_ref()).await?;
        let account = who.as_ref().and_then(|found| found.account).filter(|_| request.short_ids);
        let what = search.action_on(&kind, request.action.as_ref())?;
        let found = match (who, what) {
            (Some(found), Some((permission, inner))) => {
                let resources = Resources {
                    caller: search.by.caller.clone(),
                    mine: Arc::clone(&search.by.home),
                    everywhere: found.home.tenant() == self.0.feed.root(),
                    found,
                    permission,
                    inner,
                    kind: kind.clone(),
                    now: search.asking.now(),
                    asked,
                };
                let (after, size) = (search.after.take(), search.size);
                let work = move || resources.find(after.as_deref(), size);
                self.0.heavy.run(search.by.caller.tenant, work).await?
            }
            _ => Sifted::nothing(),
        };
        let page = Some(self.end(&search, &found));
        let (consistency_token, evaluated_revision) = search.asking.stand();
        let resource = |path: ResourcePath| pb::Resource {
            r#type: kind.clone(),
            id: account.map_or_else(|| path.to_string(), |account| short(account, &path)),
            properties: None,
        };
        Ok(search.asking.respond(pb::SearchResourcesResponse {
            results: found.results.into_iter().map(resource).collect(),
            page,
            consistency_token,
            evaluated_revision,
        }))
    }

    /// Says where a search ended.
    fn end<T>(&self, search: &Search, found: &Sifted<T>) -> pb::SearchEnd {
        let next = found.cursor.as_ref().map(|last| self.0.next_page_in(&search.bound, last));
        pb::SearchEnd {
            complete: found.stop == pb::SearchStop::Unspecified,
            stopped_by: found.stop.into(),
            next_token: next.unwrap_or_default(),
        }
    }
}

impl Search {
    /// Names a subject that was found; `short` as a question may.
    fn wire(&self, subject: Subject, short: bool) -> pb::Subject {
        let mut found = wire_subject(subject);
        if let Some(name) = name_of(&self.by, subject).filter(|_| short) {
            found.id = name;
        }
        found
    }

    /// Reads what is to be done to what; `None` where there is no such thing, or it may not be asked about.
    async fn about(
        &mut self,
        resource: Option<&pb::Resource>,
        action: Option<&pb::Action>,
    ) -> Result<Option<(Arc<Snapshot>, Permission, ResourcePath)>, Status> {
        let catalogue = Arc::clone(self.by.home.catalogue());
        let own = Some(self.by.caller.account);
        let Some(path) = known(question::resource(&catalogue, resource, own, false))? else {
            return Ok(None);
        };
        let read = known(question::action(&catalogue, action, path, false))?;
        let Some((permission, path)) = read else { return Ok(None) };
        let at = ResourcePath::account(path.account);
        if !self.asking.may("decision.search", &at).await? {
            self.asking.refuse_if_never(SEARCH)?;
            return Ok(None);
        }
        let there = self.asking.world_of(Anchor::Account(path.account)).await?;
        if let Some(there) = &there {
            self.asking.stands_at(there);
        }
        Ok(there.map(|there| (there, permission, path)))
    }

    /// Reads who is asked about; `None` where nobody is whom this asker may ask about.
    async fn who(&mut self, subject: Option<&pb::Subject>) -> Result<Option<Found>, Status> {
        if !is_a_type(subject) {
            return Ok(None);
        }
        let (name, also) = question::subject(subject)?;
        let found = self.asking.find(&name, also.as_ref()).await?;
        let own = found.subject == Subject::User(self.by.caller.user);
        if !self.asking.may_ask_of(&found, own, SEARCH).await? {
            self.asking.refuse_if_never(SEARCH)?;
            return Ok(None);
        }
        self.asking.stands_at(&found.home);
        let nobody = found.credential.is_some() || found.subject == Subject::Unknown;
        Ok((!nobody).then_some(found))
    }

    /// Reads what is to be done to things of a type, and what type lies in them where it is about that.
    fn action_on(
        &self,
        kind: &str,
        action: Option<&pb::Action>,
    ) -> Result<Option<(Permission, Option<String>)>, Status> {
        let catalogue = self.by.home.catalogue();
        if catalogue.kind(kind).is_none() {
            return Ok(None);
        }
        let start = ResourcePath::account(AccountId(uuid::Uuid::nil()));
        let any = if kind == "account" { start } else { start.with(kind, Named::Any) };
        let read = known(question::action(catalogue, action, any, false))?;
        Ok(read.map(|(permission, path)| {
            let inner = (path.kind() != kind).then(|| path.kind().to_owned());
            (permission, inner)
        }))
    }
}

/// Keeps what the asker says, for conditions.
fn said(
    subject: Option<pb::Subject>,
    action: Option<&pb::Action>,
    resource: Option<&pb::Resource>,
    context: Option<&prost_types::Struct>,
) -> Result<Kept, Status> {
    let (action, resource, context) = (action.cloned(), resource.cloned(), context.cloned());
    let item = pb::EvaluationRequest { subject, action, resource, context };
    Ok(Sent::of(&item)?.keep())
}

/// Takes a name that nothing has for nothing: a search finds none of it, which is no fault.
fn known<T>(read: Result<T, Status>) -> Result<Option<T>, Status> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(status) => {
            let details = status.get_error_details();
            let unknown =
                details.error_info().is_some_and(|info| info.reason == "UNKNOWN_PERMISSION");
            if unknown { Ok(None) } else { Err(status) }
        }
    }
}

fn wire_subject(subject: Subject) -> pb::Subject {
    let (kind, id) = match subject {
        Subject::User(id) => ("user", id.to_string()),
        Subject::Account(id) => ("account", id.to_string()),
        Subject::Unknown => ("", String::new()),
    };
    pb::Subject { r#type: kind.to_owned(), id, ..Default::default() }
}

/// Tells whether subjects of this type could be: what is unknown finds nothing.
fn is_a_type(subject: Option<&pb::Subject>) -> bool {
    let kind = subject.map(|subject| subject.r#type.to_ascii_lowercase()).unwrap_or_default();
    ["", "user", "account", "token"].contains(&kind.as_str())
}

/// Returns the name under which a question of this reader finds a user, if there is one.
fn name_of(by: &Reader, subject: Subject) -> Option<String> {
    let Subject::User(id) = subject else { return None };
    let user = by.home.user(id).filter(|user| user.account == by.caller.account)?;
    // A name that looks like an id is read as one.
    let name = user.user_name.to_string();
    name.parse::<UserId>().is_err().then_some(name)
}

/// Returns the id under which a question about somebody of `account` finds what is at `path`.
fn short(account: AccountId, path: &ResourcePath) -> String {
    match path.pairs.as_slice() {
        [] => path.account.to_string(),
        [pair] if path.account == account => pair.named.to_string(),
        _ => path.to_string(),
    }
}

/// Asks the engine about one candidate.
fn permits(worlds: Worlds<'_>, question: &Question<'_>) -> bool {
    decide(worlds, question).is_permit()
}
