//! An answer of a provider, made fit to be kept with a project: its shape and no word of it.

mod pseudonyms;
mod redact;

pub use pseudonyms::Kind;
pub use redact::Redacted;

use crate::generate::{Error, generate};
use placet_adapters::Operation;
use placet_model::{Digest, Timestamp};
use placet_schemas::Schema;
use redact::Redactor;
use serde_json::Value;

/// What differs from the schema: where (`*` stands for any item or name), and the keyword that it
/// breaks.
pub type Difference<'a> = (&'a str, &'a str);

/// A recorded answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The body.
    pub body: Value,
    /// What was replaced, in the order of the body.
    pub redacted: Vec<Redacted>,
    /// What the log does not keep of such an answer is invented.
    pub is_whole: bool,
}

/// The record of an answer of which a task has got `output`. A task gets what a manifest keeps of an
/// answer; the rest is invented, as any answer of the sandbox is.
///
/// # Errors
/// A schema without a valid answer, where a part is to be invented.
pub fn recorded(
    operation: &Operation,
    schema: &Schema,
    output: &Value,
    differences: &[Difference<'_>],
) -> Result<Recorded, Error> {
    let mut output = output.clone();
    if let (Some(kept), Value::Object(fields)) = (operation.output_kept(), &mut output) {
        // ids that the engine has put beside what the provider said
        let named: Vec<&str> = operation.output_named().collect();
        let said = |name: &str| {
            kept.iter().any(|at| at.segments().first().is_some_and(|s| s == name || s == "*"))
        };
        fields.retain(|name, _| !named.contains(&name.as_str()) || said(name));
    }
    let mut redactor = Redactor::new(schema.document());
    let told = redactor.value(&output);
    let redacted = redactor.done;
    let Some(kept) = operation.output_kept() else {
        return Ok(Recorded { body: told, redacted, is_whole: true });
    };
    let seed = Digest::of(operation.name().as_bytes());
    let mut body = generate(schema, &seed, Timestamp::EPOCH)?;
    for at in kept {
        at.copy_into(&told, &mut body);
    }
    let missing = differences.iter().filter(|(_, kind)| *kind == "required");
    for (at, _) in missing {
        let steps: Vec<String> =
            at.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        take_out(&mut body, &steps);
    }
    Ok(Recorded { body, redacted, is_whole: false })
}

fn take_out(value: &mut Value, steps: &[String]) {
    match (value, steps) {
        (Value::Object(fields), [name]) => {
            fields.shift_remove(name);
        }
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(inner) = fields.get_mut(name) {
                take_out(inner, rest);
            }
        }
        (Value::Array(items), [_, rest @ ..]) => {
            for item in items {
                take_out(item, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
