//! What a drawing is made of. Whole pixels, so that every platform writes the same digits.

use super::Mark;

/// A point.
pub(super) type Point = (i32, i32);

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) w: i32,
    pub(super) h: i32,
}

impl Rect {
    pub(super) const fn right(self) -> i32 {
        self.x + self.w
    }

    pub(super) const fn bottom(self) -> i32 {
        self.y + self.h
    }
}

/// One thing that is drawn.
#[derive(Debug)]
pub(super) enum Shape {
    Task(Rect),
    Gate(Rect),
    Choice(Rect),
    Frame(Rect),
    /// A part of a frame.
    Section(Rect),
    /// Where branches begin or end.
    Bar(Rect),
    /// Start, or end of a run or list.
    Dot(Point),
    /// A line through points, with a head at its end.
    Arrow(Vec<Point>),
    /// The same, for errors.
    Caught(Vec<Point>),
    Line(Vec<Point>),
    Text(Text),
    /// What became of the task in this box.
    Marked(Rect, Mark),
}

/// One line of text from its left end.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) at: Point,
    pub(super) words: String,
    pub(super) tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A task's name.
    Name,
    Plain,
    /// Beside an arrow.
    Label,
    /// The word of a gate.
    Gate,
}

/// A finished drawing.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) w: i32,
    pub(super) h: i32,
    pub(super) shapes: Vec<Shape>,
}

/// Tenths of a pixel that one column of text takes: a little more than common fonts need. Letters
/// are set to it whatever font there is.
const COLUMN: i32 = 73;

/// Width of a text in pixels: wide letters take two columns.
pub(super) fn width(text: &str) -> i32 {
    let columns: i32 = text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum();
    (columns * COLUMN + 9) / 10
}

/// Letters of East Asian scripts and pictures.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}
