//! A plan as a picture: Mermaid text, or an SVG drawn here. Plan in, text out.
//!
//! A call that asks for approval is drawn as a gate. The same plan gives the same bytes; whatever
//! an author wrote is escaped, cut to what fits, and can end no label.

mod flow;
mod layout;
mod mermaid;
mod shape;
mod svg;

use placet_model::TaskPath;
use placet_model::manifest::Catalogue;
use placet_model::plan::Plan;
use std::collections::BTreeMap;

/// The plan as a flowchart in Mermaid's language.
pub fn mermaid(plan: &Plan, catalogue: &Catalogue) -> String {
    mermaid::write(&flow::of(plan, catalogue), &plan.workflow.to_string())
}

/// The plan as an SVG document.
pub fn svg(plan: &Plan, catalogue: &Catalogue) -> String {
    svg_of_run(plan, catalogue, &BTreeMap::new())
}

/// The plan as an SVG document, with how far a run has come.
pub fn svg_of_run(plan: &Plan, catalogue: &Catalogue, marks: &BTreeMap<TaskPath, Mark>) -> String {
    let title = plan.workflow.to_string();
    svg::write(&layout::of(&flow::of(plan, catalogue), &title, marks), &title)
}

/// What a run has made of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is complete.
    Done,
    /// The run stands here.
    Here,
    /// It came to nothing.
    Failed,
    /// It was passed over, or left.
    Passed,
}

/// Text on one line, cut to `max` characters; what cannot be seen becomes a visible mark.
fn shown(text: &str, max: usize) -> String {
    let line: Vec<char> = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    let seen = line.iter().take(if line.len() > max { max - 1 } else { max });
    let mut out: String = seen.map(|c| if is_hidden(*c) { '\u{fffd}' } else { *c }).collect();
    if line.len() > max {
        out.push('…');
    }
    out
}

/// Controls, marks of direction and of no width, and what XML cannot hold.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
