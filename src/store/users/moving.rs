//! Users hung below others, with all that is below them.

use super::{MOST, UserDone, changed, check_depth, level_below, may_hang, still_open};
use crate::decision::{Caller, Principal, Snapshot, escalation};
use crate::model::{ChangeKind, User, UserId};
use crate::store::etags::{unchanged, user_etag};
use crate::store::{Refusal, Tx};

/// Users to be hung below another, or below nobody.
#[derive(Debug)]
pub(super) struct Hanging {
    /// Those whose parent changes, in the order of ids.
    pub(super) tops: Vec<UserId>,
    /// All that move: those and whoever is below them.
    pub(super) all: Vec<UserId>,
    /// Where to.
    pub(super) to: Option<UserId>,
    /// How many levels they make.
    height: usize,
}

impl Hanging {
    pub(super) fn new(world: &Snapshot, tops: Vec<UserId>, to: Option<UserId>) -> Self {
        let mut all = tops.clone();
        let (mut height, mut level) = (0, tops.clone());
        // Past the limit nobody asks how deep it goes; this also ends whatever would not end.
        while !level.is_empty() && all.len() <= MOST {
            height += 1;
            let below = level.iter().flat_map(|id| world.children(*id));
            level = below.filter(|id| world.user(*id).is_some()).collect();
            all.extend(&level);
        }
        Self { tops, all, to, height }
    }

    /// Refuses, by state, what could not even be tried: too many, or somebody below himself.
    pub(super) fn check(&self, world: &Snapshot) -> Result<(), Refusal> {
        check_size(self.all.len())?;
        let around = self.to.is_some_and(|to| {
            self.tops.contains(&to)
                || world.ancestors(to).any(|above| self.tops.contains(&above.id))
        });
        if around {
            let why = "the new parent is one of those that move, or lies below one";
            return Err(Refusal::precondition("CYCLE", why));
        }
        Ok(())
    }

    pub(super) fn check_depth(&self, world: &Snapshot, most: usize) -> Result<(), Refusal> {
        if self.height == 0 {
            return Ok(());
        }
        check_depth(level_below(world, self.to) + self.height - 1, most)
    }
}

/// Refuses to change more users than a lock is held for.
pub(super) fn check_size(users: usize) -> Result<(), Refusal> {
    if users <= MOST {
        return Ok(());
    }
    let why = format!("more than {MOST} users would go or move: do it in parts");
    Err(Refusal::precondition("TOO_LARGE", why))
}

impl Tx {
    /// Moves a user, with all below it, below another of its account, or makes it a root user.
    pub async fn move_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        parent: Option<UserId>,
        etag: &str,
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        let user = self.living(id).await?;
        let above = parent.map(|parent| self.seen_in(caller, user.account, parent)).transpose()?;
        super::standing::not_oneself(caller, id, "user.move")?;
        if let Some(moved) = self.world().user(id) {
            may_hang(moved, "user_id")?;
        }
        above.map_or(Ok(()), |above| may_hang(above, "parent_user_id"))?;
        let tops = if user.parent == parent { Vec::new() } else { vec![id] };
        let hanging = Hanging::new(self.world(), tops, parent);
        let is = user_etag(self.world(), &user);
        let done = self.hang(caller, &user, hanging, (etag, &is), depth).await?;
        Ok(UserDone { moved: Vec::new(), ..done })
    }

    /// Moves all children of one user below another of its account.
    pub async fn reassign_children(
        &mut self,
        caller: &Caller,
        from: UserId,
        to: UserId,
        etag: &str,
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        let old = self.living(from).await?;
        let above = self.seen_in(caller, old.account, to)?;
        let children = living_children(self.world(), from);
        if children.contains(&caller.user) {
            return Err(Refusal::forbidden("user.move"));
        }
        may_hang(above, "reassign_user_id")?;
        let tops = if from == to { Vec::new() } else { children };
        let hanging = Hanging::new(self.world(), tops, Some(to));
        let is = user_etag(self.world(), &old);
        self.hang(caller, &old, hanging, (etag, &is), depth).await
    }

    /// Hangs users elsewhere. Refuses what they would gain, and what would gain them (`edges.md` §2), then by state.
    pub(super) async fn hang(
        &mut self,
        caller: &Caller,
        named: &User,
        hanging: Hanging,
        (etag, is): (&str, &str),
        depth: usize,
    ) -> Result<UserDone, Refusal> {
        let before = self.world().clone();
        let others_affected = self.affects_others(caller, &hanging.all);
        if let Err(state) = hanging.check(&before) {
            unchanged(etag, is)?;
            still_open(&before, named.account)?;
            return Err(state);
        }
        for user in self.rows_of(&hanging.tops).await? {
            let mut after = user.clone();
            after.parent = hanging.to;
            after.update_time = self.now();
            self.put(changed(ChangeKind::UserMove, user, after))?;
        }
        let (world, now) = (self.world(), self.now());
        let mut holders = hanging.all.clone();
        // What the new chain's documents give comes to those who hold nothing of their own as well.
        let holds =
            |user: &Principal| !user.held.is_empty() || world.documents_for(user).next().is_some();
        holders.retain(|id| world.user(*id).is_some_and(|user| holds(user)));
        escalation(self.home(), caller, Some(&before), world, &holders, now)?;
        // Whoever comes below the caller by this comes under its control: judged as it stood, not yet below.
        holders.retain(|id| world.is_below(*id, caller.user) && !before.is_below(*id, caller.user));
        escalation(self.home(), caller, None, &before, &holders, now)?;
        unchanged(etag, is)?;
        still_open(&before, named.account)?;
        hanging.check_depth(&before, depth)?;
        Ok(UserDone { moved: hanging.tops, others_affected, ..UserDone::of(named.id) })
    }
}

/// Returns those right below a user who are not deleted, in the order of ids.
pub(super) fn living_children(world: &Snapshot, of: UserId) -> Vec<UserId> {
    world.children(of).filter(|id| world.user(*id).is_some()).collect()
}
