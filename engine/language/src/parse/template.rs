//! Strings that may be expressions: which are, what they may read, and what only looks like one.

use placet_model::plan::{Expression, Template};
use serde_json::Value;

use super::names::Place;
use super::reader::Reader;
use crate::codes;
use crate::expr::{fence, source as fences};
use crate::source::Span;
use crate::syntax::{Content, Node, Style};

impl Reader<'_> {
    /// A field that is always an expression: a bare jq string, or `${ … }`.
    pub(super) fn expression(
        &mut self,
        node: &Node,
        what: &str,
        place: Place,
    ) -> Option<Expression> {
        let text = self.text(node, what)?;
        let (jq, offset) = fences::bare_or_fenced(text);
        self.jq(node, jq, offset, place)
    }

    /// A value whose strings may be `${ … }` at any depth; keys never are.
    pub(super) fn template(&mut self, node: &Node, place: Place) -> Option<Template> {
        match &node.content {
            Content::Null | Content::Bool(_) | Content::Number(_) => {
                Some(Template::Literal(node.to_json()))
            }
            Content::Text { text, .. } => match fences::fenced(text) {
                Some((jq, offset)) => self.jq(node, jq, offset, place).map(Template::Expression),
                None => self.literal_text(node, text).then(|| Template::Literal(node.to_json())),
            },
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.template(item, place)).collect();
                let items: Vec<Template> = items.into_iter().collect::<Option<_>>()?;
                Some(literal_list(&items).unwrap_or(Template::List(items)))
            }
            Content::Map(entries) => {
                let built: Vec<_> = entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), self.template(&entry.value, place)?)))
                    .collect();
                let entries: Vec<(String, Template)> = built.into_iter().collect::<Option<_>>()?;
                Some(literal_map(&entries).unwrap_or(Template::Map(entries)))
            }
        }
    }

    /// Whether a plain `${ …` has lost its end to a comment.
    fn is_cut(&self, node: &Node, text: &str) -> bool {
        let is_plain = matches!(&node.content, Content::Text { style: Style::Plain, .. });
        let rest = self.source().text().get(node.span.end..).unwrap_or("");
        is_plain && text.starts_with("${") && rest.trim_start_matches([' ', '\t']).starts_with('#')
    }

    /// `from` and `as`: a string is an expression, anything else a template.
    pub(super) fn transform(&mut self, node: &Node, what: &str, place: Place) -> Option<Template> {
        match &node.content {
            Content::Text { .. } => self.expression(node, what, place).map(Template::Expression),
            Content::Map(_) => self.template(node, place),
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::List(_) => {
                let message =
                    format!("{what} must be an expression or a map, this is {}", node.kind());
                let help = "write an expression such as '.items', or a map of them";
                self.report(codes::SHAPE, node.span, message, help);
                None
            }
        }
    }

    /// Checks a string that is no expression as a whole; false when it cannot stand.
    pub(super) fn literal_text(&mut self, node: &Node, text: &str) -> bool {
        if self.is_cut(node, text) {
            let message = "YAML has cut this expression: ` #` starts a comment";
            let help = "put the whole expression in single quotes: '${ … }'";
            self.report(codes::INTERPOLATION, node.span, message, help);
            return false;
        }
        if let Some(at) = fences::interpolation(text) {
            let span = self.inside(node, at, 2);
            let help = interpolated(text).map_or_else(
                || "make the whole string one expression".to_owned(),
                |whole| format!("make the whole string one expression: {whole}"),
            );
            let message = "`${` inside a longer string is not evaluated";
            self.report(codes::INTERPOLATION, span, message, help);
            return false;
        }
        if text.contains("{{") && text.contains("}}") {
            let message = "`{{ }}` is not evaluated, it is sent as it stands";
            self.report(codes::TEMPLATE_HABIT, node.span, message, "write '${ … }'");
        } else if looks_like_expression(text) {
            let message = "this looks like an expression but is a literal string";
            let help = format!("if it is one, write '${{ {text} }}'");
            self.report(codes::LOOKS_LIKE_EXPRESSION, node.span, message, help);
        }
        true
    }

    /// Checks jq text that stands at `offset` in the node's text.
    pub(super) fn jq(
        &mut self,
        node: &Node,
        jq: &str,
        offset: usize,
        place: Place,
    ) -> Option<Expression> {
        self.check_quoting(node, jq);
        self.check_event_data(node, jq, offset);
        if offset > 0 {
            self.check_braces(node, jq);
        }
        match fence::parse(jq) {
            Ok(parsed) => {
                for read in &parsed.reads {
                    let span = self.inside(node, offset + read.start, read.name.len() + 1);
                    self.check_read(read, place, span);
                }
                for access in &parsed.accesses {
                    let length = access.variable.as_ref().map_or(1, |name| name.len() + 1);
                    let span = self.inside(node, offset + access.start, length);
                    self.check_access(access, place, span);
                }
                self.check_results(parsed.results, self.inside(node, offset, jq.len()));
                Some(Expression(jq.trim().to_owned()))
            }
            Err(refusals) => {
                for refusal in refusals {
                    let length = refusal.end - refusal.start;
                    let span = self.inside(node, offset + refusal.start, length);
                    self.report(codes::EXPRESSION, span, refusal.message, refusal.help);
                }
                None
            }
        }
    }

    /// The bytes of the source for a part of a string; the whole string where YAML has changed it.
    fn inside(&self, node: &Node, offset: usize, length: usize) -> Span {
        let Content::Text { text, style } = &node.content else { return node.span };
        let quote = match style {
            Style::Plain => 0,
            Style::SingleQuoted | Style::DoubleQuoted => 1,
            Style::Block => return node.span,
        };
        let start = node.span.start + quote;
        if self.source().slice(Span::new(start, start + text.len())) != text {
            return node.span;
        }
        let start = start + offset;
        Span::new(start, start + length.max(1))
    }

    /// The run's input is what `read` gives of each event, and by default that is its `data`.
    fn check_event_data(&mut self, node: &Node, jq: &str, offset: usize) {
        const DATA: &str = "$workflow.input[0].data";
        let Some(at) = jq.find(DATA).filter(|_| self.reads_event_data) else { return };
        let span = self.inside(node, offset + at, DATA.len());
        let message = "the input is already the `data` of the events, this is its key `data`";
        let help = "leave out `.data`, or write read: envelope beside `schedule.on`";
        self.report(codes::EVENT_READ, span, message, help);
    }

    /// Exactly one result is needed everywhere.
    fn check_results(&mut self, results: Option<usize>, span: Span) {
        let (message, help) = match results {
            None | Some(1) => return,
            Some(0) => (
                "this expression never gives a result, and exactly one is needed".to_owned(),
                "write `null` for nothing",
            ),
            Some(many) => (
                format!("this expression gives {many} results, and exactly one is needed"),
                "collect them in a list: [ … ]",
            ),
        };
        self.report(codes::EXPRESSION, span, message, help);
    }

    /// `${{ … }}` of another tool is an object to jq.
    fn check_braces(&mut self, node: &Node, jq: &str) {
        let inner = jq.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if inner.is_some_and(|inner| !inner.contains([':', ',', '{'])) {
            let message = "`${{ }}` is the form of another tool: here it makes an object";
            self.report(codes::TEMPLATE_HABIT, node.span, message, "write '${ … }'");
        }
    }

    fn check_quoting(&mut self, node: &Node, jq: &str) {
        let Content::Text { style, .. } = &node.content else { return };
        let risky = match style {
            Style::SingleQuoted | Style::Block => false,
            Style::DoubleQuoted => self.source().slice(node.span).contains('\\'),
            Style::Plain => {
                jq.contains(['#', '{', '[', '\\', '&', '*', '!', '%', '@']) || jq.contains(": ")
            }
        };
        if risky {
            let message = "YAML may change an expression that is not in single quotes";
            let help = "put it in single quotes; a single quote inside is doubled";
            self.report(codes::QUOTING, node.span, message, help);
        }
    }
}

