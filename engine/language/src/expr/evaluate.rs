//! Running expressions and templates: the one door for everything outside this crate.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jaq_json::Val;
use placet_model::plan::{Expression, Template};
use serde_json::Value;

use super::compile::{Filter, compile};
use super::convert::{check_input, copy_result, to_jaq};
use super::pool::Pool;
use super::scope::Scope;
use super::simple::{SimplePath, kind};
use super::{Error, RESULT_BYTES_MAX};

/// Filters kept; when there are more, all are forgotten and made again as they are needed.
const CACHE_MAX: usize = 4096;
/// Compiling is bounded by the source's length, not by data: only a broken machine takes this long.
const COMPILE_DEADLINE: Duration = Duration::from_secs(10);

/// What an evaluator may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall-clock time of one evaluation.
    pub deadline: Duration,
    /// Bytes of JSON of one result.
    pub output_bytes: usize,
    /// Threads that evaluate at the same time.
    pub workers: usize,
    /// Threads given up after which the process must restart.
    pub abandoned_max: usize,
}

impl Default for Limits {
    /// 250 ms, 1 MiB, four threads, eight given up.
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(250),
            output_bytes: RESULT_BYTES_MAX,
            workers: 4,
            abandoned_max: 8,
        }
    }
}

/// Whether an evaluator can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can; so many threads were given up so far.
    Fit {
        /// Threads given up.
        abandoned: usize,
    },
    /// It refuses everything that needs the engine: restart the process in order.
    MustRestart {
        /// Threads given up.
        abandoned: usize,
    },
}

#[derive(Clone, Debug)]
enum Ready {
    Simple(Arc<SimplePath>),
    Filter(Arc<Filter>),
}

/// Evaluates expressions behind the fences. One for each process; share it by reference or `Arc`.
///
/// Call it outside of every write transaction: an evaluation may take up to the deadline.
#[derive(Debug)]
pub struct Evaluator {
    pool: Pool,
    limits: Limits,
    cache: Mutex<HashMap<String, Ready>>,
}

impl Default for Evaluator {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Evaluator {
    /// An evaluator with these limits; threads start when they are first needed.
    pub fn new(limits: Limits) -> Self {
        let pool = Pool::new(limits.workers, limits.abandoned_max);
        Self { pool, limits, cache: Mutex::default() }
    }

    /// The one result of `expression` on `input` (`.`).
    ///
    /// # Errors
    /// See [`Error`]; each is `…/expression` for the run, but for [`Error::MustRestart`].
    pub fn expression(
        &self,
        expression: &Expression,
        input: &Value,
        scope: &Scope,
    ) -> Result<Value, Error> {
        self.evaluate(&expression.0, &Frame::new(input, scope))
    }

    /// The result of a condition: true, or false for false and null.
    ///
    /// # Errors
    /// As [`Self::expression`], and [`Error::NotBoolean`] for any other result.
    pub fn condition(
        &self,
        expression: &Expression,
        input: &Value,
        scope: &Scope,
    ) -> Result<bool, Error> {
        match self.expression(expression, input, scope)? {
            Value::Bool(result) => Ok(result),
            Value::Null => Ok(false),
            other @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(Error::NotBoolean { found: kind(&other) })
            }
        }
    }

    /// The value of a template: expressions at its leaves are evaluated, keys never are, and a
    /// string that comes out of an expression is not evaluated again.
    ///
    /// # Errors
    /// As [`Self::expression`], of the first leaf that fails.
    pub fn template(
        &self,
        template: &Template,
        input: &Value,
        scope: &Scope,
    ) -> Result<Value, Error> {
        self.fill(template, &Frame::new(input, scope))
    }

    /// Whether it can go on.
    pub fn health(&self) -> Health {
        let abandoned = self.pool.abandoned();
        if abandoned < self.limits.abandoned_max {
            Health::Fit { abandoned }
        } else {
            Health::MustRestart { abandoned }
        }
    }

    fn fill(&self, template: &Template, frame: &Frame<'_>) -> Result<Value, Error> {
        match template {
            Template::Literal(value) => Ok(value.clone()),
            Template::Expression(expression) => self.evaluate(&expression.0, frame),
            Template::List(items) => items.iter().map(|item| self.fill(item, frame)).collect(),
            Template::Map(entries) => entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), self.fill(item, frame)?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    fn evaluate(&self, source: &str, frame: &Frame<'_>) -> Result<Value, Error> {
        match self.ready(source)? {
            Ready::Simple(path) => {
                frame.check(path.root.as_deref())?;
                copy_result(path.follow(frame.input, frame.scope)?, self.limits.output_bytes)
            }
            Ready::Filter(filter) => {
                let input = frame.input()?;
                let variables = filter
                    .variables
                    .iter()
                    .map(|name| frame.variable(name))
                    .collect::<Result<_, _>>()?;
                let (deadline, most) = (self.limits.deadline, self.limits.output_bytes);
                self.pool.run(deadline, move || filter.run(input, variables, (deadline, most)))?
            }
        }
    }

    /// The expression ready to run, from the cache or made now.
    fn ready(&self, source: &str) -> Result<Ready, Error> {
        let cached = |ready: Option<Ready>| {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(ready) = ready else { return cache.get(source).cloned() };
            if cache.len() >= CACHE_MAX {
                cache.clear();
            }
            cache.insert(source.to_owned(), ready.clone());
            Some(ready)
        };
        if let Some(ready) = cached(None) {
            return Ok(ready);
        }
        let ready = if let Some(path) = SimplePath::parse(source) {
            Ready::Simple(Arc::new(path))
        } else {
            let owned = source.to_owned();
            let filter = self.pool.run(COMPILE_DEADLINE, move || compile(&owned))??;
            Ready::Filter(Arc::new(filter))
        };
        cached(Some(ready.clone()));
        Ok(ready)
    }
}

/// `.` and the variables of one evaluation, each checked and converted at most once.
struct Frame<'a> {
    input: &'a Value,
    scope: &'a Scope,
    converted: OnceCell<Val>,
    variables: RefCell<BTreeMap<String, Val>>,
}

impl<'a> Frame<'a> {
    fn new(input: &'a Value, scope: &'a Scope) -> Self {
        Self { input, scope, converted: OnceCell::new(), variables: RefCell::default() }
    }

    /// Checks the limits of `.` (`None`) or of a variable.
    fn check(&self, name: Option<&str>) -> Result<(), Error> {
        match name {
            None => check_input(".", self.input),
            Some(name) => self.scope.get(name).map_or(Ok(()), |value| check_input(name, value)),
        }
    }

    fn input(&self) -> Result<Val, Error> {
        if let Some(input) = self.converted.get() {
            return Ok(input.clone());
        }
        check_input(".", self.input)?;
        Ok(self.converted.get_or_init(|| to_jaq(self.input)).clone())
    }

    fn variable(&self, name: &str) -> Result<Val, Error> {
        if let Some(value) = self.variables.borrow().get(name) {
            return Ok(value.clone());
        }
        let undefined = || Error::UndefinedVariable { name: name.to_owned() };
        let value = self.scope.get(name).ok_or_else(undefined)?;
        check_input(name, value)?;
        let value = to_jaq(value);
        self.variables.borrow_mut().insert(name.to_owned(), value.clone());
        Ok(value)
    }
}
