//! `placet.toml`: what the operator of a process has decided, and what takes the place of a key from
//! outside of the file.

mod channels;
mod hosts;
mod keys;
mod schema;

use std::collections::BTreeMap;

use placet_model::Duration;
use placet_model::draft::Mode;
use placet_model::manifest::Catalogue;
use placet_model::project::{DataPolicy, ProjectConfig, SecretBinding};
use placet_schemas::Registry;

use super::on_deep_stack;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Severity, Sink, did_you_mean};
use crate::duration;
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Entry, Node, Style, toml_load};
use hosts::{Fits, is_bare_host, is_variable};
use keys::{Kind, NOT_BUILT};

pub use channels::check_channels;
pub use keys::{Key, project_keys};
pub use schema::project_schema;

/// Keys of the root that are no table of [`project_keys`].
const SECRETS: &str = "secrets";
const CHANNELS: &str = "channels";

/// A text that takes the place of a key, such as the value of an environment variable. Lists are
/// separated by commas.
#[derive(Debug, Clone)]
pub struct Override {
    /// Path of the key.
    pub key: &'static str,
    /// Where it comes from (its name), and the text.
    pub source: Source,
}

/// What a check of a `placet.toml` found.
#[derive(Debug, Clone)]
pub struct CheckedProject {
    /// The configuration with its overrides; `None` when there is an error.
    pub config: Option<ProjectConfig>,
    /// Findings in the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings in each override, in the order given.
    pub overridden: Vec<Vec<Diagnostic>>,
}

/// Checks a `placet.toml`. What it leaves out has its default.
///
/// Never panics and does no I/O.
pub fn check_project(source: &Source) -> (Option<ProjectConfig>, Vec<Diagnostic>) {
    let checked = check_project_with(source, &[]);
    (checked.config, checked.diagnostics)
}

/// Checks a `placet.toml` together with what takes the place of its keys. A mistake in the file
/// stays one, whether or not something takes its place.
///
/// Never panics and does no I/O.
pub fn check_project_with(source: &Source, overrides: &[Override]) -> CheckedProject {
    on_deep_stack(|| read(source, overrides)).unwrap_or_else(|| {
        let mut sink = Sink::new(source);
        let help = "this is a bug of Placet: please report the file";
        sink.report(codes::PROJECT, Span::default(), "the file could not be checked", help);
        CheckedProject { config: None, diagnostics: sink.finish(), overridden: vec![] }
    })
}

/// A variable that looks as if it should take a key's place, and takes none.
pub fn unknown_override(source: &Source, known: &[String]) -> Diagnostic {
    let mut sink = Sink::new(source);
    let help = match did_you_mean(source.name(), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "it changes nothing: remove it".to_owned(),
    };
    let message = format!("`{}` takes the place of no key of placet.toml", source.name());
    let code = Code { severity: Severity::Warning, ..codes::PROJECT };
    sink.report(code, Span::default(), message, help);
    sink.finish().remove(0)
}

fn read(source: &Source, overrides: &[Override]) -> CheckedProject {
    let mut config = ProjectConfig::default();
    let mut sink = Sink::new(source);
    let mut diagnostics = vec![];
    let mut good = false;
    match toml_load::load(&mut sink) {
        None => diagnostics = sink.finish(),
        Some(root) => {
            let read = with_reader(sink, |reader| reader.project(&root, &mut config));
            (diagnostics, good) = (read.0, !read.1);
        }
    }
    let mut overridden = vec![];
    for given in overrides {
        let (findings, has_errors) = with_reader(Sink::new(&given.source), |reader| {
            if let Some(key) = project_keys().find(|key| key.path == given.key) {
                let node = node_of(key, given.source.text());
                reader.key(key, &node, &mut config);
            }
        });
        good &= !has_errors;
        overridden.push(findings);
    }
    CheckedProject { config: good.then_some(config), diagnostics, overridden }
}

fn with_reader(sink: Sink<'_>, read: impl FnOnce(&mut Reader<'_>)) -> (Vec<Diagnostic>, bool) {
    let (catalogue, schemas) = (Catalogue::default(), Registry::new());
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    let mut reader = Reader::new(sink, environment);
    reader.shape_code = codes::PROJECT;
    read(&mut reader);
    reader.finish()
}

