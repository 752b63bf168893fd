//! The calls that a run and what it has ordered have begun, read back from the log for a transport that
//! answers from what it was asked before: the sandbox remembers nothing that is not here.

use crate::env::Env;
use crate::erasure::unless_erased;
use crate::handle::Error;
use crate::perform::ANSWER_BYTES_MAX;
use crate::world::World;
use placet_adapters::{Call, CallIntegration, Occurrence, Past, Redirects, Ticket};
use placet_log::ReadView;
use placet_model::attempt::DeferReason;
use placet_model::draft::{BoundIntegration, Mode};
use placet_model::event::attempt::GENERATOR_FIELD;
use placet_model::request::PreparedRequest;
use placet_model::{Event, PayloadRef, RecordedEvent, Revision, RunId, StreamId};
use placet_projections::{OrderedBy, Views};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Reads calls back.
#[derive(Debug)]
pub(crate) struct Recalled {
    env: Arc<Env>,
    world: Arc<RwLock<Arc<World>>>,
}

/// What an event says of a call.
struct Begun<'e> {
    ticket: Ticket,
    operation: &'e str,
    send_id: &'e str,
    integration: Option<&'e BoundIntegration>,
    credential_version: u32,
    with: PayloadRef,
    request: PayloadRef,
}

impl Recalled {
    pub(crate) const fn new(env: Arc<Env>, world: Arc<RwLock<Arc<World>>>) -> Self {
        Self { env, world }
    }

    /// What a run and all that it has ordered have recorded of their calls, in the order of the log.
    fn recorded(
        view: &ReadView,
        run: RunId,
        is_wanted: fn(&Event) -> bool,
    ) -> Result<Vec<RecordedEvent>, placet_log::Error> {
        let (mut runs, mut found) = (vec![run], vec![]);
        while let Some(run) = runs.pop() {
            for recorded in view.stream(&StreamId::Run(run), Revision::START) {
                let recorded = recorded?;
                if let Event::ChildStarted(body) = &recorded.event {
                    runs.push(body.child);
                } else if is_wanted(&recorded.event) {
                    found.push(recorded);
                }
            }
        }
        found.sort_by_key(|recorded| recorded.position);
        Ok(found)
    }

    /// The generator of the last answer.
    fn made_by(&self, run: RunId) -> Result<Option<String>, placet_log::Error> {
        let all = Self::recorded(&self.env.log.read()?, run, |event| generator(event).is_some())?;
        Ok(all.last().and_then(|recorded| generator(&recorded.event)).map(str::to_owned))
    }

    fn read(&self, run: RunId) -> Result<Vec<(Ticket, Call)>, placet_log::Error> {
        let view = self.env.log.read()?;
        let found = Self::recorded(&view, run, is_of_a_call)?;
        let mut calls: Vec<(Ticket, Call)> = vec![];
        for recorded in found {
            if let Event::AttemptDeferred(body) = &recorded.event
                && body.reason == DeferReason::BeforeSend
            {
                let never_left = (body.attempt, body.try_number, false);
                calls.retain(|(ticket, _)| {
                    (ticket.attempt, ticket.number, ticket.is_look_up) != never_left
                });
            }
            if let Some(begun) = begun(&recorded.event)
                && let Some(call) = self.call(&view, (&begun, &recorded))?
            {
                calls.push((begun.ticket, call));
            }
        }
        Ok(calls)
    }

    /// The run that nobody has ordered, at the beginning of what led to this one.
    fn first(&self, run: RunId) -> Result<RunId, Error> {
        let view = self.env.log.read()?;
        let views = Views::new(&view)?;
        let mut first = run;
        while let Some(OrderedBy::Run { run: parent, .. }) =
            views.order(first)?.map(|order| order.by)
        {
            first = parent;
        }
        Ok(first)
    }

