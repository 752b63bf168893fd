//! YAML text to a tree: events of the parser in, [`Node`]s with places out.
//!
//! Refused with their place: duplicate keys, merge keys, tags, several documents, keys that are not
//! strings, and the limits. Aliases are expanded here, so the limits count what they grow to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{self as granit, Event, Parser, ScalarStyle, Tag};

use super::{Content, Entry, Node, Style, scalar};
use crate::codes;
use crate::diagnostic::Sink;
use crate::source::Span;

/// Longest source, in bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of lists and maps.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most values in the tree, aliases expanded.
pub(crate) const NODES_MAX: usize = 100_000;

/// Most bytes of strings and keys, aliases expanded.
pub(crate) const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a tree costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    /// Bytes of its strings and keys.
    bytes: usize,
    /// Levels of lists and maps.
    depth: usize,
}

/// A tree under an anchor.
struct Anchored {
    node: Node,
    size: Size,
}

/// What a list or map holds so far.
enum Inside {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The key that waits for its value.
        waiting: Option<(String, Span)>,
    },
}

/// A list or map that is still being read.
struct Open {
    span: Span,
    anchor: usize,
    inside: Inside,
    /// Keys so far and where they stand.
    keys: BTreeMap<String, Span>,
    /// Of what is inside so far; `depth` is that of the deepest child.
    size: Size,
}

struct Loader<'s, 'd> {
    sink: &'d mut Sink<'s>,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<Node>,
    /// Of all that was read, kept apart from the open lists and maps so that limits bite early.
    total: Size,
    documents: usize,
}

/// Whether reading can go on.
enum Step {
    On,
    Stop,
}

/// The tree of the one document in the source; `None` when there is none to speak of.
pub(crate) fn load(sink: &mut Sink<'_>) -> Option<Node> {
    if let Some(at) = sink.source().not_utf8_at() {
        let span = Span::new(at, at + 1);
        sink.report(codes::YAML, span, "the file is not UTF-8 text", "save it as UTF-8");
        return None;
    }
    let source = sink.source();
    let length = source.text().len();
    if length > SOURCE_BYTES_MAX {
        let message = format!("the file has {length} bytes, at most {SOURCE_BYTES_MAX} are read");
        sink.report(codes::YAML_FORM, Span::default(), message, "split it into several files");
        return None;
    }
    let text = source.text();
    let text_start = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut loader = Loader {
        sink,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
        total: Size::default(),
        documents: 0,
    };
    for event in Parser::new_from_str(text.get(text_start..).unwrap_or("")) {
        let step = match event {
            Ok((event, span)) => loader.event(event, place(span, text_start)),
            Err(error) => loader.broken(&error, text_start),
        };
        if matches!(step, Step::Stop) {
            return None;
        }
    }
    let root = loader.root.take();
    if root.is_none() {
        let help = "a workflow starts with `document:` and `do:`";
        sink.report(codes::SHAPE, Span::default(), "the file is empty", help);
    }
    root
}

fn place(span: granit::Span, offset: usize) -> Span {
    let at = |marker: granit::Marker| marker.byte_offset().unwrap_or(0) + offset;
    Span::new(at(span.start), at(span.end))
}

