//! `placet deploy`: an authenticated author puts manifests and workflows into force. What that
//! changes is shown, before and after (GATE.md §8).

use crate::change;
use crate::documents;
use crate::exit::{Exit, Refused, invalid};
use crate::link::{Link, Purpose, Target};
use crate::out::{self, Stream};
use crate::project::{self, Project, is_manifest};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Projects' folders, or files
    #[arg(default_value = ".", value_name = "DIR|FILE")]
    places: Vec<PathBuf>,
    /// Show what it changes, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Believe a manifest that this operation only reads, though its method could change something
    /// (admin)
    #[arg(long, value_name = "OPERATION")]
    trust: Vec<String>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let steps = steps(&args)?;
    let link = args.target.open(Purpose::Change).await?;
    let done = deploy_all(&link, &args, &steps).await;
    link.close().await?;
    let (changes, exit) = done?;
    if args.json {
        out::json(&json!({ "dry_run": args.dry_run, "changes": changes }))?;
    } else if args.dry_run {
        out::say("nothing was changed");
    }
    Ok(exit)
}

/// Manifests first: workflows call their operations.
fn files(places: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let (mut manifests, mut workflows) = (vec![], vec![]);
    for place in places {
        if place.is_dir() {
            let project = Project::at(place)?;
            manifests.extend(project.manifests()?);
            workflows.extend(project.workflows()?);
        } else if is_manifest(place) {
            manifests.push(place.clone());
        } else {
            workflows.push(place.clone());
        }
    }
    if manifests.is_empty() && workflows.is_empty() {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(invalid(format!("there is nothing to deploy in {}", places.join(", "))));
    }
    manifests.extend(workflows);
    Ok(manifests)
}

/// A file with what is to be sent of it.
struct Step {
    file: PathBuf,
    path: &'static str,
    body: Value,
}

/// What is to be done, in order. Everything that is trusted must belong to a manifest among it: a
/// word that does nothing is a typing mistake.
fn steps(args: &Args) -> Result<Vec<Step>> {
    let named: BTreeSet<String> = args.trust.iter().cloned().collect();
    let mut taken = BTreeSet::new();
    let mut steps = vec![];
    for file in files(&args.places)? {
        let (path, mut body) = if is_manifest(&file) {
            let proposed = project::proposed(&file, &named)?;
            taken.extend(proposed.trust.iter().cloned());
            let body = json!({
                "file": proposed.file, "source": proposed.source, "schemas": proposed.schemas,
                "trust": proposed.trust,
            });
            ("/api/v1/manifests", body)
        } else {
            let source = project::read(&file)?;
            let dir = documents::folder_of(&file);
            let documents = documents::texts(&source, &dir).map_err(invalid)?;
            let (name, text) = (source.name(), source.text());
            let mut body = json!({ "file": name, "source": text });
            if !documents.is_empty() {
                body["documents"] = json!(documents);
            }
            ("/api/v1/workflows", body)
        };
        body["dry_run"] = json!(args.dry_run);
        steps.push(Step { file, path, body });
    }
    if let Some(name) = named.iter().find(|name| !taken.contains(*name)) {
        let words = format!(
            "--trust {name} names no operation of a manifest that is deployed here: write \
             PROVIDER.OPERATION"
        );
        return Err(invalid(words));
    }
    Ok(steps)
}

/// Deploys what can be, and says of the others why not.
async fn deploy_all(link: &Link, args: &Args, steps: &[Step]) -> Result<(Vec<Value>, Exit)> {
    let (mut changes, mut exit) = (vec![], Exit::Done);
    for step in steps {
        let file = &step.file;
        match deploy_one(link, step).await {
            Ok(mut change) => {
                if !args.json {
                    out::data(&change::text(&change, Stream::Out))?;
                }
                change["file"] = json!(file.display().to_string());
                changes.push(change);
            }
            Err(error) => {
                let Some(Refused(problem)) = error.downcast_ref() else { return Err(error) };
                let problem = json!({ "code": problem.code, "title": problem.title, "detail": problem.detail });
                changes.push(json!({ "file": file.display().to_string(), "error": problem }));
                crate::exit::report(&error);
                exit = Exit::Negative;
            }
        }
    }
    Ok((changes, exit))
}

async fn deploy_one(link: &Link, step: &Step) -> Result<Value> {
    let mut answer = link.post(step.path, &step.body).await?;
    let mut change = answer["change"].take();
    if !answer["diagnostics"].is_null() {
        change["diagnostics"] = answer["diagnostics"].take();
    }
    Ok(change)
}
