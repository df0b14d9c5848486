//! The Token service: API tokens, and what a string is that may be one.

mod expiring;
mod keys;
mod signing;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::shared::{Done, Reader, Shared, open, reader, with_revision};
use super::wire::{field, time, timestamp};
use crate::crypto::KeyRing;
use crate::crypto::secret::{self, NoRandomness};
use crate::crypto::token::{Secret, TokenKind};
use crate::decision::{Caller, Refused, sees_user};
use crate::layers::{Call, status};
use crate::model::{ApiToken, ChangeKind, EffectiveStatus, Image, TokenId, UserId, UserKind};
use crate::proto::v1 as pb;
use crate::store::{Digests, KeptToken, Minted, NewToken, token_etag};

/// The longest that a rotated token may go on.
const OVERLAP: TimeDelta = TimeDelta::days(7);
/// What stands for a token that was named by its secret, in an answer that says no more of it.
const GIVEN: &str = "chy_…";

/// Makes, rotates, ends and tells tokens.
#[derive(Debug, Clone)]
pub struct TokenApi(pub Shared);

/// Which token was made; of which of the two secrets that were drawn for it.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    token: TokenId,
    user: UserId,
    svc: bool,
}

impl From<Minted> for Made {
    fn from(minted: Minted) -> Self {
        let svc = minted.kind == TokenKind::Svc;
        Self { token: minted.token.id, user: minted.token.user, svc }
    }
}

/// Which token was ended, as it was.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    token: ApiToken,
    last_used_time: Option<DateTime<Utc>>,
}

/// Two secrets, one of either kind. Which of them is the token's hangs on the kind of its user, and that is known
/// for sure only under the lock, where nothing should wait for chance.
struct Fresh {
    pat: Secret,
    svc: Secret,
}

impl Fresh {
    fn mint() -> Result<Self, Status> {
        let mint = |kind| Secret::mint(kind, secret::system).map_err(no_randomness);
        Ok(Self { pat: mint(TokenKind::Pat)?, svc: mint(TokenKind::Svc)? })
    }

    fn digests(&self, keys: &KeyRing) -> Digests {
        Digests { pat: self.pat.digest(keys), svc: self.svc.digest(keys) }
    }

    /// Returns the secret of what was made, where it is to be shown.
    fn shown(&self, done: &Done<Made>) -> String {
        let secret = if done.outcome.svc { &self.svc } else { &self.pat };
        if done.shows_secret() { secret.expose().to_owned() } else { String::new() }
    }
}

fn no_randomness(error: NoRandomness) -> Status {
    tracing::error!(%error, "no secret could be made");
    status::internal()
}

