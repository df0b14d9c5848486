//! What a rehearsal says of those whom the change would concern, cut to what the caller sees (`edges.md` §3).

use chrono::{DateTime, Utc};

use crate::decision::{Caller, Effects, Snapshot, effects, lives, may, sees_document, sees_user};
use crate::layers::Part;
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{
    AccountId, Change, ChangeKind, Image, Named, ResourcePath, Session, TokenId, UserId,
};
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
    /// Those of whose sessions some may end are told beside it.
    pub(super) fn effects(&self) -> (pb::Preview, Vec<UserId>) {
        let Self { before, after, now, .. } = self;
        let Effects { users, tokens, leaving, complete } =
            effects(before, after, &self.changes, *now, MOST);
        let all = (users.len(), tokens.len());
        let users: Vec<_> = users.into_iter().filter(|one| self.sees(one.user)).collect();
        let tokens: Vec<String> = tokens.into_iter().filter_map(|id| self.seen_token(id)).collect();
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
        let preview = pb::Preview {
            warnings: handed_on.into_iter().collect(),
            others_affected: others || all != (users.len(), tokens.len()),
            users_gaining: count(users.iter().filter(|effect| !effect.gained.is_empty()).count()),
            users_losing: count(users.iter().filter(|effect| !effect.lost.is_empty()).count()),
            users: shown.collect(),
            tokens_ending_count: count(tokens.len()),
            tokens_ending: tokens.into_iter().take(SAMPLE).collect(),
            partial: !complete,
            ..Default::default()
        };
        (preview, leaving)
    }

    /// Adds which of these sessions, of those who may lose some, would end; of more than `most` they are a part.
    ///
    /// Whether somebody is signed in whose sessions the caller may not read is not told: that there are others is said
    /// wherever there could be.
    pub(super) fn with_sessions(
        &self,
        preview: pb::Preview,
        leaving: &[UserId],
        mut sessions: Vec<Session>,
        most: usize,
    ) -> pb::Preview {
        let Self { before, after, now, .. } = self;
        let partial = preview.partial || sessions.len() >= most;
        sessions.retain(|one| lives(before, one, *now) && !lives(after, one, *now));
        sessions
            .retain(|one| self.sees_session(one.account, one.user, Named::Id(one.id.to_string())));
        sessions.sort_unstable_by_key(|one| one.id);
        let sees_all = |user: &UserId| {
            let account = before.any_user(*user).map(|user| user.account);
            account.is_some_and(|account| self.sees_session(account, *user, Named::Any))
        };
        pb::Preview {
            others_affected: preview.others_affected || !leaving.iter().all(sees_all),
            sessions_ending_count: count(sessions.len()),
            sessions_ending: sessions.iter().take(SAMPLE).map(|one| one.id.to_string()).collect(),
            partial,
            ..preview
        }
    }

    fn sees_session(&self, account: AccountId, user: UserId, session: Named) -> bool {
        let path = ResourcePath::account(account)
            .with("user", Named::Id(user.to_string()))
            .with("session", session);
        may(&self.caller, &self.home, &self.before, "session.read", &path, self.now)
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

    /// Names a token or key, if it is seen.
    fn seen_token(&self, id: TokenId) -> Option<String> {
        let (world, (kind, name)) = (&self.before, self.before.token(id)?.token.named());
        let user = world.any_user(world.token(id)?.token.user)?;
        let path = ResourcePath::account(user.account)
            .with("user", Named::Id(user.id.to_string()))
            .with(kind, Named::Id(name.clone()));
        let read = format!("{kind}.read");
        may(&self.caller, &self.home, world, &read, &path, self.now).then_some(name)
    }
}

fn names(catalogue: &Catalogue, set: &PermissionSet, most: usize) -> Vec<String> {
    set.iter().take(most).map(|permission| catalogue.name(permission).to_owned()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
