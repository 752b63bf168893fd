//! `placet adapters`: the providers and operations that workflows may call. Reads files only.

mod import;
mod record;

use crate::compose;
use crate::exit::{Exit, invalid};
use crate::out;
use crate::project::Project;
use anyhow::Result;
use clap::Subcommand;
use placet_adapters::{Adapters, Manifest, Operation};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every provider with its operations
    List {
        #[arg(long)]
        json: bool,
        /// As Markdown: effect, delivery guarantee, scopes, dry run, inbound events
        #[arg(long, conflicts_with = "json")]
        table: bool,
    },
    /// One provider or operation, with its input schema
    Show {
        #[arg(value_name = "PROVIDER|OPERATION")]
        name: String,
        #[arg(long)]
        json: bool,
        /// How its calls can go in the sandbox, for `placet run --scenario`
        #[arg(long)]
        scenarios: bool,
    },
    /// The manifest's JSON Schema, for editors
    Schema,
    /// Write a manifest and its schemas from an API's description (`OpenAPI` 3.0, 3.1, Swagger 2.0)
    Import(import::Args),
    /// Make an example for the sandbox of a live answer, with its shape and no word of it
    Record(record::Args),
    #[command(external_subcommand)]
    Later(Vec<String>),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    if let Command::Import(args) = args.command {
        return import::run(args).await;
    }
    if let Command::Record(args) = args.command {
        return record::run(args).await;
    }
    if matches!(args.command, Command::Schema) {
        let schema = placet_schemas::embedded(placet_schemas::MANIFEST);
        out::data(schema.expect("the manifest's schema ships with the binary").trim_end())?;
        return Ok(Exit::Done);
    }
    let adapters = Project::of(Path::new("."))?.adapters()?;
    match args.command {
        Command::List { table: true, .. } => {
            out::data(placet_adapters::table::markdown(&adapters, None).trim_end())?;
        }
        Command::List { json, .. } => list(&adapters, json)?,
        Command::Show { name, json, scenarios: true } => scenarios(&adapters, &name, json)?,
        Command::Show { name, json, .. } => show(&adapters, &name, json)?,
        Command::Import(_) | Command::Record(_) | Command::Schema => {
            unreachable!("it is done above, as it needs no adapters that load")
        }
        Command::Later(words) => {
            let word = words.first().map_or("", String::as_str);
            return Err(invalid(format!(
                "adapters {word} is not built yet: list, show, schema, import or record"
            )));
        }
    }
    Ok(Exit::Done)
}

fn list(adapters: &Adapters, json: bool) -> Result<()> {
    let manifests = adapters.manifests().values();
    if json {
        let providers: Vec<Value> = manifests.map(|manifest| to_json(manifest)).collect();
        return out::json(&json!({ "providers": providers }));
    }
    let operations = manifests.flat_map(|manifest| manifest.operations().values());
    let rows: Vec<Vec<String>> = operations
        .map(|operation| {
            let is_read = operation.effect() == placet_model::manifest::Effect::Read;
            let gate = match (is_read, is_plain_http(operation.name())) {
                (true, true) => "gated, but to read_hosts",
                (true, false) => "ungated",
                (false, _) => "gated",
            };
            let effect = operation.effect().to_string();
            vec![operation.name().to_owned(), effect, gate.to_owned(), operation.title().to_owned()]
        })
        .collect();
    out::table(&["OPERATION", "EFFECT", "GATE", "TITLE"], &rows)
}

/// Whose reads go without asking to hosts that the operator lists, and only there.
fn is_plain_http(operation: &str) -> bool {
    operation.split('.').next().is_some_and(|provider| !compose::needs_integration(provider))
}

fn to_json(manifest: &Manifest) -> Value {
    let operations = manifest.operations().values().map(|operation| {
        json!({
            "name": operation.name(),
            "effect": operation.effect(),
            "title": operation.title(),
            "digest": operation.digest(),
            "reversibility": reversibility(operation),
            "limits": limits(operation),
            "examples": examples(operation),
        })
    });
    json!({
        "provider": manifest.provider(),
        "title": manifest.title(),
        "category": manifest.category(),
        "planned": manifest.is_planned(),
        "status": manifest.badge().word(),
        "operations": operations.collect::<Vec<_>>(),
        "settings_schema": manifest.config_schema().map(|schema| schema.document().clone()),
        "credential_schema": manifest.credential_schema().map(|schema| schema.document().clone()),
    })
}

/// Whether it can be taken back, and by which operation.
fn reversibility(operation: &Operation) -> Value {
    let found = operation.reversibility();
    json!({ "is": found.word(), "by": found.by() })
}

/// What its provider allows within a time.
fn limits(operation: &Operation) -> Vec<String> {
    operation.limits().iter().map(ToString::to_string).collect()
}

/// What the sandbox answers with before it invents anything, and what it does not.
fn examples(operation: &Operation) -> Value {
    let examples = operation.examples();
    let usable: Vec<&str> = examples.usable().iter().map(|one| &*one.from).collect();
    let broken = examples.broken().iter();
    let broken = broken.map(|one| json!({ "from": one.from, "at": one.at, "rule": one.rule }));
    json!({ "used": usable, "not_used": broken.collect::<Vec<_>>() })
}

/// The scenarios of a provider's operations, or of one operation.
fn scenarios(adapters: &Adapters, name: &str, json: bool) -> Result<()> {
    let operations: Vec<&Operation> = match (adapters.manifest(name), adapters.operation(name)) {
        (Some(manifest), _) => manifest.operations().values().map(|one| &**one).collect(),
        (None, Some(operation)) => vec![&**operation],
        (None, None) => {
            let words = format!("there is no provider or operation {name}: placet adapters list");
            return Err(invalid(words));
        }
    };
    let named = operations.into_iter().flat_map(crate::scenarios::of_operation);
    if json {
        let named: Vec<Value> = named.map(|named| named.to_json()).collect();
        return out::json(&json!({ "scenarios": named }));
    }
    let rows: Vec<Vec<String>> = named.map(|named| vec![named.name, named.says]).collect();
    out::table(&["SCENARIO", "WHAT HAPPENS"], &rows)
}

fn show(adapters: &Adapters, name: &str, json: bool) -> Result<()> {
    let shown = match (adapters.manifest(name), adapters.catalogue().get(name)) {
        (Some(manifest), _) => to_json(manifest),
        (None, Some(operation)) => {
            let checked = adapters.operation(name);
            json!({
            "name": operation.name,
            "provider": operation.provider,
            "effect": operation.effect,
            "title": operation.title,
            "digest": operation.digest,
            "reversibility": checked.map(|checked| reversibility(checked)),
            "limits": checked.map(|checked| limits(checked)),
            "examples": checked.map(|checked| examples(checked)),
            "input_schema": operation.input_schema,
            "output_schema": operation.output_schema,
            })
        }
        (None, None) => {
            let words = format!("there is no provider or operation {name}: placet adapters list");
            return Err(invalid(words));
        }
    };
    if json { out::json(&shown) } else { out::data(&crate::view::request::pretty(&shown)) }
}
