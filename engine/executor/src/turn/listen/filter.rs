//! Which event fits which filter of a strategy, and when a strategy is satisfied (language 5.6).

use crate::events::same;
use crate::turn::begin::evaluated;
use crate::turn::scope::Place;
use crate::turn::{Outcome, Turn, or_fault};
use placet_core::run::Wait;
use placet_language::Scope;
use placet_model::event::wait::Taken;
use placet_model::plan::{AttributeMatch, Consume, EventFilter, Expression, Until};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};

/// A whole value against a pattern that has its own `^` and `$`.
static PATTERN: LazyLock<Expression> =
    LazyLock::new(|| Expression("type == \"string\" and test($pattern)".to_owned()));

/// An event fits.
pub(super) struct Found {
    pub(super) taken: Taken,
    pub(super) filter: u32,
    /// The values that correlation expects from now on, when some were fixed by this event.
    pub(super) expected: Option<Value>,
}

/// Whether an event fits a filter, and the expectations when it fixes one.
enum Fits {
    Yes(Option<Value>),
    No,
}

/// The filters of a strategy, and of the one that ends it.
pub(super) struct Filters<'p> {
    consume: &'p Consume,
    until: Option<&'p Until>,
}

/// A filter that may take an event now; none is every event.
pub(super) type Open<'p> = (Taken, u32, Option<&'p EventFilter>);

impl<'p> Filters<'p> {
    pub(super) fn of(consume: &'p Consume) -> Self {
        let until = match consume {
            Consume::Any { until, .. } => until.as_ref(),
            Consume::One(_) | Consume::All(_) => None,
        };
        Self { consume, until }
    }

    pub(super) fn until_condition(&self) -> Option<&'p Until> {
        self.until.filter(|until| matches!(until, Until::Condition(_)))
    }

    fn until_events(&self) -> Option<&'p Consume> {
        match self.until {
            Some(Until::Events(consume)) => Some(consume),
            Some(Until::Condition(_)) | None => None,
        }
    }

    /// The filters that may take an event now; what ends the wait is asked first.
    pub(super) fn open(&self, wait: &Wait) -> Vec<Open<'p>> {
        let until = self.until_events().map(filters).unwrap_or_default();
        let until = numbered(until).filter(|(number, _)| !wait.until.contains(number));
        let until = until.map(|(number, filter)| (Taken::Until, number, filter));
        let once = matches!(self.consume, Consume::All(_));
        let own = numbered(filters(self.consume))
            .filter(|(number, _)| !once || !wait.matched.contains(number));
        until.chain(own.map(|(number, filter)| (Taken::Consumed, number, filter))).collect()
    }

    /// Whether the wait is over with what was found; a condition is the caller's to evaluate.
    pub(super) fn is_over(&self, wait: &Wait, found: &Found) -> bool {
        let all = |consume: &Consume, before: &std::collections::BTreeSet<u32>| match consume {
            Consume::One(_) | Consume::Any { .. } => true,
            Consume::All(filters) => {
                before.len() + usize::from(!before.contains(&found.filter)) >= filters.len()
            }
        };
        match (found.taken, self.until_events()) {
            (Taken::Until, Some(until)) => all(until, &wait.until),
            (Taken::Until, None) | (Taken::Consumed, Some(_)) => false,
            (Taken::Consumed, None) => all(self.consume, &wait.matched),
        }
    }
}

fn filters(consume: &Consume) -> Vec<Option<&EventFilter>> {
    match consume {
        Consume::One(filter) => vec![Some(filter)],
        Consume::Any { filters, .. } if filters.is_empty() => vec![None],
        Consume::All(filters) | Consume::Any { filters, .. } => filters.iter().map(Some).collect(),
    }
}

fn numbered(
    filters: Vec<Option<&EventFilter>>,
) -> impl Iterator<Item = (u32, Option<&EventFilter>)> {
    (0..).zip(filters)
}

