//! The gate: reads the message, finds out who calls, holds the form against its rules and the call against its rule.
//!
//! Reads are judged here, at the newest snapshot. Changes are judged once, in their transaction, at the very
//! revision they are written on. What has no rule does not pass.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::authn::{Credentials, Owner, Source};
use super::deadline;
use super::form::{Form, Forms};
use super::peer::Proxies;
use super::rate::Rate;
use super::rules::Rules;
use super::sources::Sources;
use super::status::{self, FieldFault};
use crate::crypto::seal;
use crate::decision::{Access, Anchor, Ask, Caller, Fields, Permit, Rule, Snapshot, Value, judge};
use crate::feed::Feed;
use crate::model::{Clock, SpiffeId, UserId};
use crate::store::Uses;
use crate::telemetry::SPANS;

/// One byte of flags and four of length stand before a gRPC message.
const PREFIX: usize = 5;
/// The one field of our changes that holds a secret.
const SECRET: &str = "token";
/// The name of a request, by which it is found; spelt in either case.
const NAME: &str = "request_id";

/// One call that may go on, as the services find it among the request's extensions.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who calls; `None` for public methods only.
    pub caller: Option<Caller>,
    /// What is asked, for the rule.
    pub ask: Ask,
    /// Tells this body from another under the same request id.
    pub mac: [u8; 32],
    /// Where it comes from, for the audit.
    pub source: String,
    /// The workload that it comes from, if a certificate tells. It is the caller only where no bearer was sent.
    pub workload: Option<SpiffeId>,
    /// The caller's snapshot that it was judged on, and that of its object.
    pub worlds: Option<Worlds>,
    /// Of a rehearsal: which of those concerned it names.
    pub part: Part,
}

/// Which of those whom a change concerns its rehearsal names, in the order of their ids.
#[derive(Debug, Clone, Copy, Default)]
pub enum Part {
    /// A sample.
    #[default]
    Sample,
    /// Those behind one, and of each everything.
    Page {
        /// The one; `None` = from the first.
        after: Option<UserId>,
        /// How many at most.
        size: usize,
    },
}

/// Judges every request.
#[derive(Debug)]
pub struct Gate {
    /// Tells good credentials from bad ones.
    pub credentials: Arc<Credentials>,
    /// The newest snapshots.
    pub feed: Feed,
    /// Takes note of the rights that reads have used.
    pub uses: Arc<Uses>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Every method's rule.
    pub rules: Arc<Rules>,
    /// Every method's form.
    pub forms: Forms,
    /// Where requests come from.
    pub sources: Sources,
    /// The proxies that are believed when they name a workload.
    pub proxies: Proxies,
    /// How many changes a principal may make.
    pub rate: Rate<UserId>,
    /// The most bytes of a message.
    pub message_bytes: usize,
    /// How long a message may take to arrive.
    pub body_deadline: Duration,
}

/// The caller's snapshot, and that of the object.
type Worlds = (Arc<Snapshot>, Arc<Snapshot>);

/// The whole message of a request, or what is wrong with it, put aside until it is known who calls.
#[derive(Debug, Clone)]
struct Message(Result<Bytes, Status>);

/// What is known of a call before its message is looked at.
#[derive(Debug)]
pub(super) struct Known {
    rule: Arc<Rule>,
    caller: Option<Caller>,
    origin: Origin,
}

/// Where a request comes from.
#[derive(Debug)]
pub(super) struct Origin {
    source: String,
    workload: Option<SpiffeId>,
}

impl Origin {
    /// Returns the workload that it is, if one is known.
    pub(super) const fn workload(&self) -> Option<&SpiffeId> {
        self.workload.as_ref()
    }
}

impl Call {
    /// Says where it comes from, for the ledger: the address and, behind a space, the workload if one is known.
    pub fn origin(&self) -> String {
        let workload = self.workload.as_ref().map(|workload| format!(" {workload}"));
        self.source.clone() + workload.as_deref().unwrap_or_default()
    }
}