#[tonic::async_trait]
impl pb::token_service_server::TokenService for TokenApi {
    async fn create_api_token(
        &self,
        request: Request<pb::CreateApiTokenRequest>,
    ) -> Result<Response<pb::CreateApiTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let fresh = Fresh::mint()?;
        let new = NewToken {
            user: user_of(&call)?,
            display_name: request.display_name,
            scopes: request.scopes,
            expire_time: time("expire_time", request.expire_time)?,
            key: None,
            digests: fresh.digests(&self.0.keys),
        };
        let act = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.create_token(caller, new).map(Made::from) })
        });
        let done = act.await?;
        Ok(done.respond(pb::CreateApiTokenResponse {
            api_token: self.made(&by, &done).await?,
            secret: fresh.shown(&done),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<pb::ListApiTokensRequest>,
    ) -> Result<Response<pb::ListApiTokensResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let page = self.0.page::<TokenId>(&call, request.page_size, &request.page_token)?;
        let (size, limit) = (page.size, page.limit());
        let mut kept = self.0.store.tokens_of(user_of(&call)?, page.after, limit).await?;
        let next = self.0.cut(&call, &mut kept, size, |kept| kept.token.id);
        let tokens = kept.into_iter().map(|kept| self.shown_to(&by, self.used(kept))).collect();
        let reply = pb::ListApiTokensResponse { api_tokens: tokens, next_page_token: next };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn rotate_api_token(
        &self,
        request: Request<pb::RotateApiTokenRequest>,
    ) -> Result<Response<pb::RotateApiTokenResponse>, Status> {
        let (mut call, request) = open(request)?;
        let by = reader(&call)?;
        let id: TokenId = field("token_id", &request.token_id)?;
        let overlap = overlap(request.overlap)?;
        // A service user rotates the token it calls with, whatever that one is limited to (`edges.md` §2).
        let itself =
            |caller: &&mut Caller| caller.kind == UserKind::Service && caller.token == Some(id);
        if let Some(caller) = call.caller.as_mut().filter(itself) {
            caller.limits = None;
        }
        let fresh = Fresh::mint()?;
        let digests = fresh.digests(&self.0.keys);
        let act = self.0.change(call, move |tx, caller| {
            Box::pin(async move {
                tx.rotate_token(caller, id, overlap, &request.etag, digests).map(Made::from)
            })
        });
        let done = act.await?;
        Ok(done.respond(pb::RotateApiTokenResponse {
            api_token: self.made(&by, &done).await?,
            secret: fresh.shown(&done),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn delete_api_token(
        &self,
        request: Request<pb::DeleteApiTokenRequest>,
    ) -> Result<Response<pb::DeleteApiTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        if request.token_id.is_empty() == request.token.is_empty() {
            let why = "exactly one of `token_id` and `token` is to be set";
            return Err(status::bad_field("INVALID_FIELD", "token_id", why));
        }
        let id = named(&call)?;
        let done = self.end(call, id, request.etag, ChangeKind::TokenDelete).await;
        let by_secret = !request.token.is_empty();
        let done = done.map_err(|error| if by_secret { alike(error, false) } else { error })?;
        let Ended { token, last_used_time } = &done.outcome;
        let seen = self.still_sees(&by, &done, token.user);
        let as_it_was = KeptToken { token: token.clone(), last_used_time: *last_used_time };
        Ok(done.respond(pb::DeleteApiTokenResponse {
            api_token: seen.then(|| self.shown_to(&by, as_it_was)),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn validate_token(
        &self,
        request: Request<pb::ValidateTokenRequest>,
    ) -> Result<Response<pb::ValidateTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let valid = self.0.is_valid(&request.token, &call.source).await?;
        Ok(Response::new(pb::ValidateTokenResponse { valid }))
    }

    async fn introspect_token(
        &self,
        request: Request<pb::IntrospectTokenRequest>,
    ) -> Result<Response<pb::IntrospectTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let told = self.0.introspect(&by, &request.token).await?;
        // Beside the answer, too, there is nothing by which the unknown and the unseen could be told apart.
        Ok(with_revision(Response::new(told.unwrap_or_default()), &by.home))
    }

    async fn explain_token(
        &self,
        request: Request<pb::ExplainTokenRequest>,
    ) -> Result<Response<pb::ExplainTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let told = self.0.checked(&by, &request.token).await?;
        Ok(with_revision(Response::new(told), &by.home))
    }

    async fn list_expiring(
        &self,
        request: Request<pb::ListExpiringRequest>,
    ) -> Result<Response<pb::ListExpiringResponse>, Status> {
        self.expiring(request).await
    }

    async fn report_leaked_token(
        &self,
        request: Request<pb::ReportLeakedTokenRequest>,
    ) -> Result<Response<pb::ReportLeakedTokenResponse>, Status> {
        let (call, request) = open(request)?;
        let id = named(&call)?;
        let done = self.end(call, id, request.etag, ChangeKind::TokenReportLeak).await;
        let done = done.map_err(|error| alike(error, true))?;
        let Ended { token, last_used_time } = &done.outcome;
        Ok(done.respond(pb::ReportLeakedTokenResponse {
            user_id: token.user.to_string(),
            account_id: token.account.to_string(),
            token_id: token.id.to_string(),
            last_used_time: last_used_time.map(timestamp),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn create_service_key(
        &self,
        request: Request<pb::CreateServiceKeyRequest>,
    ) -> Result<Response<pb::CreateServiceKeyResponse>, Status> {
        self.create_key(request).await
    }

    async fn list_service_keys(
        &self,
        request: Request<pb::ListServiceKeysRequest>,
    ) -> Result<Response<pb::ListServiceKeysResponse>, Status> {
        self.list_keys(request).await
    }

    async fn delete_service_key(
        &self,
        request: Request<pb::DeleteServiceKeyRequest>,
    ) -> Result<Response<pb::DeleteServiceKeyResponse>, Status> {
        self.delete_key(request).await
    }

    async fn get_jwks(
        &self,
        _: Request<pb::GetJwksRequest>,
    ) -> Result<Response<pb::GetJwksResponse>, Status> {
        self.jwks().await
    }

    async fn rotate_signing_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Result<Response<pb::RotateSigningKeyResponse>, Status> {
        self.rotate_key(request).await
    }
}

impl TokenApi {
    async fn end(
        &self,
        call: Call,
        id: TokenId,
        etag: String,
        kind: ChangeKind,
    ) -> Result<Done<Ended>, Status> {
        let api = self.clone();
        let act = self.0.change(call, move |tx, _| {
            Box::pin(async move {
                let KeptToken { token, last_used_time } =
                    api.used(tx.end_token(id, &etag, kind).await?);
                Ok(Ended { token, last_used_time })
            })
        });
        act.await
    }

    /// Adds to what is kept of a token that it was used a moment ago.
    fn used(&self, mut kept: KeptToken) -> KeptToken {
        let here = self.0.credentials.last_use(kept.token.id);
        kept.last_used_time = kept.last_used_time.max(here);
        kept
    }

    /// Returns what was made: as it was made, of a repeat as it is now, if it can still be seen.
    async fn made(&self, by: &Reader, done: &Done<Made>) -> Result<Option<pb::ApiToken>, Status> {
        let id = done.outcome.token;
        let image = done.after(|image| matches!(image, Image::ApiToken(token) if token.id == id));
        if let Some(Image::ApiToken(token)) = image {
            let made = self.shown_to(by, KeptToken { token: token.clone(), last_used_time: None });
            let would_be = |made| pb::ApiToken {
                token_id: String::new(),
                create_time: None,
                etag: String::new(),
                ..made
            };
            return Ok(Some(if done.dry_run { would_be(made) } else { made }));
        }
        if !self.still_sees(by, done, done.outcome.user) {
            return Ok(None);
        }
        let kept = self.0.store.token(id).await?;
        Ok(kept.map(|kept| self.shown_to(by, self.used(kept))))
    }

    /// Shows a token, and who made it, if the reader may know.
    fn shown_to(&self, by: &Reader, kept: KeptToken) -> pb::ApiToken {
        let created_by = by.name(kept.token.created_by, self.0.clock.now());
        wire(kept, created_by)
    }

    /// Returns whether the credentials of a user are shown to whoever ends or makes one; of a repeat, if they still can be.
    fn still_sees<T>(&self, by: &Reader, done: &Done<T>, user: UserId) -> bool {
        let sees = || sees_user(&by.caller, &by.home, &done.world, user, self.0.clock.now());
        !done.repeat || (!done.hidden && sees())
    }
}

/// Returns the user that a request is about: the named one or the caller, as the rule saw it.
fn user_of(call: &Call) -> Result<UserId, Status> {
    field("user_id", call.ask.fields().text("user_id").unwrap_or_default())
}

/// Returns the token that a request is about: named by its id, or found by its secret before the rule was asked.
fn named(call: &Call) -> Result<TokenId, Status> {
    if let Some(id) = call.ask.fields().text("token_id") {
        return field("token_id", id);
    }
    // Of a token that is there, who calls from an account that does not work would hear that, and not that there is none.
    let by = reader(call)?;
    match by.home.effective_status(by.caller.account) {
        Some(EffectiveStatus::Active) => Err(unseen()),
        _ => Err(Refused::AccountNotActive.into()),
    }
}

fn unseen() -> Status {
    Refused::Unseen { kind: "token", id: GIVEN.to_owned() }.into()
}

/// Makes one answer of what differs by whether there is such a token: to one who sent a secret, the id of a token that
/// is not to be seen would tell that there is. `refused_too`: so would it to be told that this may not be done to it.
fn alike(error: Status, refused_too: bool) -> Status {
    let details = error.get_error_details();
    let refused = details.error_info().is_some_and(|info| info.reason == "ACCESS_DENIED");
    if error.code() == Code::NotFound || (refused_too && refused) { unseen() } else { error }
}

/// Reads how long a rotated token is to go on.
fn overlap(given: Option<prost_types::Duration>) -> Result<TimeDelta, Status> {
    let Some(given) = given else { return Ok(TimeDelta::zero()) };
    let nanos = u32::try_from(given.nanos).ok();
    let overlap = nanos.and_then(|nanos| TimeDelta::new(given.seconds, nanos));
    let overlap = overlap.filter(|overlap| (TimeDelta::zero()..=OVERLAP).contains(overlap));
    // To the microsecond, which is what is kept.
    let overlap = overlap.and_then(|overlap| overlap.num_microseconds());
    overlap
        .map(TimeDelta::microseconds)
        .ok_or_else(|| status::bad_field("INVALID_FIELD", "overlap", "must be from 0 to 7 days"))
}

fn wire(kept: KeptToken, created_by: String) -> pb::ApiToken {
    let KeptToken { token, last_used_time } = kept;
    pb::ApiToken {
        etag: token_etag(&token),
        token_id: token.id.to_string(),
        user_id: token.user.to_string(),
        account_id: token.account.to_string(),
        display_name: token.display_name,
        scopes: token.scopes,
        created_by,
        create_time: Some(timestamp(token.create_time)),
        expire_time: token.expire_time.map(timestamp),
        last_used_time: last_used_time.map(timestamp),
    }
}
