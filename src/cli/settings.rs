//! The flags that every command takes. Each stands for one key of the configuration and goes before file and environment.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Problems, Sources};

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct Settings {
    /// A TOML file with settings; else the one that `CHANCERY_CONFIG` names, if any
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where gRPC is served [default: 127.0.0.1:50051]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where metrics and health are served, over HTTP [default: 127.0.0.1:9090]
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// `sqlite://<file>` or `postgres://…`; with a password in it, better said in the environment [default: `sqlite://chancery.db`]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// A file of mode 600 with the master key in base64
    #[arg(long, global = true, value_name = "FILE")]
    master_key_file: Option<String>,
    /// `pretty` or `json`
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl Settings {
    /// Reads file, environment and flags.
    pub(super) fn load(&self) -> Result<Config, Problems> {
        Config::load(Sources {
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
            flags: self.flags(),
        })
    }

    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        let flags = [
            ("listen", &self.listen),
            ("admin_listen", &self.admin_listen),
            ("database_url", &self.database_url),
            ("master_key_file", &self.master_key_file),
            ("log.format", &self.log_format),
            ("log.level", &self.log_level),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}
