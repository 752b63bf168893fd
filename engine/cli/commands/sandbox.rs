//! `placet sandbox`: the providers of the sandbox for clients that are not ours.

use super::running::Stop;
use crate::exit::{Exit, invalid};
use crate::out;
use crate::project::Project;
use anyhow::Result;
use clap::Subcommand;
use placet_adapters::openapi::{self, Wanted};
use placet_adapters::receive::HttpRequest;
use placet_adapters::{Adapters, Manifest, ManifestFile, shipped_schema};
use placet_sandbox::{Desk, Reply, Rule, Turn};
use placet_server::{Mock, MockAnswer, MockRequest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a client says how the next call of an operation goes.
const NEXT: &str = "/_placet/next";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer HTTP on this machine as the providers would, from their schemas; nothing is sent anywhere
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Only these providers; all that the project knows if not said
    #[arg(long = "provider", value_name = "NAME", value_delimiter = ',')]
    providers: Vec<String>,
    /// The API that this description is of, beside them only where they are named
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7490")]
    listen: SocketAddr,
    /// Listen where others can reach it: whoever does may ask and change everything in it
    #[arg(long)]
    allow_remote: bool,
    /// Equal seeds give equal answers to equal requests
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Every call of this operation goes wrong in this way, of those that its manifest documents
    #[arg(long = "error", value_name = "OPERATION=ERROR")]
    errors: Vec<String>,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let Command::Serve(serve) = args.command;
    if !serve.listen.ip().is_loopback() && !serve.allow_remote {
        let words = format!(
            "{} can be reached by others: listen on 127.0.0.1 or [::1], or say --allow-remote",
            serve.listen
        );
        return Err(invalid(words));
    }
    let mut stop = Stop::heard()?;
    let mut desk = Desk::new(manifests(&serve)?, serve.seed);
    for error in &serve.errors {
        desk.add_rule(&rule(error)?);
    }
    let names: Vec<String> = desk.providers().keys().cloned().collect();
    let desk = Arc::new(Mutex::new(desk));
    let answering = Arc::clone(&desk);
    let mock = Mock::bind(serve.listen, move |request| {
        answered(&mut answering.lock().unwrap_or_else(PoisonError::into_inner), &request)
    });
    let mock = mock.await?;
    let base = format!("http://{}", mock.local_addr());
    for name in &names {
        out::data(&format!("{name:<12} {base}/{name}"))?;
    }
    out::say("point a client at its line: any credential will do, nothing leaves this machine");
    for (name, words) in HINTS.iter().filter(|(name, _)| names.iter().any(|one| one == name)) {
        out::say(&format!("  {name}: {}", words.replace("BASE", &base)));
    }
    out::say(&format!("an error on demand: POST {base}{NEXT} {NEXT_EXAMPLE}"));
    mock.run(stop.until()).await?;
    Ok(Exit::Done)
}

const NEXT_EXAMPLE: &str = r#"{"operation": "PROVIDER.OPERATION", "error": "rate_limited"}"#;

/// How clients of other hands are told where to go.
const HINTS: [(&str, &str); 4] = [
    ("stripe", "stripe.api_base = \"BASE/stripe\""),
    ("slack", "WebClient(token=\"xoxb-1\", base_url=\"BASE/slack/\")"),
    ("github", "Github(base_url=\"BASE/github\", auth=Auth.Token(\"1\"))"),
    ("resend", "resend.api_url = \"BASE/resend\""),
];

