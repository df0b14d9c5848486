//! `ExportLedger`: a ledger as lines that prove themselves, part by part.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};
use tracing::Instrument as _;

use super::AuditApi;
use super::proof::ledger_of;
use crate::crypto::proof::{checkpoint_line, entry_line, head_line};
use crate::decision::{Snapshot, judge};
use crate::feed;
use crate::layers::{Call, Seen, status};
use crate::model::Revision;
use crate::proto::v1 as pb;
use crate::rpc::shared::{reader, with_revision};

/// Entries read at once.
const PAGE: u64 = 500;
/// The most bytes of lines in a part, but for a single line that is longer.
const BYTES: usize = 1 << 20;
/// Parts that wait to be read.
const WAITING: usize = 2;
/// Who reads nothing for so long finds the stream ended.
const PATIENCE: Duration = Duration::from_mins(1);

type Parts = mpsc::Sender<Result<pb::ExportLedgerResponse, Status>>;

/// An export under way.
struct Export {
    of: AuditApi,
    call: Call,
    seen: Option<Seen>,
    /// The ledger as it stood when the call was made.
    there: Arc<Snapshot>,
    to: Parts,
    /// The last revision that was sent whole.
    done: Revision,
}

impl AuditApi {
    pub(super) async fn export(
        &self,
        call: Call,
        seen: Option<Seen>,
        resume_after: u64,
    ) -> Result<Response<ReceiverStream<Result<pb::ExportLedgerResponse, Status>>>, Status> {
        let by = reader(&call)?;
        let ledger = ledger_of(&call, &by)?;
        let there = by.there;
        let (first, done) = self.beginning(&there, Revision(resume_after)).await?;
        let place = self.exports.place(ledger)?;
        let (to, parts) = mpsc::channel(WAITING);
        let response = with_revision(Response::new(ReceiverStream::new(parts)), &there);
        let export = Export { of: self.clone(), call, seen, there, to, done };
        let work = async move {
            let _place = place;
            export.run(first).await;
        };
        tokio::spawn(work.in_current_span());
        Ok(response)
    }

    /// Makes the first line, which stands for what is left out, and says up to where.
    async fn beginning(
        &self,
        there: &Snapshot,
        after: Revision,
    ) -> Result<(String, Revision), Status> {
        let (store, ledger) = (&self.shared.store, there.tenant());
        let kept = store.checkpoint(ledger).await?;
        match kept {
            None if after.0 == 0 => return Ok((String::new(), after)),
            Some(kept) if after.0 == 0 => {
                // Whatever it says: whoever reads it sees whether it was signed.
                let line = checkpoint_line(&kept.text, &kept.signature, self.key.public());
                return Ok((line.ok_or_else(status::internal)?, kept.revision));
            }
            Some(kept) if after < kept.revision => return Err(feed::Error::Pruned.into()),
            Some(_) | None => {}
        }
        let hash =
            if after <= there.revision() { store.hash_at(ledger, after).await? } else { None };
        let none =
            || status::bad_field("INVALID_FIELD", "resume_after", "is no revision of the ledger");
        Ok((self.head_line(after, hash.ok_or_else(none)?, there)?, after))
    }

    fn head_line(
        &self,
        revision: Revision,
        hash: [u8; 32],
        of: &Snapshot,
    ) -> Result<String, Status> {
        let signed = self.sign(revision, hash, of)?;
        head_line(&signed, self.key.public()).ok_or_else(status::internal)
    }
}

impl Export {
    async fn run(mut self, first: String) {
        if let Err(status) = self.write(first).await {
            // Whoever does not read any more is not told.
            let _ = tokio::time::timeout(PATIENCE, self.to.send(Err(status))).await;
        }
    }

    async fn write(&mut self, first: String) -> Result<(), Status> {
        if !first.is_empty() {
            self.send(first).await?;
        }
        let (tenant, newest) = (self.there.tenant(), self.there.revision());
        while self.done < newest {
            let mut page = self.of.shared.store.written(tenant, self.done, PAGE).await?;
            page.retain(|entry| entry.revision <= newest);
            let Some(next) = page.first().map(|entry| entry.revision) else { break };
            // What is missing shows in the lines, unless it was pruned since the beginning.
            if next > self.done.next() && self.done < self.of.shared.store.pruned_to(tenant).await?
            {
                return Err(feed::Error::Pruned.into());
            }
            let (mut lines, mut last) = (String::new(), self.done);
            for entry in page {
                let line = entry_line(&entry.body, &entry.hash, &entry.prev_hash);
                let line = line.ok_or_else(status::internal)?;
                if !lines.is_empty() && lines.len() + line.len() > BYTES {
                    self.send(std::mem::take(&mut lines)).await?;
                }
                // The first of a revision tells that the one before is whole; a page ends with one that is.
                if entry.ordinal == Some(0) {
                    self.done = self.done.max(Revision(entry.revision.0.saturating_sub(1)));
                }
                lines.push_str(&line);
                last = entry.revision;
            }
            self.done = last;
            self.send(lines).await?;
        }
        // As it is remembered, and not as it was just read: that a row was changed meanwhile shows in the lines.
        let head = self.of.head_line(newest, *self.there.head(), &self.there)?;
        self.send(head).await
    }

    /// Judges anew whether the caller may: its credential as well as its right.
    async fn still(&self) -> Result<(), Status> {
        let shared = &self.of.shared;
        let caller = match self.seen {
            Some(seen) => shared.credentials.still_stands(seen).await?,
            None => self.call.caller.clone().ok_or_else(status::internal)?,
        };
        let home = shared.feed.tenant(caller.tenant).await?;
        let there = shared.feed.tenant(self.there.tenant()).await?;
        let _permit = judge(&self.call.ask, &caller, &home, &there, shared.clock.now())?;
        Ok(())
    }

    /// Sends a part, if its reader may still have it.
    async fn send(&self, lines: String) -> Result<(), Status> {
        self.still().await?;
        let part = pb::ExportLedgerResponse { lines, revision: self.done.0 };
        let sent = tokio::time::timeout(PATIENCE, self.to.send(Ok(part))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Status::cancelled("nobody reads the stream")),
        }
    }
}
