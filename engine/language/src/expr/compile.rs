//! Expressions that are ready to run.

use std::fmt;
use std::time::Duration;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::Val;
use serde_json::Value;

use super::convert::from_jaq;
use super::prelude::{Data, definitions, functions};
use super::{Error, budget, fence, value};

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
    ///
    /// Unwinds with a [`super::budget::Stop`] when the evaluation is over its budget.
    pub(crate) fn run(
        &self,
        input: Val,
        variables: Vec<Val>,
        (deadline, bytes_max): (Duration, usize),
    ) -> Result<Value, Error> {
        budget::start(deadline);
        let input = value::Value::counted(input);
        let variables: Vec<_> = variables.into_iter().map(value::Value::counted).collect();
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new(variables));
        let mut results = self.filter.id.run((context, input));
        let first = results.next().ok_or(Error::NoResult)?.map_err(failed)?;
        match results.next() {
            None => from_jaq(&first.val, bytes_max),
            Some(Ok(_)) => Err(Error::SeveralResults),
            Some(Err(exception)) => Err(failed(exception)),
        }
    }
}

fn failed(exception: jaq_core::Exn<'_, value::Value>) -> Error {
    let message = match exception.get_err() {
        Ok(error) => value::brief(&error),
        Err(_control_flow) => "control flow left the expression".to_owned(),
    };
    Error::Failed { message }
}