/// The providers that are served: those named, else all with an API of their own.
fn manifests(serve: &Serve) -> Result<Vec<Arc<Manifest>>> {
    let mut all: Vec<Arc<Manifest>> = Vec::new();
    if let Some(file) = &serve.openapi {
        all.push(imported(file)?);
    }
    if serve.openapi.is_some() && serve.providers.is_empty() {
        return Ok(all);
    }
    let adapters = Project::of(Path::new("."))?.adapters()?;
    if serve.providers.is_empty() {
        let speaks = |manifest: &&Arc<Manifest>| !NOT_SERVED.contains(&manifest.provider());
        all.extend(adapters.manifests().values().filter(speaks).cloned());
        return Ok(all);
    }
    for name in &serve.providers {
        let Some(manifest) =
            adapters.manifest(name).filter(|_| !NOT_SERVED.contains(&name.as_str()))
        else {
            let known = adapters.manifests().keys().filter(|n| !NOT_SERVED.contains(&n.as_str()));
            let known: Vec<&str> = known.map(String::as_str).collect();
            let words = format!("{name} cannot be served; these can: {}", known.join(", "));
            return Err(invalid(words));
        };
        all.push(Arc::clone(manifest));
    }
    Ok(all)
}

/// They have no API of their own: what they ask is somebody else's, or no HTTP.
const NOT_SERVED: [&str; 3] = ["http", "smtp", "webhook"];

fn imported(file: &Path) -> Result<Arc<Manifest>> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| invalid(format!("{name} cannot be read: {error}")))?;
    let wanted =
        Wanted { url: "https://placet.invalid/description", provider: None, operations: &[] };
    let imported =
        openapi::import(&text, wanted).map_err(|error| invalid(format!("{name}: {error}")))?;
    let (path, text) = imported.manifest.clone();
    let schema = |path: &str| shipped_schema(path).or_else(|| imported.schemas.get(path).cloned());
    let loaded = Adapters::with_project(&[ManifestFile { path, text }], &schema, &BTreeSet::new());
    let adapters =
        loaded.map_err(|errors| invalid(format!("{name}: {}", errors[0].problems[0].message)))?;
    let manifest = adapters.manifest(&imported.provider).map(Arc::clone);
    manifest.ok_or_else(|| invalid(format!("{name} describes no operation that can be served")))
}

fn rule(text: &str) -> Result<Rule> {
    let (operation, error) =
        text.split_once('=').ok_or_else(|| invalid(format!("{text}: write OPERATION=ERROR")))?;
    Ok(Rule {
        operation: Some(operation.to_owned()),
        call: None,
        turn: Turn::Error(error.to_owned()),
    })
}

fn answered(desk: &mut Desk, request: &MockRequest) -> MockAnswer {
    if request.path == NEXT {
        return told(desk, request);
    }
    let path = request.path.trim_start_matches('/');
    let (provider, _) = path.split_once('/').unwrap_or((path, ""));
    let below = path.strip_prefix(provider).unwrap_or_default();
    let asked = HttpRequest {
        method: &request.method,
        path: below,
        query: &request.query,
        headers: &request.headers,
        body: &request.body,
    };
    match desk.answer(provider, asked) {
        Reply::Answer(response) => MockAnswer::Answer {
            status: response.status,
            headers: response.headers,
            body: response.body,
        },
        Reply::Lost => MockAnswer::Lost,
    }
}

/// A client says how the next call of an operation goes.
fn told(desk: &mut Desk, request: &MockRequest) -> MockAnswer {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (Some(operation), Some(error)) = (body["operation"].as_str(), body["error"].as_str())
    else {
        return json_answer(400, &json!({ "error": format!("POST {NEXT_EXAMPLE}") }));
    };
    let turn = match error {
        "malformed" => Turn::Malformed,
        "apply_then_timeout" => Turn::ApplyThenTimeout,
        error => Turn::Error(error.to_owned()),
    };
    match desk.next_goes(operation, turn) {
        Ok(()) => json_answer(200, &json!({ "next": { "operation": operation, "error": error } })),
        Err(known) => {
            let words = format!("{operation} does not do {error:?} here");
            json_answer(404, &json!({ "error": words, "known": known }))
        }
    }
}

fn json_answer(status: u16, body: &Value) -> MockAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    MockAnswer::Answer { status, headers, body: body.to_string().into_bytes() }
}
