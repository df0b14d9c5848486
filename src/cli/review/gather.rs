//! Gathers a review by calls of the public API, with the rights of whoever asks, and nothing else.
//!
//! What cannot be seen is named in `missing`, and everything else is read to its last page. A review is of one state: where the
//! ledgers' heads before and after differ, somebody has changed something meanwhile, and all is gathered anew.

mod people;
mod read;

use std::collections::{BTreeSet, HashMap};
use std::error::Error;

use chrono::{DateTime, SecondsFormat, Utc};

use self::read::seen;
use super::model::{Account, FORMAT, Head, Review};
use crate::client::{Client, NoReply};
use crate::model::{Clock as _, SystemClock};
use crate::proto::v1 as pb;

/// So often a review is begun, where something changes while it is gathered.
const ATTEMPTS: usize = 3;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) unused_days: u16,
    pub(super) most_users: usize,
}

/// A review that is being gathered.
struct Gathering {
    client: Client,
    limits: Limits,
    /// How many users may still be asked about.
    left: usize,
    review: Review,
    /// Where each list of permissions stands.
    places: HashMap<Vec<String>, usize>,
}

/// Gathers a review of an account and all below it.
pub(super) async fn gather(
    mut client: Client,
    account: &str,
    limits: Limits,
) -> Result<Review, Box<dyn Error + Send + Sync>> {
    let top = read::account(&mut client, account).await?;
    let mut attempt = 1;
    loop {
        let below = read::below(&mut client, &top.account_id).await?;
        let tenants: BTreeSet<String> =
            std::iter::once(&top).chain(&below).map(|one| one.tenant_id.clone()).collect();
        let before = heads(&mut client, &tenants).await?;
        let mut gathering = Gathering::new(&client, &top, limits);
        gathering.accounts(&top).await?;
        gathering.people().await?;
        gathering.names().await?;
        let after = heads(&mut client, &tenants).await?;
        let moved =
            before.iter().map(|head| head.revision).ne(after.iter().map(|head| head.revision));
        if moved && attempt < ATTEMPTS {
            attempt += 1;
            continue;
        }
        let mut review = gathering.review;
        if moved {
            review.missing.push(format!(
                "one state: something changed while this was gathered, {ATTEMPTS} times over; the heads are those of its end"
            ));
        }
        if after.len() < tenants.len() {
            review.missing.push(
                "the signed head of each ledger concerned: it takes `audit_event.verify` on the main account; without it \
                 nobody can tell, either, whether something changed while this was gathered"
                    .to_owned(),
            );
        }
        review.made_at =
            after.first().map_or_else(|| text(SystemClock.now()), |head| head.time.clone());
        review.heads = after;
        return Ok(review);
    }
}

async fn heads(client: &mut Client, tenants: &BTreeSet<String>) -> Result<Vec<Head>, NoReply> {
    let mut heads = Vec::new();
    for tenant in tenants {
        let request = pb::GetLedgerHeadRequest { account_id: tenant.clone() };
        let Some(head) = seen(client.ledger_head(request).await)? else { continue };
        heads.push(Head {
            account_id: head.account_id,
            revision: head.revision,
            time: head.time.as_ref().and_then(time).unwrap_or_default(),
            head: head.head,
            signature: head.signature,
            key_id: head.key_id,
            public_key: head.public_key_pem,
        });
    }
    Ok(heads)
}

impl Gathering {
    fn new(client: &Client, top: &pb::Account, limits: Limits) -> Self {
        let review = Review {
            format: FORMAT,
            account_id: top.account_id.clone(),
            made_at: String::new(),
            unused_days: limits.unused_days,
            heads: Vec::new(),
            missing: Vec::new(),
            accounts: Vec::new(),
            users: Vec::new(),
            roles: Vec::new(),
            documents: Vec::new(),
            permission_sets: Vec::new(),
        };
        let (client, left) = (client.clone(), limits.most_users);
        Self { client, limits, left, review, places: HashMap::new() }
    }

    fn misses(&mut self, what: String) {
        self.review.missing.push(what);
    }

    /// Reads the account anew, those below it, and those above, whose users may reach down into it.
    async fn accounts(&mut self, top: &pb::Account) -> Result<(), NoReply> {
        let top = read::account(&mut self.client, &top.account_id).await?;
        let below = read::below(&mut self.client, &top.account_id).await?;
        self.review.accounts.push(shown(&top, false));
        self.review.accounts.extend(below.iter().map(|one| shown(one, false)));
        let mut lowest = top;
        while lowest.depth > 1 {
            let parent = lowest.parent_account_id.clone();
            let request = pb::GetAccountRequest { account_id: parent.clone() };
            let found = if parent.is_empty() {
                None
            } else {
                seen(self.client.account(request).await)?.and_then(|reply| reply.account)
            };
            let Some(account) = found else {
                self.misses(
                    "users of accounts above that the asker does not see, such as those who run the platform: their roles \
                     may reach down to here"
                        .to_owned(),
                );
                return Ok(());
            };
            self.review.accounts.push(shown(&account, true));
            lowest = account;
        }
        Ok(())
    }
}

fn shown(account: &pb::Account, above: bool) -> Account {
    Account {
        account_id: account.account_id.clone(),
        parent_account_id: account.parent_account_id.clone(),
        name: account.display_name.clone().unwrap_or_default(),
        status: word(account.effective_status().as_str_name(), "ACCOUNT_STATUS_"),
        ceiling: account.role.clone(),
        above,
    }
}

/// Takes the prefix off an enum's word.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// Writes a time of the wire.
fn time(at: &prost_types::Timestamp) -> Option<String> {
    let nanos = u32::try_from(at.nanos).ok()?;
    DateTime::from_timestamp(at.seconds, nanos).map(text)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
