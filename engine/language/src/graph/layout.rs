//! Where everything stands: sizes from the inside out, then places from the outside in.
//!
//! Tasks of a list stand below each other and straight arrows join neighbours. Every other arrow
//! leaves to the right, past its label, and runs in a lane of its target beside the list.

use super::flow::{Edge, Form, Item, List, Section, To};
use super::shape::{Drawing, Point, Rect, Shape, Text, Tone, width};
use super::{Mark, shown};
use placet_model::TaskPath;
use std::collections::BTreeMap;

/// Inside of frames.
const PAD: i32 = 12;
/// Between tasks.
const GAP: i32 = 40;
/// One line of text.
const LINE: i32 = 18;
/// Between arrows that leave one task, and before the first of them.
const STUB: i32 = 20;
const STUB_FIRST: i32 = 26;
/// Between lanes.
const LANE: i32 = 12;
/// How far a gate's corner reaches out.
const CORNER: i32 = 14;
/// Where an arrow from a lane meets its target, below its top.
const ENTRY: i32 = 6;
const BAR: i32 = 4;
const LABEL_MAX: usize = 34;
const TITLE_MAX: usize = 80;

/// Whether a list's end is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Dot,
    Nothing,
}

/// The size of an item.
struct Sized {
    w: i32,
    h: i32,
    sections: Vec<SizedList>,
}

/// The size of a list, and what of it the places depend on.
struct SizedList {
    w: i32,
    h: i32,
    /// Width of its widest item.
    column: i32,
    /// Width of the labels beside it.
    labels: i32,
    /// Targets that have a lane, innermost first.
    lanes: Vec<To>,
    edges: Vec<Edge>,
    items: Vec<Sized>,
    ending: Ending,
}

/// The drawing of a whole flow under its title.
pub(super) fn of(list: &List, title: &str, marks: &BTreeMap<TaskPath, Mark>) -> Drawing {
    const MARGIN: i32 = 24;
    let title = shown(title, TITLE_MAX);
    let sized = size_of(list, Some(Ending::Dot));
    let mut canvas = Canvas { shapes: Vec::new(), marks };
    canvas.text((MARGIN, MARGIN + 4), &title, Tone::Name);
    let (top, axis) = (MARGIN + 36, MARGIN + sized.column / 2);
    canvas.shapes.push(Shape::Arrow(vec![(axis, top), (axis, top + GAP - 6)]));
    canvas.shapes.push(Shape::Dot((axis, top)));
    canvas.list(list, &sized, (MARGIN, top + GAP - 6));
    Drawing {
        w: sized.w.max(width(&title)) + 2 * MARGIN,
        h: top + GAP + sized.h + MARGIN,
        shapes: canvas.shapes,
    }
}

/// Whether an edge joins neighbours, the end of the list being the last one's neighbour.
fn is_straight(edge: &Edge, count: usize) -> bool {
    match edge.to {
        To::Item(to) => to == edge.from + 1,
        To::Exit => edge.from + 1 == count,
        To::End => false,
    }
}

/// Edges between the same two places as one, with all their labels.
fn merged(edges: &[Edge]) -> Vec<Edge> {
    let mut out: Vec<Edge> = Vec::new();
    for edge in edges {
        let same = out.iter_mut().find(|other| (other.from, other.to) == (edge.from, edge.to));
        let Some(same) = same else {
            out.push(Edge { from: edge.from, to: edge.to, label: edge.label.clone() });
            continue;
        };
        let labels: Vec<&str> = same.label.iter().chain(&edge.label).map(String::as_str).collect();
        same.label = Some(shown(&labels.join(", "), LABEL_MAX)).filter(|label| !label.is_empty());
    }
    out
}

fn size_of(list: &List, ending: Option<Ending>) -> SizedList {
    let count = list.items.len();
    let edges = merged(&list.edges);
    let (straight, side): (Vec<&Edge>, Vec<&Edge>) =
        edges.iter().partition(|edge| is_straight(edge, count));
    let label = |edge: &&Edge| edge.label.as_deref().map_or(0, width);
    let labels = side.iter().map(label).max().unwrap_or(0);
    let mut lanes: Vec<To> = Vec::new();
    for edge in side.iter().filter(|edge| edge.to != To::End) {
        if !lanes.contains(&edge.to) {
            lanes.push(edge.to);
        }
    }
    let stubs = |index| side.iter().filter(|edge| edge.from == index).count();
    let items: Vec<Sized> =
        list.items.iter().enumerate().map(|(index, item)| item_size(item, stubs(index))).collect();
    let early =
        edges.iter().any(|e| e.to == To::Exit && (e.label.is_some() || e.from + 1 != count));
    let ending = ending.unwrap_or(if early { Ending::Dot } else { Ending::Nothing });
    let column = items.iter().map(|item| item.w).max().unwrap_or_else(|| width(NOTHING));
    let in_lanes = px(lanes.len()) * LANE;
    let beside = if side.is_empty() { 0 } else { 8 + labels + 10 + in_lanes };
    let ends = if side.iter().any(|edge| edge.to == To::End) { 16 + width(END) } else { 0 };
    let below = straight.iter().map(label).max().unwrap_or(0);
    let tail = if ending == Ending::Dot { GAP } else { 0 };
    let tall: i32 = items.iter().map(|item| item.h).sum();
    SizedList {
        w: (column + beside + ends).max(column / 2 + 8 + below),
        h: (tall + GAP * (px(count) - 1).max(0) + tail).max(LINE),
        column,
        labels,
        lanes,
        items,
        ending,
        edges,
    }
}

