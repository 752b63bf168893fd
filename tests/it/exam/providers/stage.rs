//! The engine, the people and the stand-in of the exam, and one send played from its start to its end.

#[path = "shown.rs"]
mod shown;

use super::cases::{Case, Fault, NOT_PLAYED};
use placet_adapters::{
    Adapters, Call, FillError, FillHoles, Occurrence, Redirects, RenderInput, SecretText,
    Transport, WantedHole,
};
use placet_egress::{Egress, EgressConfig, Live};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Handle, Parts, Start, Transports, Vote};
use placet_language::{Environment, Source};
use placet_log::{Log, OpenOptions};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::{Assurance, Ballot, DecisionState, Resolution, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptReconciled, ReconciledBy};
use placet_model::integration::Identity;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::ProjectConfig;
use placet_model::{Event, Principal, Revision, RunId, StreamId};
use placet_projections::{DecisionRow, Projections, Views};
use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Provider, Received};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the engine of a stage waits for an answer, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::exam) enum Waits {
    /// For a provider that answers or breaks: as long as the machine may hold it up.
    Long,
    /// For one that never does: no answer can come too late.
    Briefly,
}

impl Waits {
    /// Longest real time of one call.
    const fn call_ms_max(self) -> u64 {
        match self {
            Self::Long => 60_000,
            Self::Briefly => 400,
        }
    }
}

/// What the mail server of the tests knows its user by.
const MAIL_PASSWORD: &str = "s3cret-pw";

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exam) enum End {
    Sent,
    Refused,
    LookedUp,
    Person,
    /// Nobody knows, and nobody is asked.
    Lost,
}

impl End {
    pub(in crate::exam) const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::LookedUp => "looked up",
            Self::Person => "person",
            Self::Lost => "LOST",
        }
    }
}

/// A send that was played.
#[derive(Debug)]
pub(in crate::exam) struct Played {
    pub(in crate::exam) effects: usize,
    pub(in crate::exam) end: End,
    pub(in crate::exam) story: Vec<&'static str>,
}

/// Any secret, in the form that the webhook's key needs.
#[derive(Debug)]
struct Secrets;

impl FillHoles for Secrets {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Ok(SecretText::new(match wanted.hole.name.as_str() {
            "password" => MAIL_PASSWORD,
            "webhook_login" => "placet:0123456789abcdef",
            _ => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }))
    }
}

/// An engine with every provider connected to one stand-in.
pub(in crate::exam) struct Stage {
    engine: Engine,
    handle: Handle,
    clock: Clock,
    provider: Provider,
}

fn name(text: &str) -> Principal {
    text.parse().expect("a name")
}

fn people() -> Policy {
    let mut policy = Policy::default();
    for (who, roles) in [
        ("author", vec![Role::Author, Role::Operator, Role::Admin]),
        ("approver", vec![Role::Approver]),
    ] {
        let roles = roles.into_iter().collect();
        policy.principals.insert(name(who), PrincipalInfo { kind: PrincipalKind::User, roles });
    }
    policy
}

impl Stage {
    pub(in crate::exam) async fn open(waits: Waits) -> Self {
        let stage = Self::open_with(Adapters::shipped(), waits).await;
        let providers: Vec<String> = stage.adapters().manifests().keys().cloned().collect();
        for provider in providers.iter().filter(|one| !NOT_PLAYED.contains(&one.as_str())) {
            stage.connect(provider).await;
        }
        stage
    }

    /// The stage with nothing connected.
    pub(in crate::exam) async fn open_with(adapters: Adapters, waits: Waits) -> Self {
        Self::open_beside(adapters, None, waits).await
    }

    /// The stage with a mail server on this port of this machine.
    pub(in crate::exam) async fn open_for_mail(port: u16, waits: Waits) -> Self {
        let host = format!("localhost:{port}");
        let stage = Self::open_beside(Adapters::shipped(), Some(&host), waits).await;
        let server = format!("smtp-plain://{host}");
        let user = "robot@example.com";
        stage.connect_with("smtp", json!({"server": server, "user": user, "from": user})).await;
        stage
    }

    async fn open_beside(adapters: Adapters, beside: Option<&str>, waits: Waits) -> Self {
        let provider = Provider::start();
        let allowed = [Some(provider.host_port()), beside.map(str::to_owned)].into_iter().flatten();
        let allowed = allowed.map(|target| target.parse().expect("a target"));
        let witness = Live::of(Mode::Live).expect("live is live");
        let live = Egress::new(witness, EgressConfig::allowing(allowed), Arc::new(Secrets));
        let mut config = ProjectConfig { project: "exam".into(), ..ProjectConfig::default() };
        config.limits.call_ms_max = waits.call_ms_max();
        // a project's own read is ungated only where the operator has named its host
        config.read_hosts = vec!["127.0.0.1".to_owned()];
        let log = Log::open(OpenOptions::in_memory("exam").projector(Projections::new()));
        let clock = Clock::virtual_start();
        let parts = Parts {
            log: log.expect("a log in memory"),
            config,
            adapters: Arc::new(adapters),
            transports: Transports { sandbox: None, live: Some(Arc::new(live)) },
            clock: clock.clone(),
            mode: Mode::Live,
        };
        let engine = Engine::start(parts).await.expect("the engine starts");
        let handle = engine.handle().clone();
        handle.apply_policy(&name("author"), people()).await.expect("the policy");
        Self { engine, handle, clock, provider }
    }

