//! Which waits and which starts hear what a connection brings in. Pure: read from a plan's filters.
//!
//! A filter that does not say where its events come from may take them from anywhere; it counts as
//! hearing a connection only where it asks for something that its provider sends.

use crate::arrivals::SOURCE;
use placet_adapters::Manifest;
use placet_adapters::inbound::Inbound;
use placet_model::TaskPath;
use placet_model::integration::Integration;
use placet_model::plan::{AttributeMatch, Consume, EventFilter, Plan, TaskKind, TaskList, Until};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a connection brings in.
#[derive(Debug)]
pub(crate) struct Brings {
    source: String,
    /// The provider's own types.
    kinds: BTreeSet<String>,
    /// What they are called for all providers.
    keys: BTreeSet<String>,
}

impl Brings {
    pub(super) fn of(manifest: Option<&Manifest>, integration: &Integration) -> Self {
        let inbound = manifest.and_then(Manifest::inbound);
        let events = inbound.into_iter().flat_map(Inbound::events);
        let (kinds, keys) = events.map(|(kind, key)| (kind.to_owned(), key.to_owned())).unzip();
        Self { source: format!("{SOURCE}{}", integration.id), kinds, keys }
    }

    /// One of the events of a connection: its type, and what it is called for all providers.
    pub(crate) fn one(integration: &Integration, (kind, key): (&str, &str)) -> Self {
        let source = format!("{SOURCE}{}", integration.id);
        Self { source, kinds: [kind.to_owned()].into(), keys: [key.to_owned()].into() }
    }

    /// The provider's own types, and what waits for any type is found under.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(String::as_str)
    }

    /// Whether what starts a plan may be something that the connection brings in.
    pub(crate) fn starts(&self, plan: &Plan) -> bool {
        let on = plan.schedule.as_ref().and_then(|schedule| schedule.on.as_ref());
        on.is_some_and(|on| self.may_meet(on, &BTreeSet::new()))
    }

    /// The waits of a plan that may take something that the connection brings in; `sends` are the tasks
    /// that send through it.
    pub(super) fn waits(&self, list: &TaskList, sends: &BTreeSet<String>) -> Vec<TaskPath> {
        let mut found = vec![];
        for task in &list.0 {
            if let TaskKind::Listen(listen) = &task.kind
                && self.may_meet(&listen.to, sends)
            {
                found.push(task.path.clone());
            }
            let inner = task.kind.lists().into_iter();
            found.extend(inner.flat_map(|inner| self.waits(inner, sends)));
        }
        found
    }

    fn may_meet(&self, consume: &Consume, sends: &BTreeSet<String>) -> bool {
        match consume {
            Consume::One(filter) => self.meets(filter, sends),
            Consume::All(filters) => filters.iter().any(|filter| self.meets(filter, sends)),
            Consume::Any { filters, until } => {
                let ends = match until {
                    Some(Until::Events(events)) => self.may_meet(events, sends),
                    Some(Until::Condition(_)) | None => false,
                };
                ends || filters.iter().any(|filter| self.meets(filter, sends))
            }
        }
    }

    fn meets(&self, filter: &EventFilter, sends: &BTreeSet<String>) -> bool {
        let (mut asks, mut fits) = (false, true);
        for (name, wanted) in &filter.with {
            let known: &dyn Fn(&str) -> bool = match name.as_str() {
                "source" => &|text| text == self.source,
                "type" => &|text| self.kinds.contains(text),
                "replyto" => &|text| sends.contains(text),
                "eventKey" => &|text| self.keys.contains(text),
                _ => continue,
            };
            match wanted {
                AttributeMatch::Equal(Value::String(text)) => {
                    asks = true;
                    fits &= known(text);
                }
                AttributeMatch::Equal(_) => fits = false,
                // what only a run can evaluate may be anything
                AttributeMatch::Pattern(_) | AttributeMatch::Expression(_) => {}
            }
        }
        asks && fits
    }
}
