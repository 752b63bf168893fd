//! `placet adapters import`: an API's document → a manifest and its schemas, which a person reads
//! over and keeps. Deterministic: the same document gives the same bytes. Bounded: the document's
//! size, the references in a row, the bytes of one schema. What a document cannot say (delivery,
//! look-ups, inbound) is written as none; what was taken for granted stands in the report.

mod answers;
mod auth;
mod discovery;
mod operation;
mod request;
mod schema;
mod server;
mod yaml;

use super::Error;
use super::document::read_up_to;
use super::resolve::{Place, every, one, version};
use crate::manifest::{LoadContext, Manifest, Origin};
use auth::Scheme;
use discovery::Translated;
use operation::Draft;
use placet_model::manifest::Effect;
use placet_model::plan::ApiOperation;
use placet_schemas::Registry;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Largest document that is imported.
pub const IMPORT_BYTES_MAX: usize = 32 << 20;
/// Most operations of one manifest.
const OPERATIONS_MAX: usize = 2000;

/// What a person asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Where the document came from, for the servers that it names relative to itself.
    pub url: &'a str,
    /// The manifest's provider; the document's title if not said.
    pub provider: Option<&'a str>,
    /// Names or `operationId`s; all of them if empty.
    pub operations: &'a [String],
}

/// Files to write, and what a person must know of them.
#[derive(Debug, Clone)]
pub struct Imported {
    pub provider: String,
    /// Path in the project, and text.
    pub manifest: (String, String),
    /// The same of every schema.
    pub schemas: BTreeMap<String, String>,
    pub report: Report,
}

/// What was done and what was not.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub operations: Vec<Done>,
    pub left_out: Vec<LeftOut>,
    pub assumptions: Vec<String>,
}

/// One operation of the manifest.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    pub name: String,
    pub method: String,
    pub path: String,
    pub effect: Effect,
    pub notes: Vec<String>,
}

/// One that is not in it.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// A JSON Pointer into the document.
    pub at: String,
    pub name: String,
    pub reason: String,
}

/// # Errors
/// A text that is too large or no document of a known version; an operation that it does not have;
/// nothing at all that could be imported.
pub fn import(text: &str, wanted: Wanted<'_>) -> Result<Imported, Error> {
    let document = read_up_to(text.trim_start_matches('\u{feff}'), IMPORT_BYTES_MAX)?;
    match discovery::translated(&document)? {
        None => of_openapi(&document, wanted),
        Some(translated) => of_discovery(translated, wanted),
    }
}

/// A discovery document, in `OpenAPI`'s words; its methods go by their own names, with the API's or without.
fn of_discovery(translated: Translated, wanted: Wanted<'_>) -> Result<Imported, Error> {
    let Translated { document, prefix, assumptions, left_out } = translated;
    let named = |name: &String| name.strip_prefix(&*prefix).unwrap_or(name).to_owned();
    let asked: Vec<String> = wanted.operations.iter().map(named).collect();
    let is_asked = |name: &String| asked.is_empty() || asked.contains(name);
    let left_out: Vec<(String, String)> =
        left_out.into_iter().filter(|(name, _)| is_asked(name)).collect();
    let is_left = |name: &&String| left_out.iter().any(|(left, _)| left == *name);
    let operations: Vec<String> = asked.iter().filter(|name| !is_left(name)).cloned().collect();
    if let (Some((name, reason)), true, false) =
        (left_out.first(), operations.is_empty(), asked.is_empty())
    {
        return Err(Error::NothingImported { reason: format!("{name}: {reason}") });
    }
    let mut imported = of_openapi(&document, Wanted { operations: &operations, ..wanted })?;
    imported.report.assumptions.splice(0..0, assumptions);
    imported.report.left_out.extend(left_out.into_iter().map(|(name, reason)| LeftOut {
        at: format!("method {prefix}{name}"),
        name,
        reason,
    }));
    Ok(imported)
}

