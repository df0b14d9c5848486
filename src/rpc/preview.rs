//! What a rehearsal says of those whom the change would concern, cut to what the caller sees (`edges.md` §3).

use chrono::{DateTime, Utc};

use crate::decision::{Caller, Effects, Snapshot, effects, may, sees_document, sees_user};
use crate::layers::Part;
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{Change, ChangeKind, Image, Named, ResourcePath, TokenId, UserId};
use crate::proto::v1 as pb;
use crate::store::Tx;

/// So many users are compared; the rest of them is told to be there.
const MOST: usize = 100_000;
/// So many users, tokens and permissions are a sample.
const SAMPLE: usize = 100;
/// So many documents are named.
const NAMED: usize = 1000;

/// A rehearsal as it stood when it ended: what to compare, and for whom.
pub(super) struct Rehearsed {
    caller: Caller,
    home: Snapshot,
    before: Snapshot,
    after: Snapshot,
    changes: Vec<Change>,
    part: Part,
    now: DateTime<Utc>,
}

impl Rehearsed {
    /// Keeps what is to be compared; snapshots cost nothing to copy.
    pub(super) fn of(tx: &Tx, caller: &Caller, part: Part) -> Self {
        Self {
            part,
            caller: caller.clone(),
            home: tx.home().clone(),
            before: tx.found().clone(),
            after: tx.world().clone(),
            changes: tx.changes().to_vec(),
            now: tx.now(),
        }
    }

    /// Compares the tenant as the rehearsal found it with what it made of it. Heavy: everybody concerned is looked at.
    pub(super) fn effects(&self) -> pb::Preview {
        let Self { before, after, now, .. } = self;
        let Effects { users, tokens, complete } = effects(before, after, &self.changes, *now, MOST);
        let all = (users.len(), tokens.len());
        let users: Vec<_> = users.into_iter().filter(|one| self.sees(one.user)).collect();
        let tokens: Vec<TokenId> = tokens.into_iter().filter(|id| self.sees_token(*id)).collect();
        let catalogue = after.catalogue();
        let (behind, size, most) = match self.part {
            Part::Sample => (None, SAMPLE, SAMPLE),
            Part::Page { after, size } => (after, size, usize::MAX),
        };
        let here = users.iter().filter(|one| behind.is_none_or(|id| id < one.user));
        let shown = here.take(size).map(|effect| pb::UserEffect {
            // Who would be made has no id yet.
            user_id: before
                .any_user(effect.user)
                .map(|user| user.id.to_string())
                .unwrap_or_default(),
            gained: names(catalogue, &effect.gained, most),
            gained_count: count(effect.gained.len()),
            lost: names(catalogue, &effect.lost, most),
            lost_count: count(effect.lost.len()),
        });
        let (handed_on, others) = self.handed_on();
        pb::Preview {
            warnings: handed_on.into_iter().collect(),
            others_affected: others || all != (users.len(), tokens.len()),
            users_gaining: count(users.iter().filter(|effect| !effect.gained.is_empty()).count()),
            users_losing: count(users.iter().filter(|effect| !effect.lost.is_empty()).count()),
            users: shown.collect(),
            tokens_ending_count: count(tokens.len()),
            tokens_ending: tokens.iter().take(SAMPLE).map(ToString::to_string).collect(),
            partial: !complete,
            ..Default::default()
        }
    }

    /// Warns of documents that would get another owner, as far as they are seen; and says whether there are others.
    fn handed_on(&self) -> (Option<pb::Warning>, bool) {
        let Self { caller, home, before, now, .. } = self;
        let documents = self.changes.iter().filter_map(|change| match &change.after {
            Some(Image::Document(document)) if change.kind == ChangeKind::DocumentHandOn => {
                Some(document.id)
            }
            _ => None,
        });
        let (seen, unseen): (Vec<_>, Vec<_>) =
            documents.partition(|id| sees_document(caller, home, before, *id, *now));
        let warning = pb::Warning {
            reason: "DOCUMENTS_HANDED_ON".to_owned(),
            message: "rights documents would get another owner".to_owned(),
            entity_ids: seen.iter().take(NAMED).map(ToString::to_string).collect(),
        };
        ((!seen.is_empty()).then_some(warning), !unseen.is_empty())
    }

    /// Who would be seen by the change alone is not seen by asking about it; who would come to be is.
    fn sees(&self, id: UserId) -> bool {
        let Self { caller, home, before, after, now, .. } = self;
        let world = if before.user(id).is_some() { before } else { after };
        sees_user(caller, home, world, id, *now)
    }

    fn sees_token(&self, id: TokenId) -> bool {
        let world = &self.before;
        let Some(user) = world.token(id).and_then(|token| world.any_user(token.token.user)) else {
            return false;
        };
        let path = ResourcePath::account(user.account)
            .with("user", Named::Id(user.id.to_string()))
            .with("api_token", Named::Id(id.to_string()));
        may(&self.caller, &self.home, world, "api_token.read", &path, self.now)
    }
}

fn names(catalogue: &Catalogue, set: &PermissionSet, most: usize) -> Vec<String> {
    set.iter().take(most).map(|permission| catalogue.name(permission).to_owned()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
