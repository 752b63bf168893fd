//! The drawing as SVG. Every text is set to the width that its box was made for.

use std::fmt::Write;

use super::shape::{Drawing, Point, Rect, Shape, Text, Tone, width};
use super::{Mark, shown};

const STYLE: &str = "text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2937}\
    .name{font-weight:600}.label{fill:#4b5563}.gate{font-weight:600;fill:#92400e}\
    rect,polygon{stroke:#64748b;stroke-width:1.2;fill:#fff}\
    .frame{fill:#f8fafc;stroke:#94a3b8}.section{fill:#fff;stroke:#cbd5e1;stroke-dasharray:4 3}\
    .asks{fill:#fef3c7;stroke:#b45309;stroke-width:2.4}.choice{fill:#eef2ff;stroke:#6366f1}\
    .bar{fill:#334155;stroke:none}.dot{fill:#334155}\
    polyline{fill:none;stroke:#475569;stroke-width:1.3}.caught{stroke:#b91c1c;stroke-dasharray:5 3}";

/// The document.
pub(super) fn write(drawing: &Drawing, title: &str) -> String {
    let mut out = String::new();
    let (w, h) = (drawing.w, drawing.h);
    out.extend([
        &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\">\n"
        ),
        &format!("<title>{}</title>\n<style>{STYLE}</style>\n", escaped(&shown(title, 300))),
        "<defs>",
        &marker("head", "#475569"),
        &marker("red", "#b91c1c"),
        "</defs>\n",
        &format!("<rect width=\"{w}\" height=\"{h}\" style=\"stroke:none\"/>\n"),
    ]);
    for shape in &drawing.shapes {
        out.push_str(&element(shape));
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

fn marker(id: &str, colour: &str) -> String {
    format!(
        "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"{colour}\"/></marker>"
    )
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Task(rect) => rectangle(*rect, "task", 6),
        Shape::Choice(rect) => rectangle(*rect, "choice", 14),
        Shape::Frame(rect) => rectangle(*rect, "frame", 8),
        Shape::Section(rect) => rectangle(*rect, "section", 6),
        Shape::Bar(rect) => rectangle(*rect, "bar", 0),
        Shape::Gate(rect) => gate(*rect),
        Shape::Dot((x, y)) => format!("<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"),
        Shape::Arrow(points) => line(points, " marker-end=\"url(#head)\""),
        Shape::Caught(points) => line(points, " class=\"caught\" marker-end=\"url(#red)\""),
        Shape::Line(points) => line(points, ""),
        Shape::Text(text) => words(text),
        Shape::Marked(rect, mark) => marked(*rect, *mark),
    }
}

fn rectangle(rect: Rect, class: &str, round: i32) -> String {
    let Rect { x, y, w, h } = rect;
    format!(
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"/>"
    )
}

/// A hexagon: nothing else has six corners.
fn gate(rect: Rect) -> String {
    const CORNER: i32 = 14;
    let middle = rect.y + rect.h / 2;
    let (left, right) = (rect.x + CORNER, rect.right() - CORNER);
    let points = [
        (left, rect.y),
        (right, rect.y),
        (rect.right(), middle),
        (right, rect.bottom()),
        (left, rect.bottom()),
        (rect.x, middle),
    ];
    format!("<polygon class=\"asks\" points=\"{}\"/>", list(&points))
}

fn line(points: &[Point], more: &str) -> String {
    format!("<polyline points=\"{}\"{more}/>", list(points))
}

fn list(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

fn words(text: &Text) -> String {
    let class = match text.tone {
        Tone::Name => " class=\"name\"",
        Tone::Plain => "",
        Tone::Label => " class=\"label\"",
        Tone::Gate => " class=\"gate\"",
    };
    let (x, y) = text.at;
    let wide = width(&text.words).max(1);
    format!(
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{wide}\" lengthAdjust=\"spacingAndGlyphs\"{class}>{}</text>",
        escaped(&text.words)
    )
}

/// A ring around the box and a sign at its corner: neither says it by its colour alone.
fn marked(rect: Rect, mark: Mark) -> String {
    const ROUND: i32 = 9;
    let (colour, sign, words) = match mark {
        Mark::Done => ("#166534", "\u{2713}", "done"),
        Mark::Here => ("#1f4fa3", "\u{25b6}", "the run stands here"),
        Mark::Failed => ("#a31515", "!", "failed"),
        Mark::Passed => ("#55555e", "\u{2013}", "passed over"),
    };
    let Rect { x, y, w, h } = rect;
    let (right, wide) = (rect.right(), if mark == Mark::Here { 4 } else { 2 });
    format!(
        "<g><title>{words}</title><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"8\" \
         style=\"fill:none;stroke:{colour};stroke-width:{wide}\"/>\
         <circle cx=\"{right}\" cy=\"{y}\" r=\"{ROUND}\" style=\"fill:{colour}\"/>\
         <text x=\"{}\" y=\"{}\" style=\"fill:#fff;text-anchor:middle\">{sign}</text></g>",
        right,
        y + 4
    )
}

/// Text as XML holds it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' | '\'' => drop(write!(out, "&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