impl Gate {
    /// Reads the whole message; that it cannot be read is told once it is known who calls. The standard services' streams
    /// are passed on unread.
    pub(super) async fn read(&self, request: Request<Body>) -> Request<Body> {
        if Rules::is_standard(request.uri().path()) {
            return request;
        }
        let (mut parts, body) = request.into_parts();
        let message = self.collected(body).await;
        let body = message.as_ref().map(|bytes| Body::new(Full::new(bytes.clone())));
        let body = body.unwrap_or_default();
        parts.extensions.insert(Message(message));
        Request::from_parts(parts, body)
    }

    /// Reads a whole body, within the limits of a message: no longer than that, and not for long.
    pub async fn collected(&self, body: Body) -> Result<Bytes, Status> {
        let most = self.message_bytes + PREFIX;
        let until = Instant::now() + self.body_deadline;
        let collected = deadline::by(until, Limited::new(body, most).collect()).await;
        let collected = collected.ok_or_else(status::slow_body)?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                status::large_body(self.message_bytes)
            } else {
                status::bad_field("INVALID_FIELD", "", "the request's body broke off")
            }
        })?;
        Ok(collected.to_bytes())
    }

    /// Finds out where a request comes from.
    pub(super) fn origin(&self, request: &Request<Body>) -> Origin {
        let workload = self.proxies.workload(request, self.clock.now());
        Origin { source: self.sources.of(request), workload }
    }

    /// Finds out what is called and by whom; nothing of the standard services, which anybody may call.
    pub(super) async fn recognise(
        &self,
        path: &str,
        headers: &HeaderMap,
        origin: Origin,
    ) -> Result<Option<Known>, Status> {
        if Rules::is_standard(path) {
            return Ok(None);
        }
        let rule = Arc::clone(self.rules.of(path).ok_or_else(status::unimplemented)?);
        let caller = match rule.access {
            Access::Public => None,
            Access::Own | Access::Checked { .. } => {
                let Origin { source, workload } = &origin;
                Some(self.credentials.of_request(headers, source, workload.as_ref()).await?)
            }
        };
        Ok(Some(Known { rule, caller, origin }))
    }

    /// Lets a request through with its [`Call`], or says why not.
    pub(super) async fn admit(
        &self,
        mut request: Request<Body>,
        known: Option<Known>,
    ) -> Result<Request<Body>, Status> {
        let Some(Known { rule, caller, origin }) = known else { return Ok(request) };
        if let Some(caller) = caller.as_ref().filter(|_| rule.mutates) {
            self.rate.take(caller.user)?;
        }
        let message = request.extensions_mut().remove::<Message>();
        let Message(message) = message.ok_or_else(status::internal)?;
        let message = unframed(message?)?;
        let form = self.inspect(&rule, request.uri().path(), &message)?;
        let ask = self.ask(rule, form, caller.as_ref()).await?;
        let mac = if ask.rule().mutates && ask.fields().text("request_id").is_some() {
            seal::request_mac(self.credentials.keys(), &said(ask.fields(), &[SECRET, NAME]))
        } else {
            [0; 32]
        };
        let worlds = match &caller {
            None => None,
            Some(caller) => {
                let judged = self.judge(&ask, caller, request.headers()).await;
                let doings = self.credentials.doings();
                let told = |status: &Status| {
                    doings.denied(caller, &ask.rule().method, &origin.source, status);
                };
                let (worlds, permit) = judged.inspect_err(told)?;
                let now = self.clock.now();
                let used = permit.iter().flat_map(Permit::used);
                used.for_each(|permission| self.uses.note(caller.user, permission, now));
                Some(worlds)
            }
        };
        let part = Part::default();
        let Origin { source, workload } = origin;
        request.extensions_mut().insert(Call { caller, ask, mac, source, workload, worlds, part });
        Ok(request)
    }

    /// Lets in a change that another call wants rehearsed, as if its caller had sent it.
    pub async fn rehearse(
        &self,
        path: &str,
        message: &[u8],
        by: &Call,
        part: Part,
    ) -> Result<Call, Status> {
        let rule = self.rules.of(path).ok_or_else(status::unimplemented)?;
        let rule = Arc::new(rule.rehearsed());
        let form = self.inspect(&rule, path, message)?;
        let caller = by.caller.clone().ok_or_else(status::internal)?;
        let ask = self.ask(rule, form, Some(&caller)).await?;
        // To rehearse is not to use.
        let (worlds, _) = self.judge(&ask, &caller, &HeaderMap::new()).await?;
        let worlds = Some(worlds);
        let (source, workload) = (by.source.clone(), by.workload.clone());
        Ok(Call { caller: Some(caller), ask, mac: [0; 32], source, workload, worlds, part })
    }

    fn inspect(&self, rule: &Rule, path: &str, message: &[u8]) -> Result<Form, Status> {
        if Rules::is_foreign(path) {
            return Ok(Form::default());
        }
        // Of a method that answers refusals itself nothing is asked here, so nothing need be picked out.
        let collect = !matches!(rule.access, Access::Checked { answers: true, .. });
        let form = self.forms.inspect(path, message, collect).ok_or_else(status::unimplemented)?;
        if form.faults.is_empty() {
            return Ok(form);
        }
        let faults: Vec<FieldFault> = form
            .faults
            .into_iter()
            .map(|fault| FieldFault { field: fault.field, why: fault.why })
            .collect();
        Err(status::invalid("INVALID_FIELD", &faults))
    }

    /// Makes the ask, and tells whose a token named in the request is, where the rule speaks of it.
    async fn ask(
        &self,
        rule: Arc<Rule>,
        form: Form,
        caller: Option<&Caller>,
    ) -> Result<Ask, Status> {
        let mut ask = Ask::new(rule, form.fields, caller);
        let secret = ask.fields().text("token").map(str::to_owned);
        if let (Some(secret), Some(caller)) = (secret, caller) {
            let owner =
                Box::pin(self.credentials.owner(&secret, Source::User(caller.user))).await?;
            if let Some(Owner { token: Some(token), user, tenant, .. }) = owner {
                let world = self.feed.tenant(tenant).await?;
                if let Some(user) = world.user(user) {
                    ask.fill("token.account_id", user.account.to_string());
                    ask.fill("token.user_id", user.id.to_string());
                    ask.fill("token.token_id", token.to_string());
                }
                ask.fill_absent("token_id", &token.to_string());
            }
        }
        Ok(ask)
    }

    /// Finds the snapshots a call stands on and, unless it is a change, judges it on them.
    pub(super) async fn judge(
        &self,
        ask: &Ask,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<(Worlds, Option<Permit>), Status> {
        if let Some(token) = headers.get("chancery-at-least") {
            let token = token.to_str().ok().and_then(|text| text.parse().ok());
            let token = token.ok_or_else(|| {
                status::bad_field(
                    "INVALID_FIELD",
                    "chancery-at-least",
                    "must be a consistency token as a change answered it",
                )
            })?;
            // What is shown from here on is at least as new.
            Box::pin(self.feed.at_least(&token)).await?;
        }
        let home = self.feed.tenant(caller.tenant).await?;
        let there = self.there(ask.anchor(), caller, &home).await?;
        if !ask.rule().mutates {
            let span = tracing::info_span!(
                target: SPANS,
                "judge",
                chancery.decision = tracing::field::Empty,
                chancery.revision = there.revision().0.cast_signed(),
            );
            let judged = span.in_scope(|| judge(ask, caller, &home, &there, self.clock.now()));
            span.record("chancery.decision", if judged.is_ok() { "permit" } else { "deny" });
            return Ok(((home, there), Some(judged?)));
        }
        Ok(((home, there), None))
    }

    /// Finds the tenant of a call's object. Only the platform's own users have business in another than theirs.
    async fn there(
        &self,
        anchor: Option<Anchor>,
        caller: &Caller,
        home: &Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>, Status> {
        let (Some(anchor), true) = (anchor, caller.tenant == self.feed.root()) else {
            return Ok(Arc::clone(home));
        };
        match self.feed.tenant_of(anchor).await? {
            Some(tenant) if tenant != caller.tenant => Ok(self.feed.tenant(tenant).await?),
            _ => Ok(Arc::clone(home)),
        }
    }
}

/// Writes down what a request says but for some fields, to tell one from another. Where it is kept, a secret is left out
/// (`edges.md` §4); whose it is was found before and stands among the facts.
pub fn said(fields: &Fields, without: &[&str]) -> Vec<u8> {
    let facts: Vec<Fact<'_>> = fields.iter().filter(|(path, _)| !without.contains(path)).collect();
    let said = |(path, value): &Fact<'_>| match value {
        Value::Text(text) => format!("{path}={text}"),
        Value::Number(number) => format!("{path}={number}"),
        Value::Set => (*path).to_owned(),
    };
    let facts: Vec<String> = by_name(&facts).iter().map(said).collect();
    let parts: Vec<&[u8]> = facts.iter().map(String::as_bytes).collect();
    seal::context(&parts)
}