/// The text of an override as the file's own tree would have it.
fn node_of(key: &Key, text: &str) -> Node {
    let plain = |start: usize, text: &str| Node {
        span: Span::new(start, start + text.len()),
        content: Content::Text { text: text.to_owned(), style: Style::Plain },
    };
    let whole = Span::new(0, text.len());
    match key.kind {
        Kind::List(..) => {
            let mut items = vec![];
            let mut start = 0;
            for part in text.split(',') {
                let trimmed = part.trim();
                let blank = part.len() - part.trim_start().len();
                if !trimmed.is_empty() {
                    items.push(plain(start + blank, trimmed));
                }
                start += part.len() + 1;
            }
            Node { span: whole, content: Content::List(items) }
        }
        Kind::Number(..) => match text.trim().parse::<u64>() {
            Ok(number) => Node { span: whole, content: Content::Number(number.into()) },
            Err(_no_number) => plain(0, text),
        },
        Kind::Token(_)
        | Kind::Text(..)
        | Kind::Address(_)
        | Kind::Mode(_)
        | Kind::Data(_)
        | Kind::Period(_) => plain(0, text),
    }
}

impl Reader<'_> {
    fn project(&mut self, root: &Node, config: &mut ProjectConfig) {
        if !self.open_map(root, "placet.toml") {
            return;
        }
        self.known_keys(root, "", "placet.toml");
        for table in tables() {
            if let Some(node) = table_of(root, table)
                && self.open_map(node, &format!("`{table}`"))
            {
                self.known_keys(node, table, &format!("`{table}`"));
            }
        }
        for key in project_keys() {
            let (table, name) = key.parts();
            if let Some(node) = table_of(root, table).and_then(|map| map.get(name)) {
                self.key(key, node, config);
            }
        }
        if let Some(secrets) = root.get(SECRETS)
            && self.open_map(secrets, "`secrets`")
        {
            config.secrets = self.secret_bindings(secrets);
        }
        if let Some(channels) = root.get(CHANNELS)
            && self.open_map(channels, "`channels`")
        {
            config.channels = self.channels(channels);
        }
    }

    /// Reports the keys of a table that are unknown, and those that are known by name only.
    fn known_keys(&mut self, map: &Node, table: &str, what: &str) {
        let known: Vec<&str> = match table {
            "" => {
                let top = project_keys().map(Key::parts).filter(|(table, _)| table.is_empty());
                let tables = tables().filter(|table| !table.contains('.'));
                top.map(|(_, name)| name).chain(tables).chain([SECRETS, CHANNELS]).collect()
            }
            table => {
                let within = project_keys().map(Key::parts).filter(|(of, _)| *of == table);
                let inner =
                    tables().filter_map(|inner| inner.strip_prefix(table)?.strip_prefix('.'));
                within.map(|(_, name)| name).chain(inner).collect()
            }
        };
        for Entry { key, key_span, .. } in map.entries() {
            let path = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
            if let Some((_, help)) = NOT_BUILT.iter().find(|(later, _)| *later == path) {
                let message = format!("`{path}` of placet.toml is not built yet");
                self.report(codes::PROJECT, *key_span, message, *help);
            } else if !known.contains(&key.as_str()) {
                self.unknown_key(*key_span, key, what, &known);
            }
        }
    }

    /// One key's value, wherever it comes from.
    fn key(&mut self, key: &Key, node: &Node, config: &mut ProjectConfig) {
        let what = format!("`{}`", key.path);
        match key.kind {
            Kind::Token(at) => {
                if let Some(token) = self.token(node, &what) {
                    *at(config) = token;
                }
            }
            Kind::List(fits, at) => *at(config) = self.hosts(Some(node), &what, fits),
            Kind::Number(max, at) => {
                if let Some(number) = self.bound(node, &what, max) {
                    *at(config) = number;
                }
            }
            Kind::Text(fits, at) => {
                if let Some(text) = self.fitting(node, &what, fits) {
                    *at(config) = Some(text);
                }
            }
            Kind::Address(at) => {
                let Some(text) = self.text(node, &what) else { return };
                match text.parse::<std::net::SocketAddr>() {
                    Ok(address) => *at(config) = address.to_string(),
                    Err(_no_address) => {
                        let message = format!("{what} cannot be `{text}`");
                        let help = "write ADDRESS:PORT, such as 127.0.0.1:7480";
                        self.report(codes::PROJECT, node.span, message, help);
                    }
                }
            }
            Kind::Mode(at) => {
                let words: Vec<&str> = Mode::ALL.iter().map(|mode| mode.word()).collect();
                let word = self.one_of(node, &what, &words);
                if let Some(mode) = word.and_then(|word| word.parse().ok()) {
                    *at(config) = mode;
                }
            }
            Kind::Data(at) => {
                let words = DataPolicy::ALL.map(DataPolicy::word);
                let word = self.one_of(node, &what, &words);
                let named = |policy: &DataPolicy| word.as_deref() == Some(policy.word());
                if let Some(policy) = DataPolicy::ALL.into_iter().find(named) {
                    *at(config) = policy;
                }
            }
            Kind::Period(at) => {
                if let Some(period) = self.period(node, &what) {
                    *at(config) = Some(period);
                }
            }
        }
    }

    /// A duration that is longer than nothing.
    fn period(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.text(node, what)?;
        let period = duration::from_text(text).ok().filter(|period| !period.is_zero());
        if period.is_none() {
            let message = format!("{what} cannot be `{text}`");
            let help = "write a length of time such as P90D or PT12H";
            self.report(codes::PROJECT, node.span, message, help);
        }
        period
    }

    fn one_of(&mut self, node: &Node, what: &str, words: &[&str]) -> Option<String> {
        let text = self.text(node, what)?;
        if words.contains(&text) {
            return Some(text.to_owned());
        }
        let help = match did_you_mean(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", words.join(", ")),
        };
        self.report(codes::PROJECT, node.span, format!("{what} cannot be `{text}`"), help);
        None
    }

    /// A single lower-case token: it stands in subjects and digests.
    fn token(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        let fits = text.parse::<placet_model::Principal>().is_ok();
        if !fits {
            let message = format!("{what} cannot be `{text}`");
            let help = "1 to 63 of a-z, 0-9, `_` and `-`, starting with a letter or digit";
            self.report(codes::PROJECT, node.span, message, help);
        }
        fits.then(|| text.to_owned())
    }

    fn hosts(&mut self, node: Option<&Node>, what: &str, fits: Fits) -> Vec<String> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = self.list(node, what) else { return Vec::new() };
        let mut hosts = Vec::new();
        for item in items {
            let Some(text) = self.text(item, what) else { continue };
            match fits(text) {
                Ok(()) => hosts.push(text.to_owned()),
                Err(help) => {
                    let message = format!("`{text}` cannot stand in {what}");
                    self.report(codes::PROJECT, item.span, message, help);
                }
            }
        }
        hosts
    }

    fn fitting(&mut self, node: &Node, what: &str, fits: Fits) -> Option<String> {
        let text = self.text(node, what)?;
        if let Err(help) = fits(text) {
            self.report(codes::PROJECT, node.span, format!("{what} cannot be `{text}`"), help);
            return None;
        }
        Some(text.to_owned())
    }

    /// A whole number from 1 to `max`.
    fn bound(&mut self, node: &Node, what: &str, max: u64) -> Option<u64> {
        let (number, help) = match &node.content {
            Content::Number(number) => (number.as_u64(), "choose a number within these bounds"),
            Content::Text { style: Style::DoubleQuoted, .. } => (None, "write it without quotes"),
            Content::Null
            | Content::Bool(_)
            | Content::Text { .. }
            | Content::List(_)
            | Content::Map(_) => (None, "write digits alone"),
        };
        let number = number.filter(|number| (1..=max).contains(number));
        if number.is_none() {
            let message = format!("{what} must be a whole number from 1 to {max}");
            self.report(codes::PROJECT, node.span, message, help);
        }
        number
    }

    fn secret_bindings(&mut self, node: &Node) -> BTreeMap<String, SecretBinding> {
        let mut bindings = BTreeMap::new();
        for entry in node.entries() {
            let what = format!("`secrets.{}`", entry.key);
            if !self.map(&entry.value, &what, &["env", "hosts"]) {
                continue;
            }
            let env = self.required(&entry.value, "env", &what).and_then(|env| self.variable(env));
            let hosts = self.required(&entry.value, "hosts", &what);
            let listed = self.hosts(hosts, &what, is_bare_host);
            // one that cannot stand there has been told
            if let Some(hosts) = hosts.filter(|hosts| is_empty_list(hosts)) {
                let message = format!("{what} is bound to no host and would never be filled in");
                self.report(codes::PROJECT, hosts.span, message, "name the hosts it may go to");
            }
            if let Some(env) = env {
                bindings.insert(entry.key.clone(), SecretBinding { env, hosts: listed });
            }
        }
        bindings
    }

    fn variable(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`env`")?;
        if let Err(help) = is_variable(text) {
            let message = format!("`{text}` is no name of an environment variable");
            self.report(codes::PROJECT, node.span, message, help);
            return None;
        }
        Some(text.to_owned())
    }
}

/// The tables of the file, but that of the secrets, each once and after the one that it stands in.
fn tables() -> impl Iterator<Item = &'static str> {
    let mut seen = vec![""];
    let all = project_keys().flat_map(|key| {
        let (table, _) = key.parts();
        let outer = table.split_once('.').map(|(outer, _)| outer);
        outer.into_iter().chain([table])
    });
    all.filter(move |table| {
        let is_new = !seen.contains(table);
        seen.push(table);
        is_new
    })
}

/// A table by its path; the file itself by an empty one.
fn table_of<'n>(root: &'n Node, path: &str) -> Option<&'n Node> {
    let mut names = path.split('.').filter(|name| !name.is_empty());
    names.try_fold(root, |node, name| node.get(name))
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.content, Content::List(items) if items.is_empty())
}
