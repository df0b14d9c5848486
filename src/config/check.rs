//! What the values must be: bounds, and what two settings have to do with one another.

use std::net::SocketAddr;

use secrecy::ExposeSecret as _;

use super::{Config, Problem};
use crate::crypto::KeyRing;
use crate::layers::Sources;
use crate::store::Engine;

/// A key, its value, and the least and the most that it may be.
type Bounded = (&'static str, u64, u64, u64);

impl Config {
    /// Lists everything that is wrong with the values.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.bounded().into_iter().filter_map(out_of_bounds).collect();
        problems.extend(self.order());
        problems.extend(self.doors());
        problems.extend(self.keys());
        let bases = [("base_url", &self.base_url)].into_iter();
        let returns = self.links.return_uris.iter().map(|uri| ("links.return_uris", uri));
        for (key, uri) in bases.chain(returns) {
            if !["http://", "https://"].iter().any(|scheme| uri.starts_with(scheme)) {
                let why = format!("`{uri}` begins with neither `https://` nor `http://`");
                problems.push(problem(key, why));
            }
        }
        problems.extend(self.mail.sender(self.store().engine().ok()).err());
        problems.extend(self.sso.check());
        problems.extend(self.ledger.check());
        problems.extend(self.decision_log.config(&self.telemetry).err());
        problems.extend(self.shares());
        problems.extend(self.beside());
        problems.extend(self.mesh.check());
        problems.extend(self.tls.check(!self.mesh.proxies.is_empty()));
        if let Err(why) = Sources::trusting(&self.trusted_proxies) {
            problems.push(problem("trusted_proxies", why.to_string()));
        }
        if let Err(why) = self.passwords.cost().check() {
            problems.push(problem("passwords.hash_memory_kib", why.to_string()));
        }
        if let Err(why) = self.log.check() {
            problems.push(problem("log.level", why.to_string()));
        }
        problems
    }

    fn bounded(&self) -> [Bounded; 38] {
        let (limits, store, passwords) = (&self.limits, &self.store, &self.passwords);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        [
            ("staleness_ms", self.staleness_ms, 100, 30_000),
            ("poll_ms", self.poll_ms, 10, 500),
            ("mesh.answer_ms", self.mesh.answer_ms, 10, 10_000),
            ("tokens.key_days", self.tokens.key_days.into(), 1, 3_650),
            ("limits.changes_per_minute", limits.changes_per_minute.into(), 0, 1_000_000),
            ("limits.sign_ins_per_minute", limits.sign_ins_per_minute.into(), 0, 1_000_000),
            ("limits.account_depth", count(limits.account_depth), 1, 64),
            ("limits.user_depth", count(limits.user_depth), 1, 256),
            ("limits.documents_per_user", count(limits.documents_per_user), 1, 100_000),
            ("limits.message_bytes", count(limits.message_bytes), 4 << 10, 64 << 20),
            ("limits.answering_threads", count(limits.answering_threads), 0, 1_024),
            ("limits.in_flight", count(limits.in_flight), 1, 1_000_000),
            ("limits.request_seconds", limits.request_seconds, 1, 3_600),
            ("limits.request_max_seconds", limits.request_max_seconds, 1, 3_600),
            ("limits.body_seconds", limits.body_seconds, 1, 60),
            ("limits.stall_seconds", limits.stall_seconds, 1, 600),
            ("limits.streams_per_connection", limits.streams_per_connection.into(), 1, 10_000),
            ("limits.connections_per_source", count(limits.connections_per_source), 1, 65_535),
            ("passwords.hash_memory_kib", passwords.hash_memory_kib.into(), 7_168, 1 << 20),
            ("passwords.hash_passes", passwords.hash_passes.into(), 1, 64),
            ("passwords.hash_threads", count(passwords.hash_threads), 0, 1_024),
            ("passwords.queue", count(passwords.queue), 1, 100_000),
            ("passwords.queue_seconds", passwords.queue_seconds, 1, 60),
            ("store.write_connections", store.write_connections.into(), 1, 1_000),
            ("store.load_connections", store.load_connections.into(), 1, 1_000),
            ("store.credential_connections", store.credential_connections.into(), 1, 1_000),
            ("store.acquire_timeout_ms", store.acquire_timeout_ms, 100, 60_000),
            ("telemetry.slow_ms", self.telemetry.slow_ms, 0, 3_600_000),
            ("telemetry.otlp_figures_seconds", self.telemetry.otlp_figures_seconds, 0, 3_600),
            ("decision_log.file_bytes", self.decision_log.file_bytes, 4 << 10, 1 << 40),
            ("decision_log.file_keep", self.decision_log.file_keep.into(), 0, 1_000),
            ("decision_log.remember", count(self.decision_log.remember), 0, 1_000_000),
            ("ledger.verify_hours", self.ledger.verify_hours.into(), 0, 8_760),
            ("ledger.look_ms", self.ledger.look_ms, 10, 3_600_000),
            ("ledger.keep_days", self.ledger.keep_days.into(), 0, 36_500),
            ("activity.keep_days", self.activity.keep_days.into(), 1, 3_650),
            ("shutdown.drain_ms", self.shutdown.drain_ms, 0, 60_000),
            ("shutdown.hard_seconds", self.shutdown.hard_seconds, 1, 600),
        ]
    }

    /// Values that are a part of a whole.
    fn shares(&self) -> Vec<Problem> {
        let shares = [
            ("telemetry.sample", self.telemetry.sample),
            ("decision_log.permits", self.decision_log.permits),
        ];
        let wrong = shares.into_iter().filter(|(_, share)| !(0.0..=1.0).contains(share));
        wrong.map(|(key, share)| problem(key, format!("{share} is not from 0 to 1"))).collect()
    }

    /// Values that must not be larger than another.
    fn order(&self) -> Vec<Problem> {
        let pairs = [
            ("poll_ms", self.poll_ms, "staleness_ms", self.staleness_ms),
            (
                "limits.request_seconds",
                self.limits.request_seconds,
                "limits.request_max_seconds",
                self.limits.request_max_seconds,
            ),
            (
                "shutdown.drain_ms",
                self.shutdown.drain_ms,
                "shutdown.hard_seconds",
                self.shutdown.hard_seconds.saturating_mul(1_000),
            ),
        ];
        let wrong = pairs.into_iter().filter(|(_, less, _, more)| less > more);
        wrong.map(|(key, _, other, _)| problem(key, format!("is longer than {other}"))).collect()
    }

    fn doors(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_far = |address: SocketAddr| {
            !address.ip().to_canonical().is_loopback() && !self.allow_plaintext
        };
        if is_far(self.listen) && self.tls.config().is_none() {
            let why = format!(
                "`{}` can be reached from elsewhere, and gRPC is served in plain text, so that tokens could be read on \
                 the way: listen on loopback, give a certificate (`tls.cert_file`, `tls.key_file`), or, where a mesh or \
                 a proxy encrypts, say `allow_plaintext = true` (CHANCERY_ALLOW_PLAINTEXT=true)",
                self.listen
            );
            problems.push(problem("listen", why));
        }
        if is_far(self.admin_listen) {
            let why = format!(
                "`{}` can be reached from elsewhere, and figures, health and the keys that tokens are verified with are \
                 shown there in plain text: listen on loopback, or, where only probes and scrapers get there, say \
                 `allow_plaintext = true` (CHANCERY_ALLOW_PLAINTEXT=true)",
                self.admin_listen
            );
            problems.push(problem("admin_listen", why));
        }
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            let why = "is the same as listen: give it a port of its own".to_owned();
            problems.push(problem("admin_listen", why));
        }
        problems
    }

    fn keys(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.master_key.is_some() && self.master_key_file.is_some() {
            let why = "is given, and master_key_file as well: keep one of them".to_owned();
            problems.push(problem("master_key", why));
        } else if let Some(key) = &self.master_key
            && let Err(why) = KeyRing::from_base64(key.expose_secret())
        {
            problems.push(problem("master_key", why.to_string()));
        }
        let without = self.master_key.is_none() && self.master_key_file.is_none();
        match self.store().engine() {
            Err(why) => problems.push(problem(
                "database_url",
                format!("{why}; it is `sqlite://<file>` or `postgres://<user>@<host>/<database>`"),
            )),
            Ok(Engine::Postgres) if without => problems.push(problem(
                "master_key",
                "is needed on Postgres, the same for every replica: make one with `openssl rand -base64 32` and give \
                 it as CHANCERY_MASTER_KEY, or in a file of mode 600 that master_key_file names"
                    .to_owned(),
            )),
            Ok(Engine::Postgres | Engine::Sqlite) => {}
        }
        problems
    }
}

fn out_of_bounds((key, value, least, most): Bounded) -> Option<Problem> {
    let why = || format!("{value} is not from {least} to {most}");
    (value < least || value > most).then(|| problem(key, why()))
}

pub(super) fn problem(key: &str, why: String) -> Problem {
    Problem { key: key.to_owned(), why }
}
