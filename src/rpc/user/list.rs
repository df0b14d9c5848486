//! `ListUsers`: whom the caller sees, flat or as trees. What is not seen is left out while walking, never afterwards.

use std::collections::HashMap;

use tonic::Status;

use super::MOST;
use super::view::Eye;
use crate::layers::{Call, status};
use crate::model::{AccountId, User, UserFilter, UserId};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Shared, account_of};
use crate::rpc::wire::optional;

/// So many users are looked at in one go.
const CHUNK: usize = 500;

/// Answers one page.
pub(super) async fn list(
    shared: &Shared,
    call: &Call,
    eye: &Eye,
    request: &pb::ListUsersRequest,
) -> Result<pb::ListUsersResponse, Status> {
    let account = account_of(&call.ask, "account_id")?;
    let below = optional("parent_user_id", &request.parent_user_id)?;
    let page = shared.page::<UserId>(call, request.page_size, &request.page_token)?;
    let filter = match request.filter.trim() {
        "" => None,
        text => {
            let bad = |why: String| status::bad_field("INVALID_FILTER", "filter", why);
            Some(UserFilter::parse(text).map_err(bad)?)
        }
    };
    if let Some(top) = below {
        let found = eye.there.user(top).filter(|user| user.account == account);
        found.filter(|_| eye.sees(top)).ok_or_else(|| super::unseen(top))?;
    }
    let walk = Walk::new(eye, account, below);
    let active_only = request.active_only;
    let mut cut = Cut { shared, eye, filter, active_only, below, known: HashMap::new() };
    let found = if request.flatten {
        flat(&walk, &mut cut, page.after, page.size).await?
    } else {
        forest(&walk, &mut cut, page.after, page.size).await?
    };
    let next_page_token = found.next.map(|last| shared.next_page(call, &last)).unwrap_or_default();
    Ok(pb::ListUsersResponse { users: found.users, next_page_token })
}

/// One page, and behind whom the next begins.
struct Found {
    users: Vec<pb::User>,
    next: Option<UserId>,
}

/// All that could be listed, in the order of ids.
struct Walk<'a> {
    eye: &'a Eye,
    account: AccountId,
    /// Those below one user, where only they are asked for.
    below: Option<Vec<UserId>>,
}

impl<'a> Walk<'a> {
    fn new(eye: &'a Eye, account: AccountId, below: Option<UserId>) -> Self {
        let below = below.map(|top| {
            let mut all = eye.there.descendants(top);
            all.sort_unstable();
            all
        });
        Self { eye, account, below }
    }

    /// Returns the next ones behind `after`.
    fn behind(&self, after: Option<UserId>) -> Vec<UserId> {
        match &self.below {
            None => self.eye.there.members(self.account, after).take(CHUNK).collect(),
            Some(all) => {
                let from = all.partition_point(|id| after.is_some_and(|after| *id <= after));
                all.iter().skip(from).take(CHUNK).copied().collect()
            }
        }
    }
}

/// Who is shown: seen by the caller, and asked for.
struct Cut<'a> {
    shared: &'a Shared,
    eye: &'a Eye,
    filter: Option<UserFilter>,
    active_only: bool,
    below: Option<UserId>,
    known: HashMap<UserId, bool>,
}

impl Cut<'_> {
    /// Returns those of `ids` who are shown, in their order.
    async fn shown(&mut self, ids: &[UserId]) -> Result<Vec<UserId>, Status> {
        let new: Vec<UserId> =
            ids.iter().copied().filter(|id| !self.known.contains_key(id)).collect();
        let seen: Vec<UserId> = new.iter().copied().filter(|id| self.is_seen(*id)).collect();
        self.known.extend(new.into_iter().map(|id| (id, false)));
        match &self.filter {
            None => self.known.extend(seen.into_iter().map(|id| (id, true))),
            Some(filter) => {
                for ids in seen.chunks(CHUNK) {
                    let rows = self.shared.store.users(ids).await?;
                    let held = rows.iter().filter(|user| filter.holds(user));
                    self.known.extend(held.map(|user| (user.id, true)));
                }
            }
        }
        Ok(ids.iter().copied().filter(|id| self.is_shown(*id)).collect())
    }

    fn is_seen(&self, id: UserId) -> bool {
        let active = || self.eye.there.user(id).is_some_and(|user| user.enabled);
        (!self.active_only || active()) && self.eye.there.user(id).is_some() && self.eye.sees(id)
    }

    fn is_shown(&self, id: UserId) -> bool {
        self.known.get(&id).copied().unwrap_or_default()
    }

    /// Walks those above a user who could be listed, nearest first.
    fn above(&self, id: UserId) -> impl Iterator<Item = UserId> {
        let stop = self.below;
        let above = self.eye.there.ancestors(id).map(|user| user.id);
        above.take_while(move |id| Some(*id) != stop)
    }

    /// Finds the nearest one above who is shown, once all above are known.
    fn shown_above(&self, id: UserId) -> Option<UserId> {
        self.above(id).find(|id| self.is_shown(*id))
    }

    async fn rows(&self, ids: &[UserId]) -> Result<Vec<User>, Status> {
        let mut rows = self.shared.store.users(ids).await?;
        rows.retain(|user| user.delete_time.is_none());
        Ok(rows)
    }
}

