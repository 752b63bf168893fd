//! Parsing an expression and refusing what may not run, on the parsed tree, never by text search.
//!
//! Must run on a thread with a deep stack ([`super::STACK_BYTES`]): jaq's parser is recursive, and
//! 4 KiB of brackets would overflow an ordinary one.

use jaq_core::load::lex::{self, Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{self, BinaryOp, Parser, Pattern, Term};
use jaq_core::path::Part;

use super::access::{self, Access};
use super::prelude::{allowed, why_refused};
use super::{SOURCE_BYTES_MAX, SYNTAX_DEPTH_MAX, results};
use crate::diagnostic::did_you_mean;

/// A refusal of one expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Bytes of the expression that are meant.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A read of a variable that the expression does not bind itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Without the `$`.
    pub(crate) name: String,
    /// Byte of the expression where it stands.
    pub(crate) start: usize,
    /// The literal key taken from it: `a` in `$steps.a` and in `$steps["a"]`.
    pub(crate) key: Option<String>,
}

/// What is known of an expression that got past the fences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) reads: Vec<Read>,
    /// The same and those of its own input, with the place that is read where it is written out.
    pub(crate) accesses: Vec<Access>,
    /// How many results it gives, where that is certain before it runs.
    pub(crate) results: Option<usize>,
}

impl Parsed {
    /// The names of the variables it reads, each once, in order.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.reads.iter().map(|read| read.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Parses `source` and walks its tree.
pub(crate) fn parse(source: &str) -> Result<Parsed, Vec<Refusal>> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the expression is longer than {SOURCE_BYTES_MAX} bytes");
        let help = "split it over several tasks".to_owned();
        return Err(vec![Refusal { start: 0, end: source.len(), message, help }]);
    }
    let tokens = Lexer::new(source).lex().map_err(|errors| lexical(source, &errors))?;
    if brackets(&tokens) > SYNTAX_DEPTH_MAX {
        return Err(vec![too_deep(source)]);
    }
    let term =
        Parser::new(&tokens).parse(Parser::term).map_err(|errors| grammatical(source, &errors))?;
    let mut walk = Walk { source, bound: Vec::new(), parsed: Parsed::default(), refused: vec![] };
    walk.term(&term, 0);
    // Only after the walk: it is what bounds the depth.
    if walk.refused.is_empty() {
        walk.parsed.results = results::count(&term);
        walk.parsed.accesses = access::of(&term, &|part| offset(source, part));
    }
    if walk.refused.is_empty() { Ok(walk.parsed) } else { Err(walk.refused) }
}

fn too_deep(source: &str) -> Refusal {
    let message = format!("the expression is nested deeper than {SYNTAX_DEPTH_MAX} levels");
    let help = "split it over several tasks".to_owned();
    Refusal { start: 0, end: source.len(), message, help }
}

/// Levels of brackets and string interpolations, which need not be levels of the parsed tree.
fn brackets(tokens: &[Token<&str>]) -> usize {
    let level = |Token(_, token): &Token<&str>| match token {
        Tok::Block(inner) => 1 + brackets(inner),
        Tok::Str(parts) => parts.iter().map(part_brackets).max().unwrap_or(0),
        Tok::Word | Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => 0,
    };
    tokens.iter().map(level).max().unwrap_or(0)
}

fn part_brackets(part: &StrPart<&str, Token<&str>>) -> usize {
    match part {
        StrPart::Term(token) => brackets(std::slice::from_ref(token)),
        StrPart::Str(_) | StrPart::Char(_) => 0,
    }
}

/// Where `part`, a slice of `whole`, starts in it; the end of `whole` for anything else.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize)
        .checked_sub(whole.as_ptr() as usize)
        .filter(|start| *start <= whole.len())
        .unwrap_or(whole.len())
}

const QUOTING_HELP: &str =
    "write the expression in single quotes in YAML; see jq's manual for the syntax";

