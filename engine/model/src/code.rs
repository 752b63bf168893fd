//! Every `PL####` code that people and programs can meet, in one table. Numbers are stable once
//! released; the reference (`docs/reference/codes.md`), the pages that an engine serves under
//! `/errors/` and `placet explain` are made from it.

mod decisions;
mod language;
mod outside;
mod requests;
mod storage;

/// A code with its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `PL####`.
    pub name: &'static str,
    /// The status of an HTTP answer with it.
    pub http: u16,
    /// What it means, one line.
    pub title: &'static str,
    /// Where one meets it.
    pub at: &'static str,
    /// What has happened.
    pub what: &'static str,
    /// What to do about it, one line: said wherever the code is.
    pub help: &'static str,
    /// What the reader does next, in full.
    pub next: &'static str,
}

macro_rules! codes {
    ($($name:literal $http:literal $title:literal
        at: $at:literal what: $what:literal help: $help:literal next: $next:literal;)+) => {
        &[$(Code {
            name: $name, http: $http, title: $title, at: $at, what: $what, help: $help, next: $next,
        }),+]
    };
}
use codes;

/// A range of numbers, what it is about, and its codes.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What its codes are about.
    pub title: &'static str,
    /// In order.
    pub codes: &'static [Code],
}

/// Every code, by ranges.
pub const PARTS: [Part; 5] = [
    Part { title: "Data, keys, evidence", codes: storage::CODES },
    Part { title: "Workflows and policies", codes: language::CODES },
    Part { title: "Decisions", codes: decisions::CODES },
    Part { title: "Requests", codes: requests::CODES },
    Part { title: "NATS, providers, and our own faults", codes: outside::CODES },
];

/// Every code, in order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    PARTS.iter().flat_map(|part| part.codes)
}

/// The code with this name.
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|entry| entry.name == code)
}

/// The reference of all codes, as Markdown: one anchor each, in lower case as renderers make them.
pub fn reference() -> String {
    let mut text = "# Codes\n\nMade from `engine/model/src/code` by `placet explain --markdown`; do not edit.\n\n\
        Every refusal and every error that somebody can act on has a code. It stands in the message on the terminal, in \
        the `code` of a problem over HTTP (whose `type` leads to its page on the engine, `/errors/PL####`), and over NATS \
        in `error.code` of the answer and, without the letters, in its header `Nats-Service-Error-Code`. `placet explain \
        PL####` prints what stands here. A command that ends with a code exits with 1, or with 2 where the input cannot \
        be; `placet check` exits with 0 where there are only warnings and hints.\n"
        .to_owned();
    for part in &PARTS {
        text += "\n## ";
        text += part.title;
        text += "\n";
        for code in part.codes {
            text += &code.markdown();
        }
    }
    text
}

impl Code {
    /// The exit code of a command that ends with it.
    pub fn exit(&self) -> u8 {
        // refusals of what was typed, not of what was asked for
        if ["PL4003", "PL4010"].contains(&self.name) { 2 } else { 1 }
    }

    /// The number in the error header of the NATS service API.
    pub fn nats(&self) -> &'static str {
        self.name.trim_start_matches("PL")
    }

    /// The page as plain text.
    pub fn text(&self) -> String {
        let Self { name, http, title, at, what, help, next } = self;
        let (nats, exit) = (self.nats(), self.exit());
        format!(
            "{name}: {title}\n\n{what}\n\nWhat to do: {help}.\n\n{next}\n\nWhere: {at}\nHTTP {http}, NATS {nats}, exit code {exit}\n"
        )
    }

    fn markdown(&self) -> String {
        let Self { name, http, title, at, what, help, next } = self;
        let (nats, exit) = (self.nats(), self.exit());
        format!(
            "\n### {name}\n\n**{title}.** {what}\n\n*What to do:* {help}. {next}\n\n*Where:* {at}. HTTP {http}, NATS {nats}, exit code {exit}.\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_stand_once() {
        let names: Vec<&str> = all().map(|code| code.name).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }

    #[test]
    fn every_code_says_more_than_its_title() {
        for code in all() {
            let Code { name, title, at, what, help, next, .. } = *code;
            assert!(!title.is_empty() && !at.is_empty() && !help.is_empty(), "{name}");
            for text in [what, next] {
                let ends = text.ends_with('.') || text.ends_with('?');
                assert!(text.len() > title.len() && text.contains(' ') && ends, "{name}: {text:?}");
            }
            assert!(what.len() + next.len() > 80, "{name} says hardly anything");
            assert_ne!(what, next, "{name}");
            // whoever prints it puts the full stop
            assert!(!help.ends_with('.') && !title.ends_with('.') && !at.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn every_code_is_an_error_over_http_and_tells_the_same_everywhere() {
        for code in all() {
            assert!((400..600).contains(&code.http), "{}", code.name);
            for text in [code.text(), code.markdown()] {
                for part in [code.what, code.next, code.help, code.at, code.title] {
                    assert!(text.contains(part), "{}", code.name);
                }
            }
        }
    }
}
