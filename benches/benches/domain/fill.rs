//! The tenants as rows, put into SQLite past the program, so that they are in no ledger.

use benches::stored::Stored;
use chancery::model::{AccountId, UserId};
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use super::{ACCOUNTS, EACH, ROLES, USERS};

const WHEN: &str = "'2026-01-01 00:00:00+00:00'";

/// The account of a user of a tenant.
pub(crate) fn account_id(tenant: usize, user: usize) -> AccountId {
    AccountId(numbered(1, tenant * ACCOUNTS + user / USERS))
}

/// A user of a tenant.
pub(crate) fn user_id(tenant: usize, user: usize) -> UserId {
    UserId(numbered(2, tenant * EACH + user))
}

const fn numbered(kind: u128, n: usize) -> Uuid {
    Uuid::from_u128((kind << 120) | n as u128)
}

/// The same in SQL.
fn id(kind: usize, n: &str) -> String {
    format!("unhex(printf('{kind:02x}%030x', {n}))")
}

pub(crate) async fn fill(stored: &Stored, tenants: usize) {
    let db = stored.database().await;
    let rows = async |count: usize, into: &str, values: String| {
        let sql = format!(
            "insert into {into} with recursive numbers(n) as \
             (select 0 union all select n + 1 from numbers where n + 1 < {count}) select {values} from numbers, \
             (select id as root, regional_settings as settings, kind as admin from users where user_name = 'admin')"
        );
        db.execute_unprepared(&sql).await.unwrap();
    };
    let values = format!("{}, 1, zeroblob(32), {WHEN}", id(1, &format!("n * {ACCOUNTS}")));
    rows(tenants, "tenants (id, revision, hash, last_at)", values).await;

    let (own, above) = (id(1, "n"), id(1, "n - 1"));
    let tenant = |n: &str| id(1, &format!("({n}) - ({n}) % {ACCOUNTS}"));
    let values = format!(
        "{own}, case when n % {ACCOUNTS} = 0 then (select id from accounts where parent_id is null) else {above} end, \
         {}, 'account ' || n, 'ACTIVE', {WHEN}, {WHEN}",
        tenant("n"),
    );
    let into =
        "accounts (id, parent_id, tenant_id, display_name, status, create_time, update_time)";
    rows(tenants * ACCOUNTS, into, values).await;

    let of = format!("n / {USERS}");
    let (user, account, tenant) = (id(2, "n"), id(1, &of), tenant(&of));
    let users = tenants * EACH;
    let values = format!(
        "{user}, {account}, {tenant}, null, admin, 'u' || n, 'u' || n, '', '', '', '', settings, 1, 0, {WHEN}, {WHEN}"
    );
    let into = "users (id, account_id, tenant_id, parent_id, kind, user_name, user_name_key, first_name, last_name, \
                full_name, phone_number, regional_settings, enabled, sso, create_time, update_time)";
    rows(users, into, values).await;

    for role in ROLES {
        let values = format!("{user}, '{role}', '', {account}, {tenant}, {WHEN}");
        let into = "role_grants (user_id, role, scope_key, account_id, tenant_id, create_time)";
        rows(users, into, values).await;
    }

    let (before, behind) = (
        r#"'{"resource_permissions":[{"resource_type":"gate_group","resource_id":"'"#,
        r#"'","permissions":["read","update"],"cascade":true}]}'"#,
    );
    let body = format!("{before} || (n % {EACH}) || {behind}");
    let document = id(6, "n");
    let values = format!(
        "{document}, {account}, {tenant}, {user}, 'document', 0, 0, {body}, {WHEN}, {WHEN}"
    );
    let into = "rights_documents (id, account_id, tenant_id, owner_id, name, cascade, is_master, body, create_time, \
                update_time)";
    rows(users, into, values).await;
    let values = format!("{user}, {document}, {account}, {tenant}, {WHEN}");
    let into = "assignments (user_id, document_id, account_id, tenant_id, create_time)";
    rows(users, into, values).await;
    db.close().await.unwrap();
}
