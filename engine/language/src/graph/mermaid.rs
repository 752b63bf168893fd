//! Mermaid's flowchart language. Ids are made here; an author's words stand in quotes only.

use std::fmt::Write;

use super::flow::{Edge, Form, Item, List, Section, To};

/// The flowchart of a list, as the text of a `.mmd` file.
pub(super) fn write(list: &List, title: &str) -> String {
    let mut out = Writer { text: String::new(), next: 0, depth: 1 };
    out.text.push_str("flowchart TD\n");
    out.line(&format!("start([{}])", quoted(title)));
    out.line("stop([\"end\"])");
    let ids = out.items(list);
    match ids.first() {
        Some(first) => out.line(&format!("start --> {first}")),
        None => out.line("start --> stop"),
    }
    out.edges(&list.edges, &ids, "stop");
    out.line("classDef gate stroke:#b45309,stroke-width:3px,fill:#fef3c7");
    out.text
}

struct Writer {
    text: String,
    /// Number of the next id.
    next: usize,
    depth: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let indent = "  ".repeat(self.depth);
        self.text.extend([&indent, line, "\n"]);
    }

    fn id(&mut self) -> String {
        self.next += 1;
        format!("n{}", self.next)
    }

    /// Writes the items and gives their ids.
    fn items(&mut self, list: &List) -> Vec<String> {
        list.items.iter().map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: &Item) -> String {
        let id = self.id();
        let label = quoted(&item.lines.join("\n"));
        match item.form {
            Form::Task => self.line(&format!("{id}[{label}]")),
            Form::Gate => self.line(&format!("{id}{{{{{label}}}}}:::gate")),
            Form::Choice => self.line(&format!("{id}{{{label}}}")),
            Form::Group | Form::Fork => {
                let title = quoted(&item.lines.join(", "));
                self.frame(&id, &title, |out| out.sections(&item.sections));
            }
        }
        id
    }

    fn frame(&mut self, id: &str, title: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("subgraph {id}[{title}]"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line("end");
    }

    fn sections(&mut self, sections: &[Section]) {
        let mut before: Option<String> = None;
        for section in sections {
            let id = section.label.as_ref().map(|label| {
                let id = self.id();
                self.frame(&id, &quoted(label), |out| out.list(&section.list));
                id
            });
            if id.is_none() {
                self.list(&section.list);
            }
            if let (Some(before), Some(id), Some(label)) = (&before, &id, &section.entered) {
                self.line(&format!("{before} -. {} .-> {id}", quoted(label)));
            }
            before = id;
        }
    }

    /// A list inside: its end is drawn only where something leaves early.
    fn list(&mut self, list: &List) {
        if list.items.is_empty() {
            let id = self.id();
            self.line(&format!("{id}[\"nothing\"]"));
            return;
        }
        let ids = self.items(list);
        let last = ids.len() - 1;
        let early =
            list.edges.iter().any(|e| e.to == To::Exit && (e.from != last || e.label.is_some()));
        let mut edges: Vec<&Edge> = list.edges.iter().collect();
        let mut done = String::new();
        if early {
            done = self.id();
            self.line(&format!("{done}((\" \"))"));
        } else {
            edges.retain(|edge| edge.to != To::Exit);
        }
        self.edges(edges, &ids, &done);
    }

    fn edges<'e>(&mut self, edges: impl IntoIterator<Item = &'e Edge>, ids: &[String], exit: &str) {
        for edge in edges {
            let to = match edge.to {
                To::Item(index) => ids.get(index).map_or(exit, String::as_str),
                To::Exit => exit,
                To::End => "stop",
            };
            let Some(from) = ids.get(edge.from) else { continue };
            let label = edge
                .label
                .as_deref()
                .map_or_else(String::new, |label| format!("|{}|", quoted(label)));
            self.line(&format!("{from} -->{label} {to}"));
        }
    }
}

/// Text between quotes: everything that Mermaid or HTML could read as more than text is an entity.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            c if c.is_alphanumeric() || " .,:-_/()[]{}@+='…".contains(c) => out.push(c),
            c => drop(write!(out, "#{};", u32::from(c))),
        }
    }
    out.push('"');
    out
}
