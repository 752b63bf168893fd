//! Every environment variable that the command line reads, each declared once. The key directory's
//! is `placet_log::KEY_DIR_VARIABLE`. Every key of `placet.toml` has one as well, by [`of_key`].

use placet_log::KEY_DIR_VARIABLE;

/// What the engine says of itself on stderr, in the syntax of tracing's filters.
pub(crate) const LOG: &str = "PLACET_LOG";
/// What it says without that: warnings, but of NATS, whose state `dev` tells in its own words.
pub(crate) const LOG_DEFAULT: &str = "warn,placet_bus=off,async_nats=off";
/// URL of the engine to talk to, when neither `--server` nor `--data` says otherwise.
pub(crate) const SERVER: &str = "PLACET_SERVER";
/// Token with which to talk to it; without it the one that is kept for its URL.
pub(crate) const TOKEN: &str = "PLACET_TOKEN";
/// Seed of the nkey with which the NATS server knows this user or engine, unless `nats.seed_env`
/// names another variable.
pub(crate) const NATS_SEED: &str = "PLACET_NATS_SEED";
/// The key that seals the vault, from the environment: 64 hexadecimal digits.
pub(crate) const VAULT_KEY: &str = "PLACET_VAULT_KEY";
/// The one of before, while a rotation leads away from it.
pub(crate) const VAULT_KEY_OLD: &str = "PLACET_VAULT_KEY_OLD";
/// A file that somebody else makes, with that key.
pub(crate) const VAULT_KEY_FILE: &str = "PLACET_VAULT_KEY_FILE";
/// The file of before, while a rotation leads away from it.
pub(crate) const VAULT_KEY_FILE_OLD: &str = "PLACET_VAULT_KEY_FILE_OLD";
/// A command that wraps and unwraps that key, as a JSON list of its words.
pub(crate) const VAULT_KEY_COMMAND: &str = "PLACET_VAULT_KEY_COMMAND";
/// Where a user's state lives (XDG base directories).
pub(crate) const STATE_HOME: &str = "XDG_STATE_HOME";
/// The user's home directory.
pub(crate) const HOME: &str = "HOME";
/// The address of a collector of traces, where `telemetry.otlp.endpoint` says nothing; this and the next
/// ones are those of OpenTelemetry.
pub(crate) const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The whole address for traces, before the other one.
pub(crate) const OTLP_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Headers for it, `name=value` with commas between them; they may hold a secret.
pub(crate) const OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// How it is spoken to: `http/json`.
pub(crate) const OTLP_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// Under which name we are known to it.
pub(crate) const OTLP_SERVICE: &str = "OTEL_SERVICE_NAME";
/// `true`: nothing is told, whatever the others say.
pub(crate) const OTLP_DISABLED: &str = "OTEL_SDK_DISABLED";
/// Set to anything: no colours (no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// Variables of ours that take the place of no key.
const OWN: [&str; 10] = [
    LOG,
    SERVER,
    TOKEN,
    NATS_SEED,
    KEY_DIR_VARIABLE,
    VAULT_KEY,
    VAULT_KEY_OLD,
    VAULT_KEY_FILE,
    VAULT_KEY_FILE_OLD,
    VAULT_KEY_COMMAND,
];

/// The variable that takes the place of a key of `placet.toml`: `PLACET_` and the key's path in
/// capitals, with `_` for the dot. `limits.steps_max` → `PLACET_LIMITS_STEPS_MAX`. An empty one
/// counts as none; lists are separated by commas.
pub(crate) fn of_key(path: &str) -> String {
    format!("PLACET_{}", path.replace('.', "_").to_uppercase())
}

/// Its value, where it has one.
pub(crate) fn of(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Variables that begin like those of one of these tables and are none of `known`, with their
/// values.
pub(crate) fn strangers(tables: &[&str], known: &[String]) -> Vec<(String, String)> {
    let starts: Vec<String> = tables.iter().map(|table| of_key(table) + "_").collect();
    let is_strange = |name: &str| {
        starts.iter().any(|start| name.starts_with(start))
            && !OWN.contains(&name)
            && !known.iter().any(|known| known == name)
    };
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_strange(name))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_language::project_keys;

    #[test]
    fn no_keys_variable_is_one_of_our_own_or_another_keys() {
        let mut names: Vec<String> = project_keys().map(|key| of_key(key.path)).collect();
        assert!(names.iter().all(|name| !OWN.contains(&name.as_str())));
        assert!(names.contains(&"PLACET_LIMITS_STEPS_MAX".to_owned()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