/// Returns a page of single users.
async fn flat(
    walk: &Walk<'_>,
    cut: &mut Cut<'_>,
    mut after: Option<UserId>,
    size: usize,
) -> Result<Found, Status> {
    let mut ids: Vec<UserId> = Vec::with_capacity(size);
    loop {
        let chunk = walk.behind(after);
        after = chunk.last().copied();
        ids.extend(cut.shown(&chunk).await?);
        if chunk.is_empty() || ids.len() > size {
            break;
        }
    }
    let more = ids.len() > size;
    ids.truncate(size);
    let next = ids.last().copied().filter(|_| more);
    let users = cut.rows(&ids).await?.iter().map(|user| cut.eye.user(user)).collect();
    Ok(Found { users, next })
}

/// One top-level user and whoever is shown below it, nearest first, each with the one it hangs under.
struct Tree {
    top: UserId,
    below: Vec<(UserId, UserId)>,
    /// Those under whom more hang than are here.
    truncated: Vec<UserId>,
}

impl Tree {
    const fn size(&self) -> usize {
        1 + self.below.len()
    }

    /// Cuts the tree to a number of users.
    fn cut_to(&mut self, size: usize) {
        let rest = self.below.split_off(size.saturating_sub(1).min(self.below.len()));
        let mut under: Vec<UserId> = rest.into_iter().map(|(_, under)| under).collect();
        under.sort_unstable();
        under.dedup();
        self.truncated = under;
    }
}

/// Returns a page of trees.
async fn forest(
    walk: &Walk<'_>,
    cut: &mut Cut<'_>,
    mut after: Option<UserId>,
    size: usize,
) -> Result<Found, Status> {
    let mut trees: Vec<Tree> = Vec::new();
    let (mut total, mut more) = (0, false);
    'walk: loop {
        let chunk = walk.behind(after);
        after = chunk.last().copied();
        if chunk.is_empty() {
            break;
        }
        for top in tops(cut, &chunk).await? {
            if trees.len() == size || total >= MOST {
                more = true;
                break 'walk;
            }
            let mut tree = tree(cut, top).await?;
            if total + tree.size() > MOST {
                if !trees.is_empty() {
                    // The next page has room for it.
                    more = true;
                    break 'walk;
                }
                tree.cut_to(MOST);
            }
            total += tree.size();
            trees.push(tree);
        }
    }
    let next = trees.last().map(|tree| tree.top).filter(|_| more);
    Ok(Found { users: grown(cut, trees).await?, next })
}

/// Returns those of a chunk who are shown and have nobody above them who is.
async fn tops(cut: &mut Cut<'_>, chunk: &[UserId]) -> Result<Vec<UserId>, Status> {
    let mut shown = cut.shown(chunk).await?;
    let mut above: Vec<UserId> = shown.iter().flat_map(|id| cut.above(*id)).collect();
    above.sort_unstable();
    above.dedup();
    cut.shown(&above).await?;
    shown.retain(|id| cut.shown_above(*id).is_none());
    Ok(shown)
}

async fn tree(cut: &mut Cut<'_>, top: UserId) -> Result<Tree, Status> {
    let all = cut.eye.there.descendants(top);
    let shown = cut.shown(&all).await?;
    let hung = |id: UserId| (id, cut.shown_above(id).unwrap_or(top));
    Ok(Tree { top, below: shown.into_iter().map(hung).collect(), truncated: Vec::new() })
}

/// Makes trees of messages.
async fn grown(cut: &Cut<'_>, trees: Vec<Tree>) -> Result<Vec<pb::User>, Status> {
    let ids: Vec<UserId> = trees
        .iter()
        .flat_map(|tree| std::iter::once(tree.top).chain(tree.below.iter().map(|(id, _)| *id)))
        .collect();
    let rows = cut.rows(&ids).await?;
    let mut users: HashMap<UserId, pb::User> =
        rows.iter().map(|user| (user.id, cut.eye.user(user))).collect();
    let mut grown = Vec::with_capacity(trees.len());
    for tree in trees {
        for id in &tree.truncated {
            if let Some(user) = users.get_mut(id) {
                user.children_truncated = true;
            }
        }
        // From the furthest in: whoever is taken has got its own already.
        for (id, under) in tree.below.iter().rev() {
            if let Some(user) = users.remove(id)
                && let Some(under) = users.get_mut(under)
            {
                under.children.push(sorted(user));
            }
        }
        grown.extend(users.remove(&tree.top).map(sorted));
    }
    Ok(grown)
}

/// Puts the children in the order of their ids, which is that of the text.
fn sorted(mut user: pb::User) -> pb::User {
    user.children.sort_unstable_by(|a, b| a.user_id.cmp(&b.user_id));
    user
}
