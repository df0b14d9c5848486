//! Keys of service users.

use tonic::{Request, Response, Status};

use super::{Made, TokenApi, no_randomness, user_of};
use crate::crypto::{jwt, secret, token};
use crate::layers::status;
use crate::model::{ApiToken, Image, KeyId, PublicKey, SigningAlgorithm};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Done, Reader, open, reader, with_revision};
use crate::rpc::wire::{field, timestamp};
use crate::store::{Digests, KeptToken, NewToken, token_etag};

impl TokenApi {
    pub(super) async fn create_key(
        &self,
        request: Request<pb::CreateServiceKeyRequest>,
    ) -> Result<Response<pb::CreateServiceKeyResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let (private, key) = halves(&request.public_key_pem)?;
        let new = NewToken {
            user: user_of(&call)?,
            display_name: request.display_name,
            scopes: request.scopes,
            expire_time: None,
            key: Some(key),
            digests: self.no_digests()?,
        };
        let act = self.0.change(call, move |tx, caller| {
            Box::pin(async move { tx.create_token(caller, new).map(Made::from) })
        });
        let done = act.await?;
        let private = private.filter(|_| done.shows_secret());
        Ok(done.respond(pb::CreateServiceKeyResponse {
            service_key: self.made_key(&by, &done).await?,
            secret: private.map(|private| private.to_string()).unwrap_or_default(),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    pub(super) async fn list_keys(
        &self,
        request: Request<pb::ListServiceKeysRequest>,
    ) -> Result<Response<pb::ListServiceKeysResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let page = self.0.page::<KeyId>(&call, request.page_size, &request.page_token)?;
        let (size, limit) = (page.size, page.limit());
        let mut kept = self.0.store.keys_of(user_of(&call)?, page.after, limit).await?;
        let next_page_token = self.0.cut(&call, &mut kept, size, |kept| kept.token.key_id());
        let service_keys = kept.into_iter().map(|kept| wire(self.used(kept))).collect();
        let reply = pb::ListServiceKeysResponse { service_keys, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    pub(super) async fn delete_key(
        &self,
        request: Request<pb::DeleteServiceKeyRequest>,
    ) -> Result<Response<pb::DeleteServiceKeyResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id: KeyId = field("key_id", &request.key_id)?;
        let act = self
            .0
            .change(call, move |tx, _| Box::pin(async move { tx.end_key(id, &request.etag) }));
        let done: Done<ApiToken> = act.await?;
        let seen = self.still_sees(&by, &done, done.outcome.user);
        let as_it_was = KeptToken { token: done.outcome.clone(), last_used_time: None };
        Ok(done.respond(pb::DeleteServiceKeyResponse {
            service_key: seen.then(|| wire(self.used(as_it_was))),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    /// Returns what a key's row holds where a token's holds the digest of its secret: that of no secret that anybody has.
    fn no_digests(&self) -> Result<Digests, Status> {
        let chance = secret::bytes::<32>(secret::system).map_err(no_randomness)?;
        let digest = token::digest(&self.0.keys, &crate::crypto::chain::hex(&chance));
        Ok(Digests { pat: digest, svc: digest })
    }

    /// Returns what was made: as it was made, of a repeat as it is now, if it can still be seen.
    async fn made_key(
        &self,
        by: &Reader,
        done: &Done<Made>,
    ) -> Result<Option<pb::ServiceKey>, Status> {
        let id = done.outcome.token;
        let image = done.after(|image| matches!(image, Image::ApiToken(token) if token.id == id));
        if let Some(Image::ApiToken(token)) = image {
            let made = wire(KeptToken { token: token.clone(), last_used_time: None });
            let would_be = |made| pb::ServiceKey {
                key_id: String::new(),
                public_key_pem: String::new(),
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
        Ok(kept.map(|kept| wire(self.used(kept))))
    }
}

type Private = zeroize::Zeroizing<String>;

/// Reads the public key that was sent, or makes a pair.
fn halves(pem: &str) -> Result<(Option<Private>, PublicKey), Status> {
    if pem.is_empty() {
        let made = jwt::make_key(SigningAlgorithm::Es256).map_err(|error| {
            tracing::error!(%error, "no key could be made");
            status::internal()
        })?;
        return Ok((Some(made.0), made.1));
    }
    let key = jwt::read_public(pem).map_err(|_| {
        let why = "is no public key in PEM: of P-256, Ed25519, or RSA of 2048 to 8192 bits";
        status::bad_field("INVALID_FIELD", "public_key_pem", why)
    })?;
    Ok((None, key))
}

pub(super) fn wire(kept: KeptToken) -> pb::ServiceKey {
    let KeptToken { token, last_used_time } = kept;
    let etag = token_etag(&token);
    let key_id = token.key_id().to_string();
    let (algorithm, public_key_pem) =
        token.key.map(|key| (key.algorithm.name().to_owned(), key.pem)).unwrap_or_default();
    pb::ServiceKey {
        key_id,
        user_id: token.user.to_string(),
        account_id: token.account.to_string(),
        display_name: token.display_name,
        scopes: token.scopes,
        algorithm,
        public_key_pem,
        create_time: Some(timestamp(token.create_time)),
        last_used_time: last_used_time.map(timestamp),
        expire_time: token.expire_time.map(timestamp),
        etag,
    }
}