/// Types of the events that may match; an empty text is any type.
pub(crate) fn interest(consume: &Consume) -> Vec<String> {
    let own = filters(consume);
    let until = Filters::of(consume).until_events().map(filters).unwrap_or_default();
    let mut types: Vec<String> = own.into_iter().chain(until).map(type_of).collect();
    if types.iter().any(String::is_empty) {
        return vec![String::new()];
    }
    types.sort();
    types.dedup();
    types
}

fn type_of(filter: Option<&EventFilter>) -> String {
    let attributes = filter.map(|filter| filter.with.as_slice()).unwrap_or_default();
    let literal = attributes.iter().find_map(|(name, matcher)| match matcher {
        AttributeMatch::Equal(Value::String(text)) if name == "type" => Some(text.clone()),
        AttributeMatch::Equal(_) | AttributeMatch::Pattern(_) | AttributeMatch::Expression(_) => {
            None
        }
    });
    literal.unwrap_or_default()
}

impl Turn<'_> {
    /// The first of these filters that the event fits.
    pub(super) fn first_match(
        &mut self,
        open: &[Open<'_>],
        (event, expected): (&Arc<Value>, &Value),
        place: &Place<'_>,
    ) -> Outcome<Option<Found>> {
        for (taken, number, filter) in open {
            let fits = match filter {
                None => Fits::Yes(None),
                Some(filter) => or_fault!(self.fits(filter, (event, expected), place)),
            };
            if let Fits::Yes(expected) = fits {
                return Ok(Ok(Some(Found { taken: *taken, filter: *number, expected })));
            }
        }
        Ok(Ok(None))
    }

    /// Whether the event fits the filter, and the expectations when it fixes one.
    fn fits(
        &mut self,
        filter: &EventFilter,
        (event, expected): (&Arc<Value>, &Value),
        place: &Place<'_>,
    ) -> Outcome<Fits> {
        for (name, matcher) in &filter.with {
            let Some(value) = event.get(name) else { return Ok(Ok(Fits::No)) };
            if !or_fault!(self.attribute_fits(matcher, value, place)) {
                return Ok(Ok(Fits::No));
            }
        }
        let mut fixed: Map<String, Value> = expected.as_object().cloned().unwrap_or_default();
        let before = fixed.len();
        for correlation in &filter.correlate {
            let from = &correlation.from;
            let scope = self.scope(&from.0, place)?;
            let value = self.env.evaluator.expression(from, event, &scope);
            let value = or_fault!(evaluated(value));
            if value.is_null() {
                return Ok(Ok(Fits::No));
            }
            let wanted = match (&correlation.expect, fixed.get(&correlation.key)) {
                (Some(expect), _) => {
                    let input = place.input.clone().unwrap_or_default();
                    Some(or_fault!(self.template(expect, &input, place)))
                }
                (None, known) => known.cloned(),
            };
            match wanted {
                Some(wanted) if !same(&wanted, &value) => return Ok(Ok(Fits::No)),
                Some(_) => {}
                None => drop(fixed.insert(correlation.key.clone(), value)),
            }
        }
        let fixes = (fixed.len() > before).then_some(Value::Object(fixed));
        Ok(Ok(Fits::Yes(fixes)))
    }

    /// Equal, or of the pattern, or as the expression on the attribute's value says: a boolean
    /// decides, anything else must be equal to it.
    fn attribute_fits(
        &mut self,
        matcher: &AttributeMatch,
        value: &Value,
        place: &Place<'_>,
    ) -> Outcome<bool> {
        Ok(match matcher {
            AttributeMatch::Equal(wanted) => Ok(same(wanted, value)),
            AttributeMatch::Pattern(pattern) => {
                let scope = Scope::new().with("pattern", Value::String(pattern.clone()));
                let fits = self.env.evaluator.condition(&PATTERN, value, &scope);
                Ok(or_fault!(evaluated(fits)))
            }
            AttributeMatch::Expression(expression) => {
                let scope = self.scope(&expression.0, place)?;
                let said = self.env.evaluator.expression(expression, value, &scope);
                match or_fault!(evaluated(said)) {
                    Value::Bool(fits) => Ok(fits),
                    wanted => Ok(same(&wanted, value)),
                }
            }
        })
    }
}
