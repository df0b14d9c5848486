//! Tenants with their ledgers, accounts, users, roles, API tokens, catalogues, remembered requests.
//!
//! Unique indexes are named `<table>_<column>`, as SQLite names the same fault (`table.column`): the store
//! tells by that name what was taken. Keys ending in `_key` are folded by the program, never by a collation.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, blob, boolean, integer, json_binary, small_integer, string, string_null, text,
    text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    var_binary,
};

use crate::parts::{index, key, refers};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Every table of this step; a table stands before those that refer to it.
const TABLES: [&str; 10] = [
    "tenants",
    "accounts",
    "users",
    "custom_roles",
    "role_grants",
    "api_tokens",
    "catalogue_files",
    "ledger",
    "idempotency",
    "service_state",
];

/// Name, table and columns of every index that is not unique: one for each query.
const INDEXES: [(&str, &str, &[&str]); 13] = [
    ("accounts_by_parent", "accounts", &["parent_id", "id"]),
    ("accounts_by_tenant", "accounts", &["tenant_id", "id"]),
    ("users_by_account", "users", &["account_id", "id"]),
    ("users_by_parent", "users", &["parent_id", "id"]),
    ("users_by_tenant", "users", &["tenant_id", "id"]),
    ("custom_roles_by_tenant", "custom_roles", &["tenant_id", "id"]),
    ("role_grants_by_role", "role_grants", &["role", "user_id"]),
    ("role_grants_by_tenant", "role_grants", &["tenant_id", "user_id"]),
    ("api_tokens_by_user", "api_tokens", &["user_id", "id"]),
    ("api_tokens_by_tenant", "api_tokens", &["tenant_id", "user_id"]),
    ("ledger_by_account", "ledger", &["account_id", "revision", "ordinal"]),
    ("ledger_by_entity", "ledger", &["tenant_id", "entity", "revision", "ordinal"]),
    ("idempotency_by_time", "idempotency", &["at"]),
];

