//! A ledger that was exported, line by line: how lines are written, and whether they prove what they say, with nothing but the
//! public key.
//!
//! Each line is a JSON object. Most are an entry: `body`, the text that was hashed, with `prev_hash` and `hash`. The last is a
//! signed head: `head`, the text that was signed, with `signature` and `public_key`. A head may stand at the beginning, for all
//! that came before, and between, where one export goes on from another. Of a ledger that was pruned the first line is a signed
//! `checkpoint`, which stands for what the ledger itself does not hold any more.

use std::fmt;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};

use super::ledger_key::{HeadKey, SignedHead};
use super::{Checkpoint, SignedCheckpoint, chain};
use crate::model::{AccountId, Revision};

/// So many faults are told; the rest are counted.
const FAULTS: usize = 100;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(Entry),
    Head(HeadLine),
    Checkpoint(CheckpointLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    body: String,
    hash: String,
    prev_hash: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    head: String,
    public_key: String,
    signature: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
    public_key: String,
    signature: String,
}

/// What of an entry is looked at; the rest is bytes.
#[derive(Debug, Deserialize)]
struct Body {
    tenant_id: AccountId,
    revision: Revision,
    ordinal: u32,
    at: String,
}

/// Writes an entry as a line. What is no text, which no entry is, comes out as one whose hash is another.
pub fn entry_line(body: &[u8], hash: &[u8], prev_hash: &[u8]) -> Option<String> {
    let line = Line::Entry(Entry {
        body: String::from_utf8_lossy(body).into_owned(),
        hash: chain::hex(hash),
        prev_hash: chain::hex(prev_hash),
    });
    Some(serde_json::to_string(&line).ok()? + "\n")
}

/// Writes a signed head as a line.
pub fn head_line(head: &SignedHead, key: &HeadKey) -> Option<String> {
    let line = Line::Head(HeadLine {
        head: head.text.clone(),
        public_key: key.pem.clone(),
        signature: head.signature.clone(),
    });
    Some(serde_json::to_string(&line).ok()? + "\n")
}

/// Writes what stands for pruned entries as a line, whatever it says: with the key that should have signed it.
pub fn checkpoint_line(text: &str, signature: &str, key: &HeadKey) -> Option<String> {
    let line = Line::Checkpoint(CheckpointLine {
        checkpoint: text.to_owned(),
        public_key: key.pem.clone(),
        signature: signature.to_owned(),
    });
    Some(serde_json::to_string(&line).ok()? + "\n")
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line where it shows, from 1; `None` = at the end.
    pub line: Option<u64>,
    /// The revision and the number of the entry in it, where they are known.
    pub place: Option<(Revision, u32)>,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}")?,
            None => f.write_str("at the end")?,
        }
        if let Some((revision, ordinal)) = self.place {
            write!(f, " (revision {revision}, entry {ordinal})")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Whose ledger; `None` where not even that is said.
    pub account: Option<AccountId>,
    /// How many entries there are.
    pub entries: u64,
    /// The revision that a head or a checkpoint at the beginning stands for, with all before it; 0 = the ledger is whole.
    pub behind: Revision,
    /// What stands at the beginning for entries that were pruned.
    pub checkpoint: Option<Checkpoint>,
    /// The newest revision.
    pub revision: Revision,
    /// The hash of its last entry.
    pub hash: [u8; 32],
    /// Which key has signed.
    pub key_id: Option<String>,
    /// What is wrong, the first hundred; empty = it proves what it says.
    pub flaws: Vec<Flaw>,
    /// How many things are wrong.
    pub flaw_count: u64,
}

/// Reads a file from its first line to its last.
#[derive(Debug)]
pub struct Checker {
    key: Option<HeadKey>,
    line: u64,
    ordinal: Option<u32>,
    at: String,
    ended: bool,
    done: Proof,
}

impl Checker {
    /// Begins, with the key that must have signed; `None` = the one that the file names, which proves no more than that one key
    /// has signed all of it.
    pub fn new(key: Option<HeadKey>) -> Self {
        let done = Proof {
            account: None,
            entries: 0,
            behind: Revision::default(),
            checkpoint: None,
            revision: Revision::default(),
            hash: [0; 32],
            key_id: None,
            flaws: Vec::new(),
            flaw_count: 0,
        };
        Self { key, line: 0, ordinal: None, at: String::new(), ended: false, done }
    }

    fn flaw(&mut self, line: Option<u64>, place: Option<(Revision, u32)>, why: impl Into<String>) {
        self.done.flaw_count += 1;
        if self.done.flaws.len() < FAULTS {
            self.done.flaws.push(Flaw { line, place, why: why.into() });
        }
    }

