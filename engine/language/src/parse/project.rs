//! `placet.toml`: what the operator of a process has decided.

use std::collections::BTreeMap;

use placet_model::manifest::Catalogue;
use placet_model::project::{Limits, ProjectConfig, SecretBinding};
use placet_schemas::Registry;

use super::on_deep_stack;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink};
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Node, toml_load};

const ROOT: &[&str] = &["project", "egress", "secrets", "limits"];
const LIMITS: &[&str] = &["steps_max", "payload_bytes_max", "expression_ms_max", "call_ms_max"];

/// Checks a `placet.toml`. What it leaves out has its default.
///
/// Never panics and does no I/O.
pub fn check_project(source: &Source) -> (Option<ProjectConfig>, Vec<Diagnostic>) {
    on_deep_stack(|| read(source)).unwrap_or_else(|| {
        let mut sink = Sink::new(source);
        let help = "this is a bug of Placet: please report the file";
        sink.report(codes::PROJECT, Span::default(), "the file could not be checked", help);
        (None, sink.finish())
    })
}

fn read(source: &Source) -> (Option<ProjectConfig>, Vec<Diagnostic>) {
    let mut sink = Sink::new(source);
    let Some(root) = toml_load::load(&mut sink) else { return (None, sink.finish()) };
    let (catalogue, schemas) = (Catalogue::default(), Registry::new());
    let environment =
        Environment { catalogue: &catalogue, integrations: None, policy: None, schemas: &schemas };
    let mut reader = Reader::new(sink, environment);
    reader.shape_code = codes::PROJECT;
    let config = reader.project(&root);
    let (diagnostics, has_errors) = reader.finish();
    (config.filter(|_| !has_errors), diagnostics)
}

impl Reader<'_> {
    fn project(&mut self, root: &Node) -> Option<ProjectConfig> {
        if !self.map(root, "placet.toml", ROOT) {
            return None;
        }
        let mut config = ProjectConfig::default();
        if let Some(project) = root.get("project") {
            config.project = self.token(project, "`project`")?;
        }
        if let Some(egress) = root.get("egress")
            && self.map(egress, "`egress`", &["read_hosts", "allow"])
        {
            config.read_hosts =
                self.hosts(egress.get("read_hosts"), "`egress.read_hosts`", is_host);
            config.egress_allow = self.hosts(egress.get("allow"), "`egress.allow`", is_target);
        }
        if let Some(secrets) = root.get("secrets")
            && self.open_map(secrets, "`secrets`")
        {
            config.secrets = self.secret_bindings(secrets);
        }
        if let Some(limits) = root.get("limits") {
            config.limits = self.limits(limits);
        }
        Some(config)
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

    fn hosts(
        &mut self,
        node: Option<&Node>,
        what: &str,
        fits: fn(&str) -> Result<(), &'static str>,
    ) -> Vec<String> {
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
        let start =
            text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !start || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let message = format!("`{text}` is no name of an environment variable");
            let help = "name the variable that holds the secret; never write the secret itself";
            self.report(codes::PROJECT, node.span, message, help);
            return None;
        }
        Some(text.to_owned())
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let mut limits = Limits::default();
        if !self.map(node, "`limits`", LIMITS) {
            return limits;
        }
        for entry in node.entries() {
            let (field, max) = match entry.key.as_str() {
                "steps_max" => (&mut limits.steps_max, 1_000_000),
                "payload_bytes_max" => (&mut limits.payload_bytes_max, 64 << 20),
                "expression_ms_max" => (&mut limits.expression_ms_max, 60_000),
                "call_ms_max" => (&mut limits.call_ms_max, 600_000),
                _ => continue,
            };
            let number = match &entry.value.content {
                Content::Number(number) => number.as_u64(),
                Content::Null
                | Content::Bool(_)
                | Content::Text { .. }
                | Content::List(_)
                | Content::Map(_) => None,
            };
            if let Some(number) = number.filter(|number| (1..=max).contains(number)) {
                *field = number;
                continue;
            }
            let message = format!("`limits.{}` must be a whole number from 1 to {max}", entry.key);
            self.report(codes::PROJECT, entry.value.span, message, "write it without quotes");
        }
        limits
    }
}

/// `host` or `host:port`, lower case, nothing matched by suffix.
fn is_host(text: &str) -> Result<(), &'static str> {
    if text.contains("://") || text.contains('/') {
        return Err("write the host alone, without scheme and path");
    }
    if text.contains('*') {
        return Err("hosts are matched whole: name each one");
    }
    let (host, port) = split_port(text);
    let byte = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let named = !host.is_empty() && host.bytes().all(byte);
    if (bracketed || named) && port.is_none_or(is_port) {
        Ok(())
    } else {
        Err("write a host such as api.example.com, in lower case, or host:port")
    }
}

/// A host alone: a secret goes to it whatever the port, so a port would promise what nobody keeps.
fn is_bare_host(text: &str) -> Result<(), &'static str> {
    is_host(text)?;
    match split_port(text).1 {
        None => Ok(()),
        Some(_) => Err("leave out the port: a secret is bound to the host alone"),
    }
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.content, Content::List(items) if items.is_empty())
}

/// `HOST:PORT`.
fn is_target(text: &str) -> Result<(), &'static str> {
    is_host(text)?;
    if split_port(text).1.is_some() {
        Ok(())
    } else {
        Err("write HOST:PORT, such as 127.0.0.1:8080")
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}