fn literal_list(items: &[Template]) -> Option<Template> {
    items
        .iter()
        .map(literal)
        .collect::<Option<Vec<Value>>>()
        .map(|list| Template::Literal(list.into()))
}

fn literal_map(entries: &[(String, Template)]) -> Option<Template> {
    let map = entries.iter().map(|(key, item)| Some((key.clone(), literal(item)?)));
    map.collect::<Option<_>>().map(|map| Template::Literal(Value::Object(map)))
}

fn literal(template: &Template) -> Option<Value> {
    match template {
        Template::Literal(value) => Some(value.clone()),
        Template::Expression(_) | Template::Map(_) | Template::List(_) => None,
    }
}

/// `.name` or `$name` and nothing that prose would have after it.
fn looks_like_expression(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['.', '$']) else { return false };
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"');
    rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && rest.chars().all(path)
}

/// A string with `${ … }` pieces as one expression, where the pieces are plain enough.
fn interpolated(text: &str) -> Option<String> {
    let (mut rest, mut out) = (text, String::new());
    while let Some(start) = rest.find("${") {
        let (before, piece) = (rest.get(..start)?, rest.get(start + 2..)?);
        let end = piece.find('}')?;
        let jq = piece.get(..end)?.trim();
        if before.contains(['"', '\\', '\n']) || jq.contains(['"', '{', '\'']) {
            return None;
        }
        out.extend([before, "\\(", jq, ")"]);
        rest = piece.get(end + 1..)?;
    }
    (!rest.contains(['"', '\\', '\n']))
        .then(|| format!("'${{ \"{}\" }}'", format!("{out}{rest}").replace('\'', "''")))
}
