//! What a custom role's patterns may be.

use super::Refusal;
use crate::model::CustomRole;
use crate::model::catalogue::{Catalogue, PermissionSet};

/// Holds a role's patterns against the catalogues.
///
/// What `stored` has already may have vanished from them since: it gives nothing, takes nothing and stays listed.
pub(super) fn check(
    catalogue: &Catalogue,
    role: &CustomRole,
    stored: Option<&CustomRole>,
) -> Result<(), Refusal> {
    if stored.is_some_and(|old| old.permits == role.permits && old.except == role.except) {
        return Ok(());
    }
    let kept = stored.map_or(&[][..], |old| &old.permits);
    let mut permits = PermissionSet::new();
    for (place, pattern) in role.permits.iter().enumerate() {
        let field = format!("role.permits[{place}]");
        if let Some(found) = expand(catalogue, pattern, kept, &field)? {
            permits.union_with(&found);
        }
    }
    let kept = stored.map_or(&[][..], |old| &old.except);
    for (place, pattern) in role.except.iter().enumerate() {
        let field = format!("role.except[{place}]");
        let Some(mut found) = expand(catalogue, pattern, kept, &field)? else { continue };
        found.difference_with(&permits);
        if let Some(stranger) = found.iter().next() {
            let name = catalogue.name(stranger);
            let why = format!("`{pattern}` takes out `{name}`, which `permits` does not give");
            return Err(Refusal::invalid("INVALID_FIELD", &field, why));
        }
    }
    Ok(())
}

fn expand(
    catalogue: &Catalogue,
    pattern: &str,
    kept: &[String],
    field: &str,
) -> Result<Option<PermissionSet>, Refusal> {
    if pattern == "*" {
        let why = "a lone `*` is for roles of catalogues only";
        return Err(Refusal::invalid("INVALID_FIELD", field, why));
    }
    match catalogue.expand(pattern) {
        Ok(found) => Ok(Some(found)),
        Err(_) if kept.iter().any(|old| old == pattern) => Ok(None),
        Err(unknown) => Err(Refusal::invalid("UNKNOWN_PERMISSION", field, unknown.to_string())),
    }
}
