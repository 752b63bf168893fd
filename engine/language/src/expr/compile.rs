//! Expressions that are ready to run.

use std::fmt;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::Val;
use serde_json::Value;

use super::convert::from_jaq;
use super::prelude::{Data, definitions, functions};
use super::{Error, fence};

/// Characters of an error message of jq that are kept: it quotes values, which may be large.
const MESSAGE_CHARS_MAX: usize = 300;

/// A filter with the variables that it reads, in the order in which they are handed over.
pub(crate) struct Filter {
    filter: jaq_core::Filter<Data>,
    pub(crate) variables: Vec<String>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("variables", &self.variables).finish_non_exhaustive()
    }
}

/// Compiles an expression that gets past the fences. Needs a deep stack.
pub(crate) fn compile(source: &str) -> Result<Filter, Error> {
    let parsed = fence::parse(source).map_err(|refusals| Error::Refused {
        reason: refusals.into_iter().next().map_or_else(String::new, |refusal| refusal.message),
    })?;
    let variables = parsed.variables();
    let names: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
    let arena = Arena::default();
    let refused = || Error::Refused { reason: "it does not compile".to_owned() };
    let modules = Loader::new(definitions().iter().cloned())
        .load(&arena, File { code: source, path: () })
        .map_err(|_errors| refused())?;
    let filter = Compiler::default()
        .with_funs(functions())
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|_errors| refused())?;
    Ok(Filter { filter, variables })
}

impl Filter {
    /// The one result on `input`. At most two results are pulled: a second one is the error.
    pub(crate) fn run(&self, input: Val, variables: Vec<Val>) -> Result<Value, Error> {
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new(variables));
        let mut results = self.filter.id.run((context, input));
        let first = results.next().ok_or(Error::NoResult)?.map_err(failed)?;
        match results.next() {
            None => from_jaq(&first),
            Some(Ok(_)) => Err(Error::SeveralResults),
            Some(Err(exception)) => Err(failed(exception)),
        }
    }
}

fn failed(exception: jaq_core::Exn<'_, Val>) -> Error {
    let mut message = Bounded { text: String::new(), left: MESSAGE_CHARS_MAX };
    match exception.get_err() {
        Ok(error) => {
            if fmt::write(&mut message, format_args!("{error}")).is_err() {
                message.text.push('…');
            }
        }
        Err(_control_flow) => message.text.push_str("control flow left the expression"),
    }
    Error::Failed { message: message.text }
}

/// Text that stops growing.
struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}
