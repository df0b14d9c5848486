//! Questions about another time: who may ask is judged now, and what is asked by what was then.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use tonic::Status;

use super::super::question::SubjectName;
use super::super::wire;
use super::{Asking, EXPLAIN};
use crate::decision::{Anchor, Snapshot};
use crate::feed::AsOf;
use crate::layers::status;
use crate::model::{AccountId, Revision};

/// The field that names the time.
const FIELD: &str = "consistency.as_of";

/// The time that is asked about, and what was then.
pub(super) struct Past {
    at: DateTime<Utc>,
    worlds: HashMap<AccountId, AsOf>,
}

/// Reads a time that is asked about: it must have come.
pub(in crate::rpc) fn past_time(
    field: &str,
    at: Timestamp,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Status> {
    let at = wire::time(field, Some(at))?;
    let at = at.filter(|at| *at <= now);
    at.ok_or_else(|| status::bad_field("INVALID_FIELD", field, "lies in the future"))
}

impl Asking {
    /// Asks about another time. One that is none, or that has not come, is refused whoever asks; then whoever may explain nothing,
    /// before anything is made.
    pub(in crate::rpc) async fn about(mut self, at: Timestamp) -> Result<Self, Status> {
        let at = past_time(FIELD, at, self.now)?;
        self.refuse_if_never(EXPLAIN)?;
        self.past = Some(Past { at, worlds: HashMap::new() });
        self.stood_at = self.asked(&Arc::clone(&self.by.home)).await?;
        Ok(self)
    }

    /// Returns the instant that questions are about.
    pub(super) fn asked_at(&self) -> DateTime<Utc> {
        self.past.as_ref().map_or(self.now, |past| past.at)
    }

    /// Returns the other time that questions are about, if it is one.
    pub(in crate::rpc) fn past_time(&self) -> Option<DateTime<Utc>> {
        self.past.as_ref().map(|past| past.at)
    }

    /// Refuses another time than now.
    pub(in crate::rpc) fn is_about_now(&self, why: &str) -> Result<(), Status> {
        match self.past {
            None => Ok(()),
            Some(_) => Err(status::bad_field("INVALID_FIELD", FIELD, why)),
        }
    }

    /// Returns how far the platform was, in the state that the last answer stood on.
    pub(super) fn platform_of_then(&self) -> Option<Revision> {
        let stood = self.past.as_ref()?.worlds.get(&self.stood_at.tenant())?;
        Some(stood.platform)
    }

    /// Returns the state of a tenant that questions are decided on: this one, or that of the time that they are about.
    pub(super) async fn asked(&mut self, now: &Arc<Snapshot>) -> Result<Arc<Snapshot>, Status> {
        let Some(past) = &mut self.past else { return Ok(Arc::clone(now)) };
        if let Some(then) = past.worlds.get(&now.tenant()) {
            return Ok(Arc::clone(&then.world));
        }
        let then = self.shared.as_of(self.by.caller.tenant, now.tenant(), past.at).await?;
        let world = Arc::clone(&then.world);
        past.worlds.insert(now.tenant(), then);
        Ok(world)
    }

    /// Finds that state of the tenant of an object that this asker could have business with.
    pub(super) async fn asked_of(
        &mut self,
        anchor: Anchor,
    ) -> Result<Option<Arc<Snapshot>>, Status> {
        match self.world_of(anchor).await? {
            None => Ok(None),
            Some(now) => self.asked(&now).await.map(Some),
        }
    }

    /// Refuses a credential as the name of somebody of then: whether it is good is known of now alone.
    pub(super) fn names_no_credential_of_then(&self, name: &SubjectName) -> Result<(), Status> {
        if self.past.is_some() && name.credential().is_some() {
            let why = "stands for nobody at another time: name the user";
            return Err(status::bad_field("INVALID_FIELD", "subject.token", why));
        }
        Ok(())
    }
}
