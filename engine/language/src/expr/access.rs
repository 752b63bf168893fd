//! Which places of which values an expression reads: `.a.b`, `$steps.find.id`, as far as that is
//! written out. What a function or a loop makes of a value is a read of the whole of it.

use std::collections::BTreeMap;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::Part;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An item of a list.
    Item,
    /// All items or members.
    Each,
}

/// A value that is read, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The variable without its `$`; `None` is the expression's own input.
    pub(crate) variable: Option<String>,
    /// Empty for the whole value.
    pub(crate) path: Vec<Step>,
    /// Byte of the expression where the read begins.
    pub(crate) start: usize,
}

/// Functions that do not look at their input.
const BLIND: &[&str] = &["null", "true", "false", "empty", "now", "nan", "infinite", "range"];

/// The reads of a parsed expression, in order; `start_of` gives the place of a slice of its text.
pub(crate) fn of(term: &Term<&str>, start_of: &dyn Fn(&str) -> usize) -> Vec<Access> {
    let mut walk = Walk { start_of, bound: BTreeMap::new(), found: Vec::new(), last: 0 };
    let own = Access { variable: None, path: Vec::new(), start: 0 };
    let result = walk.value(term, Some(&own));
    walk.read(result);
    walk.found
}

struct Walk<'w> {
    start_of: &'w dyn Fn(&str) -> usize,
    /// What the expression itself has bound at this place; `None` where that is not a plain path.
    bound: BTreeMap<String, Option<Access>>,
    found: Vec<Access>,
    /// Where the last name stood: what has no text of its own is shown there.
    last: usize,
}

