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
    let (checked, mut documents) = with_functions(surroundings, source, dir);
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
    let (checked, mut documents) = with_functions(surroundings, source, dir);
    read_files(&mut documents, &checked, dir);
    documents.fetch(&checked, &surroundings.adapters, live).await;
    again(surroundings, source, (checked, &documents))
}

fn again(
    surroundings: &Surroundings,
    source: &Source,
    (checked, documents): (Checked, &Documents),
) -> Checked {
    let lacks = checked.missing_documents().next().is_some();
    let checked = if lacks { surroundings.check_with(source, documents) } else { checked };
    documents.settle(source, checked)
}

/// Checks a workflow with the functions that it calls from catalogs: files of the project, which may
/// call others.
fn with_functions(
    surroundings: &Surroundings,
    source: &Source,
    dir: &Path,
) -> (Checked, Documents) {
    let mut documents = Documents::default();
    let mut checked = surroundings.check(source);
    while documents.add_functions(&checked, |path| function_text(dir, path)) {
        checked = surroundings.check_with(source, &documents);
    }
    (checked, documents)
}

/// The text of a function; none where there is no such file.
fn function_text(dir: &Path, path: &str) -> Option<Result<String, String>> {
    fs::symlink_metadata(dir.join(path)).is_ok().then(|| text_of(dir, path))
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

/// The files that a workflow names or calls and that can be read, by their names there: what goes along
/// when it is deployed. The error names the place of one that cannot.
pub(crate) fn texts(source: &Source, dir: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut texts = BTreeMap::new();
    loop {
        let checked = check_alone(source, &texts);
        let functions = checked.missing_functions();
        let functions = functions.filter(|(_, path)| dir.join(path).exists());
        let files = checked.missing_documents().filter_map(|document| match &document.at {
            DocumentAt::File(path) => Some((document, &**path)),
            DocumentAt::Function(_) | DocumentAt::Url(_) => None,
        });
        let mut is_new = false;
        for (document, path) in functions.chain(files) {
            if texts.contains_key(&document.name) {
                continue;
            }
            let text = text_of(dir, path).map_err(|reason| {
                let place = format!("{}:{}:{}", source.name(), document.line, document.column);
                format!(
                    "{place}: the document {} could not be had: {reason}; {FILE_HELP}",
                    document.name
                )
            })?;
            is_new |= texts.insert(document.name.clone(), text).is_none();
        }
        if !is_new {
            return Ok(texts);
        }
    }
}

/// What a workflow names, by itself; of the project only these functions are known.
fn check_alone(source: &Source, functions: &BTreeMap<String, String>) -> Checked {
    let adapters = Adapters::shipped();
    let mut catalogue = adapters.catalogue();
    catalogue.functions.clone_from(functions);
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: adapters.registry(),
    };
    check(source, &environment)
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
