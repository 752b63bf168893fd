//! `placet graph`: the flow of a workflow as a picture, its gates drawn as gates.

use crate::commands::check::Surroundings;
use crate::documents::{self, Urls};
use crate::exit::{Exit, invalid};
use crate::findings::{self, Found};
use crate::out;
use crate::project::{self, Project};
use anyhow::Result;
use clap::ValueEnum;
use placet_language::graph;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A workflow
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Format,
}

/// Languages of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a Markdown page.
    Mermaid,
    /// A picture.
    Svg,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let source = project::read(&args.file)?;
    let project = Project::of(&args.file)?;
    let surroundings = Surroundings::of(&project)?;
    let dir = documents::folder(&project, &args.file);
    let checked = documents::check_with_files(&surroundings, &source, (&dir, Urls::Left));
    let catalogue = surroundings.adapters.catalogue();
    let Some(plan) = checked.plan else {
        findings::say(&Found { source, diagnostics: checked.diagnostics });
        return Err(invalid(format!("{} has errors", args.file.display())));
    };
    let picture = match args.format {
        Format::Mermaid => graph::mermaid(&plan, &catalogue),
        Format::Svg => graph::svg(&plan, &catalogue),
    };
    out::data(picture.trim_end())?;
    Ok(Exit::Done)
}