fn lexical(source: &str, errors: &[lex::Error<&str>]) -> Vec<Refusal> {
    errors
        .iter()
        .map(|(expected, rest)| Refusal {
            start: offset(source, rest),
            end: offset(source, rest) + rest.chars().next().map_or(0, char::len_utf8),
            message: format!("the expression cannot be read: expected {}", expected.as_str()),
            help: QUOTING_HELP.to_owned(),
        })
        .collect()
}

fn grammatical(
    source: &str,
    errors: &[(parse::Expect<&str>, Option<&Token<&str>>)],
) -> Vec<Refusal> {
    let refusal = |(expected, found): &(parse::Expect<&str>, Option<&Token<&str>>)| {
        let (start, length, found) = match found {
            Some(Token(text, _)) => {
                let shown: String = text.chars().take(20).collect();
                (offset(source, text), text.len(), format!("`{shown}`"))
            }
            None => (source.len(), 0, "the end".to_owned()),
        };
        let module = matches!(source.trim_start().get(..7), Some("import " | "include"));
        let help = if module { "there are no modules" } else { QUOTING_HELP };
        Refusal {
            start,
            end: start + length,
            message: format!(
                "the expression does not parse: expected {}, found {found}",
                expected.as_str()
            ),
            help: help.to_owned(),
        }
    };
    errors.iter().map(refusal).collect()
}

struct Walk<'s> {
    source: &'s str,
    /// Variables bound by the expression itself at this place.
    bound: Vec<&'s str>,
    parsed: Parsed,
    refused: Vec<Refusal>,
}

impl<'s> Walk<'s> {
    fn refuse(&mut self, at: &'s str, message: impl Into<String>, help: impl Into<String>) {
        let start = offset(self.source, at);
        let (message, help) = (message.into(), help.into());
        self.refused.push(Refusal { start, end: start + at.len(), message, help });
    }

    /// Walks one term; returns without going on once the tree is too deep.
    fn term(&mut self, term: &Term<&'s str>, depth: usize) {
        if depth >= SYNTAX_DEPTH_MAX {
            if self.refused.is_empty() {
                self.refused.push(too_deep(self.source));
            }
            return;
        }
        let depth = depth + 1;
        match term {
            Term::Id | Term::Recurse | Term::Num(_) | Term::Arr(None) | Term::Break(_) => {}
            Term::Str(format, parts) => self.string(*format, parts, depth),
            Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => {
                self.term(inner, depth);
            }
            Term::Obj(entries) => self.object(entries, depth),
            Term::BinOp(left, operator, right) => self.operation(left, operator, right, depth),
            Term::Fold(name, over, pattern, arguments) => {
                self.fold(name, (over, pattern, arguments), depth);
            }
            Term::TryCatch(body, handler) => {
                self.term(body, depth);
                if let Some(handler) = handler {
                    self.term(handler, depth);
                }
            }
            Term::IfThenElse(branches, otherwise) => {
                for (condition, branch) in branches {
                    self.term(condition, depth);
                    self.term(branch, depth);
                }
                if let Some(otherwise) = otherwise {
                    self.term(otherwise, depth);
                }
            }
            Term::Def(definitions, _) => {
                let at = definitions.first().map_or(self.source, |definition| definition.name);
                let help = "a definition could recurse without end; write it out, or use a task";
                self.refuse(at, "`def` is refused", help);
            }
            Term::Call(name, arguments) => self.call(name, arguments, depth),
            Term::Var(name) => self.variable(name, None),
            Term::Path(head, path) => self.path(head, path, depth),
        }
    }

    fn string(
        &mut self,
        format: Option<&'s str>,
        parts: &[StrPart<&'s str, Term<&'s str>>],
        depth: usize,
    ) {
        if let Some(format) = format {
            self.name(format, 0);
        }
        for part in parts {
            match part {
                StrPart::Term(term) => self.term(term, depth),
                StrPart::Str(_) | StrPart::Char(_) => {}
            }
        }
    }

    fn object(&mut self, entries: &[(Term<&'s str>, Option<Term<&'s str>>)], depth: usize) {
        for (key, value) in entries {
            self.term(key, depth);
            if let Some(value) = value {
                self.term(value, depth);
            }
        }
    }