/// What is said under one path.
type Fact<'a> = (&'a str, &'a Value);

/// Puts the fields of each message in the order of their names: in which order they are sent is the encoder's choice.
///
/// The items of a list keep theirs, and each message stands before its fields: lists that differ are told apart.
fn by_name<'a>(facts: &[Fact<'a>]) -> Vec<Fact<'a>> {
    let mut fields = Vec::new();
    let mut left = facts;
    while let Some(((path, _), rest)) = left.split_first() {
        let is_in = |at: &str| at.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let inner = rest.iter().take_while(|(at, _)| is_in(at)).count();
        let (field, others) = left.split_at(inner + 1);
        fields.push(field);
        left = others;
    }
    fields.sort_by_key(|field| field.first().map(|(path, _)| *path));
    let whole = |field: &[Fact<'a>]| {
        let (own, inner) = field.split_at(field.len().min(1));
        own.iter().copied().chain(by_name(inner)).collect::<Vec<_>>()
    };
    fields.into_iter().flat_map(whole).collect()
}

/// Takes the frame off the one message of a unary request.
fn unframed(mut framed: Bytes) -> Result<Bytes, Status> {
    let bad = |why: &str| status::bad_field("INVALID_FIELD", "", why);
    if framed.len() < PREFIX {
        return Err(bad("the request holds no message"));
    }
    let compressed = framed.get_u8();
    let length = usize::try_from(framed.get_u32()).unwrap_or(usize::MAX);
    if compressed != 0 {
        return Err(bad("compressed messages are not accepted"));
    }
    if framed.len() != length {
        return Err(bad("the request holds other than one whole message"));
    }
    Ok(framed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(facts: &[(&str, &str)]) -> Vec<u8> {
        let mut fields = Fields::new();
        for (path, text) in facts {
            let value = if text.is_empty() { Value::Set } else { Value::Text((*text).to_owned()) };
            fields.push(*path, value);
        }
        said(&fields, &[])
    }

    #[test]
    fn fields_in_another_order_say_the_same_and_items_in_another_order_do_not() {
        let first = [
            ("user", ""),
            ("user.name", "ann"),
            ("user.in", ""),
            ("user.in.city", "x"),
            ("user.role", "A"),
            ("user.role", "B"),
            ("id", "1"),
        ];
        let same = [
            ("id", "1"),
            ("user", ""),
            ("user.role", "A"),
            ("user.in", ""),
            ("user.in.city", "x"),
            ("user.role", "B"),
            ("user.name", "ann"),
        ];
        assert_eq!(said_of(&first), said_of(&same));
        let turned = [
            ("user", ""),
            ("user.name", "ann"),
            ("user.in", ""),
            ("user.in.city", "x"),
            ("user.role", "B"),
            ("user.role", "A"),
            ("id", "1"),
        ];
        assert_ne!(said_of(&first), said_of(&turned));
        let two = [("of", ""), ("of.a", "1"), ("of.b", "2"), ("of", ""), ("of.a", "3")];
        let alike = [("of", ""), ("of.b", "2"), ("of.a", "1"), ("of", ""), ("of.a", "3")];
        assert_eq!(said_of(&two), said_of(&alike));
        let moved = [("of", ""), ("of.a", "1"), ("of", ""), ("of.b", "2"), ("of.a", "3")];
        assert_ne!(said_of(&two), said_of(&moved));
        let names = [("a", ""), ("a.b", "1"), ("a_b", "2")];
        assert_eq!(said_of(&names), said_of(&[("a_b", "2"), ("a", ""), ("a.b", "1")]));
    }
}
