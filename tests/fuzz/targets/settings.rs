//! Settings, as they stand in the environment.

use chancery::config::{Config, Sources};

use super::text;

/// Settings that are taken can be shown, without what is secret in them.
///
/// An input is a line for each: a key, `=`, and its value.
pub(super) fn settings(input: &[u8]) {
    let lines = text(input).lines().filter_map(|line| line.split_once('='));
    let variables = lines.map(|(key, value)| {
        let name = format!("CHANCERY_{}", key.to_ascii_uppercase());
        (name.into(), value.replace('\0', "").into())
    });
    // Which file is read is no decoder's business.
    let environment = variables.filter(|(name, _)| *name != "CHANCERY_CONFIG").collect();
    match Config::load(Sources { environment, ..Sources::default() }) {
        Ok(config) => {
            let shown = config.to_toml().expect("what was read is written");
            assert!(shown.parse::<toml::Table>().is_ok());
            assert!(!shown.contains("hush"), "{shown}");
            let _ = (config.store(), config.key_source(), config.server());
        }
        Err(problems) => assert!(!problems.0.is_empty() && !problems.to_string().is_empty()),
    }
}