/// Name, table and columns of every unique index. Primary keys need none.
const UNIQUE: [(&str, &str, &[&str]); 5] = [
    ("accounts_email_key", "accounts", &["email_key"]),
    ("accounts_login_alias_key", "accounts", &["login_alias_key"]),
    ("users_user_name_key", "users", &["account_id", "user_name_key"]),
    ("custom_roles_name_key", "custom_roles", &["account_id", "name_key"]),
    ("api_tokens_digest", "api_tokens", &["digest"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            tenants(),
            accounts(),
            users(),
            custom_roles(),
            role_grants(),
            api_tokens(),
            catalogue_files(),
            ledger(),
            idempotency(),
            service_state(),
        ] {
            manager.create_table(table).await?;
        }
        for (name, table, columns) in UNIQUE {
            manager.create_index(index(name, table, columns).unique().take()).await?;
        }
        for (name, table, columns) in INDEXES {
            manager.create_index(index(name, table, columns)).await?;
        }
        // From this version of the program on, the store can be read.
        let first = Query::insert()
            .into_table("service_state")
            .columns(["key", "value"])
            .values_panic(["min_reader".into(), "1".into()])
            .take();
        manager.execute(first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

fn tenants() -> TableCreateStatement {
    Table::create()
        .table("tenants")
        .col(uuid("id").primary_key())
        .col(big_integer("revision"))
        .col(var_binary("hash", 32))
        .col(timestamp_with_time_zone("last_at"))
        .take()
}

fn accounts() -> TableCreateStatement {
    Table::create()
        .table("accounts")
        .col(uuid("id").primary_key())
        .col(uuid_null("parent_id"))
        .col(uuid("tenant_id"))
        .col(text("display_name"))
        .col(text_null("email"))
        .col(text_null("email_key"))
        .col(text_null("login_alias"))
        .col(text_null("login_alias_key"))
        .col(text_null("role"))
        .col(string("status"))
        .col(uuid_null("suspended_from"))
        .col(uuid_null("quarantined_from"))
        .col(uuid_null("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .foreign_key(&mut refers("accounts", "parent_id", "accounts"))
        .take()
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(uuid_null("parent_id"))
        .col(string("kind"))
        .col(text("user_name"))
        .col(text("user_name_key"))
        .col(text("first_name"))
        .col(text("last_name"))
        .col(text("full_name"))
        .col(text_null("email"))
        .col(text("phone_number"))
        .col(json_binary("regional_settings"))
        .col(boolean("enabled"))
        .col(boolean("sso"))
        .col(text_null("application"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .col(timestamp_with_time_zone_null("delete_time"))
        .foreign_key(&mut refers("users", "account_id", "accounts"))
        .take()
}

fn custom_roles() -> TableCreateStatement {
    Table::create()
        .table("custom_roles")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(text("name"))
        .col(text("name_key"))
        .col(text("description"))
        .col(json_binary("permits"))
        .col(json_binary("except"))
        .col(json_binary("includes"))
        .col(string("reach"))
        .col(string_null("on"))
        .col(text_null("when"))
        .col(json_binary("assignable_to"))
        .col(boolean("active"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .foreign_key(&mut refers("custom_roles", "account_id", "accounts"))
        .take()
}

/// The key of a grant is (user, role, scope). A scope can be longer than an index takes, so the key holds its
/// SHA-256 in hex; nothing for a grant without one.
fn role_grants() -> TableCreateStatement {
    Table::create()
        .table("role_grants")
        .col(uuid("user_id"))
        .col(string("role"))
        .col(string("scope_key"))
        .col(text_null("scope"))
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(timestamp_with_time_zone_null("expire_time"))
        .col(timestamp_with_time_zone("create_time"))
        .col(uuid_null("created_by"))
        .primary_key(&mut key("role_grants_user_id", &["user_id", "role", "scope_key"]))
        .foreign_key(&mut refers("role_grants", "user_id", "users"))
        .take()
}

/// A token that was ended keeps its row, with `end_time`: whoever still sends it is told that it was revoked.
fn api_tokens() -> TableCreateStatement {
    Table::create()
        .table("api_tokens")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(uuid("account_id"))
        .col(uuid("tenant_id"))
        .col(text("display_name"))
        .col(json_binary("scopes"))
        .col(json_binary("expanded"))
        .col(uuid_null("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone_null("expire_time"))
        .col(var_binary("digest", 32))
        .col(timestamp_with_time_zone_null("last_used_time"))
        .col(timestamp_with_time_zone_null("end_time"))
        .foreign_key(&mut refers("api_tokens", "user_id", "users"))
        .take()
}

fn catalogue_files() -> TableCreateStatement {
    Table::create()
        .table("catalogue_files")
        .col(string("name").primary_key())
        .col(integer("version"))
        .col(text("yaml"))
        .take()
}

/// `body` is what was hashed; the columns beside it are copies to search by (`entity`: its beginning).
fn ledger() -> TableCreateStatement {
    Table::create()
        .table("ledger")
        .col(uuid("tenant_id"))
        .col(big_integer("revision"))
        .col(integer("ordinal"))
        .col(uuid("account_id"))
        .col(timestamp_with_time_zone("at"))
        .col(uuid_null("actor"))
        .col(string("kind"))
        .col(text("entity"))
        .col(uuid_null("request_id"))
        .col(var_binary("prev_hash", 32))
        .col(var_binary("hash", 32))
        .col(small_integer("format"))
        .col(blob("body"))
        .primary_key(&mut key("ledger_tenant_id", &["tenant_id", "revision", "ordinal"]))
        .take()
}

/// `acting_as` is the nil UUID where nobody is assumed, since a key holds no nulls.
fn idempotency() -> TableCreateStatement {
    Table::create()
        .table("idempotency")
        .col(uuid("caller"))
        .col(uuid("acting_as"))
        .col(string("rpc"))
        .col(uuid("request_id"))
        .col(var_binary("body_mac", 32))
        .col(uuid("tenant_id"))
        .col(big_integer("revision"))
        .col(var_binary("hash", 32))
        .col(big_integer("platform_revision"))
        .col(json_binary("outcome"))
        .col(timestamp_with_time_zone("at"))
        .primary_key(&mut key("idempotency_caller", &["caller", "acting_as", "rpc", "request_id"]))
        .take()
}

fn service_state() -> TableCreateStatement {
    Table::create()
        .table("service_state")
        .col(string("key").primary_key())
        .col(text("value"))
        .take()
}