const NOTHING: &str = "nothing";
const END: &str = "end";

fn px(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Height of the lines at the top of an item.
fn head(item: &Item) -> i32 {
    10 + px(item.lines.len()) * LINE
}

fn item_size(item: &Item, stubs: usize) -> Sized {
    let text = item.lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let corners = if item.form == Form::Gate { 2 * CORNER } else { 0 };
    let stubs = if stubs == 0 { 0 } else { STUB_FIRST + px(stubs) * STUB };
    let sections: Vec<SizedList> =
        item.sections.iter().map(|section| size_of(&section.list, None)).collect();
    if sections.is_empty() {
        let w = (text + 2 * PAD + corners).max(120);
        return Sized { w, h: head(item).max(stubs), sections };
    }
    let (mut w, mut h) = (0, 0);
    for (index, (section, list)) in item.sections.iter().zip(&sections).enumerate() {
        let (wide, tall) = section_size(section, list);
        w += wide + if index == 0 { 0 } else { gap_before(section) };
        h = h.max(tall);
    }
    let bars = if item.form == Form::Fork { 2 * (BAR + LINE) } else { 0 };
    Sized { w: w.max(text) + 2 * PAD, h: (head(item) + h + bars + PAD).max(stubs), sections }
}

fn section_size(section: &Section, list: &SizedList) -> (i32, i32) {
    match &section.label {
        Some(label) => (list.w.max(width(label)) + 2 * PAD, list.h + 2 * PAD + LINE),
        None => (list.w, list.h),
    }
}

/// Room for the arrow from the section before, or between branches.
fn gap_before(section: &Section) -> i32 {
    section.entered.as_deref().map_or(16, |label| width(label) + 30)
}

struct Canvas<'m> {
    shapes: Vec<Shape>,
    /// What a run has made of its tasks.
    marks: &'m BTreeMap<TaskPath, Mark>,
}

