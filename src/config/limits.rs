//! What a caller may use up, and what is there for it.

use serde::{Deserialize, Serialize};

/// What a caller may use up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Changes a principal a minute; 0 = as many as it likes.
    pub changes_per_minute: u32,
    /// Sign-ins from one source a minute; 0 = as many as come, as where changes are not limited.
    pub sign_ins_per_minute: u32,
    /// Levels of the account tree; the root is the first.
    pub account_depth: usize,
    /// Levels of a forest of users.
    pub user_depth: usize,
    /// The most rights documents that are assigned to one user.
    pub documents_per_user: usize,
    /// The longest message, in bytes.
    pub message_bytes: usize,
    /// Threads that answer, each with its own connections; 0 = one for each processor.
    pub answering_threads: usize,
    /// Requests worked on at once.
    pub in_flight: usize,
    /// How long a request may take that names no `grpc-timeout`, in seconds.
    pub request_seconds: u64,
    /// How long a request may take whatever it names, in seconds.
    pub request_max_seconds: u64,
    /// How long a request's body may take to arrive, and a new connection's first byte, in seconds.
    pub body_seconds: u64,
    /// How long nothing may be read from a stream of changes before it is given up, in seconds.
    pub stall_seconds: u64,
    /// Requests at once on one connection.
    pub streams_per_connection: u32,
    /// Connections at once from one address (IPv6: from one /64).
    pub connections_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            changes_per_minute: 120,
            sign_ins_per_minute: 60,
            account_depth: 8,
            user_depth: 32,
            documents_per_user: 1000,
            message_bytes: 4 << 20,
            answering_threads: 0,
            in_flight: 1024,
            request_seconds: 10,
            request_max_seconds: 60,
            body_seconds: 5,
            stall_seconds: 60,
            streams_per_connection: 100,
            connections_per_source: 64,
        }
    }
}