    /// None where its content is gone, or its operation.
    fn call(
        &self,
        view: &ReadView,
        (begun, recorded): (&Begun<'_>, &RecordedEvent),
    ) -> Result<Option<Call>, placet_log::Error> {
        let Some(operation) = self.env.adapters.operation(begun.operation) else { return Ok(None) };
        let stream = &recorded.stream;
        let with = unless_erased(view.payload(stream, begun.with))?;
        let request = unless_erased(view.payload(stream, begun.request))?;
        let (Some(with), Some(request)) = (with, request) else { return Ok(None) };
        let with = serde_json::from_slice(with.as_bytes()).ok();
        let request = PreparedRequest::from_bytes(request.as_bytes()).ok();
        let (Some(with), Some(request)) = (with, request) else { return Ok(None) };
        let most = Duration::from_millis(self.env.config.limits.call_ms_max);
        Ok(Some(Call {
            attempt: None,
            operation: Arc::clone(operation),
            integration: begun.integration.map(|bound| self.integration(bound, begun)),
            request: Arc::new(request),
            input: Arc::new(with),
            occurrence: Occurrence { seen: None, now: recorded.recorded_at },
            redirects: Redirects::Never,
            timeout: operation.timeout().min(most),
            send_id: begun.send_id.to_owned(),
            response_bytes_max: ANSWER_BYTES_MAX,
        }))
    }

    fn integration(&self, bound: &BoundIntegration, begun: &Begun<'_>) -> CallIntegration {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        let name = world.integrations.get(&bound.id).map(|known| known.name.clone());
        CallIntegration {
            id: bound.id,
            name: name.unwrap_or_default(),
            credential_version: begun.credential_version,
        }
    }
}

impl Past for Recalled {
    fn calls(&self, run: RunId) -> Vec<(Ticket, Call)> {
        self.read(run).unwrap_or_else(|error| {
            tracing::error!(%run, %error, "what the sandbox was asked before cannot be read");
            vec![]
        })
    }

    fn generator(&self, run: RunId) -> Option<String> {
        self.made_by(run).unwrap_or_else(|error| {
            tracing::error!(%run, %error, "by which generator a run was answered cannot be read");
            None
        })
    }

    fn family(&self, run: RunId) -> RunId {
        self.first(run).unwrap_or_else(|error| {
            tracing::error!(%run, %error, "by whom a run was ordered cannot be read");
            run
        })
    }
}

/// What an answer says of the generator that has made it.
#[expect(clippy::wildcard_enum_match_arm, reason = "two events hold answers")]
fn generator(event: &Event) -> Option<&str> {
    let answer = match event {
        Event::AttemptSucceeded(body) => &body.answer,
        Event::AttemptRefused(body) => &body.answer,
        _ => return None,
    };
    let field = answer.stored.iter().find(|field| field.at == GENERATOR_FIELD);
    field.map(|field| field.value.as_str())
}

fn is_of_a_call(event: &Event) -> bool {
    matches!(event, Event::AttemptDeferred(_)) || begun(event).is_some()
}

/// The call that an event begins in the sandbox.
#[expect(clippy::wildcard_enum_match_arm, reason = "two events begin calls")]
fn begun(event: &Event) -> Option<Begun<'_>> {
    match event {
        Event::AttemptStarted(body) if body.mode == Mode::Sandbox => Some(Begun {
            ticket: Ticket { attempt: body.attempt, number: body.try_number, is_look_up: false },
            operation: &body.operation,
            send_id: &body.send_id,
            integration: body.integration.as_ref(),
            credential_version: body.credential_version,
            with: body.with,
            request: body.request,
        }),
        Event::LookupStarted(body) if body.mode == Mode::Sandbox => Some(Begun {
            ticket: Ticket { attempt: body.attempt, number: body.number, is_look_up: true },
            operation: &body.operation,
            send_id: "",
            integration: body.integration.as_ref(),
            credential_version: body.credential_version,
            with: body.with,
            request: body.request,
        }),
        _ => None,
    }
}
