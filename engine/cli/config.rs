//! `placet.toml` with the environment over it.

use crate::env;
use crate::findings::Found;
use placet_language::{
    Override, Source, check_project, check_project_with, project_keys, unknown_override,
};
use placet_model::project::ProjectConfig;
use serde_json::Value;

/// What the operator's file and the environment say together.
#[derive(Debug)]
pub(crate) struct Config {
    /// None when something in it cannot be used.
    pub(crate) value: Option<ProjectConfig>,
    /// The file and what was found in it, then each variable in which something was found.
    pub(crate) found: Vec<Found>,
    /// Which variable takes the place of what, a line each.
    pub(crate) overrides: Vec<String>,
}

/// Reads the file's text and the environment.
pub(crate) fn read(source: Source) -> Config {
    let overrides: Vec<Override> = project_keys()
        .filter_map(|key| {
            let name = env::of_key(key.path);
            let text = env::of(&name)?;
            Some(Override { key: key.path, source: Source::new(name, text) })
        })
        .collect();
    let checked = check_project_with(&source, &overrides);
    let lines = told(&source, &overrides, checked.config.as_ref());
    let mut found = vec![Found { source, diagnostics: checked.diagnostics }];
    for (given, diagnostics) in overrides.into_iter().zip(checked.overridden) {
        if !diagnostics.is_empty() {
            found.push(Found { source: given.source, diagnostics });
        }
    }
    found.extend(strangers());
    Config { value: checked.config, found, overrides: lines }
}

/// `PLACET_LIMITS_STEPS_MAX: limits.steps_max is 70, not 50`.
fn told(source: &Source, overrides: &[Override], config: Option<&ProjectConfig>) -> Vec<String> {
    let file = check_project(source).0;
    let line = |given: &Override| {
        let key = project_keys().find(|key| key.path == given.key)?;
        let (name, path) = (given.source.name(), key.path);
        let line = match (config, &file) {
            (Some(config), Some(file)) => {
                let (now, then) = (shown(path, &key.value(config)), shown(path, &key.value(file)));
                format!("{name}: {path} is {now}, not {then}")
            }
            _ => format!("{name} takes the place of {path}"),
        };
        Some(line)
    };
    overrides.iter().filter_map(line).collect()
}

/// A value for people. An address of NATS may hold a password.
fn shown(path: &str, value: &Value) -> String {
    match value {
        Value::Null => "unset".to_owned(),
        Value::String(_) if path == "nats.url" => "set".to_owned(),
        value => value.to_string(),
    }
}

/// Variables that look like those of keys and are none.
fn strangers() -> Vec<Found> {
    let known: Vec<String> = project_keys().map(|key| env::of_key(key.path)).collect();
    let mut tables: Vec<&str> =
        project_keys().filter_map(|key| key.path.split_once('.')).map(|(table, _)| table).collect();
    tables.dedup();
    let found = env::strangers(&tables, &known).into_iter().map(|(name, value)| {
        let source = Source::new(name, value);
        let diagnostics = vec![unknown_override(&source, &known)];
        Found { source, diagnostics }
    });
    found.collect()
}
