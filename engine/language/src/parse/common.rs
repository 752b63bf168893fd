//! What all tasks have: the fields around the keyword.

use placet_model::plan::Directive;

use super::reader::Reader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::Node;

/// Keys that every task may have.
pub(super) const COMMON: &[&str] =
    &["if", "input", "output", "export", "timeout", "then", "metadata"];

impl Reader<'_> {
    /// `then`: a word, or the name of a task of the same list.
    pub(super) fn directive(&mut self, node: &Node, siblings: &[String]) -> Directive {
        let Some(text) = self.text(node, "`then`") else { return Directive::Continue };
        match text {
            "continue" => return Directive::Continue,
            "exit" => return Directive::Exit,
            "end" => return Directive::End,
            _ => {}
        }
        let place = siblings.iter().position(|name| name == text);
        if let Some(index) = place.and_then(|place| u32::try_from(place).ok()) {
            return Directive::Goto { task: text.to_owned(), index };
        }
        if siblings.is_empty() {
            let message = format!("`then: {text}` names a task, and this one stands alone");
            let help = "write continue, exit or end; tasks that follow each other stand in a `do`";
            self.report(codes::UNKNOWN_TARGET, node.span, message, help);
            return Directive::Continue;
        }
        let words = ["continue", "exit", "end"];
        let known = siblings.iter().map(String::as_str).chain(words);
        let help = match did_you_mean(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a task of the same list, or write continue, exit or end".to_owned(),
        };
        let message = format!("`then: {text}` names no task of this list");
        self.report(codes::UNKNOWN_TARGET, node.span, message, help);
        Directive::Continue
    }

    /// A name that is in no map of `use`.
    pub(super) fn unknown_use(&mut self, what: &str, name: &str, span: Span, known: &[String]) {
        let help = match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if what == "retry" => "declare it under use.retries".to_owned(),
            None => format!("declare it under use.{what}s"),
        };
        let message = format!("there is no {what} named `{name}` in `use`");
        self.report(codes::UNKNOWN_USE, span, message, help);
    }
}
