//! What a card shows first: a title and the fields that a manifest names. The card itself is made
//! from the bytes; a preview only orders and names what is in them. What a provider was asked before
//! ([`PreviewRead`]) stands apart from that, as what it said at a moment.

mod read;

pub(crate) use read::Amounts;
pub use read::PreviewRead;

use crate::manifest::Operation;
use crate::money::Money;
use crate::pointer::Pointer;
use crate::render::Rendered;
use crate::template::{Scope, Template};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct PreviewSpec {
    pub(crate) title: Template,
    pub(crate) fields: Vec<FieldSpec>,
    pub(crate) warnings: Vec<WarnSpec>,
    pub(crate) lookup: Option<PreviewRead>,
}

#[derive(Debug, Clone)]
pub(crate) enum FieldSpec {
    Target,
    TargetPart(String),
    Input(Pointer),
}

#[derive(Debug, Clone)]
pub(crate) struct WarnSpec {
    pub(crate) test: WarnTest,
    pub(crate) say: String,
}

#[derive(Debug, Clone)]
pub(crate) enum WarnTest {
    Is(Pointer, Value),
    Absent(Pointer),
    /// The mode of the credential.
    Mode(String),
}

/// Data for the head of a card; all of it is content.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub title: String,
    pub fields: Vec<PreviewField>,
    pub warnings: Vec<String>,
    /// What it moves, where it moves money.
    pub money: Option<Money>,
}

/// One named value.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewField {
    pub name: String,
    pub value: Value,
}

/// Title, fields that are present, and warnings; a read, which asks nobody, has its title only.
pub fn preview(
    operation: &Operation,
    (input, settings): (&Value, &Value),
    mode: Option<&str>,
    rendered: &Rendered,
) -> Preview {
    let money = operation.money(input);
    let Some(spec) = &operation.preview else {
        return Preview {
            title: operation.title().to_owned(),
            fields: Vec::new(),
            warnings: Vec::new(),
            money,
        };
    };
    let words = money.as_ref().map(ToString::to_string);
    let scope = Scope {
        input,
        config: settings,
        target: rendered.target.as_ref(),
        mode,
        money: words.as_deref(),
        ..Scope::NOTHING
    };
    let title =
        spec.title.text(&scope).ok().flatten().unwrap_or_else(|| operation.title().to_owned());
    Preview {
        title,
        fields: spec.fields.iter().filter_map(|field| field.read(&scope)).collect(),
        warnings: spec
            .warnings
            .iter()
            .filter(|warn| warn.test.holds(input, mode))
            .map(|warn| warn.say.clone())
            .collect(),
        money,
    }
}

impl FieldSpec {
    fn read(&self, scope: &Scope<'_>) -> Option<PreviewField> {
        let target = scope.target;
        let text = |text: &str| Value::String(text.to_owned());
        let (name, value) = match self {
            Self::Target => ("target".to_owned(), text(target?.text())),
            Self::TargetPart(part) => (part.clone(), text(target?.part(part)?)),
            Self::Input(at) => (at.segments().join("."), at.get(scope.input)?.clone()),
        };
        Some(PreviewField { name, value })
    }
}

impl WarnTest {
    fn holds(&self, input: &Value, mode: Option<&str>) -> bool {
        match self {
            Self::Is(at, wanted) => at.get(input) == Some(wanted),
            Self::Absent(at) => at.get(input).is_none(),
            // what is not known is warned of
            Self::Mode(wanted) => mode.is_none_or(|mode| mode == wanted),
        }
    }
}
