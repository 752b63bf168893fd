//! How calls go: what a scenario says of the n-th call of an operation.

use super::super::reader::field;
use super::TestReader;
use crate::codes;
use crate::source::Span;
use crate::syntax::{Content, Node};
use crate::test_file::{CallTurn, Scenario, ScriptedCall};

const SCENARIO: &[&str] = &["scenario", "calls", "decisions", "events"];
const CALL: &[&str] = &["operation", "call", "error", "latency", "applyThenTimeout", "malformed"];
const TURNS: &[&str] = &["error", "latency", "applyThenTimeout", "malformed"];
const CALLS_MAX: u16 = u16::MAX;

impl TestReader<'_> {
    pub(super) fn scenario(&mut self, root: &Node) -> Option<Scenario> {
        if !self.map(root, "a scenario", SCENARIO) {
            return None;
        }
        let says = self.required(root, "scenario", "a scenario file");
        let says = says.and_then(|node| self.some_text(node, "`scenario`"));
        let calls = self.items(root, "calls", Self::call);
        let decisions = self.items(root, "decisions", Self::decision);
        let events = self.items(root, "events", Self::event);
        Some(Scenario { says: says?, calls: calls?, decisions: decisions?, events: events? })
    }

    /// Which calls, and the one thing that is said of them.
    pub(super) fn call(&mut self, node: &Node) -> Option<ScriptedCall> {
        if !self.map(node, "a call", CALL) {
            return None;
        }
        let operation = field(node.get("operation"), |n| self.some_text(n, "`operation`"));
        let call = field(node.get("call"), |n| self.whole(n, "`call`", 1, CALLS_MAX));
        let said: Vec<(&str, Span, &Node)> = TURNS
            .iter()
            .filter_map(|key| node.get(key).map(|value| (*key, node.key_span(key), value)))
            .collect();
        let turn = match said.as_slice() {
            [(key, _, value)] => self.turn(key, value),
            [] => {
                let message = "a call says nothing of how it goes";
                let help = format!("add one of: {}", TURNS.join(", "));
                self.report(codes::SHAPE, node.span, message, help);
                None
            }
            [_, (second, span, _), ..] => {
                let message = format!("a call goes one way, `{second}` is a second");
                let help = "write an entry of its own for each, with `call:` for which one";
                self.report(codes::CROSS_FIELD, *span, message, help);
                None
            }
        };
        let call = call.ok()?.map(u64::from);
        Some(ScriptedCall { operation: operation.ok()?, call, turn: turn? })
    }

    fn turn(&mut self, key: &str, value: &Node) -> Option<CallTurn> {
        match key {
            "error" => self.some_text(value, "`error`").map(CallTurn::Error),
            "latency" => self.some_time(value, "`latency`").map(CallTurn::Latency),
            "applyThenTimeout" => self.only_true(value, key).then_some(CallTurn::ApplyThenTimeout),
            _ => self.only_true(value, key).then_some(CallTurn::Malformed),
        }
    }

    fn only_true(&mut self, node: &Node, key: &str) -> bool {
        let is_true = matches!(node.content, Content::Bool(true));
        if !is_true {
            let message = format!("`{key}` is either true or not there");
            self.report(codes::SHAPE, node.span, message, format!("write `{key}: true`"));
        }
        is_true
    }
}