impl Walk<'_> {
    fn read(&mut self, access: Option<Access>) {
        self.found.extend(access);
    }

    /// The whole of what a term gives is read.
    fn whole(&mut self, term: &Term<&str>, here: Option<&Access>) {
        let value = self.value(term, here);
        self.read(value);
    }

    /// The place that a term stands for, when it is one: then nothing of it is read yet.
    fn value(&mut self, term: &Term<&str>, here: Option<&Access>) -> Option<Access> {
        match term {
            Term::Id => return here.cloned(),
            Term::Num(_) | Term::Break(_) | Term::Arr(None) | Term::Def(..) => {}
            Term::Recurse => self.read(here.cloned()),
            Term::Str(_, parts) => self.text(parts, here),
            Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => {
                self.whole(inner, here);
            }
            Term::Obj(entries) => {
                for (key, value) in entries {
                    self.entry(key, value.as_ref(), here);
                }
            }
            Term::BinOp(left, operator, right) => {
                return self.operation(left, operator, right, here);
            }
            Term::Fold(_, over, pattern, arguments) => self.fold(over, pattern, arguments, here),
            Term::TryCatch(body, handler) => {
                self.whole(body, here);
                if let Some(handler) = handler {
                    self.whole(handler, None);
                }
            }
            Term::IfThenElse(branches, otherwise) => {
                for (condition, branch) in branches {
                    self.whole(condition, here);
                    self.whole(branch, here);
                }
                match otherwise {
                    Some(otherwise) => self.whole(otherwise, here),
                    None => self.read(here.cloned()),
                }
            }
            Term::Call(name, arguments) => return self.call(name, arguments, here),
            Term::Var(name) => return self.variable(name),
            Term::Path(head, path) => return self.path(head, path, here),
        }
        None
    }

    fn variable(&mut self, name: &str) -> Option<Access> {
        self.last = (self.start_of)(name);
        let plain = name.strip_prefix('$').unwrap_or(name);
        match self.bound.get(plain) {
            Some(bound) => bound.clone(),
            None => Some(Access {
                variable: Some(plain.to_owned()),
                path: Vec::new(),
                start: self.last,
            }),
        }
    }

    fn path(
        &mut self,
        head: &Term<&str>,
        path: &jaq_core::path::Path<Term<&str>>,
        here: Option<&Access>,
    ) -> Option<Access> {
        let mut at = self.value(head, here);
        for (part, _) in &path.0 {
            match part {
                Part::Index(index) => match (key_of(index), index) {
                    (Some(key), _) => extend(&mut at, Step::Key(key)),
                    (None, Term::Num(_) | Term::Neg(_)) => extend(&mut at, Step::Item),
                    (None, _) => {
                        // which one is known only when it runs
                        self.whole(index, here);
                        let known = at.take();
                        self.read(known);
                    }
                },
                Part::Range(None, None) => extend(&mut at, Step::Each),
                Part::Range(from, to) => {
                    for bound in [from, to].into_iter().flatten() {
                        self.whole(bound, here);
                    }
                }
            }
        }
        at
    }

    fn text(&mut self, parts: &[StrPart<&str, Term<&str>>], here: Option<&Access>) {
        for part in parts {
            match part {
                StrPart::Term(term) => self.whole(term, here),
                StrPart::Str(_) | StrPart::Char(_) => {}
            }
        }
    }

    /// `{ a }` reads `.a`, `{ $a }` the variable, `{ a: … }` what stands there.
    fn entry(&mut self, key: &Term<&str>, value: Option<&Term<&str>>, here: Option<&Access>) {
        match (value, key_of(key)) {
            (None, Some(name)) => {
                let mut at = here.cloned();
                extend(&mut at, Step::Key(name));
                self.read(at);
            }
            (value, _) => {
                self.whole(key, here);
                if let Some(value) = value {
                    self.whole(value, here);
                }
            }
        }
    }

    fn operation(
        &mut self,
        left: &Term<&str>,
        operator: &BinaryOp<&str>,
        right: &Term<&str>,
        here: Option<&Access>,
    ) -> Option<Access> {
        match operator {
            BinaryOp::Pipe(None) => {
                let at = self.value(left, here);
                self.value(right, at.as_ref())
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let bound = self.value(left, here);
                let before = self.bound.clone();
                self.bind(pattern, bound);
                let result = self.value(right, here);
                self.bound = before;
                result
            }
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.whole(left, here);
                self.whole(right, None);
                here.cloned()
            }
            BinaryOp::Comma
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Math(_)
            | BinaryOp::Cmp(_) => {
                self.whole(left, here);
                self.whole(right, here);
                None
            }
        }
    }

    /// A name for a place is that place; what a pattern takes apart is read.
    fn bind(&mut self, pattern: &Pattern<&str>, value: Option<Access>) {
        if let Pattern::Var(name) = pattern {
            let name = name.strip_prefix('$').unwrap_or(name);
            self.bound.insert(name.to_owned(), value);
        } else {
            self.read(value);
            self.bind_inner(pattern);
        }
    }

    fn bind_inner(&mut self, pattern: &Pattern<&str>) {
        match pattern {
            Pattern::Var(name) => {
                let name = name.strip_prefix('$').unwrap_or(name);
                self.bound.insert(name.to_owned(), None);
            }
            Pattern::Arr(items) => items.iter().for_each(|item| self.bind_inner(item)),
            Pattern::Obj(entries) => entries.iter().for_each(|(_, item)| self.bind_inner(item)),
        }
    }

    fn fold(
        &mut self,
        over: &Term<&str>,
        pattern: &Pattern<&str>,
        arguments: &[Term<&str>],
        here: Option<&Access>,
    ) {
        let each = self.value(over, here);
        let before = self.bound.clone();
        self.bind(pattern, each);
        for (place, argument) in arguments.iter().enumerate() {
            self.whole(argument, here.filter(|_| place == 0));
        }
        self.bound = before;
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Term<&str>],
        here: Option<&Access>,
    ) -> Option<Access> {
        match (name, arguments) {
            ("select", [condition]) => {
                self.whole(condition, here);
                return here.cloned();
            }
            ("map", [inner]) => {
                let mut each = here.cloned();
                extend(&mut each, Step::Each);
                self.whole(inner, each.as_ref());
            }
            ("first" | "last", []) => {
                let mut item = here.cloned();
                extend(&mut item, Step::Item);
                return item;
            }
            _ => {
                if !BLIND.contains(&name) {
                    self.read(here.cloned());
                }
                for argument in arguments {
                    self.whole(argument, None);
                }
            }
        }
        None
    }
}

fn extend(at: &mut Option<Access>, step: Step) {
    if let Some(at) = at {
        at.path.push(step);
    }
}

/// A key that is written out.
fn key_of(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    parts
        .iter()
        .map(|part| match part {
            StrPart::Str(text) => Some((*text).to_owned()),
            StrPart::Char(character) => Some(character.to_string()),
            StrPart::Term(_) => None,
        })
        .collect()
}
