//! What a catalogue must not drop: by its absence somebody would get back what was taken, or lose everything (`model.md` §4).

use sea_orm::ConnectionTrait;

use super::uses;
use crate::model::Holder;
use crate::model::catalogue::{Catalogue, Role};
use crate::store::Error;

/// A role that does not do any longer what it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RoleDropped {
    /// `catalogue/NAME`.
    role: String,
    /// It took everything away. Else it was some account's ceiling, if any has it.
    is_suppressing: bool,
}

/// Lists the roles of `old` that suppress, or are for accounts, and in `new` do so or are so no more.
fn dropped(old: &Catalogue, new: &Catalogue) -> Vec<RoleDropped> {
    let suppresses = |role: &Role| role.suppress && role.active;
    let limits = |role: &Role| role.active && role.assignable_to.contains(&Holder::Account);
    let gone = |role: &Role, does: &dyn Fn(&Role) -> bool| {
        let now = new.role(&role.full_name).map(|ix| new.get(ix));
        does(role) && !now.is_some_and(does)
    };
    let mut found = Vec::new();
    for (_, role) in old.roles() {
        let is_suppressing = gone(role, &suppresses);
        if is_suppressing || gone(role, &limits) {
            found.push(RoleDropped { role: role.full_name.to_string(), is_suppressing });
        }
    }
    found
}

/// Says why one catalogue must not follow another, if so.
pub(in crate::store) async fn obstacle<C: ConnectionTrait>(
    db: &C,
    old: &Catalogue,
    new: &Catalogue,
) -> Result<Option<String>, Error> {
    for RoleDropped { role, is_suppressing } in dropped(old, new) {
        if is_suppressing {
            let why = format!(
                "the role `{role}` takes everything away from who holds it, and would no longer"
            );
            return Ok(Some(why));
        }
        let accounts = uses::accounts(db, &role).await?;
        if accounts > 0 {
            let why = format!(
                "{accounts} accounts have the role `{role}`, which would no longer be for them: give them another first"
            );
            return Ok(Some(why));
        }
    }
    Ok(None)
}