impl Loader<'_, '_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(..) => return self.document(span),
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag, span);
                let node = self.scalar(&text, style, span);
                let size = Size { nodes: 1, bytes: text.len(), depth: 0 };
                return self.add(node, anchor, size);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag, span);
                return self.open(span, anchor, Inside::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag, span);
                let inside = Inside::Map { entries: Vec::new(), waiting: None };
                return self.open(span, anchor, inside);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(span),
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor `&{name}` stands before this alias");
                self.form(span, message, "write the value itself");
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) | _ => {}
        }
        Step::On
    }

    fn form(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.sink.report(codes::YAML_FORM, span, message, help);
    }

    fn document(&mut self, span: Span) -> Step {
        self.documents += 1;
        if self.documents < 2 {
            return Step::On;
        }
        self.form(span, "a second document starts here", "one workflow for each file");
        Step::Stop
    }

    fn refuse_tag(&mut self, tag: Option<Cow<'_, Tag>>, span: Span) {
        let Some(tag) = tag else { return };
        let message = format!("the tag `{}` is not allowed", tag.original());
        self.form(span, message, "remove it; quote the value if it must be a string");
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let quoted = |style| Content::Text { text: text.to_owned(), style };
        let content = match style {
            ScalarStyle::Plain => scalar::resolve_plain(text).unwrap_or_else(|reason| {
                let help = "write it as a string in quotes";
                self.sink.report(codes::SHAPE, span, reason, help);
                Content::Null
            }),
            ScalarStyle::SingleQuoted => quoted(Style::SingleQuoted),
            ScalarStyle::DoubleQuoted => quoted(Style::DoubleQuoted),
            ScalarStyle::Literal | ScalarStyle::Folded => quoted(Style::Block),
        };
        Node { span, content }
    }

    fn open(&mut self, span: Span, anchor: usize, inside: Inside) -> Step {
        if self.stack.len() >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            self.form(span, message, "take parts out into a workflow of their own");
            return Step::Stop;
        }
        self.stack.push(Open {
            span,
            anchor,
            inside,
            keys: BTreeMap::new(),
            size: Size::default(),
        });
        Step::On
    }

    fn close(&mut self, span: Span) -> Step {
        let Some(open) = self.stack.pop() else { return Step::On };
        let size = Size { nodes: open.size.nodes + 1, depth: open.size.depth + 1, ..open.size };
        let content = match open.inside {
            Inside::Map { entries, .. } => Content::Map(entries),
            Inside::List(items) => Content::List(items),
        };
        let node = Node { span: Span::new(open.span.start, span.end), content };
        self.total.nodes -= open.size.nodes;
        self.total.bytes -= open.size.bytes;
        self.add(node, open.anchor, size)
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        let Some(size) = self.anchors.get(&id).map(|anchored| anchored.size) else {
            self.form(span, "the alias stands inside of what it names", "write the value itself");
            return Step::Stop;
        };
        if let Some(stop) = self.over_limit(span, size) {
            return stop;
        }
        if self.stack.len() + size.depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            self.form(span, message, "write less deeply nested values");
            return Step::Stop;
        }
        match self.anchors.get(&id) {
            Some(anchored) => {
                let node = Node { span, content: anchored.node.content.clone() };
                self.add(node, 0, size)
            }
            None => Step::On,
        }
    }

    /// Whether adding a tree of `size` would go over a limit, checked before anything is copied.
    fn over_limit(&mut self, span: Span, size: Size) -> Option<Step> {
        let message = if self.total.nodes + size.nodes > NODES_MAX {
            format!("more than {NODES_MAX} values")
        } else if self.total.bytes + size.bytes > TEXT_BYTES_MAX {
            format!("more than {TEXT_BYTES_MAX} bytes of text")
        } else {
            return None;
        };
        self.form(
            span,
            message,
            "split it into several files; aliases count as what they expand to",
        );
        Some(Step::Stop)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize, size: Size) -> Step {
        if let Some(stop) = self.over_limit(node.span, size) {
            return stop;
        }
        self.total.nodes += size.nodes;
        self.total.bytes += size.bytes;
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        let Some(parent) = self.stack.last_mut() else {
            self.root = Some(node);
            return Step::On;
        };
        parent.size.nodes += size.nodes;
        parent.size.bytes += size.bytes;
        parent.size.depth = parent.size.depth.max(size.depth);
        match &mut parent.inside {
            Inside::List(items) => items.push(node),
            Inside::Map { entries, waiting } => match waiting.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
                None => self.key(&node),
            },
        }
        Step::On
    }

    /// Whether the map on top of the stack is the document's `schedule`, the one place where `on`
    /// is a key.
    fn in_schedule(&self) -> bool {
        match self.stack.as_slice() {
            [Open { inside: Inside::Map { waiting: Some((key, _)), .. }, .. }, _] => {
                key == "schedule"
            }
            _ => false,
        }
    }

    /// The key of the map on top of the stack.
    fn key(&mut self, node: &Node) {
        let Some(parent) = self.stack.last() else { return };
        let taken = |key: &str| Some(self.sink.source().place(parent.keys.get(key)?.start).line);
        let key = match &node.content {
            Content::Text { text, .. } if text == "<<" => {
                self.form(
                    node.span,
                    "merge keys `<<` are not allowed",
                    "write the keys themselves",
                );
                format!("<<{}", node.span.start)
            }
            Content::Text { text, .. } => match taken(text) {
                None => text.clone(),
                Some(line) => {
                    let message = format!("the key `{text}` stands twice in this map");
                    let help = format!("the first is on line {line}; keep one of them");
                    self.form(node.span, message, &help);
                    text.clone()
                }
            },
            Content::Bool(true) if self.in_schedule() => {
                let message = "this boolean was the key `on`, before a YAML 1.1 tool wrote it";
                let help = "write 'on': in quotes, which every tool leaves alone";
                self.sink.report(codes::BOOLEAN_KEY, node.span, message, help);
                "on".to_owned()
            }
            Content::Bool(value) => {
                let message = format!("a key must be a string, this is the boolean `{value}`");
                let help =
                    "quote it; if a YAML 1.1 tool wrote the file, it was probably `on` or `off`";
                self.form(node.span, message, help);
                value.to_string()
            }
            Content::Null | Content::Number(_) | Content::List(_) | Content::Map(_) => {
                let message = format!("a key must be a string, this is {}", node.kind());
                self.form(node.span, message, "put the key in quotes");
                format!("key at byte {}", node.span.start)
            }
        };
        if let Some(parent) = self.stack.last_mut() {
            parent.keys.entry(key.clone()).or_insert(node.span);
            if let Inside::Map { waiting, .. } = &mut parent.inside {
                *waiting = Some((key, node.span));
            }
        }
    }

    fn broken(&mut self, error: &granit::ScanError, offset: usize) -> Step {
        let at = error.marker().byte_offset().unwrap_or(0) + offset;
        let line = self.sink.source().place(at).line;
        let text = self.sink.source().line_text(line);
        let before = self.sink.source().line_text(line.saturating_sub(1));
        let help = if text.contains("${") || before.contains("${") {
            "put the whole expression in single quotes: '${ … }'"
        } else if text.contains('\t') {
            "indent with spaces, not tabs"
        } else {
            "check indentation, quotes and brackets here and on the line above"
        };
        let message = format!("the YAML cannot be read: {}", error.info());
        self.sink.report(codes::YAML, Span::new(at, at + 1), message, help);
        Step::Stop
    }
}