    fn operation(
        &mut self,
        left: &Term<&'s str>,
        operator: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
        depth: usize,
    ) {
        self.term(left, depth);
        let bound = self.bound.len();
        if let BinaryOp::Pipe(Some(pattern)) = operator {
            self.pattern(pattern, depth);
        }
        self.term(right, depth);
        self.bound.truncate(bound);
    }

    fn fold(
        &mut self,
        name: &'s str,
        (over, pattern, arguments): (&Term<&'s str>, &Pattern<&'s str>, &[Term<&'s str>]),
        depth: usize,
    ) {
        if !matches!(name, "reduce" | "foreach") {
            self.refuse(name, format!("`{name}` is refused"), "use reduce or foreach");
        }
        self.term(over, depth);
        if let Some(initial) = arguments.first() {
            self.term(initial, depth);
        }
        let bound = self.bound.len();
        self.pattern(pattern, depth);
        for argument in arguments.iter().skip(1) {
            self.term(argument, depth);
        }
        self.bound.truncate(bound);
    }

    fn pattern(&mut self, pattern: &Pattern<&'s str>, depth: usize) {
        if depth >= SYNTAX_DEPTH_MAX {
            self.term(&Term::Id, depth);
            return;
        }
        match pattern {
            Pattern::Var(name) => self.bound.push(name),
            Pattern::Arr(items) => {
                for item in items {
                    self.pattern(item, depth + 1);
                }
            }
            Pattern::Obj(entries) => {
                for (key, value) in entries {
                    self.term(key, depth + 1);
                    self.pattern(value, depth + 1);
                }
            }
        }
    }

    fn call(&mut self, name: &'s str, arguments: &[Term<&'s str>], depth: usize) {
        self.name(name, arguments.len());
        for argument in arguments {
            self.term(argument, depth);
        }
    }

    /// A function's or format's name as written in the expression.
    fn name(&mut self, name: &'s str, arity: usize) {
        if allowed().contains(&(name, arity)) {
            return;
        }
        if let Some(help) = why_refused(name, arity) {
            self.refuse(name, format!("the function `{name}` is not available here"), help);
            return;
        }
        let other_arity = allowed().iter().find(|(known, _)| *known == name);
        let help = match other_arity {
            Some((_, arity)) => format!("`{name}` takes {arity} arguments, separated by `;`"),
            None => match did_you_mean(name, allowed().iter().map(|(known, _)| *known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "use a function of jq's manual; a string stands in double quotes".to_owned()
                }
            },
        };
        self.refuse(name, format!("there is no function `{name}` with {arity} arguments"), help);
    }

    fn variable(&mut self, name: &'s str, key: Option<String>) {
        if self.bound.contains(&name) {
            return;
        }
        let start = offset(self.source, name);
        let name = name.strip_prefix('$').unwrap_or(name).to_owned();
        self.parsed.reads.push(Read { name, start, key });
    }

    fn path(
        &mut self,
        head: &Term<&'s str>,
        path: &jaq_core::path::Path<Term<&'s str>>,
        depth: usize,
    ) {
        if let Term::Var(name) = head {
            self.variable(name, first_key(path));
        } else {
            self.term(head, depth);
        }
        for (part, _) in &path.0 {
            match part {
                Part::Index(index) => self.term(index, depth),
                Part::Range(from, to) => {
                    for bound in [from, to].into_iter().flatten() {
                        self.term(bound, depth);
                    }
                }
            }
        }
    }
}

/// The first key of a path when it is written out.
fn first_key(path: &jaq_core::path::Path<Term<&str>>) -> Option<String> {
    let (Part::Index(Term::Str(None, parts)), _) = path.0.first()? else { return None };
    parts
        .iter()
        .map(|part| match part {
            StrPart::Str(text) => Some((*text).to_owned()),
            StrPart::Char(character) => Some(character.to_string()),
            StrPart::Term(_) => None,
        })
        .collect()
}
