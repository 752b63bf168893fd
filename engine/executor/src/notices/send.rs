//! One message on its way: made, recorded, sent, and what came of it recorded.

use super::pending::{Line, Pending, Untold};
use super::watch::is_asked;
use super::words::{self, Facts, NAMED_MAX};
use super::{HELD, Herald};
use crate::handle::Error;
use crate::world::World;
use placet_adapters::wait::WaitSource;
use placet_adapters::{
    Answer, Call, CallIntegration, Cause, Failed, Occurrence, Operation, Redirects, RenderInput,
    Sent, classify,
};
use placet_log::ReadView;
use placet_model::draft::{ActionId, Mode, send_id};
use placet_model::event::notice::{
    NoticeAbout, NoticeFailed, NoticeFailure, NoticeQueued, NoticeSent,
};
use placet_model::integration::Integration;
use placet_model::manifest::Outcome;
use placet_model::policy::NoticePayload;
use placet_model::project::Channel;
use placet_model::request::PreparedRequest;
use placet_model::{DecisionId, Digest, EventId, Iteration, StreamId, TaskPath, Timestamp};
use placet_projections::{DecisionRow, Views};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Bytes of an answer to a notice.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Before the second try; each further one waits twice as long.
const RETRY_MS: i64 = 1_000;
/// The longest that a provider may put off a try: after that the next reminder is better.
const RETRY_MS_MAX: i64 = 600_000;
/// Bytes of a cause.
const CAUSE_BYTES_MAX: usize = 120;

/// A message that is recorded and not sent yet.
#[derive(Debug)]
pub(super) struct Sending {
    line: Line,
    notice: EventId,
    made: Made,
}

/// The bytes, and what carries them.
#[derive(Debug)]
struct Made {
    operation: Arc<Operation>,
    integration: Integration,
    request: Arc<PreparedRequest>,
    with: Arc<Value>,
    send_id: String,
}

/// What came of a try.
enum Came {
    Sent,
    Failed { failure: NoticeFailure, cause: String, wait_ms: Option<i64> },
}

impl Herald {
    /// Makes and records the message of a line; none where there is nothing left to tell, or a hold.
    pub(super) async fn begin(
        &self,
        line: &Line,
        pending: &mut Pending,
    ) -> Result<Option<Sending>, Error> {
        let config = &self.env.config;
        let Some(channel) = config.channels.get(&line.channel) else { return Ok(None) };
        let world = self.world();
        let Some(operation) = self.env.adapters.operation(&channel.operation).cloned() else {
            return Ok(None);
        };
        let integration = world.integration(operation.provider(), channel.integration.as_deref());
        if world.hold(line.mode, integration).is_some() {
            pending.put_off(line, self.later(HELD));
            return Ok(None);
        }
        let integration = integration.cloned();
        let (counts, message) = {
            let Some(untold) = pending.of(line) else { return Ok(None) };
            let view = self.env.view()?;
            let left = self.left((&view, &world), line, untold)?;
            let (counts, named) = left.facts(&view, &world);
            if counts.is_empty() {
                pending.drop_line(line);
                return Ok(None);
            }
            let alarmed = untold.alarmed.iter().collect();
            let connections = untold.connections.iter();
            let news =
                connections.map(|((_, part), (name, why))| (name.as_str(), *part, why.as_deref()));
            let connections = news.collect();
            let facts = Facts { counts: counts.clone(), alarmed, connections, named };
            (counts, words::words(config, &facts))
        };
        let made = self.make(channel, (operation, integration), &message);
        let (about, line) = (counts, line.clone());
        self.record(line, (about, made), pending).await
    }

    /// The bytes, from the operator's `with` and the engine's words.
    fn make(
        &self,
        channel: &Channel,
        (operation, integration): (Arc<Operation>, Option<Integration>),
        message: &words::Words,
    ) -> Result<Made, String> {
        let integration = integration
            .ok_or_else(|| format!("no connection of {} is there", operation.provider()))?;
        let with = words::filled(&channel.with, message);
        let now = self.env.now();
        let (task, iteration) = (TaskPath::root(), Iteration::none());
        let action = ActionId { run: self.env.mint.run(now), task: &task, iteration: &iteration };
        let send_id = send_id(&self.env.install_id, &action, 1);
        let given = RenderInput {
            settings: &integration.settings,
            input: &with,
            send_id: &send_id,
            draft_time: now,
            authentication: None,
        };
        let rendered = placet_adapters::render(&operation, given)
            .map_err(|error| crate::turn::describe(&error))?;
        let (request, with) = (Arc::new(rendered.request), Arc::new(with));
        Ok(Made { operation, integration, request, with, send_id })
    }

