//! What a value must be: itself, or a map with one key that starts with `$`.

use serde_json::Value;

use super::TestReader;
use crate::codes;
use crate::diagnostic::{Code, Severity, did_you_mean};
use crate::expr::{fence, source as fences};
use crate::source::Span;
use crate::syntax::{Content, Node};
use crate::test_file::{Expected, JsonType, Others, Pattern};
use placet_model::plan::Expression;

const MATCHERS: &[&str] = &["$match", "$is", "$expr", "$type", "$contains"];
/// Variables of `$expr`.
const VARIABLES: &[&str] = &["input"];

impl TestReader<'_> {
    /// A value as it is expected; maps may have other members or not, down to the next matcher.
    pub(super) fn pattern(&mut self, node: &Node, others: Others) -> Option<Expected> {
        let pattern = match &node.content {
            Content::Null | Content::Bool(_) | Content::Number(_) => Pattern::Is(node.to_json()),
            Content::Text { text, .. } => self.literal(node, text)?,
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.pattern(item, others)).collect();
                Pattern::List(items.into_iter().collect::<Option<_>>()?)
            }
            Content::Map(entries) if entries.iter().any(|entry| entry.key.starts_with('$')) => {
                return self.matcher(node);
            }
            Content::Map(entries) => {
                let members: Vec<_> = entries
                    .iter()
                    .map(|e| {
                        let expected = self.pattern(&e.value, others)?;
                        Some((e.key.clone(), Expected { span: e.key_span, ..expected }))
                    })
                    .collect();
                Pattern::Map { members: members.into_iter().collect::<Option<_>>()?, others }
            }
        };
        Some(Expected { span: node.span, pattern })
    }

    /// Nothing in an expectation is evaluated: what looks as if it were is told apart.
    fn literal(&mut self, node: &Node, text: &str) -> Option<Pattern> {
        let Some((jq, _)) = fences::fenced(text) else {
            return Some(Pattern::Is(Value::String(text.to_owned())));
        };
        let message = "an expectation is compared as it stands, `${ }` is not evaluated";
        let jq = jq.trim();
        let help = format!(
            "write {{ $expr: '{}' }} for a condition on the value, or {{ $is: '…' }} for this very text",
            jq.replace('\'', "''")
        );
        let code = Code { severity: Severity::Error, ..codes::LOOKS_LIKE_EXPRESSION };
        self.report(code, node.span, message, help);
        None
    }

    fn matcher(&mut self, node: &Node) -> Option<Expected> {
        let [entry] = node.entries() else {
            let span = node.entries().iter().find(|e| !e.key.starts_with('$'));
            let span = span.or_else(|| node.entries().get(1)).map_or(node.span, |e| e.key_span);
            let message = "a matcher stands alone in its map";
            let help = "write it as the value of the member that it is about, or $is for a map \
                        whose keys start with `$`";
            self.report(codes::SHAPE, span, message, help);
            return None;
        };
        let value = &entry.value;
        match entry.key.as_str() {
            "$match" => self.pattern(value, Others::Allowed),
            "$is" => Some(Pattern::Is(value.to_json())).map(|p| placed(p, value.span)),
            "$expr" => self.condition(value).map(Pattern::Expr).map(|p| placed(p, value.span)),
            "$type" => self.json_type(value).map(Pattern::Type).map(|p| placed(p, value.span)),
            "$contains" => {
                let item = self.pattern(value, Others::Allowed)?;
                Some(placed(Pattern::Contains(Box::new(item)), value.span))
            }
            unknown => {
                let help = match did_you_mean(unknown, MATCHERS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known: {}", MATCHERS.join(", ")),
                };
                let message = format!("there is no matcher `{unknown}`");
                self.report(codes::SHAPE, entry.key_span, message, help);
                None
            }
        }
    }

    fn json_type(&mut self, node: &Node) -> Option<JsonType> {
        let text = self.text(node, "`$type`")?;
        let found = JsonType::ALL.iter().find(|(_, word)| *word == text);
        if found.is_none() {
            let words = JsonType::ALL.map(|(_, word)| word);
            let help = match did_you_mean(text, words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", words.join(", ")),
            };
            self.report(codes::SHAPE, node.span, format!("`{text}` is no type of JSON"), help);
        }
        found.map(|(kind, _)| *kind)
    }

    /// A jq condition on the value; a bare string, or `${ … }`.
    fn condition(&mut self, node: &Node) -> Option<Expression> {
        let text = self.text(node, "`$expr`")?;
        let (jq, _) = fences::bare_or_fenced(text);
        let span: Span = node.span;
        match fence::parse(jq) {
            Ok(parsed) => {
                let unknown =
                    parsed.reads.iter().find(|read| !VARIABLES.contains(&read.name.as_str()));
                if let Some(read) = unknown {
                    let message = format!("the variable `${}` is not defined here", read.name);
                    let help = "`.` is the value, `$input` the input of the run";
                    self.report(codes::VARIABLE, span, message, help);
                    return None;
                }
                Some(Expression(jq.trim().to_owned()))
            }
            Err(refusals) => {
                for refusal in refusals {
                    self.report(codes::EXPRESSION, span, refusal.message, refusal.help);
                }
                None
            }
        }
    }
}

fn placed(pattern: Pattern, span: Span) -> Expected {
    Expected { span, pattern }
}
