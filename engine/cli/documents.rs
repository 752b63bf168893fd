//! Documents that a workflow names: files of the project are read here, URLs are fetched through
//! the engine's way out, and the workflow is checked again with what was had.

use crate::commands::check::Surroundings;
use crate::project::{CONFIG_FILE, Project};
use placet_adapters::openapi::DOCUMENT_BYTES_MAX;
use placet_adapters::{Adapters, Transport};
use placet_language::{Checked, DocumentAt, Environment, Source, check};
use placet_server::Documents;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What to do about a file that cannot be had.
const FILE_HELP: &str = "documents are files inside the project's folder, named from there";

/// What becomes of documents at URLs where nothing is fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Urls {
    /// A warning.
    Left,
    /// An error, for this reason.
    Refused(&'static str),
}

/// The folder from which a workflow's documents are named: its project's.
pub(crate) fn folder(project: &Project, file: &Path) -> PathBuf {
    project.dir.clone().unwrap_or_else(|| folder_of(file))
}

/// The nearest folder above with a `placet.toml`; without one, that in which `workflows` lies, or the
/// file itself.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let full = fs::canonicalize(file).unwrap_or_else(|_gone| file.to_owned());
    let above = |dir: &&Path| dir.join(CONFIG_FILE).is_file();
    let own = full.parent().unwrap_or_else(|| Path::new("."));
    let outer = own.parent().filter(|_| own.ends_with("workflows"));
    full.ancestors().skip(1).find(above).or(outer).unwrap_or(own).to_owned()
}

/// Checks a workflow with the files that it names; nothing is fetched.
pub(crate) fn check_with_files(
    surroundings: &Surroundings,
    source: &Source,
    (dir, urls): (&Path, Urls),
) -> Checked {
    let checked = surroundings.check(source);
    let mut documents = Documents::default();
    read_files(&mut documents, &checked, dir);
    if let Urls::Refused(reason) = urls {
        documents.refuse_urls(&checked, reason);
    }
    again(surroundings, source, (checked, &documents))
}

/// Checks a workflow with all that it names.
pub(crate) async fn check_with_all(
    surroundings: &Surroundings,
    source: &Source,
    (dir, live): (&Path, Option<&dyn Transport>),
) -> Checked {
    let checked = surroundings.check(source);
    let mut documents = Documents::default();
    read_files(&mut documents, &checked, dir);
    documents.fetch(&checked, &surroundings.adapters, live).await;
    again(surroundings, source, (checked, &documents))
}

fn again(
    surroundings: &Surroundings,
    source: &Source,
    (checked, documents): (Checked, &Documents),
) -> Checked {
    if checked.missing_documents().next().is_none() {
        return checked;
    }
    documents.settle(source, surroundings.check_with(source, documents))
}

fn read_files(documents: &mut Documents, checked: &Checked, dir: &Path) {
    for document in checked.missing_documents() {
        let DocumentAt::File(path) = &document.at else { continue };
        match text_of(dir, path) {
            Ok(text) => documents.add(document, &text),
            Err(reason) => documents.refuse(document, reason, FILE_HELP),
        }
    }
}

/// The files that a workflow names and that can be read, by their names there: what goes along when
/// it is deployed. The error names the place of one that cannot.
pub(crate) fn texts(source: &Source, dir: &Path) -> Result<BTreeMap<String, String>, String> {
    let adapters = Adapters::shipped();
    let catalogue = adapters.catalogue();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: adapters.registry(),
    };
    let mut texts = BTreeMap::new();
    for document in check(source, &environment).documents {
        let DocumentAt::File(path) = &document.at else { continue };
        let text = text_of(dir, path).map_err(|reason| {
            let place = format!("{}:{}:{}", source.name(), document.line, document.column);
            format!(
                "{place}: the document {} could not be had: {reason}; {FILE_HELP}",
                document.name
            )
        })?;
        texts.insert(document.name, text);
    }
    Ok(texts)
}

/// A file of the project; a symbolic link must not lead out of it.
fn text_of(dir: &Path, path: &str) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("{path} cannot be read: {error}");
    let root = fs::canonicalize(dir).map_err(unreadable)?;
    let file = fs::canonicalize(root.join(path)).map_err(unreadable)?;
    if !file.starts_with(&root) {
        return Err(format!("{path} leads out of the project's folder"));
    }
    let meta = fs::metadata(&file).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(format!("{path} is no file"));
    }
    if usize::try_from(meta.len()).is_ok_and(|size| size > DOCUMENT_BYTES_MAX) {
        return Err(format!("{path} has {} bytes, the most is {DOCUMENT_BYTES_MAX}", meta.len()));
    }
    fs::read_to_string(&file).map_err(unreadable)
}
