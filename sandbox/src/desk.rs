//! [`Desk`]: providers for clients that are not ours. It understands HTTP requests by the manifests
//! and answers them out of [`World`]s: what can be made here and was not is the provider's own "not
//! found"; what only a provider can make (its users, its events) and what things refer to is supposed
//! to be there. Pure: bytes in, bytes out, and a clock of its own.

use crate::script::{Rule, Turn, answer_error, error_or, turned};
use crate::world::{Asked, Unknown, World};
use placet_adapters::mock::{MockError, StateVerb};
use placet_adapters::receive::{HttpRequest, Understood, is_authorized, understood};
use placet_adapters::{Answer, Manifest, Operation, Response};
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Where the desk's clock starts; each request is a second later.
const STARTS_AT_S: i64 = 1_767_225_600;
/// How long a client is supposed to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Says which names of the request nobody has a place for.
pub const IGNORED_HEADER: &str = "placet-sandbox-ignored";
/// Says why the sandbox answers as it does.
pub const NOTE_HEADER: &str = "placet-sandbox-note";

/// Providers that answer HTTP.
#[derive(Debug)]
pub struct Desk {
    providers: BTreeMap<String, Arc<Manifest>>,
    /// Stores (`provider.store`) into which some operation puts things.
    made_here: BTreeSet<String>,
    strict: World,
    open: World,
    next: BTreeMap<String, VecDeque<Turn>>,
    requests: i64,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer(Response),
    /// None: the connection breaks.
    Lost,
}

impl Desk {
    /// These providers, in a state without anything in it.
    pub fn new(providers: impl IntoIterator<Item = Arc<Manifest>>, seed: u64) -> Self {
        let providers: BTreeMap<String, Arc<Manifest>> =
            providers.into_iter().map(|one| (one.provider().to_owned(), one)).collect();
        let all = providers.values().flat_map(|one| one.operations().values());
        let made_here = all.filter_map(|operation| {
            let state = operation.mock().state()?;
            (state.does() == StateVerb::Create)
                .then(|| format!("{}.{}", operation.provider(), state.store()))
        });
        Self {
            made_here: made_here.collect(),
            strict: World::new(seed, Unknown::NotFound),
            open: World::new(seed, Unknown::Supposed),
            next: BTreeMap::new(),
            requests: 0,
            providers,
        }
    }

    /// The providers, by name.
    pub const fn providers(&self) -> &BTreeMap<String, Arc<Manifest>> {
        &self.providers
    }

    /// The next call of this operation goes so; several wait for their turn.
    ///
    /// # Errors
    /// No such operation here, or no such error of it: the names that there are.
    pub fn next_goes(&mut self, operation: &str, turn: Turn) -> Result<(), Vec<String>> {
        let provider = operation.split('.').next().unwrap_or_default();
        let Some(manifest) = self.providers.get(provider) else {
            return Err(self.providers.keys().cloned().collect());
        };
        let Some(known) = manifest.operations().get(operation) else {
            return Err(manifest.operations().keys().cloned().collect());
        };
        if let Turn::Error(name) = &turn
            && !known.mock().errors().contains_key(name)
        {
            return Err(known.mock().errors().keys().cloned().collect());
        }
        self.next.entry(operation.to_owned()).or_default().push_back(turn);
        Ok(())
    }

    /// Every call of this operation goes as the rule says.
    pub fn add_rule(&mut self, rule: &Rule) {
        self.strict.add_rule(rule.clone());
        self.open.add_rule(rule.clone());
    }