impl Canvas<'_> {
    fn text(&mut self, at: Point, text: &str, tone: Tone) {
        self.shapes.push(Shape::Text(Text { at, words: text.to_owned(), tone }));
    }

    fn label(&mut self, at: Point, label: Option<&str>) {
        if let Some(label) = label {
            self.text(at, label, Tone::Label);
        }
    }

    /// Arrows first, so that they end under the boxes.
    fn list(&mut self, list: &List, sized: &SizedList, (x, y): Point) {
        let axis = x + sized.column / 2;
        let mut top = y;
        let mut rects: Vec<Rect> = Vec::new();
        for item in &sized.items {
            rects.push(Rect { x: axis - item.w / 2, y: top, w: item.w, h: item.h });
            top += item.h + GAP;
        }
        if rects.is_empty() {
            self.text((x, y + 13), NOTHING, Tone::Label);
        }
        let end = (axis, y + sized.h - 6);
        let frame = Beside { x: x + sized.column, axis, end, list, sized, rects: &rects };
        for edge in &sized.edges {
            self.edge(edge, &frame);
        }
        if sized.ending == Ending::Dot {
            self.shapes.push(Shape::Dot(end));
        }
        for ((item, sized), rect) in list.items.iter().zip(&sized.items).zip(&rects) {
            self.item(item, sized, *rect);
        }
    }

    fn edge(&mut self, edge: &Edge, at: &Beside<'_>) {
        let Some(from) = at.rects.get(edge.from) else { return };
        let label = edge.label.as_deref();
        if is_straight(edge, at.rects.len()) {
            let below = match edge.to {
                To::Item(to) => at.rects.get(to).map(|rect| rect.y),
                To::Exit if at.sized.ending == Ending::Dot => Some(at.end.1 - 5),
                To::Exit | To::End => None,
            };
            if let Some(below) = below {
                self.shapes.push(Shape::Arrow(vec![(at.axis, from.bottom()), (at.axis, below)]));
                self.label((at.axis + 8, from.bottom() + GAP / 2), label);
            }
            return;
        }
        let y = from.y + STUB_FIRST + STUB * at.stub(edge);
        let start = (from.right() - CORNER, y);
        self.label((from.right() + 6, y - 5), label);
        let lane = at.lane(edge.to);
        match edge.to {
            To::End => {
                self.shapes.push(Shape::Arrow(vec![start, (lane, y)]));
                self.shapes.push(Shape::Dot((lane + 5, y)));
                self.text((lane + 13, y + 4), END, Tone::Label);
            }
            To::Exit => {
                let down = vec![start, (lane, y), (lane, at.end.1), (at.axis + 5, at.end.1)];
                self.shapes.push(Shape::Arrow(down));
            }
            To::Item(to) => {
                let Some(target) = at.rects.get(to) else { return };
                let entry = (at.entry(to, *target), target.y + ENTRY);
                let points = vec![start, (lane, y), (lane, entry.1), entry];
                self.shapes.push(Shape::Arrow(points));
            }
        }
    }

    fn item(&mut self, item: &Item, sized: &Sized, rect: Rect) {
        self.shapes.push(match item.form {
            Form::Task => Shape::Task(rect),
            Form::Gate => Shape::Gate(rect),
            Form::Choice => Shape::Choice(rect),
            Form::Group | Form::Fork => Shape::Frame(rect),
        });
        let mark = self.marks.get(&item.path).map(|mark| Shape::Marked(rect, *mark));
        self.shapes.extend(mark);
        let corner = if item.form == Form::Gate { CORNER } else { 0 };
        for (index, line) in item.lines.iter().enumerate() {
            let tone = match index {
                0 => Tone::Name,
                2 if item.form == Form::Gate => Tone::Gate,
                _ => Tone::Plain,
            };
            let y = rect.y + LINE * (px(index) + 1);
            self.text((rect.x + PAD + corner, y), line, tone);
        }
        let inner = (rect.x + PAD, rect.y + head(item));
        if item.form == Form::Fork {
            self.branches(item, sized, rect, inner);
        } else {
            self.sections(item, sized, inner);
        }
    }

    fn sections(&mut self, item: &Item, sized: &Sized, (mut x, y): Point) {
        for (index, (section, list)) in item.sections.iter().zip(&sized.sections).enumerate() {
            let (w, h) = section_size(section, list);
            if index > 0 {
                let gap = gap_before(section);
                if let Some(label) = &section.entered {
                    self.shapes.push(Shape::Caught(vec![(x, y + 34), (x + gap, y + 34)]));
                    self.text((x + 12, y + 29), label, Tone::Label);
                }
                x += gap;
            }
            let Some(label) = &section.label else {
                self.list(&section.list, list, (x, y));
                x += w;
                continue;
            };
            self.shapes.push(Shape::Section(Rect { x, y, w, h }));
            self.text((x + PAD, y + LINE), label, Tone::Label);
            self.list(&section.list, list, (x + PAD, y + PAD + LINE));
            x += w;
        }
    }

    /// Branches between two bars.
    fn branches(&mut self, item: &Item, sized: &Sized, rect: Rect, (x, y): Point) {
        let bar = |y| Shape::Bar(Rect { x: rect.x + PAD, y, w: rect.w - 2 * PAD, h: BAR });
        let bottom = rect.bottom() - PAD - BAR;
        self.shapes.extend([bar(y), bar(bottom)]);
        let top = y + BAR + LINE;
        let mut left = x;
        for (index, (section, list)) in item.sections.iter().zip(&sized.sections).enumerate() {
            left += if index == 0 { 0 } else { gap_before(section) };
            let axis = left + list.column / 2;
            self.shapes.push(Shape::Arrow(vec![(axis, y + BAR), (axis, top)]));
            self.shapes.push(Shape::Line(vec![(axis, top + list.h), (axis, bottom)]));
            self.list(&section.list, list, (left, top));
            left += list.w;
        }
    }
}

/// The place beside a list where arrows run.
struct Beside<'l> {
    /// Where the column of items ends.
    x: i32,
    axis: i32,
    /// The end of the list.
    end: Point,
    list: &'l List,
    sized: &'l SizedList,
    rects: &'l [Rect],
}

impl Beside<'_> {
    /// Which of its item's arrows to the side this is.
    fn stub(&self, edge: &Edge) -> i32 {
        let count = self.rects.len();
        let before = self.sized.edges.iter().take_while(|other| *other != edge);
        px(before.filter(|other| other.from == edge.from && !is_straight(other, count)).count())
    }

    /// The target's lane; the end of the run lies past all of them.
    fn lane(&self, to: To) -> i32 {
        let place = self.sized.lanes.iter().position(|lane| *lane == to);
        let place = place.unwrap_or(self.sized.lanes.len());
        self.x + 8 + self.sized.labels + 10 + px(place) * LANE
    }

    /// Where the right side of an item is at the height of its entry.
    fn entry(&self, index: usize, rect: Rect) -> i32 {
        let is_gate = self.list.items.get(index).is_some_and(|item| item.form == Form::Gate);
        if is_gate { rect.right() - CORNER + CORNER * ENTRY * 2 / rect.h } else { rect.right() }
    }
}
