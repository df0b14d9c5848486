//! A database as it is after a while: 20 000 users in 2 000 accounts of 200 tenants, and 4 800 tenants without any.
//!
//! The greatest tables have 20 000 rows, or twice as many, or as `CHANCERY_EXPLAIN_ROWS` says in the place of 20 000; the others grow
//! in proportion. The rows are made by the database itself. Nobody loads these tenants, so that what is in no ledger harms nobody.

use crate::meddle::Meddler;

/// Fills a bootstrapped store.
pub(crate) async fn fill(meddler: &Meddler) {
    let filler = Filler::new(meddler);
    filler.tenants().await;
    filler.accounts().await;
    filler.users().await;
    filler.held().await;
    filler.documents().await;
    filler.credentials().await;
    filler.done().await;
    meddler.run("analyze").await;
}

/// How one kind of database writes values. `n` is the number of the row.
struct Filler<'m> {
    meddler: &'m Meddler,
    zeroes: &'static str,
    when: &'static str,
    json: &'static str,
    yes: &'static str,
    /// How many times as many rows there are.
    times: u64,
}

/// Rows of most tables, unless more are wanted.
const USUAL: u64 = 20_000;

fn times() -> u64 {
    let wanted = std::env::var("CHANCERY_EXPLAIN_ROWS").ok();
    wanted.map_or(1, |rows| rows.parse::<u64>().unwrap().div_ceil(USUAL))
}

impl<'m> Filler<'m> {
    fn new(meddler: &'m Meddler) -> Self {
        let times = times();
        if meddler.is_sqlite() {
            let (zeroes, when) = ("zeroblob(32)", "'2026-01-01 00:00:00+00:00'");
            Self { meddler, zeroes, when, json: "'[]'", yes: "1", times }
        } else {
            let (zeroes, when) = ("decode(repeat('00', 32), 'hex')", "timestamptz '2026-01-01'");
            Self { meddler, zeroes, when, json: "'[]'::jsonb", yes: "true", times }
        }
    }

    /// An id: the kind of object, and which one.
    fn id(&self, kind: u8, n: &str) -> String {
        if self.meddler.is_sqlite() {
            format!("unhex(printf('{kind:02x}%030x', {n}))")
        } else {
            format!("cast('{kind:02x}' || lpad(to_hex({n}), 30, '0') as uuid)")
        }
    }

    /// The tenant of an account: the first of ten.
    fn tenant(&self, account: &str) -> String {
        self.id(1, &format!("(({account}) - ({account}) % 10)"))
    }

    fn digest(&self, n: &str) -> String {
        if self.meddler.is_sqlite() {
            format!("unhex(printf('%064x', {n}))")
        } else {
            format!("decode(lpad(to_hex({n}), 64, '0'), 'hex')")
        }
    }

    async fn rows(&self, usual: u64, into: &str, values: &str) {
        let count = usual * self.times;
        let sql = format!(
            "insert into {into} with recursive numbers(n) as \
             (select 0 union all select n + 1 from numbers where n < {count} - 1) select {values} from numbers"
        );
        self.meddler.run(&sql).await;
    }

    async fn tenants(&self) {
        let Self { zeroes, when, .. } = self;
        let values = format!("{}, 100, {zeroes}, {when}", self.id(1, "n"));
        self.rows(5_000, "tenants (id, revision, hash, last_at)", &values).await;
        let values = format!("{}, 50, '', ''", self.id(1, "n"));
        let into = "ledger_checkpoints (tenant_id, revision, body, signature)";
        self.rows(5_000, into, &values).await;
    }

    async fn accounts(&self) {
        let Self { when, json, yes, .. } = self;
        let (id, tenant) = (self.id(1, "n"), self.tenant("n"));
        let values = format!(
            "{id}, case when n % 10 = 0 then (select id from accounts where parent_id is null) else {tenant} end, \
             {tenant}, 'account ' || n, 'e' || n, 'e' || n, 'a' || n, 'a' || n, 'ACTIVE', {when}, {when}"
        );
        let into = "accounts (id, parent_id, tenant_id, display_name, email, email_key, login_alias, \
                    login_alias_key, status, create_time, update_time)";
        self.rows(2_000, into, &values).await;

        let values = format!(
            "{}, {id}, {tenant}, 'role_' || n, 'role_' || n, '', {json}, {json}, {json}, 'account', {json}, {yes}, \
             {when}, {when}",
            self.id(3, "n"),
        );
        let into = "custom_roles (id, account_id, tenant_id, name, name_key, description, permits, \"except\", \
                    includes, reach, assignable_to, active, create_time, update_time)";
        self.rows(2_000, into, &values).await;
    }

    async fn users(&self) {
        let Self { when, json, yes, .. } = self;
        let values = format!(
            "{}, {}, {}, case when n % 10 = 0 then null else {} end, 'ADMIN', 'user ' || n, 'user ' || n, '', '', '', \
             '', {json}, {yes}, {yes}, {when}, {when}",
            self.id(2, "n"),
            self.id(1, "n / 10"),
            self.tenant("n / 10"),
            self.id(2, "n - n % 10"),
        );
        let into = "users (id, account_id, tenant_id, parent_id, kind, user_name, user_name_key, first_name, \
                    last_name, full_name, phone_number, regional_settings, enabled, sso, create_time, update_time)";
        self.rows(20_000, into, &values).await;
    }

