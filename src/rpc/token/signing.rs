//! The keys that access tokens are signed with.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::TokenApi;
use crate::layers::status;
use crate::model::{Image, SigningKey, SigningKeyId};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Done, open};
use crate::rpc::wire::timestamp;
use crate::store::signing_keys_etag;

impl TokenApi {
    /// Shows the keys, with the etag that a change of them goes by.
    pub(super) async fn jwks(&self) -> Result<Response<pb::GetJwksResponse>, Status> {
        let jwks = self.0.credentials.access().signing.jwks().await;
        let etag = match self.0.feed.platform().await {
            Ok(platform) => signing_keys_etag(&platform),
            // The keys are shown in any case; only to change them it takes the store.
            Err(_) => String::new(),
        };
        Ok(Response::new(pb::GetJwksResponse { jwks: jwks.json, etag }))
    }

    /// Makes a new key.
    pub(super) async fn rotate_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Result<Response<pb::RotateSigningKeyResponse>, Status> {
        let (call, request) = open(request)?;
        let new = self.0.credentials.access().signing.new_key().map_err(|error| {
            tracing::error!(%error, "no signing key could be made");
            status::internal()
        })?;
        let ring = Arc::clone(&self.0.keys);
        let act = self.0.change(call, move |tx, _| {
            Box::pin(async move { tx.rotate_signing_key(&new, &ring, &request.etag).await })
        });
        let done = act.await?;
        Ok(done.respond(pb::RotateSigningKeyResponse {
            signing_key: shown(&done),
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }
}

fn shown(done: &Done<SigningKeyId>) -> Option<pb::SigningKey> {
    let id = done.outcome;
    let image = done.after(|image| matches!(image, Image::SigningKey(key) if key.id == id));
    match image {
        Some(Image::SigningKey(key)) if done.dry_run => Some(pb::SigningKey {
            key_id: String::new(),
            create_time: None,
            activate_time: None,
            ..wire(key)
        }),
        Some(Image::SigningKey(key)) => Some(wire(key)),
        // Of a repeat: as it is now, if it is still there.
        _ => done.world.signing_keys().find(|key| key.id == id).map(wire),
    }
}

pub(super) fn wire(key: &SigningKey) -> pb::SigningKey {
    pb::SigningKey {
        key_id: key.id.to_string(),
        algorithm: key.algorithm.name().to_owned(),
        create_time: Some(timestamp(key.create_time)),
        activate_time: Some(timestamp(key.activate_time)),
        retire_time: key.retire_time.map(timestamp),
    }
}
