//! How the value of a parameter is written: the styles of `OpenAPI` 3, and the collection formats of
//! Swagger 2.0, which are the same under other names.
//! <https://spec.openapis.org/oas/v3.1.1.html#style-values>

use super::Error;
use crate::json::{scalar_text, to_bytes};
use crate::render::{encode, path_segment};
use placet_model::plan::{ApiForm, ApiParameter, ApiStyle};
use serde_json::Value;

/// A value as the texts that it is made of.
enum Atoms {
    One(String),
    Many(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// One `key=value` of a query or a form. Several texts are joined by commas that stay commas, so
/// that a comma in a text can be told from them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) texts: Vec<String>,
}

impl Pair {
    pub(super) fn one(key: &str, text: String) -> Self {
        Self { key: key.to_owned(), texts: vec![text] }
    }

    /// As it stands in a query.
    pub(super) fn encoded(&self) -> String {
        let texts: Vec<String> = self.texts.iter().map(|text| encode(text)).collect();
        format!("{}={}", encode(&self.key), texts.join(","))
    }
}

/// A JSON Pointer of these keys.
pub(super) fn pointer(keys: &[&str]) -> String {
    let keys = keys.iter().map(|key| key.replace('~', "~0").replace('/', "~1"));
    keys.fold(String::new(), |pointer, key| pointer + "/" + &key)
}

fn refuse(parameter: &ApiParameter, reason: &'static str) -> Error {
    Error::Value { name: parameter.name.clone(), reason }
}

fn json_text(value: &Value) -> String {
    String::from_utf8(to_bytes(value)).expect("JSON is UTF-8")
}

fn atoms(parameter: &ApiParameter, value: &Value) -> Result<Atoms, Error> {
    let text = |value: &Value| {
        scalar_text(value).ok_or_else(|| refuse(parameter, "it is nested deeper than its style"))
    };
    match value {
        Value::Array(items) => Ok(Atoms::Many(items.iter().map(text).collect::<Result<_, _>>()?)),
        Value::Object(members) => {
            let pair = |(key, value): (&String, &Value)| Ok((key.clone(), text(value)?));
            let given = members.iter().filter(|(_, value)| !value.is_null());
            Ok(Atoms::Pairs(given.map(pair).collect::<Result<_, Error>>()?))
        }
        scalar => text(scalar).map(Atoms::One),
    }
}

/// `k,v` of every pair, or `k=v` where each stands for itself.
fn flat(pairs: Vec<(String, String)>, explode: bool) -> Vec<String> {
    if explode {
        pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    } else {
        pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()
    }
}

/// The text of a path parameter, percent-encoded. Each of its parts obeys the rule of path segments:
/// what could walk the path is refused.
pub(super) fn path(parameter: &ApiParameter, value: &Value) -> Result<String, Error> {
    let safe = |text: &str| {
        path_segment(text).ok_or_else(|| {
            refuse(parameter, "it is empty, or holds a slash, dots or a control character")
        })
    };
    let ApiForm::Style { style, explode } = parameter.form else {
        return safe(&json_text(value));
    };
    let name = encode(&parameter.name);
    let (texts, is_pairs) = match atoms(parameter, value)? {
        Atoms::One(text) => (vec![safe(&text)?], false),
        Atoms::Many(texts) => {
            (texts.iter().map(|text| safe(text)).collect::<Result<_, _>>()?, false)
        }
        Atoms::Pairs(pairs) => {
            let pairs = pairs.into_iter().map(|(key, text)| Ok((safe(&key)?, safe(&text)?)));
            (flat(pairs.collect::<Result<_, Error>>()?, explode), true)
        }
    };
    if texts.is_empty() {
        return Err(refuse(parameter, "it is empty"));
    }
    Ok(match style {
        ApiStyle::Label => format!(".{}", texts.join(if explode { "." } else { "," })),
        ApiStyle::Matrix if explode && is_pairs => format!(";{}", texts.join(";")),
        ApiStyle::Matrix if explode => format!(";{name}={}", texts.join(&format!(";{name}="))),
        ApiStyle::Matrix => format!(";{name}={}", texts.join(",")),
        ApiStyle::SpaceDelimited => texts.join("%20"),
        ApiStyle::TabDelimited => texts.join("%09"),
        ApiStyle::PipeDelimited => texts.join("%7C"),
        ApiStyle::Simple | ApiStyle::Form | ApiStyle::DeepObject => texts.join(","),
    })
}

/// The text of a header or a cookie.
pub(super) fn line(parameter: &ApiParameter, value: &Value) -> Result<String, Error> {
    let ApiForm::Style { style, explode } = parameter.form else { return Ok(json_text(value)) };
    let texts = match atoms(parameter, value)? {
        Atoms::One(text) => return Ok(text),
        Atoms::Many(texts) => texts,
        Atoms::Pairs(pairs) => flat(pairs, explode),
    };
    Ok(texts.join(separator(style)))
}

/// The pairs of a query or of a form.
pub(super) fn pairs(parameter: &ApiParameter, value: &Value) -> Result<Vec<Pair>, Error> {
    let name = parameter.name.as_str();
    let ApiForm::Style { style, explode } = parameter.form else {
        return Ok(vec![Pair::one(name, json_text(value))]);
    };
    if style == ApiStyle::DeepObject {
        return deep(parameter, value);
    }
    Ok(match atoms(parameter, value)? {
        Atoms::One(text) => vec![Pair::one(name, text)],
        Atoms::Many(texts) if explode => {
            texts.into_iter().map(|text| Pair::one(name, text)).collect()
        }
        Atoms::Pairs(pairs) if explode => {
            pairs.into_iter().map(|(key, text)| Pair::one(&key, text)).collect()
        }
        Atoms::Many(texts) => joined(name, texts, style),
        Atoms::Pairs(pairs) => joined(name, flat(pairs, false), style),
    })
}

fn joined(name: &str, texts: Vec<String>, style: ApiStyle) -> Vec<Pair> {
    if texts.is_empty() {
        return Vec::new();
    }
    let texts = match separator(style) {
        "," => texts,
        other => vec![texts.join(other)],
    };
    vec![Pair { key: name.to_owned(), texts }]
}

const fn separator(style: ApiStyle) -> &'static str {
    match style {
        ApiStyle::SpaceDelimited => " ",
        ApiStyle::TabDelimited => "\t",
        ApiStyle::PipeDelimited => "|",
        ApiStyle::Simple
        | ApiStyle::Label
        | ApiStyle::Matrix
        | ApiStyle::Form
        | ApiStyle::DeepObject => ",",
    }
}

/// `name[key]=value`, a list under a key as the key repeated.
fn deep(parameter: &ApiParameter, value: &Value) -> Result<Vec<Pair>, Error> {
    let Value::Object(members) = value else {
        return Err(refuse(parameter, "its style takes an object"));
    };
    let mut pairs = Vec::new();
    for (key, value) in members {
        let key = format!("{}[{key}]", parameter.name);
        match atoms(parameter, value) {
            _ if value.is_null() => {}
            Ok(Atoms::One(text)) => pairs.push(Pair::one(&key, text)),
            Ok(Atoms::Many(texts)) => {
                pairs.extend(texts.into_iter().map(|text| Pair::one(&key, text)));
            }
            Ok(Atoms::Pairs(_)) | Err(_) => {
                return Err(refuse(parameter, "it is nested deeper than its style"));
            }
        }
    }
    Ok(pairs)
}