    /// Reads the next line.
    pub fn line(&mut self, text: &str) {
        self.line += 1;
        self.ended = false;
        match serde_json::from_str(text) {
            Ok(Line::Entry(entry)) => self.entry(&entry),
            Ok(Line::Head(head)) => self.head(&head),
            Ok(Line::Checkpoint(line)) => self.checkpoint(&line),
            Err(_) => {
                let why = "is neither an entry nor a signed head or checkpoint";
                self.flaw(Some(self.line), None, why);
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let here = Some(self.line);
        let (Ok(body), Some(hash), Some(prev)) = (
            serde_json::from_str::<Body>(&entry.body),
            chain::unhex(&entry.hash),
            chain::unhex(&entry.prev_hash),
        ) else {
            return self.flaw(here, None, "is no entry that can be read");
        };
        let place = Some((body.revision, body.ordinal));
        match self.done.account {
            Some(account) if account != body.tenant_id => {
                self.flaw(here, place, format!("is of the ledger of `{}`", body.tenant_id));
            }
            Some(_) => {}
            None => {
                self.done.account = Some(body.tenant_id);
                self.done.hash = chain::first(&body.tenant_id.to_string());
            }
        }
        let next = if body.revision == self.done.revision {
            self.ordinal.and_then(|ordinal| ordinal.checked_add(1)) == Some(body.ordinal)
        } else {
            body.revision.0.checked_sub(1) == Some(self.done.revision.0) && body.ordinal == 0
        };
        if !next {
            self.flaw(here, place, "an entry is missing before this one");
        }
        if prev != self.done.hash {
            self.flaw(here, place, "the hash of the entry before is not that of the entry before");
        }
        if chain::link(&self.done.hash, entry.body.as_bytes()) != hash {
            self.flaw(here, place, "the hash is not that of the text");
        }
        // All are written alike, so that the order of the texts is that of the times.
        if body.at < self.at {
            self.flaw(here, place, "the time is before that of the entry before");
        }
        // Goes on from what is written, so that one flaw is told once.
        self.done.hash = hash;
        self.done.entries += 1;
        self.done.revision = body.revision;
        self.ordinal = Some(body.ordinal);
        self.at = body.at;
    }

    /// Finds the key that must have signed a line which names this one.
    fn key_of(&mut self, public_key: &str) -> Option<HeadKey> {
        let here = Some(self.line);
        if self.key.is_none() {
            match HeadKey::read(public_key) {
                Ok(key) => self.key = Some(key),
                Err(_) => self.flaw(here, None, "names no key that could have signed"),
            }
        }
        let key = self.key.clone()?;
        if key.pem != public_key {
            self.flaw(here, None, "names another key than the one that should have signed");
            return None;
        }
        Some(key)
    }

    fn checkpoint(&mut self, line: &CheckpointLine) {
        let here = Some(self.line);
        let Some(key) = self.key_of(&line.public_key) else { return };
        let signed = key.open_checkpoint(&line.checkpoint, &line.signature);
        let SignedCheckpoint { checkpoint, .. } = match signed {
            Ok(signed) => signed,
            Err(why) => return self.flaw(here, None, why.to_string()),
        };
        self.done.key_id = Some(key.id);
        match self.done.account {
            None => {
                self.done.account = Some(checkpoint.account);
                let revision = checkpoint.revision;
                (self.done.behind, self.done.revision) = (revision, revision);
                self.done.hash = checkpoint.hash;
                self.at = checkpoint.last_at.to_rfc3339_opts(SecondsFormat::Micros, true);
                self.done.checkpoint = Some(checkpoint);
            }
            Some(account) if account != checkpoint.account => {
                let why = format!("is of the ledger of `{}`", checkpoint.account);
                self.flaw(here, None, why);
            }
            // Behind what it stands for, it says no more than that.
            Some(_) => {
                let there = (checkpoint.revision, checkpoint.hash);
                if there != (self.done.revision, self.done.hash) {
                    let why = "the checkpoint is of another revision, or of another hash, than the entry before it";
                    self.flaw(here, None, why);
                }
            }
        }
    }

    fn head(&mut self, line: &HeadLine) {
        let here = Some(self.line);
        let Some(key) = self.key_of(&line.public_key) else { return };
        let head = match key.open(&line.head, &line.signature) {
            Ok(signed) => signed.head,
            Err(why) => return self.flaw(here, None, why.to_string()),
        };
        self.done.key_id = Some(key.id);
        let Some(account) = self.done.account else {
            // It stands for all that came before.
            self.done.account = Some(head.account);
            (self.done.behind, self.done.revision) = (head.revision, head.revision);
            self.done.hash = head.hash;
            self.ended = true;
            return;
        };
        if head.account != account {
            return self.flaw(
                here,
                None,
                format!("is the head of the ledger of `{}`", head.account),
            );
        }
        if head.revision != self.done.revision || head.hash != self.done.hash {
            let why = format!(
                "the signed head is of revision {} and another hash than that of the entry before it",
                head.revision
            );
            return self.flaw(here, None, why);
        }
        self.ended = true;
    }

    /// Ends, and tells what it was.
    pub fn end(mut self) -> Proof {
        if self.line == 0 {
            self.flaw(None, None, "there is nothing");
        } else if !self.ended {
            let why = "there is no signed head behind the last entry: whether more is missing cannot be told";
            self.flaw(None, None, why);
        }
        self.done
    }
}