    pub(in crate::exam) async fn close(self) {
        self.engine.stop().await.expect("the engine stops");
    }

    pub(in crate::exam) fn adapters(&self) -> &Adapters {
        self.handle.adapters()
    }

    pub(in crate::exam) async fn connect(&self, provider: &str) {
        let base = self.provider.url(&format!("/{provider}"));
        let settings = match provider {
            "webhook" => json!({"url": base}),
            "mailgun" => json!({"api_base": base, "domain": "acme.example"}),
            "postmark" => json!({"api_base": base, "message_id_domain": "acme.example"}),
            "twilio" => {
                json!({"api_base": base, "account_sid": "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"})
            }
            _ => json!({"api_base": base}),
        };
        self.connect_with(provider, settings).await;
    }

    async fn connect_with(&self, provider: &str, settings: Value) {
        let connect = Connect {
            name: provider.to_owned(),
            provider: provider.to_owned(),
            settings,
            identity: Identity { id: "B1".into(), tenant: "T1".into() },
            label: "Exam".into(),
            is_default: true,
            credential: None,
            scopes: None,
        };
        let id = self.handle.integration_id(provider);
        self.handle.connect(&name("author"), id, connect).await.expect("it connects");
    }

    /// What the provider answers when all is well, from the schema of the operation.
    async fn success(&self, case: &Case) -> Answer {
        if case.definition.is_http_call() {
            return Answer::json(&json!({"id": 1}));
        }
        let world = self.handle.world();
        let integration = world.by_name(case.provider()).expect("it is connected");
        let given = RenderInput {
            settings: &integration.settings,
            input: &case.input,
            send_id: "abcdefghijklmnopqrstuvwxyz234567abcdefgh",
            draft_time: self.handle.now(),
            authentication: None,
        };
        let rendered = placet_adapters::render(&case.definition, given).expect("it renders");
        let call = Call {
            attempt: None,
            operation: Arc::clone(&case.definition),
            integration: None,
            request: Arc::new(rendered.request),
            input: Arc::new(case.input.clone()),
            occurrence: Occurrence { seen: None, now: self.handle.now() },
            redirects: Redirects::Never,
            timeout: Duration::from_secs(1),
            send_id: String::new(),
            response_bytes_max: 1 << 20,
        };
        let answer = placet_sandbox::Sandbox::new(1).perform(call).await;
        let answer = answer.expect("the sandbox answers what fits the schema");
        Answer { status: answer.status, headers: answer.headers, body: answer.body }
    }

    /// One send, from its start until it is over or a person's.
    pub(in crate::exam) async fn play(&mut self, case: &Case, fault: Fault, seed: u64) -> Played {
        let success = self.success(case).await;
        let from = self.provider.applied().len();
        let plays = self.plays(case, &success, (from, seed));
        let first = fault.behaviour(case, &success);
        let (end, story) = self.play_as(case, first, plays).await;
        let effects = shown::effects(&self.provider.applied()[from..]);
        Played { effects, end, story }
    }

    /// One send to a provider that does this with its first call, and that with the others.
    pub(in crate::exam) async fn play_as(
        &mut self,
        case: &Case,
        first: Option<Behaviour>,
        otherwise: Behaviour,
    ) -> (End, Vec<&'static str>) {
        let run = self.start(case).await;
        let row = self.asked(run).await;
        self.provider.otherwise(otherwise);
        if let Some(behaviour) = first {
            self.provider.next(behaviour);
        }
        self.approve(&row).await;
        let mut end = self.ended(run).await;
        let story = self.story(run);
        if end == End::Person {
            let given_up = self.handle.resolve(row.decision, Resolution::GiveUp, name("approver"));
            end = if given_up.await.is_ok() { End::Person } else { End::Lost };
            self.over(run).await;
        }
        (end, story)
    }

    pub(in crate::exam) const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The provider as it is: it takes what comes, knows its keys, and shows what it took.
    fn plays(&self, case: &Case, success: &Answer, (from, seed): (usize, u64)) -> Behaviour {
        let (operation, success, clock) =
            (case.operation.clone(), success.clone(), self.clock.clone());
        let stumbles = AtomicBool::new(seed % 2 == 1);
        Behaviour::Play(Play::new(move |request: &Received, applied: &[Received]| {
            if request.method != "GET" {
                return Behaviour::Answer(success.clone());
            }
            // the first look-up of a later round goes wrong
            if stumbles.swap(false, Ordering::SeqCst) {
                return Behaviour::refuse(503, &json!({}));
            }
            let sends = applied.get(from..).unwrap_or_default();
            Behaviour::Answer(Answer::json(&shown::page(&operation, sends, clock.now())))
        }))
    }