    /// The provider's answer to a request below its base URL.
    pub fn answer(&mut self, provider: &str, request: HttpRequest<'_>) -> Reply {
        self.requests += 1;
        let Some(manifest) = self.providers.get(provider).map(Arc::clone) else {
            let known: Vec<&String> = self.providers.keys().collect();
            return refused(404, &format!("no provider {provider:?} is served here: {known:?}"));
        };
        let understood = match understood(&manifest, request) {
            Ok(Some(understood)) => understood,
            Ok(None) => return unknown_operation(&manifest, request),
            Err(unreadable) => return refused(400, &unreadable.to_string()),
        };
        if !is_authorized(&understood.operation, request) {
            let answer = error_or(&understood.operation, "auth", 401);
            let answer = shaped(&manifest, answer);
            return reply(answer, "no credential came with the request; any will do", &[]);
        }
        let answer = shaped(&manifest, self.of_operation(&understood, request));
        reply(answer, "", &understood.ignored)
    }

    fn of_operation(&mut self, understood: &Understood, request: HttpRequest<'_>) -> Answer {
        let operation = &*understood.operation;
        let now = Timestamp::from_millis((STARTS_AT_S + self.requests) * 1000);
        let key = operation.delivery().key_header().and_then(|header| request.header(header));
        let asked = Asked {
            operation,
            integration: operation.provider(),
            input: &understood.input,
            key,
            send_id: "",
            seen: None,
            now,
            timeout: PATIENCE,
        };
        let turn = self.next.get_mut(operation.name()).and_then(VecDeque::pop_front);
        match turn {
            Some(Turn::Error(name)) => match operation.mock().errors().get(&name) {
                Some(error @ MockError::Lost { happened: true, .. }) => {
                    self.world(operation).answer(asked)?;
                    answer_error(error)
                }
                Some(error) => answer_error(error),
                None => error_or(operation, &name, 500),
            },
            Some(turn) => turned(&turn, self.world(operation).answer(asked), PATIENCE),
            None => self.world(operation).answer(asked),
        }
    }

    fn world(&mut self, operation: &Operation) -> &mut World {
        let store = operation
            .mock()
            .state()
            .map(|state| format!("{}.{}", operation.provider(), state.store()));
        if store.is_some_and(|store| self.made_here.contains(&store)) {
            &mut self.strict
        } else {
            &mut self.open
        }
    }
}

/// An error that the operation does not describe looks like the same error of its provider's others.
fn shaped(manifest: &Manifest, answer: Answer) -> Answer {
    let mut bare = answer?;
    let name = match bare.status {
        400 => "validation",
        401 => "auth",
        404 => "not_found",
        429 => "rate_limited",
        _ => return Ok(bare),
    };
    if !bare.body.is_empty() {
        return Ok(bare);
    }
    let mut operations = manifest.operations().values();
    if let Some(error) = operations.find_map(|operation| operation.mock().errors().get(name)) {
        let notes = std::mem::take(&mut bare.notes);
        bare = answer_error(error)?;
        bare.notes = notes;
    }
    Ok(bare)
}

fn reply(answer: Answer, note: &str, ignored: &[String]) -> Reply {
    let Ok(mut response) = answer else { return Reply::Lost };
    let mut notes = response.notes.clone();
    notes.extend((!note.is_empty()).then(|| note.to_owned()));
    for (name, words) in [(NOTE_HEADER, notes.join("; ")), (IGNORED_HEADER, ignored.join(", "))] {
        let words: String =
            words.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(512).collect();
        if !words.is_empty() {
            response.headers.push((name.to_owned(), words));
        }
    }
    Reply::Answer(response)
}

/// What is wrong with a request before any provider could answer it.
fn refused(status: u16, words: &str) -> Reply {
    let body = json!({ "error": { "type": "placet_sandbox", "message": words } });
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply::Answer(Response::new(status, headers, body.to_string().into_bytes()))
}

fn unknown_operation(manifest: &Manifest, request: HttpRequest<'_>) -> Reply {
    let known: Vec<Value> = manifest.operations().keys().map(|name| json!(name)).collect();
    let words = format!(
        "{} has no operation at {} {} here; there are {}",
        manifest.title(),
        request.method,
        request.path,
        Value::Array(known)
    );
    refused(404, &words)
}
