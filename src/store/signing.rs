//! The keys that access tokens are signed with: made, replaced, retired, opened (`model.md` §9).

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use super::etags::{signing_keys_etag, unchanged};
use super::rows::signing_key;
use super::{Error, Refusal, Store, Tx};
use crate::crypto::KeyRing;
use crate::crypto::jwt::{KeySecret, Pair};
use crate::decision::Snapshot;
use crate::model::{Change, ChangeKind, Image, SigningAlgorithm, SigningKey, SigningKeyId};

/// How long a new key is published before it signs: longer than anybody keeps the list of keys (`Cache-Control`).
const PUBLISHED: TimeDelta = TimeDelta::minutes(15);
/// How long a key is published after another signs in its place: longer than any token lives.
const OUTLIVES: TimeDelta = TimeDelta::minutes(70);

/// A key that is to be, with its secret.
#[derive(Debug)]
pub struct NewKey {
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// Its secret, made before anybody has to wait for it.
    pub secret: KeySecret,
}

/// A list that the program keeps in order by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing is to be done.
    Nothing,
    /// There is no key, or the one that signs has done so for long enough.
    New,
    /// A key that signs no more is to go.
    Retire,
}

/// Tells what is to be done about the keys of the platform, where one signs for `life`.
pub fn due(world: &Snapshot, life: TimeDelta, now: DateTime<Utc>) -> Due {
    let newest = world.signing_keys().map(|key| key.activate_time).max();
    if newest.is_none_or(|newest| newest + life <= now) {
        return Due::New;
    }
    if world.signing_keys().any(|key| !key.is_published(now)) { Due::Retire } else { Due::Nothing }
}

impl Tx {
    /// Makes a key that will sign in the place of the one that does, which goes on until nothing that it signed can be
    /// live. The first key signs at once.
    pub async fn rotate_signing_key(
        &mut self,
        new: &NewKey,
        keys: &KeyRing,
        etag: &str,
    ) -> Result<SigningKeyId, Refusal> {
        let now = self.now();
        unchanged(etag, &signing_keys_etag(self.world()))?;
        let old: Vec<SigningKey> = self.world().signing_keys().cloned().collect();
        let kind = if old.is_empty() {
            ChangeKind::SigningKeyCreate
        } else {
            ChangeKind::SigningKeyRotate
        };
        let key = SigningKey {
            id: SigningKeyId::new(&**self.store.clock()),
            algorithm: new.algorithm,
            create_time: now,
            activate_time: if old.is_empty() { now } else { now + PUBLISHED },
            retire_time: None,
        };
        let mut kept = sealed(&self.db, &old).await?;
        for before in old.into_iter().filter(|old| old.retire_time.is_none()) {
            let retire = key.activate_time.max(before.activate_time) + OUTLIVES;
            let after = SigningKey { retire_time: Some(retire), ..before.clone() };
            // What is said of a key is part of its seal.
            let bytes = kept.remove(&before.id).unwrap_or_default();
            let bytes = match KeySecret::open(keys, &before, &bytes) {
                Some(secret) => secret.seal(keys, &after).map_err(unusable)?,
                // What did not open before does not open afterwards.
                None => bytes,
            };
            self.secrets.sealed.insert(after.id, bytes);
            self.change_key(kind, Some(before), Some(after))?;
        }
        let bytes = new.secret.seal(keys, &key).map_err(unusable)?;
        self.secrets.sealed.insert(key.id, bytes);
        let id = key.id;
        self.change_key(kind, None, Some(key))?;
        Ok(id)
    }

    /// Takes away the keys that signed nothing which could still be good.
    pub fn retire_signing_keys(&mut self) -> Result<(), Refusal> {
        let now = self.now();
        let gone = self.world().signing_keys().filter(|key| !key.is_published(now));
        let gone: Vec<SigningKey> = gone.cloned().collect();
        for key in gone {
            self.change_key(ChangeKind::SigningKeyRetire, Some(key), None)?;
        }
        Ok(())
    }

    fn change_key(
        &mut self,
        kind: ChangeKind,
        before: Option<SigningKey>,
        after: Option<SigningKey>,
    ) -> Result<(), Error> {
        let account = self.world().tenant();
        let (before, after) = (before.map(Image::SigningKey), after.map(Image::SigningKey));
        self.put(Change { account, kind, before, after })
    }
}

fn unusable(error: crate::crypto::jwt::NoKey) -> Error {
    Error::Corrupt { table: "signing_keys", why: error.to_string() }
}

async fn sealed<C: ConnectionTrait>(
    db: &C,
    keys: &[SigningKey],
) -> Result<HashMap<SigningKeyId, Vec<u8>>, Error> {
    let these = signing_key::Column::Id.is_in(keys.iter().map(|key| key.id.0));
    let rows = signing_key::Entity::find().filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (SigningKeyId(row.id), row.sealed)).collect())
}

impl Store {
    /// Opens keys, as snapshots know them. One that does not open is left out, and an alarm is raised: somebody wrote to
    /// the store who may not.
    pub async fn open_signing_keys(
        &self,
        keys: &[SigningKey],
        ring: &KeyRing,
    ) -> Result<Vec<Pair>, Error> {
        let kept = sealed(self.credentials(), keys).await?;
        let mut pairs = Vec::with_capacity(keys.len());
        for key in keys {
            let secret = kept.get(&key.id).and_then(|bytes| KeySecret::open(ring, key, bytes));
            if let Some(Ok(pair)) = secret.map(|secret| secret.pair(key.clone())) {
                pairs.push(pair);
            } else {
                metrics::counter!("chancery_signing_key_faults_total").increment(1);
                tracing::error!(key = %key.id, "a signing key does not open");
            }
        }
        Ok(pairs)
    }
}
