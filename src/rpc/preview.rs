//! What a rehearsal says of those whom the change would concern, cut to what the caller sees (`edges.md` §3).

use crate::decision::{Caller, Effects, effects, may, sees_user};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{Named, ResourcePath, TokenId};
use crate::proto::v1 as pb;
use crate::store::Tx;

/// So many users are compared; the rest of them is told to be there.
const MOST: usize = 10_000;
/// So many users, tokens and permissions are named.
const SAMPLE: usize = 100;

/// Compares the tenant as the rehearsal found it with what it made of it.
pub(super) fn effects_of(tx: &Tx, caller: &Caller) -> pb::Preview {
    let (before, after, now) = (tx.found(), tx.world(), tx.now());
    let Effects { users, tokens, complete } = effects(before, after, tx.changes(), now, MOST);
    let home = tx.home();
    let all = (users.len(), tokens.len());
    // Who is gone afterwards was seen before.
    let sees =
        |id| sees_user(caller, home, before, id, now) || sees_user(caller, home, after, id, now);
    let users: Vec<_> = users.into_iter().filter(|effect| sees(effect.user)).collect();
    let tokens: Vec<TokenId> =
        tokens.into_iter().filter(|id| sees_token(tx, caller, *id)).collect();
    let catalogue = after.catalogue();
    let shown = users.iter().take(SAMPLE).map(|effect| pb::UserEffect {
        // Who would be made has no id yet.
        user_id: before.any_user(effect.user).map(|user| user.id.to_string()).unwrap_or_default(),
        gained: names(catalogue, &effect.gained),
        gained_count: count(effect.gained.len()),
        lost: names(catalogue, &effect.lost),
        lost_count: count(effect.lost.len()),
    });
    pb::Preview {
        others_affected: all != (users.len(), tokens.len()),
        users_gaining: count(users.iter().filter(|effect| !effect.gained.is_empty()).count()),
        users_losing: count(users.iter().filter(|effect| !effect.lost.is_empty()).count()),
        users: shown.collect(),
        tokens_ending_count: count(tokens.len()),
        tokens_ending: tokens.iter().take(SAMPLE).map(ToString::to_string).collect(),
        partial: !complete,
        ..Default::default()
    }
}

fn sees_token(tx: &Tx, caller: &Caller, id: TokenId) -> bool {
    let world = tx.found();
    let Some(user) = world.token(id).and_then(|token| world.any_user(token.token.user)) else {
        return false;
    };
    let path = ResourcePath::account(user.account)
        .with("user", Named::Id(user.id.to_string()))
        .with("api_token", Named::Id(id.to_string()));
    may(caller, tx.home(), world, "api_token.read", &path, tx.now())
}

fn names(catalogue: &Catalogue, set: &PermissionSet) -> Vec<String> {
    set.iter().take(SAMPLE).map(|permission| catalogue.name(permission).to_owned()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