    async fn held(&self) {
        let Self { when, json, .. } = self;
        let values = format!(
            "{}, 'core/ROLE_' || (n % 2), '', {}, {}, {when}",
            self.id(2, "n / 2"),
            self.id(1, "n / 20"),
            self.tenant("n / 20"),
        );
        let into = "role_grants (user_id, role, scope_key, account_id, tenant_id, create_time)";
        self.rows(40_000, into, &values).await;

        let values = format!(
            "{}, {}, {}, {}, '', {json}, {json}, {when}, {}",
            self.id(4, "n"),
            self.id(2, "n"),
            self.id(1, "n / 10"),
            self.tenant("n / 10"),
            self.digest("n"),
        );
        let into = "api_tokens (id, user_id, account_id, tenant_id, display_name, scopes, expanded, create_time, \
                    digest)";
        self.rows(20_000, into, &values).await;
    }

    async fn documents(&self) {
        let Self { when, json, yes, .. } = self;
        let values = format!(
            "{}, {}, {}, {}, 'document ' || n, {yes}, {yes}, {json}, {when}, {when}",
            self.id(6, "n"),
            self.id(1, "n / 10"),
            self.tenant("n / 10"),
            self.id(2, "n"),
        );
        let into = "rights_documents (id, account_id, tenant_id, owner_id, name, cascade, is_master, body, \
                    create_time, update_time)";
        self.rows(20_000, into, &values).await;

        let values = format!(
            "{}, {}, {}, {}, {when}",
            self.id(2, "n / 2"),
            self.id(6, "n / 2 + n % 2"),
            self.id(1, "n / 20"),
            self.tenant("n / 20"),
        );
        let into = "assignments (user_id, document_id, account_id, tenant_id, create_time)";
        self.rows(40_000, into, &values).await;
    }

    async fn credentials(&self) {
        let Self { when, yes, .. } = self;
        let (user, session) = (self.id(2, "n"), self.id(7, "n"));
        let values = format!(
            "{session}, {user}, {}, {}, 'PASSWORD', {when}, {when}, {when}, {when}, {yes}, '', ''",
            self.id(1, "n / 10"),
            self.tenant("n / 10"),
        );
        let into = "sessions (id, user_id, account_id, tenant_id, kind, auth_time, create_time, last_used_time, \
                    expire_time, sliding, source, user_agent)";
        self.rows(20_000, into, &values).await;
        let values = format!("{}, {session}, {when}", self.digest("n"));
        self.rows(20_000, "refresh_tokens (digest, session_id, create_time)", &values).await;
        let values = format!("{user}, 'x', {when}");
        self.rows(20_000, "passwords (user_id, hash, change_time)", &values).await;
        let values = format!("{}, 1, {when}, {when}", self.digest("n"));
        let into = "sign_in_failures (key, count, last_time, until)";
        self.rows(20_000, into, &values).await;
        let values = format!("{user}, 'source ' || n, {when}");
        self.rows(20_000, "sign_in_sources (user_id, source, last_time)", &values).await;
        let values = format!(
            "{}, {user}, 'RESET', '', {}, {when}, {when}, 1",
            self.id(8, "n"),
            self.digest("n")
        );
        let into =
            "outbox (id, user_id, kind, return_uri, digest, create_time, expire_time, tries)";
        self.rows(20_000, into, &values).await;
        let values = format!("{}, {}, {when}", self.id(9, "n"), self.digest("n"));
        self.rows(20_000, "assertions (key_id, jti, expire_time)", &values).await;
        let values = format!("{user}, 'shop.act' || n, {when}");
        self.rows(20_000, "right_uses (user_id, permission, last_used_time)", &values).await;
    }

    async fn done(&self) {
        let Self { when, .. } = self;
        let values = format!(
            "{}, {}, {}, {}, 'DENIED', 'X', 'source', 1, {when}, {when}",
            self.id(10, "n"),
            self.tenant("n / 10"),
            self.id(1, "n / 10"),
            self.id(2, "n"),
        );
        let into =
            "activity (id, tenant_id, account_id, user_id, kind, what, source, count, at, last_at)";
        self.rows(20_000, into, &values).await;

        let Self { zeroes, when, json, .. } = self;
        let tenant = self.id(1, "n / 100 * 10");
        let values = format!(
            "{tenant}, n % 100 + 1, 0, {tenant}, {when}, 'user.update', 'user/' || n, {zeroes}, {zeroes}, 1, {zeroes}"
        );
        let into = "ledger (tenant_id, revision, ordinal, account_id, at, kind, entity, prev_hash, hash, format, \
                    body)";
        self.rows(20_000, into, &values).await;

        let values = format!(
            "{}, {}, 'X', {}, {zeroes}, {}, 1, {zeroes}, 1, {json}, {when}",
            self.id(2, "n"),
            self.id(0, "0"),
            self.id(5, "n"),
            self.tenant("n / 10"),
        );
        let into = "idempotency (caller, acting_as, rpc, request_id, body_mac, tenant_id, revision, hash, \
                    platform_revision, outcome, at)";
        self.rows(20_000, into, &values).await;
    }
}
