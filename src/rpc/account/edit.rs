//! From the wire's account to what is to be made or changed.

use prost_types::FieldMask;
use tonic::Status;

use crate::layers::status::bad_field;
use crate::model::AccountId;
use crate::proto::v1 as pb;
use crate::rpc::wire::field;
use crate::store::{AccountPatch, Edit, NewAccount, UniqueText};

/// What `UpdateAccount` changes.
const CHANGEABLE: [&str; 3] = ["display_name", "email", "login_alias"];

/// The other fields of an account, and what changes each.
const READ_ONLY: [(&str, &str); 13] = [
    ("account_id", "is given by the service and never changes"),
    ("parent_account_id", "is changed by MoveAccount"),
    ("tenant_id", "never changes"),
    ("role", "is changed by SetAccountRole"),
    ("status", "is changed by SuspendAccount, ResumeAccount and CloseAccount"),
    ("quarantined", "is changed by QuarantineAccount and ReleaseAccount"),
    ("effective_status", "follows from the status of the account and of those above it"),
    ("login_uri", "follows from login_alias"),
    ("depth", "is changed by MoveAccount"),
    ("created_by", "never changes"),
    ("create_time", "never changes"),
    ("update_time", "is kept by the service"),
    ("etag", "is kept by the service"),
];

/// Reads what a new account is to be.
pub(super) fn new_account(parent: AccountId, account: pb::Account) -> Result<NewAccount, Status> {
    let status = account.status.map(pb::AccountStatus::try_from).transpose().ok().flatten();
    let pending = match status.unwrap_or_default() {
        pb::AccountStatus::Unspecified | pb::AccountStatus::Active => false,
        pb::AccountStatus::Pending => true,
        _ => return Err(bad_field("INVALID_FIELD", "account.status", "must be ACTIVE or PENDING")),
    };
    Ok(NewAccount {
        parent,
        display_name: account.display_name.filter(|name| !name.is_empty()).ok_or_else(unnamed)?,
        email: unique("account.email", account.email.as_deref())?,
        login_alias: alias(account.login_alias.as_deref())?,
        role: Some(account.role).filter(|role| !role.is_empty()),
        pending,
    })
}

/// Reads a login alias, which is never what could be an account's id: sign-in takes either.
fn alias(text: Option<&str>) -> Result<Option<UniqueText>, Status> {
    if text.is_some_and(|text| text.to_ascii_lowercase().starts_with("acc_")) {
        let why = "must not begin with `acc_`, as ids do";
        return Err(bad_field("INVALID_FIELD", "account.login_alias", why));
    }
    unique("account.login_alias", text)
}

/// Reads what is to change. Without a mask, or under `*`, what this RPC does not change is passed over.
pub(super) fn patch(
    account: pb::Account,
    mask: Option<&FieldMask>,
) -> Result<AccountPatch, Status> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let all = paths == ["*"];
    if !all {
        paths.iter().try_for_each(|path| check(path))?;
    }
    let named = |field: &str| all || paths.iter().any(|path| path == field);
    let email = unique("account.email", account.email.as_deref())?;
    let alias = alias(account.login_alias.as_deref())?;
    if named("display_name") && account.display_name.is_none() {
        return Err(unnamed());
    }
    let set = |field: &str| paths.is_empty() || named(field);
    Ok(AccountPatch {
        display_name: account.display_name.filter(|_| set("display_name")),
        email: edit(email, set("email"), named("email")),
        login_alias: edit(alias, set("login_alias"), named("login_alias")),
    })
}

/// Refuses a path of the mask that names nothing that this RPC changes.
fn check(path: &str) -> Result<(), Status> {
    if CHANGEABLE.contains(&path) {
        return Ok(());
    }
    if let Some((field, why)) = READ_ONLY.iter().find(|(field, _)| *field == path) {
        return Err(bad_field("FIELD_READ_ONLY", "update_mask", format!("`{field}` {why}")));
    }
    let known = CHANGEABLE.join("`, `");
    let why = format!("`{path}` is none of `{known}`, nor `*` alone");
    Err(bad_field("INVALID_FIELD", "update_mask", why))
}

/// A field that is set changes to that; one that is named and left absent goes.
fn edit(new: Option<UniqueText>, set: bool, named: bool) -> Edit<UniqueText> {
    match new.filter(|_| set) {
        Some(new) => Edit::To(new),
        None if named => Edit::Clear,
        None => Edit::Keep,
    }
}

fn unique(name: &str, text: Option<&str>) -> Result<Option<UniqueText>, Status> {
    text.map(|text| field(name, text)).transpose()
}

fn unnamed() -> Status {
    bad_field("INVALID_FIELD", "account.display_name", "must not be empty: people know it by this")
}
