//! Which variables an expression may read, by the place where it stands.

use super::reader::Reader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::fence::Read;
use crate::source::Span;

/// A place of the data flow where an expression is evaluated (language.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The workflow's `input.from`.
    WorkflowInput,
    /// A task's `if` and `input.from`.
    TaskInput,
    /// A task's definition and `output.as`.
    Task,
    /// Headers, query and body of an HTTP request, where secrets are allowed.
    Request,
    /// A filter that starts runs: there is no run yet.
    Schedule,
    /// The credentials of an authentication: the place of secrets.
    Secret,
    /// A task's `export.as`.
    Export,
    /// The workflow's `output.as`.
    WorkflowOutput,
    /// `when` of a policy's rule: all that it sees is its input.
    Policy,
}

impl Place {
    /// The variables that are always there.
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &[],
            Self::Schedule => &["runtime"],
            Self::WorkflowInput => &["workflow", "runtime"],
            Self::TaskInput => &["context", "task", "workflow", "runtime", "steps"],
            Self::Task | Self::Request => {
                &["context", "input", "task", "workflow", "runtime", "steps"]
            }
            Self::Secret => {
                &["context", "input", "task", "workflow", "runtime", "steps", "secrets"]
            }
            Self::Export => &["context", "input", "output", "task", "workflow", "runtime", "steps"],
            Self::WorkflowOutput => &["context", "workflow", "runtime", "steps"],
        }
    }
}

/// Names that an author's variable may not have.
const RESERVED: &[&str] = &[
    "context",
    "input",
    "output",
    "task",
    "workflow",
    "runtime",
    "authorization",
    "secrets",
    "steps",
    "ENV",
    "__loc__",
];

/// Variables of other runtimes and what they are called here.
const HABITS: &[(&str, &str)] = &[
    ("data", "steps"),
    ("outputs", "steps"),
    ("tasks", "steps"),
    ("secret", "secrets"),
    ("state", "context"),
    ("vars", "context"),
    ("ctx", "context"),
];

/// Variables of the loops and catches around the current place, innermost last.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) local: Vec<String>,
    /// How many forks are around the current place.
    pub(super) forks: usize,
}

impl Reader<'_> {
    /// Checks that a variable which the expression reads is defined at `place`.
    pub(super) fn check_read(&mut self, read: &Read, place: Place, span: Span) {
        let name = read.name.as_str();
        if self.names.local.iter().any(|local| local == name) {
            return;
        }
        let has_authorization =
            matches!(place, Place::Task | Place::Request | Place::Secret | Place::Export);
        if name == "authorization" && has_authorization {
            let is_value = read.key.as_deref() != Some("scheme");
            if is_value {
                let message = "`$authorization.parameter` is a secret and not allowed here";
                let help = "it stands alone, as '${ $authorization.parameter }', in headers, query \
                            and body of a request; `scheme` is free";
                self.report(codes::VARIABLE, span, message, help);
            }
            return;
        }
        if name == "secrets" && place == Place::Request {
            // one that stands alone never comes here: it is a hole
            let message = "a secret stands alone, it is no part of an expression";
            let help = "write '${ $secrets.NAME }' as the whole value of a header, of a query \
                        parameter or of a key of the body";
            self.report(codes::VARIABLE, span, message, help);
            return;
        }
        if !place.variables().contains(&name) {
            self.undefined(name, place, span);
            return;
        }
        match (name, &read.key) {
            ("steps", Some(step)) => self.check_step(step, span),
            ("context", _) => self.context_reads.push(span.start),
            ("secrets", _) => self.secret_read(read, span),
            _ => {}
        }
    }

    fn secret_read(&mut self, read: &Read, span: Span) {
        if let Some(secret) = &read.key {
            self.check_secret(secret, span);
        } else {
            let message = "a secret is named: `$secrets` alone gives nothing";
            self.report(codes::VARIABLE, span, message, "write $secrets.NAME");
        }
    }

    fn undefined(&mut self, name: &str, place: Place, span: Span) {
        if name == "secrets" {
            let message = "`$secrets` is not allowed here";
            let help = "secrets stand in headers, query and body of `call: http`, in `parameters` of \
                        `call: openapi` and in authentications; adapter calls name an integration";
            self.report(codes::VARIABLE, span, message, help);
            return;
        }
        let local = self.names.local.clone();
        let known = || place.variables().iter().copied().chain(local.iter().map(String::as_str));
        let list: Vec<String> = known().map(|known| format!("${known}")).collect();
        let habit = HABITS.iter().find(|(habit, _)| *habit == name).map(|(_, meant)| *meant);
        let near = habit
            .filter(|meant| known().any(|known| known == *meant))
            .or_else(|| did_you_mean(name, known()));
        let help = near.map_or_else(
            || format!("defined here: {}", list.join(", ")),
            |near| format!("did you mean `${near}`?"),
        );
        self.report(
            codes::VARIABLE,
            span,
            format!("the variable `${name}` is not defined here"),
            help,
        );
    }

    pub(super) fn check_secret(&mut self, name: &str, span: Span) {
        if self.uses.secrets.iter().any(|secret| secret == name) {
            self.used.insert(format!("secrets/{name}"));
            return;
        }
        let near = did_you_mean(name, self.uses.secrets.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("add it: use: {{ secrets: [{name}] }}"),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the secret `{name}` is not listed in use.secrets");
        self.report(codes::UNKNOWN_USE, span, message, help);
    }

    /// The name of a variable that the document introduces (`each`, `at`, `as`).
    pub(super) fn variable_name(&mut self, name: &str, key: &str, span: Span) {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !first || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let message = format!("`{key}` must be the name of a variable");
            let help = "use letters, digits and `_`, without `$`";
            self.report(codes::SHAPE, span, message, help);
        } else if RESERVED.contains(&name) {
            let message = format!("`{key}: {name}` would hide the variable `${name}`");
            self.report(codes::CROSS_FIELD, span, message, "choose another name");
        }
    }
}
