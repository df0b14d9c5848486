//! The schema's history, one file a step. A step that has shipped is never edited; steps only add
//! (`edges.md` §7), so that two versions of the program can run side by side.

use sea_orm_migration::prelude::*;

mod m0001_start;
mod m0002_token_origin;
mod m0003_rights_documents;
mod m0004_catalogue_uses;
mod m0005_sessions;
mod m0006_passwords;
mod m0007_service_keys;
mod m0009_identities;
mod m0010_expiring_tokens;
mod m0011_no_expiry_index;
mod m0012_audit;
mod m0013_right_uses;
mod m0014_refused_tries;
mod m0015_activity;
mod m0016_expiry;
mod m0017_ledger_checkpoints;
mod parts;

/// Runs the steps in order. Whoever calls it holds the lock that keeps a second process out.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_start::Migration),
            Box::new(m0002_token_origin::Migration),
            Box::new(m0003_rights_documents::Migration),
            Box::new(m0004_catalogue_uses::Migration),
            Box::new(m0005_sessions::Migration),
            Box::new(m0006_passwords::Migration),
            Box::new(m0007_service_keys::Migration),
            Box::new(m0009_identities::Migration),
            Box::new(m0010_expiring_tokens::Migration),
            Box::new(m0011_no_expiry_index::Migration),
            Box::new(m0012_audit::Migration),
            Box::new(m0013_right_uses::Migration),
            Box::new(m0014_refused_tries::Migration),
            Box::new(m0015_activity::Migration),
            Box::new(m0016_expiry::Migration),
            Box::new(m0017_ledger_checkpoints::Migration),
        ]
    }
}
