//! That a ledger is what was written.

use chrono::SubsecRound as _;
use tonic::{Response, Status};

use super::AuditApi;
use crate::crypto::chain::hex;
use crate::crypto::{Head, SignedCheckpoint, SignedHead};
use crate::decision::Snapshot;
use crate::feed;
use crate::layers::{Call, status};
use crate::model::{AccountId, Revision};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Reader, account_of, reader, with_revision};
use crate::rpc::wire::timestamp;
use crate::store::{Fault, Stretch};

/// No ledger gets so far: databases count no further.
const LAST: u64 = i64::MAX.unsigned_abs();

impl AuditApi {
    pub(super) async fn verify(
        &self,
        call: &Call,
        request: &pb::VerifyLedgerRequest,
    ) -> Result<Response<pb::VerifyLedgerResponse>, Status> {
        let by = reader(call)?;
        let ledger = ledger_of(call, &by)?;
        let given = |number: u64| (number > 0).then_some(Revision(number.min(LAST)));
        let (from, to) = (given(request.from), given(request.to));
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(status::bad_field("INVALID_FIELD", "to", "is before `from`"));
        }
        let end = self.shared.feed.fresh(ledger).await?.revision().next();
        if from.is_some_and(|from| from > end) {
            return Err(status::bad_field("INVALID_FIELD", "from", "is no revision of the ledger"));
        }
        if to.is_some() && to <= Some(self.shared.store.pruned_to(ledger).await?) {
            return Err(feed::Error::Pruned.into());
        }
        let _place = self.shared.heavy.place(ledger)?;
        let stretch = Stretch { from, to, gently: false, key: Some(self.key.public()) };
        let verified = self.shared.store.inspect(ledger, stretch).await?;
        let reply = pb::VerifyLedgerResponse {
            entries: verified.entries,
            revision: verified.revision.0,
            hash: hex(&verified.head),
            compared: verified.compared,
            faults: verified.faults.into_iter().map(fault).collect(),
            fault_count: verified.fault_count,
            checkpoint: verified.checkpoint.map(checkpoint),
        };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    /// Tells how far a ledger is, as this process has followed it: entry by entry, each on the one before.
    pub(super) fn head(&self, call: &Call) -> Result<Response<pb::GetLedgerHeadResponse>, Status> {
        let by = reader(call)?;
        ledger_of(call, &by)?;
        let signed = self.sign(by.there.revision(), *by.there.head(), &by.there)?;
        let Head { account, revision, hash, at } = &signed.head;
        let reply = pb::GetLedgerHeadResponse {
            account_id: account.to_string(),
            revision: revision.0,
            hash: hex(hash),
            time: Some(timestamp(*at)),
            head: signed.text,
            signature: signed.signature,
            key_id: signed.key_id,
            public_key_pem: self.key.public().pem.clone(),
        };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    /// Signs how far a ledger was.
    pub(super) fn sign(
        &self,
        revision: Revision,
        hash: [u8; 32],
        of: &Snapshot,
    ) -> Result<SignedHead, Status> {
        let at = self.shared.clock.now().trunc_subsecs(6);
        let head = Head { account: of.tenant(), revision, hash, at };
        self.key.sign(head).map_err(|error| {
            tracing::error!(%error, "a ledger's head could not be signed");
            status::internal()
        })
    }
}

/// Reads whose ledger is meant: a main account's, or the platform's.
pub(super) fn ledger_of(call: &Call, by: &Reader) -> Result<AccountId, Status> {
    let account = account_of(&call.ask, "account_id")?;
    let tenant = by.there.tenant();
    if account == tenant {
        return Ok(tenant);
    }
    let why = format!("has no ledger of its own: it is in that of `{tenant}`");
    Err(status::bad_field("NOT_A_MAIN_ACCOUNT", "account_id", why))
}

fn checkpoint(signed: SignedCheckpoint) -> pb::LedgerCheckpoint {
    pb::LedgerCheckpoint {
        revision: signed.checkpoint.revision.0,
        hash: hex(&signed.checkpoint.hash),
        entries: signed.checkpoint.entries,
        last_time: Some(timestamp(signed.checkpoint.last_at)),
        time: Some(timestamp(signed.checkpoint.at)),
        checkpoint: signed.text,
        signature: signed.signature,
        key_id: signed.key_id,
    }
}

fn fault(fault: Fault) -> pb::LedgerFault {
    pb::LedgerFault {
        revision: fault.revision.unwrap_or_default().0,
        ordinal: fault.ordinal,
        entity: fault.entity,
        message: fault.why,
    }
}