    /// Records the message before it leaves; one that cannot be made is recorded as refused.
    async fn record(
        &self,
        line: Line,
        (about, made): (Vec<(NoticeAbout, u32)>, Result<Made, String>),
        pending: &mut Pending,
    ) -> Result<Option<Sending>, Error> {
        let operation = self.env.config.channels.get(&line.channel);
        let operation = operation.map(|channel| channel.operation.clone()).unwrap_or_default();
        let good = made.as_ref().ok();
        let queued = NoticeQueued {
            to: line.to.clone(),
            channel: line.channel.clone(),
            operation,
            integration: good.map(|made| made.integration.id),
            credential_version: good.map_or(0, |made| made.integration.credential_version),
            mode: line.mode,
            about,
            up_to: pending.read_up_to,
            resume_after: pending.resume_after(&line),
            request_digest: good.map_or_else(|| Digest::of(&[]), |made| made.request.digest()),
        };
        let recorded = self.append(vec![queued.into()]).await?;
        let notice = recorded.first().map(|event| event.event_id).ok_or(Error::Stopping)?;
        pending.spoken(&line, self.env.now());
        match made {
            Ok(made) => Ok(Some(Sending { line, notice, made })),
            Err(cause) => {
                tracing::error!(channel = line.channel, cause, "a notice cannot be made");
                let failure = NoticeFailure::Refused;
                self.failed((&line, notice), 1, (failure, &cause), None).await?;
                Ok(None)
            }
        }
    }

    /// Sends it, and records what came of it.
    pub(super) async fn send(&self, sending: Sending) {
        let Sending { line, notice, made } = sending;
        let Ok(_permit) = self.sends.acquire().await else { return };
        let tries = u32::try_from(self.env.config.notify.tries_max).unwrap_or(1);
        let mut backoff = RETRY_MS;
        for try_number in 1..=tries {
            let recorded = match self.attempt(&line, &made).await {
                Came::Sent => {
                    let sent = NoticeSent {
                        notice,
                        to: line.to.clone(),
                        channel: line.channel.clone(),
                        try_number,
                        would_have_sent: line.mode == Mode::Sandbox,
                    };
                    self.append(vec![sent.into()]).await.map(|_| None)
                }
                Came::Failed { failure, cause, wait_ms } => {
                    let again = failure == NoticeFailure::NotSent && try_number < tries;
                    let wait = wait_ms.unwrap_or(backoff).clamp(backoff, RETRY_MS_MAX);
                    let retry_at = again.then(|| self.env.now().plus_millis(wait));
                    let why = (failure, cause.as_str());
                    let failed = self.failed((&line, notice), try_number, why, retry_at).await;
                    failed.map(|()| again.then_some(wait))
                }
            };
            match recorded {
                Ok(Some(wait)) => {
                    tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
                    backoff = (backoff * 2).min(RETRY_MS_MAX);
                }
                Ok(None) => return,
                Err(error) => {
                    if !matches!(error, Error::Stopping) {
                        tracing::error!(%error, "what came of a notice is not recorded");
                    }
                    return;
                }
            }
        }
    }

    /// One try: the transport of the mode has it only while nothing holds it.
    async fn attempt(&self, line: &Line, made: &Made) -> Came {
        let held =
            |cause: String| Came::Failed { failure: NoticeFailure::NotSent, cause, wait_ms: None };
        let transport = match line.mode {
            Mode::Sandbox => self.transports.sandbox.clone(),
            Mode::Live => self.transports.live.clone(),
        };
        let Some(transport) = transport else {
            return held("this engine does not send in this mode".to_owned());
        };
        let call = self.call(made);
        let timeout = call.timeout + Duration::from_secs(5);
        let performing = {
            // a pause that is acknowledged comes after every notice that was handed over
            let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
            let now = world.integrations.get(&made.integration.id);
            match world.hold(line.mode, now) {
                Some(hold) => Err(hold),
                None => Ok(transport.perform(call)),
            }
        };
        let answer = match performing {
            Err(hold) => return held(format!("held: {hold:?}")),
            Ok(performing) => {
                tokio::time::timeout(timeout, performing).await.unwrap_or_else(|_elapsed| {
                    Err(Failed::after(Cause::Timeout, "there was no answer in time"))
                })
            }
        };
        self.came(made, &answer)
    }

