//! `[channels.NAME]` of a `placet.toml`: how people are told outside of the inbox. What a channel
//! sends is fixed here but for three words of the engine's; nothing of it comes from a workflow.

use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Severity, Sink};
use crate::environment::Environment;
use crate::parse::on_deep_stack;
use crate::parse::reader::Reader;
use crate::source::Source;
use crate::syntax::{Content, Entry, Node, toml_load};
use placet_model::Principal;
use placet_model::event::notice::NoticeAbout;
use placet_model::manifest::Effect;
use placet_model::project::Channel;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The members of a channel.
const CHANNEL: &[&str] = &["to", "operation", "integration", "with", "about"];
/// The words in a channel's texts that the engine fills in.
pub(super) const WORDS: [&str; 3] = ["{text}", "{subject}", "{link}"];

/// Checks that the channels of a `placet.toml` lead to operations and connections of this project. What is
/// wrong with their form is a finding of [`crate::check_project`].
///
/// Never panics and does no I/O.
pub fn check_channels(source: &Source, environment: &Environment<'_>) -> Vec<Diagnostic> {
    let check = || {
        let mut sink = Sink::new(source);
        let Some(root) = toml_load::load(&mut sink) else { return vec![] };
        let mut reader = Reader::new(Sink::new(source), *environment);
        for channel in root.get(super::CHANNELS).into_iter().flat_map(Node::entries) {
            reader.leads(&channel.value);
        }
        reader.finish().0
    };
    on_deep_stack(check).unwrap_or_default()
}

impl Reader<'_> {
    /// A notice is sent by an operation that sends, through a connection of its provider.
    fn leads(&mut self, channel: &Node) {
        let text = |name: &str| match channel.get(name).map(|node| (&node.content, node.span)) {
            Some((Content::Text { text, .. }, span)) => Some((text.as_str(), span)),
            _ => None,
        };
        let Some((operation, span)) = text("operation") else { return };
        let Some(known) = self.environment.catalogue.get(operation) else {
            let help = "`placet adapters list` shows what there is";
            let message = format!("there is no operation {operation}");
            self.report(codes::CHANNEL, span, message, help);
            return;
        };
        if known.effect != Effect::Send {
            let help = "name an operation that sends, such as slack.chat.postMessage";
            let message =
                format!("{operation} has the effect {}: a notice only sends", known.effect);
            self.report(codes::CHANNEL, span, message, help);
        }
        let (Some(all), Some((name, span))) = (self.environment.integrations, text("integration"))
        else {
            return;
        };
        let help = "`placet integrations list` shows what is connected";
        match all.get(name) {
            Some(provider) if *provider == known.provider => {}
            Some(provider) => {
                let message =
                    format!("the connection {name} is of {provider}, not of {}", known.provider);
                self.report(codes::CHANNEL, span, message, help);
            }
            // it may be connected later; until then nobody is told anything
            None => {
                let code = Code { severity: Severity::Warning, ..codes::CHANNEL };
                self.report(code, span, format!("there is no connection named {name}"), help);
            }
        }
    }

    pub(super) fn channels(&mut self, node: &Node) -> BTreeMap<String, Channel> {
        let mut channels = BTreeMap::new();
        for Entry { key, key_span, value } in node.entries() {
            let what = format!("`channels.{key}`");
            if key.parse::<Principal>().is_err() {
                let message = format!("`{key}` is no name of a channel");
                let help = "1 to 63 of a-z, 0-9, `_` and `-`, starting with a letter or digit";
                self.report(codes::PROJECT, *key_span, message, help);
                continue;
            }
            if self.map(value, &what, CHANNEL)
                && let Some(channel) = self.channel(value, &what)
            {
                channels.insert(key.clone(), channel);
            }
        }
        channels
    }

    fn channel(&mut self, node: &Node, what: &str) -> Option<Channel> {
        let to = self.required(node, "to", what).map(|to| self.parsed::<Principal>(to, "`to`"));
        let operation = self.required(node, "operation", what);
        let operation = operation.and_then(|node| self.text(node, "`operation`"));
        let integration = node.get("integration");
        let integration = integration.and_then(|node| self.text(node, "`integration`"));
        let about = node.get("about").map(|about| self.parsed::<NoticeAbout>(about, "`about`"));
        let given = self.required(node, "with", what)?;
        let with = given.to_json();
        if !with.is_object() || !holds(&with, WORDS[0]) {
            let message = format!("`with` of {what} says nothing to anybody");
            let help = "give what the operation takes, with {text} where the message is to stand";
            self.report(codes::PROJECT, given.span, message, help);
            return None;
        }
        let all = || NoticeAbout::ALL.to_vec();
        Some(Channel {
            to: to?,
            operation: operation?.to_owned(),
            integration: integration.map(str::to_owned),
            with,
            about: about.unwrap_or_else(all),
        })
    }

    /// A list of words of one form, each where it stands.
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Vec<T> {
        let Some(items) = self.list(node, what) else { return vec![] };
        let mut found = vec![];
        for item in items {
            let Some(text) = self.text(item, what) else { continue };
            match text.parse() {
                Ok(one) => found.push(one),
                Err(error) => {
                    let message = format!("`{text}` cannot stand in {what}");
                    self.report(codes::PROJECT, item.span, message, format!("{error}"));
                }
            }
        }
        found
    }
}

/// Whether a text in it holds the word.
fn holds(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text.contains(word),
        Value::Array(items) => items.iter().any(|item| holds(item, word)),
        Value::Object(members) => members.values().any(|member| holds(member, word)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn schema() -> Value {
    const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";
    let about: Vec<&str> = NoticeAbout::ALL.iter().map(|about| about.word()).collect();
    json!({
        "type": "object",
        "description": "how people are told outside of the inbox, by the name of the channel",
        "propertyNames": { "pattern": NAME },
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "required": ["to", "operation", "with"],
            "properties": {
                "to": {
                    "type": "array",
                    "items": { "type": "string", "pattern": NAME },
                    "description": "the users whom it tells",
                },
                "operation": {
                    "type": "string",
                    "description": "an operation that sends, such as slack.chat.postMessage",
                },
                "integration": {
                    "type": "string",
                    "description": "the connection; without a name the provider's default one",
                },
                "with": {
                    "type": "object",
                    "description": "what the operation takes; {text}, {subject} and {link} in its texts are filled in",
                },
                "about": {
                    "type": "array",
                    "items": { "enum": about },
                    "description": "what it tells of; without a word of everything",
                },
            },
        },
    })
}
