//! A file's text with its places: byte offsets on the inside, lines and columns for people.

/// A range of bytes of one source; `start <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }
}

/// A place for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, 1-based.
    pub line: u32,
    /// Column in characters, 1-based.
    pub column: u32,
}

/// The text of one file and the name to call it by.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
    not_utf8_at: Option<usize>,
}

impl Source {
    /// The text of the file called `name` (shown in diagnostics, never opened).
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, lines, not_utf8_at: None }
    }

    /// From bytes as they were read. What is not UTF-8 becomes the replacement character, and a
    /// check of the source says so.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        let broken = std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
        Self { not_utf8_at: broken, ..Self::new(name, String::from_utf8_lossy(bytes)) }
    }

    /// The first byte of the text that was not UTF-8.
    pub(crate) fn not_utf8_at(&self) -> Option<usize> {
        self.not_utf8_at
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of `span`; empty when the span does not lie on character borders.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start.min(self.text.len())..span.end.min(self.text.len())).unwrap_or("")
    }

    /// Line and column of a byte offset; offsets past the end give the end.
    pub fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset).max(1) - 1;
        let start = self.lines.get(line).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        let one_based = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
        Place { line: one_based(line), column: one_based(column) }
    }

    /// The text of a line (1-based) without its line break; empty past the end.
    pub fn line_text(&self, line: u32) -> &str {
        let index = (line as usize).saturating_sub(1);
        let Some(start) = self.lines.get(index).copied() else { return "" };
        let end = self.lines.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}