    fn call(&self, made: &Made) -> Call {
        let most = Duration::from_millis(self.env.config.limits.call_ms_max);
        let Integration { id, name, credential_version, .. } = &made.integration;
        Call {
            attempt: None,
            operation: Arc::clone(&made.operation),
            integration: Some(CallIntegration {
                id: *id,
                name: name.clone(),
                credential_version: *credential_version,
            }),
            request: Arc::clone(&made.request),
            input: Arc::clone(&made.with),
            occurrence: Occurrence { seen: None, now: self.env.now() },
            redirects: Redirects::Never,
            timeout: made.operation.timeout().min(most),
            send_id: String::new(),
            response_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    fn came(&self, made: &Made, answer: &Answer) -> Came {
        let sent = Sent {
            input: &made.with,
            settings: &made.integration.settings,
            send_id: &made.send_id,
        };
        let classified = classify(&made.operation, answer, sent, self.env.now());
        let failure = match classified.outcome {
            Outcome::Sent => return Came::Sent,
            Outcome::RefusedRetry => NoticeFailure::NotSent,
            Outcome::RefusedPermanent | Outcome::Quota | Outcome::Reconnect => {
                NoticeFailure::Refused
            }
            Outcome::InDoubt => NoticeFailure::InDoubt,
        };
        let cause = match answer {
            Ok(response) => format!("status {}", response.status),
            Err(failed) => format!("{:?} {}", failed.cause, failed.phase),
        };
        let named = classified.wait.filter(|wait| wait.source == WaitSource::Provider);
        let wait_ms = named.and_then(|wait| i64::try_from(wait.millis).ok());
        Came::Failed { failure, cause, wait_ms }
    }

    async fn failed(
        &self,
        (line, notice): (&Line, EventId),
        try_number: u32,
        (failure, cause): (NoticeFailure, &str),
        retry_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let cause: String = cause.chars().take(CAUSE_BYTES_MAX).collect();
        let failed = NoticeFailed {
            notice,
            to: line.to.clone(),
            channel: line.channel.clone(),
            try_number,
            failure,
            cause,
            retry_at,
        };
        self.append(vec![failed.into()]).await.map(drop)
    }

    /// What is still so of what a line has to say.
    fn left(
        &self,
        (view, world): (&ReadView, &World),
        line: &Line,
        untold: &Untold,
    ) -> Result<Left, Error> {
        let (views, now) = (Views::new(view)?, self.env.now());
        let mut left = Left::default();
        for (about, decisions) in &untold.decisions {
            for decision in decisions {
                let Some(row) = views.decision(*decision)? else { continue };
                let counts =
                    *about == NoticeAbout::BreakGlass || is_asked((world, now), &row, &line.to);
                // one request is told once, by the most pressing of what is to be said of it
                if counts {
                    left.rows.insert(*decision, (*about, row));
                }
            }
            left.more.insert(*about, untold.more.get(about).copied().unwrap_or_default());
        }
        if !untold.alarmed.is_empty() {
            let alarmed = u32::try_from(untold.alarmed.len()).unwrap_or(u32::MAX);
            left.more.insert(NoticeAbout::Alarm, alarmed);
        }
        if !untold.connections.is_empty() {
            let count = u32::try_from(untold.connections.len()).unwrap_or(u32::MAX);
            left.more.insert(NoticeAbout::Connection, count);
        }
        Ok(left)
    }
}

/// What is to be told.
#[derive(Default)]
struct Left {
    rows: BTreeMap<DecisionId, (NoticeAbout, DecisionRow)>,
    more: BTreeMap<NoticeAbout, u32>,
}

impl Left {
    /// How many of each kind, and lines about the first of them where the policy allows that.
    fn facts(self, view: &ReadView, world: &World) -> (Vec<(NoticeAbout, u32)>, Vec<String>) {
        let mut counts = self.more;
        let mut named = vec![];
        for (about, row) in self.rows.into_values() {
            *counts.entry(about).or_default() += 1;
            if world.policy.notice_payload == NoticePayload::Allow && named.len() < NAMED_MAX {
                named.push(item(view, &row));
            }
        }
        (counts.into_iter().filter(|(_, count)| *count > 0).collect(), named)
    }
}

/// What a notice says of one request.
fn item(view: &ReadView, row: &DecisionRow) -> String {
    let stream = StreamId::Run(row.run);
    let summary = row.summary.and_then(|place| view.payload(&stream, place).ok());
    let summary: Option<String> =
        summary.and_then(|payload| serde_json::from_slice(payload.as_bytes()).ok());
    let family = row.workflow.family();
    let what = format!("{} of {family}, asked for by {}", row.operation, row.requester);
    match summary {
        Some(summary) => format!("{what}: {}", words::named(&summary)),
        None => what,
    }
}