    async fn start(&self, case: &Case) -> RunId {
        let call = json!([{"tell": {"call": case.operation, "with": case.input}}]);
        let text = format!(
            "document: {{ dsl: '1.0.3', namespace: exam, name: tell, version: '1.0.0' }}\ndo: {call}\n"
        );
        let catalogue = self.adapters().catalogue();
        let environment = Environment {
            catalogue: &catalogue,
            integrations: None,
            silent: None,
            policy: None,
            scopes: None,
            schemas: self.adapters().registry(),
        };
        let checked = placet_language::check(&Source::new("exam.yaml", &*text), &environment);
        let plan = checked
            .plan
            .unwrap_or_else(|| panic!("{}: {:#?}", case.operation, checked.diagnostics));
        let plan = self.handle.deploy(&name("author"), plan, &text).await.expect("it deploys");
        let start = Start {
            plan,
            input: Value::Null,
            requester: name("author"),
            mode: Mode::Live,
            seed: 0,
        };
        self.handle.start(start).await.expect("it starts")
    }

    fn items(&self, run: RunId) -> Vec<DecisionRow> {
        let view = self.handle.view().expect("a view");
        let rows = Views::new(&view).expect("views").open(None, usize::MAX).expect("the inbox");
        rows.into_iter().filter(|row| row.run == run).collect()
    }

    /// Waits for the one thing that can come of it, as long as a test may.
    async fn until<T>(&self, run: RunId, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                begun.elapsed() < DEADLINE,
                "stuck: {:#}",
                self.handle.report(run).expect("it")
            );
            // answered once the loop has done what came before
            self.handle.load().await.expect("the engine runs");
            tokio::task::yield_now().await;
        }
    }

    async fn asked(&self, run: RunId) -> DecisionRow {
        self.until(run, || {
            self.items(run).into_iter().find(|row| row.state == DecisionState::Requested)
        })
        .await
    }

    async fn approve(&self, row: &DecisionRow) {
        let ballot = Ballot {
            decision: row.decision,
            digest: row.digest,
            verdict: Verdict::Approve,
            nonce: self.handle.nonce(),
            time: self.handle.now(),
            reason: None,
        };
        let voter = Voter { principal: name("approver"), assurance: Assurance::Test };
        let vote = Vote { ballot, voter, request_id: None, signed: None };
        self.handle.vote(vote).await.expect("the vote counts");
    }

    fn story(&self, run: RunId) -> Vec<&'static str> {
        self.events(run).iter().map(Event::type_name).collect()
    }

    fn events(&self, run: RunId) -> Vec<Event> {
        let view = self.handle.view().expect("a view");
        let stream = StreamId::Run(run);
        let events = view.stream(&stream, Revision::START);
        events.map(|event| event.expect("it is readable").event).collect()
    }

    async fn over(&self, run: RunId) {
        let is_over = |event: &Event| {
            matches!(event, Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_))
        };
        self.until(run, || self.events(run).iter().any(is_over).then_some(())).await;
    }

    /// Waits until it is over, or until nobody but a person can go on.
    async fn ended(&self, run: RunId) -> End {
        let begun = Instant::now();
        loop {
            let load = self.handle.load().await.expect("the engine runs");
            // a reminder in memory may still send the same bytes under the provider's key
            let rests = load.reminders == 0 && load.runs == 0;
            match self.end_of(run) {
                Some(End::Person) if !rests => {}
                Some(end) => return end,
                None => {}
            }
            assert!(begun.elapsed() < DEADLINE, "stuck with {load:?}: {:?}", self.story(run));
            tokio::task::yield_now().await;
        }
    }

    fn end_of(&self, run: RunId) -> Option<End> {
        let events = self.events(run);
        let over = events
            .last()
            .is_some_and(|event| matches!(event, Event::RunCompleted(_) | Event::RunFaulted(_)));
        if over {
            return Some(events.iter().rev().find_map(end_by).unwrap_or(End::Lost));
        }
        let view = self.handle.view().expect("a view");
        let views = Views::new(&view).expect("views");
        let (attempt, _) = self.items(run).iter().find_map(|row| row.in_doubt)?;
        let looked_up = views.is_looked_up(run, attempt).expect("the run's row");
        (!looked_up).then_some(End::Person)
    }
}

fn end_by(event: &Event) -> Option<End> {
    match event {
        Event::AttemptSucceeded(_) => Some(End::Sent),
        Event::AttemptRefused(_) => Some(End::Refused),
        Event::AttemptReconciled(AttemptReconciled { by: ReconciledBy::Lookup, .. }) => {
            Some(End::LookedUp)
        }
        _ => None,
    }
}