fn of_openapi(document: &Value, wanted: Wanted<'_>) -> Result<Imported, Error> {
    version(document)?;
    let provider = wanted.provider.map_or_else(|| named(document), str::to_owned);
    let mut report = Report::default();
    let found = found(document, wanted, &mut report)?;
    let security: Vec<_> =
        found.iter().map(|one| auth::alternatives(document, one.place.own)).collect();
    let declared = auth::declared(document);
    let scheme = auth::chosen(&declared, &security);
    let base = server::main(document, found.iter().map(|one| one.base.as_str()));
    let mut writer = Writer {
        registry: Registry::new(),
        head: Head { provider: &provider, document, base: &base, scheme: scheme.as_ref() },
        schemas: BTreeMap::new(),
        texts: BTreeMap::new(),
        hosts: BTreeSet::new(),
    };
    for (one, security) in found.into_iter().zip(&security) {
        let (at, name) = (one.at.clone(), one.name.clone());
        let opened = auth::opens(security, scheme.as_ref());
        let done =
            if opened { writer.operation(one) } else { Err(unopened(&declared, scheme.as_ref())) };
        match done {
            Ok(done) => report.operations.push(done),
            Err(reason) => report.left_out.push(LeftOut { at, name, reason }),
        }
    }
    if report.operations.is_empty() {
        let reason = report.left_out.first().map_or("it has none", |one| one.reason.as_str());
        return Err(Error::NothingImported { reason: reason.to_owned() });
    }
    let manifest = writer.whole(&security)?;
    if schema::has_lists_of_items(&document["definitions"])
        || schema::has_lists_of_items(&document["components"])
        || schema::has_lists_of_items(&document["paths"])
    {
        report
            .assumptions
            .push("a list in `items` is read by position, as in JSON Schema's draft 4".to_owned());
    }
    assumptions(&mut report, &base, scheme.as_ref(), wanted);
    let path = format!("adapters/{provider}.yaml");
    Ok(Imported { manifest: (path, manifest), schemas: writer.schemas, provider, report })
}

/// One operation, found and resolved.
struct Found<'d> {
    at: String,
    name: String,
    path: &'d str,
    place: Place<'d>,
    operation: ApiOperation,
    base: String,
}

fn found<'d>(
    document: &'d Value,
    wanted: Wanted<'d>,
    report: &mut Report,
) -> Result<Vec<Found<'d>>, Error> {
    let mut names = BTreeSet::new();
    let mut asked: BTreeSet<&str> = wanted.operations.iter().map(String::as_str).collect();
    let all = asked.is_empty();
    let mut found = Vec::new();
    for (method, path, item) in every(document) {
        let id = item[method]["operationId"].as_str();
        let name = name_of(id, method, path, &mut names);
        let by_id = id.is_some_and(|id| asked.remove(id));
        if !(asked.remove(name.as_str()) || by_id || all) {
            continue;
        }
        let at = format!("/paths/{}/{method}", path.replace('~', "~0").replace('/', "~1"));
        let place = Place { document, item, own: &item[method], url: wanted.url };
        match one(document, wanted.url, (method, path, item)) {
            Ok(operation) => {
                let base = operation.url.strip_suffix(path).unwrap_or_default();
                let base = base.trim_end_matches('/').to_owned();
                found.push(Found { at, name, path, place, operation, base });
            }
            Err(error) => report.left_out.push(LeftOut { at, name, reason: error.to_string() }),
        }
        if found.len() > OPERATIONS_MAX {
            return Err(Error::TooMany { most: OPERATIONS_MAX });
        }
    }
    match asked.first() {
        Some(unknown) => {
            let near = super::error::near(unknown, names.iter().map(String::as_str));
            Err(Error::UnknownOperation { id: (*unknown).to_owned(), near })
        }
        None => Ok(found),
    }
}

/// `repos/get` → `repos.get`; without an id, method and path.
fn name_of(id: Option<&str>, method: &str, path: &str, taken: &mut BTreeSet<String>) -> String {
    let own = || format!("{method}_{}", path.trim_matches('/'));
    let text = id.filter(|id| !id.trim().is_empty()).map_or_else(own, str::to_owned);
    let parts =
        if id.is_some() { text.splitn(3, ['.', '/']).collect() } else { vec![text.as_str()] };
    let segment = |part: &&str| {
        let plain: String = part
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        let plain = plain.trim_matches('_').replace("__", "_");
        let letter = plain.starts_with(|c: char| c.is_ascii_alphabetic());
        if letter { plain } else { format!("op_{plain}").trim_end_matches('_').to_owned() }
    };
    let name = parts.iter().map(segment).collect::<Vec<_>>().join(".");
    let mut unique = name.clone();
    let mut count = 1;
    while !taken.insert(unique.clone()) {
        count += 1;
        unique = format!("{name}_{count}");
    }
    unique
}

/// A provider's name out of the document's title.
fn named(document: &Value) -> String {
    const BLOAT: [&str; 8] = ["api", "apis", "rest", "the", "openapi", "web", "public", "http"];
    let title = document["info"]["title"].as_str().unwrap_or_default().to_ascii_lowercase();
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.filter(|word| !BLOAT.contains(word)).take(3).collect();
    let name = words.join("-");
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    if name.is_empty() { "api".to_owned() } else { name.chars().take(63).collect() }
}

