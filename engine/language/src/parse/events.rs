//! Events: which are consumed, and what one that is sent holds.

use placet_model::plan::{
    AttributeMatch, Consume, Correlation, Emit, EventFilter, EventRead, Expression, Template, Until,
};

use super::names::Place;
use super::reader::{Reader, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::REGEX_BYTES_MAX;
use crate::expr::source as fences;
use crate::syntax::{Content, Entry, Node};

/// Attributes of an event that have a meaning of their own; extensions come beside them.
const ATTRIBUTES: &[&str] = &[
    "type",
    "source",
    "id",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
    "data",
    "eventKey",
];
/// What other tools write for the type of an event.
const SIGNALS: &[&str] = &["signal", "query", "update"];
const STRATEGIES: &[&str] = &["one", "all", "any"];
const READS: &[(&str, EventRead)] =
    &[("data", EventRead::Data), ("envelope", EventRead::Envelope), ("raw", EventRead::Raw)];

impl Reader<'_> {
    /// Exactly one of `one`, `all` and `any`; `until` only with `any`.
    pub(super) fn consume(&mut self, node: &Node, what: &str, place: Place) -> Option<Consume> {
        if !self.map(node, what, &["one", "all", "any", "until"]) {
            return None;
        }
        let mut given = node.entries().iter().filter(|e| STRATEGIES.contains(&e.key.as_str()));
        let (Some(strategy), None) = (given.next(), given.next()) else {
            let message = format!("{what} has exactly one of one, all, any");
            self.report(codes::CROSS_FIELD, node.span, message, "write to: { one: { with: … } }");
            return None;
        };
        if strategy.key != "any" && node.get("until").is_some() {
            let message = format!("`until` does not go with `{}`", strategy.key);
            let span = node.key_span("until");
            self.report(codes::CROSS_FIELD, span, message, "remove it, or listen to `any`");
        }
        if strategy.key == "one" {
            return self.event_filter(&strategy.value, place).map(Consume::One);
        }
        let items = self.list(&strategy.value, &format!("`{}`", strategy.key))?;
        if strategy.key == "all" && items.is_empty() {
            let message = "`all` needs at least one filter";
            self.report(codes::SHAPE, strategy.value.span, message, "write all: [{ with: … }]");
        }
        let filters: Vec<_> = items.iter().map(|item| self.event_filter(item, place)).collect();
        let until = field(node.get("until"), |until| self.until(until, place));
        let filters = filters.into_iter().collect::<Option<Vec<_>>>()?;
        if strategy.key == "all" {
            return Some(Consume::All(filters));
        }
        Some(Consume::Any { filters, until: until.ok()? })
    }

    /// A condition on the events so far, or a strategy without an `until` of its own.
    fn until(&mut self, node: &Node, place: Place) -> Option<Until> {
        if node.as_text().is_some() {
            return self.expression(node, "`until`", place).map(Until::Condition);
        }
        if node.get("until").is_some() {
            let span = node.key_span("until");
            let message = "an `until` has no `until` of its own";
            self.report(codes::CROSS_FIELD, span, message, "remove it");
        }
        self.consume(node, "`until`", place).map(|consume| Until::Events(Box::new(consume)))
    }

    fn event_filter(&mut self, node: &Node, place: Place) -> Option<EventFilter> {
        if !self.map(node, "an event filter", &["with", "correlate"]) {
            return None;
        }
        let with = self.required(node, "with", "an event filter");
        let with = with.and_then(|with| self.attributes(with, place));
        let correlate = node.get("correlate").map_or(Some(Vec::new()), |correlate| {
            if !self.open_map(correlate, "`correlate`") {
                return None;
            }
            let keys = correlate.entries().iter();
            let keys: Vec<_> = keys.map(|entry| self.correlation(entry, place)).collect();
            keys.into_iter().collect()
        });
        Some(EventFilter { with: with?, correlate: correlate? })
    }

    fn attributes(&mut self, node: &Node, place: Place) -> Option<Vec<(String, AttributeMatch)>> {
        if !self.open_map(node, "`with` of an event filter") {
            return None;
        }
        if node.entries().is_empty() {
            let message = "an event filter needs at least one attribute";
            self.report(codes::SHAPE, node.span, message, "write with: { type: … }");
            return None;
        }
        let matches = |reader: &mut Self, entry: &Entry| {
            reader.attribute_name(entry);
            Some((entry.key.clone(), reader.attribute_match(entry, place)?))
        };
        let built: Vec<_> = node.entries().iter().map(|entry| matches(self, entry)).collect();
        built.into_iter().collect()
    }

    /// What starts runs by a provider's event names a provider that the project has connected, and an event
    /// that may start runs there: nothing else would ever start one.
    fn trigger_is_heard(&mut self, node: &Node, kind: &str) {
        let Some(connected) = self.environment.integrations else { return };
        let Some((provider, _)) = kind.split_once('.') else { return };
        let mut known = self.environment.catalogue.operations.values();
        if !known.any(|of| of.provider == provider) {
            return;
        }
        let own = connected.iter().filter(|(_, of)| *of == provider);
        let names: Vec<&str> = own.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            let message = format!(
                "nothing can start runs by `{kind}`: the project has no integration of {provider}"
            );
            let help = format!("connect one: placet integrations connect {provider}");
            self.report(codes::INTEGRATION, node.span, message, help);
        }
        let Some((first, silent)) = names.first().zip(self.environment.silent) else { return };
        let is_silent = |name: &&str| silent.contains(&((*name).to_owned(), kind.to_owned()));
        if names.iter().all(is_silent) {
            let message =
                format!("`{kind}` starts no run: its trigger is off ({})", names.join(", "));
            let help = format!("switch it on: placet triggers set {first} {kind} on");
            self.warn(codes::TRIGGER, node.span, message, help);
        }
    }

    fn attribute_match(&mut self, entry: &Entry, place: Place) -> Option<AttributeMatch> {
        let node = &entry.value;
        let Some(text) = node.as_text() else {
            if entry.key != "data" {
                self.attribute_scalar(entry)?;
            }
            if node.holds_expression() {
                let message = format!("an expression inside the `{}` of a filter", entry.key);
                let message = format!("{message} is not evaluated");
                let help = "write one expression for the whole: data: '${ .a == 1 }'";
                self.report(codes::SHAPE, node.span, message, help);
                return None;
            }
            return Some(AttributeMatch::Equal(node.to_json()));
        };
        if let Some((jq, offset)) = fences::fenced(text) {
            return self.jq(node, jq, offset, place).map(AttributeMatch::Expression);
        }
        if entry.key == "type" && SIGNALS.contains(&text) {
            let message = format!("`type: {text}` is a word of another tool, and no event's type");
            let help = "name the type of the event, such as slack.message";
            self.warn(codes::SHAPE, node.span, message, help);
        }
        let is_pattern = text.len() > 1 && text.starts_with('^') && text.ends_with('$');
        if entry.key == "type" && place == Place::Schedule && !is_pattern {
            self.trigger_is_heard(node, text);
        }
        if is_pattern && text.len() > REGEX_BYTES_MAX {
            let message = format!("the pattern is longer than {REGEX_BYTES_MAX} bytes");
            self.report(codes::SHAPE, node.span, message, "shorten it, or use an expression");
            return None;
        }
        if is_pattern {
            return Some(AttributeMatch::Pattern(text.to_owned()));
        }
        self.literal_text(node, text).then(|| AttributeMatch::Equal(node.to_json()))
    }

    fn correlation(&mut self, entry: &Entry, place: Place) -> Option<Correlation> {
        let what = format!("`correlate.{}`", entry.key);
        if !self.map(&entry.value, &what, &["from", "expect"]) {
            return None;
        }
        let from = self.required(&entry.value, "from", &what);
        let from = from.and_then(|from| self.expression(from, "`from`", place));
        let expect = field(entry.value.get("expect"), |expect| self.template(expect, place));
        Some(Correlation { key: entry.key.clone(), from: from?, expect: expect.ok()? })
    }

    /// `read`: `data`, `envelope` or `raw`.
    pub(super) fn event_read(&mut self, node: Option<&Node>) -> Option<EventRead> {
        let Some(node) = node else { return Some(EventRead::default()) };
        let text = self.text(node, "`read`")?;
        let known = READS.iter().find(|(word, _)| *word == text).map(|(_, read)| *read);
        if known.is_none() {
            let help = match did_you_mean(text, READS.iter().map(|(word, _)| *word)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "one of: data, envelope, raw".to_owned(),
            };
            self.report(codes::SHAPE, node.span, format!("`read: {text}` is unknown"), help);
        }
        known
    }

    /// `emit: { event: { with } }`.
    pub(super) fn emit(&mut self, value: &Node) -> Option<Emit> {
        if !self.map(value, "`emit`", &["event"]) {
            return None;
        }
        let event = self.required(value, "event", "`emit`")?;
        if !self.map(event, "`emit.event`", &["with"]) {
            return None;
        }
        let with = self.required(event, "with", "`emit.event`")?;
        if !self.open_map(with, "`with` of an event") {
            return None;
        }
        let has_type = self.required(with, "type", "`with` of an event").is_some();
        let attribute = |reader: &mut Self, entry: &Entry| {
            reader.attribute_name(entry);
            if entry.key != "data" {
                reader.attribute_scalar(entry)?;
            }
            Some((entry.key.clone(), reader.template(&entry.value, Place::Task)?))
        };
        let built: Vec<_> = with.entries().iter().map(|entry| attribute(self, entry)).collect();
        let event: Vec<(String, Template)> = built.into_iter().collect::<Option<_>>()?;
        has_type.then_some(Emit { event })
    }

    /// A known attribute, or an extension: lower-case letters and digits.
    fn attribute_name(&mut self, entry: &Entry) {
        let name = entry.key.as_str();
        if name == "specversion" {
            let message = "`specversion` is set by the engine, to 1.0";
            self.report(codes::SHAPE, entry.key_span, message, "remove it");
            return;
        }
        let is_extension = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if ATTRIBUTES.contains(&name) || (!name.is_empty() && name.bytes().all(is_extension)) {
            return;
        }
        let help = match did_you_mean(name, ATTRIBUTES.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "extensions are called by lower-case letters and digits".to_owned(),
        };
        let message = format!("`{name}` is no attribute of an event");
        self.report(codes::SHAPE, entry.key_span, message, help);
    }

    /// Attributes other than `data` are text; extensions may be numbers and booleans too.
    fn attribute_scalar(&mut self, entry: &Entry) -> Option<()> {
        let known = ATTRIBUTES.contains(&entry.key.as_str());
        let fits = match &entry.value.content {
            Content::Text { .. } => true,
            Content::Bool(_) | Content::Number(_) => !known,
            Content::Null | Content::List(_) | Content::Map(_) => false,
        };
        if !fits {
            let message = format!(
                "the attribute `{}` must be a string, this is {}",
                entry.key,
                entry.value.kind()
            );
            self.report(
                codes::SHAPE,
                entry.value.span,
                message,
                "put what is structured into `data`",
            );
        }
        fits.then_some(())
    }

    /// `'false'` and `'null'`, which no event can make true.
    pub(super) fn never_true(until: &Expression) -> bool {
        matches!(until.0.as_str(), "false" | "null")
    }
}