fn unopened(declared: &[(String, Result<Scheme, String>)], chosen: Option<&Scheme>) -> String {
    let reasons = declared.iter().filter_map(|(name, scheme)| {
        scheme.as_ref().err().map(|reason| format!("{name}: {reason}"))
    });
    let reasons: Vec<String> = reasons.collect();
    match chosen {
        Some(scheme) => format!(
            "it does not open by {} alone, the one credential of this manifest: import it by itself, with --operations and --provider",
            scheme.name
        ),
        None if reasons.is_empty() => {
            "it asks for a security scheme that the document does not declare".to_owned()
        }
        None => format!("its credential cannot be shown by a manifest: {}", reasons.join("; ")),
    }
}

/// What all operations of the manifest share.
struct Head<'a> {
    provider: &'a str,
    document: &'a Value,
    base: &'a server::Base,
    scheme: Option<&'a Scheme>,
}

struct Writer<'a> {
    registry: Registry,
    head: Head<'a>,
    schemas: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
    hosts: BTreeSet<String>,
}

impl Writer<'_> {
    fn folder(&self) -> String {
        format!("schemas/{}", self.head.provider)
    }

    fn operation(&mut self, found: Found<'_>) -> Result<Done, String> {
        let has_credential = self.head.scheme.is_some();
        let request =
            request::request(found.place, (found.path, &found.operation), has_credential)?;
        let answers = answers::read(self.head.document, found.place.own)
            .map_err(|error| error.to_string())?;
        let mut notes: Vec<String> = request.notes.iter().chain(&answers.notes).cloned().collect();
        let cut = request.cut + answers.cut;
        if cut > 0 {
            notes.push(format!(
                "{cut} definitions far from the root of its schemas are told by their type alone"
            ));
        }
        let base = if found.base == self.head.base.url {
            "{config.api_base}".to_owned()
        } else {
            found.base.clone()
        };
        let mut draft = Draft {
            name: found.name,
            method: found.operation.method.clone(),
            path: found.path,
            place: found.place,
            base,
            request,
            answers,
            has_credential,
        };
        self.examples(&mut draft, &mut notes);
        notes.extend(draft.pages());
        let folder = self.folder();
        let (name, effect) = (draft.name.clone(), draft.effect());
        let files =
            [("input", Some(&draft.request.input)), ("output", draft.answers.output.as_ref())];
        let mut schemas = BTreeMap::new();
        for (which, schema) in
            files.into_iter().filter_map(|(which, schema)| Some((which, schema?)))
        {
            self.registry.register(schema).map_err(|error| format!("its {which}: {error}"))?;
            let text =
                serde_json::to_string_pretty(schema).expect("a JSON value always serializes");
            schemas.insert(format!("{folder}/{name}.{which}.json"), text + "\n");
        }
        let text = draft.yaml(&folder);
        let host = server::host(&found.base).filter(|_| !draft.base.starts_with('{'));
        self.check(&name, (&text, &schemas), host.as_deref())?;
        self.hosts.extend(host);
        self.schemas.extend(schemas);
        self.texts.insert(name.clone(), text);
        Ok(Done { name, method: draft.method, path: found.path.to_owned(), effect, notes })
    }

    /// A published example stands in the schema if it is one.
    fn examples(&self, draft: &mut Draft<'_>, notes: &mut Vec<String>) {
        let (Some(example), Some(Value::Object(output))) =
            (&draft.answers.example, &mut draft.answers.output)
        else {
            return;
        };
        let Ok(schema) = self.registry.register(&Value::Object(output.clone())) else { return };
        match schema.validate(example) {
            Ok(()) => {
                output.insert("examples".to_owned(), json!([example]));
            }
            Err(broken) => {
                let at = broken.as_slice().first().map_or("", |one| one.instance.as_str());
                notes.push(format!("the published example of its answer breaks the schema at {at:?} and is left out"));
            }
        }
    }

    /// The manifest with this operation alone: what is wrong is this operation's.
    fn check(
        &self,
        name: &str,
        (text, schemas): (&str, &BTreeMap<String, String>),
        host: Option<&str>,
    ) -> Result<(), String> {
        let hosts: BTreeSet<String> = host.into_iter().map(str::to_owned).collect();
        let whole = format!("{}\noperations:\n  {name}:\n{text}", self.top(&hosts, &[]));
        self.load(&whole, schemas)
    }

    fn load(&self, text: &str, schemas: &BTreeMap<String, String>) -> Result<(), String> {
        let own = self.own_schemas();
        let files = |path: &str| own.get(path).or_else(|| schemas.get(path)).cloned();
        let trusted = BTreeSet::new();
        let context = LoadContext {
            registry: &self.registry,
            schema_files: &files,
            origin: Origin::Project { trusted_reads: &trusted },
        };
        let loaded = Manifest::load("the manifest", text, context);
        loaded.map(drop).map_err(|error| error.problems[0].message.clone())
    }

    fn own_schemas(&self) -> BTreeMap<String, String> {
        let pretty = |value: &Value| {
            serde_json::to_string_pretty(value).expect("a JSON value always serializes") + "\n"
        };
        let mut own = BTreeMap::new();
        own.insert(
            format!("{}/config.json", self.folder()),
            pretty(&self.head.base.config(self.head.scheme)),
        );
        if let Some(scheme) = self.head.scheme {
            own.insert(
                format!("{}/credentials.json", self.folder()),
                pretty(&server::credentials(scheme)),
            );
        }
        own
    }

    fn whole(&mut self, security: &[Vec<Map<String, Value>>]) -> Result<String, Error> {
        let mut text = format!("{}\noperations:\n", self.top(&self.hosts, security));
        let operations =
            self.texts.iter().map(|(name, operation)| format!("  {name}:\n{operation}"));
        text.push_str(&operations.collect::<Vec<_>>().join("\n"));
        self.load(&text, &self.schemas).map_err(|reason| Error::NothingImported { reason })?;
        let own = self.own_schemas();
        self.schemas.extend(own);
        Ok(text)
    }

    fn top(&self, hosts: &BTreeSet<String>, security: &[Vec<Map<String, Value>>]) -> String {
        let head = &self.head;
        let title = head.document["info"]["title"].as_str().unwrap_or(head.provider);
        let version = head.document["info"]["version"].as_str().unwrap_or("of no version");
        let mut out = String::new();
        let mut line =
            |text: &str| writeln!(out, "{text}").expect("writing to a string cannot fail");
        line(&format!(
            "# {}, {}: imported from its API description. Read it over before it is deployed:",
            yaml::comment(title),
            yaml::comment(version)
        ));
        line("# effects, texts of previews, and what `delivery` could promise are yours to say.");
        line("manifest: 1");
        line(&format!("provider: {}", yaml::text(head.provider)));
        line(&format!("title: {}", yaml::text(&yaml::comment(title))));
        line("category: api");
        if !hosts.is_empty() {
            line(&format!("hosts: {}", yaml::flow(&json!(hosts))));
        }
        line(&format!("config: {{schema: {}/config.json}}", self.folder()));
        match head.scheme {
            None => line("auth: {kind: none}"),
            Some(scheme) => {
                line(&format!("credentials: {{schema: {}/credentials.json}}", self.folder()));
                if let Some(comment) = &scheme.comment {
                    line(&format!("# {}", yaml::comment(comment)));
                }
                line(&format!("auth: {}", yaml::flow(&scheme.auth)));
                let scopes = security.iter().flat_map(|needs| auth::scopes(needs, scheme));
                let scopes: BTreeSet<String> = scopes.collect();
                if !scopes.is_empty() {
                    line(&format!(
                        "scopes: {}",
                        yaml::flow(&json!({"base": {"list": scopes, "buys": ["operations"]}}))
                    ));
                }
            }
        }
        line("# test: none, no operation is known to say whose a credential is");
        line("# inbound: none, the document does not say how what it posts is signed");
        out
    }
}

fn assumptions(
    report: &mut Report,
    base: &server::Base,
    scheme: Option<&Scheme>,
    wanted: Wanted<'_>,
) {
    let mut say = |words: String| report.assumptions.push(words);
    say("effects follow the method: GET, HEAD and OPTIONS read, DELETE destroys, a POST whose name speaks of messages sends, everything else writes".to_owned());
    say("delivery is none everywhere: a document does not say whether a second call is the same one".to_owned());
    say("2xx is sent, 401 asks for a new credential, 429 waits, documented 4xx refuse for good, everything else of a write is in doubt".to_owned());
    say(match scheme {
        Some(scheme) => format!("the credential is {} ({})", scheme.name, scheme.secret),
        None => "no credential is sent".to_owned(),
    });
    if base.is_placeholder() {
        say("the document does not say where the API is: the setting api_base must be given"
            .to_owned());
    } else {
        say(format!("api_base is {} unless the settings say otherwise", base.url));
    }
    if wanted.provider.is_none() {
        say("the provider is named after the document's title: --provider names it otherwise"
            .to_owned());
    }
}
