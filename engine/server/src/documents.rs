//! Documents that workflows name, such as an API's: what was had of them, and what was not.
//!
//! Whoever checks a workflow checks it once to learn what it names, fills these, and checks again.
//! Nothing is fetched but through the transport that is handed over: without one, no socket.

use placet_adapters::transport::{Call, Occurrence, Redirects, Transport};
use placet_adapters::{Adapters, http_call, openapi};
use placet_language::source::Span;
use placet_language::{Checked, Diagnostic, DocumentAt, NamedDocument, Source, codes};
use placet_model::Timestamp;
use placet_model::manifest::{Catalogue, Document};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// From the first look-up to the last byte of a document.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The operation under which a document is read.
const READ: &str = "http.read";
/// What to do where nothing may be fetched.
const AS_FILE: &str = "put the document into the project and name it as a file, such as \
                       api/openapi.yaml; live mode fetches it";

/// Functions of catalogs that one workflow calls, and what these call.
const FUNCTIONS_MAX: usize = 256;

/// Documents by their names in workflows, and functions of catalogs by their paths.
#[derive(Debug, Default)]
pub struct Documents {
    had: BTreeMap<String, Document>,
    functions: BTreeMap<String, String>,
    refused: BTreeMap<String, Refusal>,
}

/// Why a document could not be had, and what to do.
#[derive(Debug)]
struct Refusal {
    reason: String,
    help: &'static str,
}

impl Documents {
    /// Takes the text of a document.
    pub fn add(&mut self, document: &NamedDocument, text: &str) {
        match openapi::document(&document.name, text) {
            Ok(read) => drop(self.had.insert(document.name.clone(), read)),
            Err(error) => {
                let help = "name a JSON or YAML document; an API's is Swagger 2.0 or OpenAPI 3";
                self.refuse(document, error.to_string(), help);
            }
        }
    }

    /// Takes each function of a catalog that the check lacks and that `text_of` has, by its path in the
    /// project. Whether any was new: then what it calls is known by another check. One that is not there
    /// is a finding of the check itself.
    pub fn add_functions(
        &mut self,
        checked: &Checked,
        mut text_of: impl FnMut(&str) -> Option<Result<String, String>>,
    ) -> bool {
        let mut is_new = false;
        for (document, path) in checked.missing_functions() {
            if self.functions.contains_key(path) || self.refused.contains_key(path) {
                continue;
            }
            match text_of(path) {
                None => {}
                Some(Ok(_)) if self.functions.len() >= FUNCTIONS_MAX => {
                    let reason =
                        format!("it calls more than {FUNCTIONS_MAX} functions of catalogs");
                    self.refuse(document, reason, "call fewer functions");
                }
                Some(Ok(text)) => {
                    is_new = true;
                    self.functions.insert(path.to_owned(), text);
                }
                Some(Err(reason)) => {
                    let help = "a function is a file inside the project's folder";
                    self.refuse(document, reason, help);
                }
            }
        }
        is_new
    }

    /// Takes back what a check says of functions that nobody was asked for: whoever only looks at a text has
    /// no files.
    #[must_use]
    pub fn unread(mut checked: Checked) -> Checked {
        let absent: Vec<String> =
            checked.missing_functions().map(|(_, path)| absent(path)).collect();
        let is_of_one = |message: &str| absent.iter().any(|words| message.contains(words));
        checked.diagnostics.retain(|diagnostic| !is_of_one(&diagnostic.message));
        checked
    }

    /// Notes that a document could not be had: a finding of [`Documents::settle`].
    pub fn refuse(&mut self, document: &NamedDocument, reason: String, help: &'static str) {
        self.refused.insert(document.name.clone(), Refusal { reason, help });
    }

    /// Fetches each document that the check lacks and that stands at a URL; without a transport
    /// refuses it.
    pub async fn fetch(
        &mut self,
        checked: &Checked,
        adapters: &Adapters,
        live: Option<&dyn Transport>,
    ) {
        for document in checked.missing_documents() {
            let DocumentAt::Url(url) = &document.at else { continue };
            let Some(live) = live else {
                let reason = "nothing is fetched in sandbox mode".to_owned();
                self.refuse(document, reason, AS_FILE);
                continue;
            };
            match text_at(url, document, (adapters, live)).await {
                Ok(text) => self.add(document, &text),
                Err(reason) => {
                    let help = "look at the URL and at egress.allow, or put the document into the \
                                project and name it as a file";
                    self.refuse(document, reason, help);
                }
            }
        }
    }

    /// Refuses each document at a URL that the check lacks.
    pub fn refuse_urls(&mut self, checked: &Checked, reason: &str) {
        for document in checked.missing_documents() {
            if matches!(document.at, DocumentAt::Url(_)) {
                self.refuse(document, reason.to_owned(), AS_FILE);
            }
        }
    }

    /// Adds what was had to what a workflow is checked against.
    pub fn put_into(&self, catalogue: &mut Catalogue) {
        catalogue.documents.extend(self.had.clone());
        catalogue.functions.extend(self.functions.clone());
    }

    /// A check with what was refused as errors: its plan goes, and so do the warnings of the same
    /// documents.
    #[must_use]
    pub fn settle(&self, source: &Source, mut checked: Checked) -> Checked {
        let functions = checked.missing_functions().map(|(document, _)| document);
        let refused = checked.missing_documents().chain(functions).filter_map(|document| {
            let refusal = self.refused.get(&document.name)?;
            Some((document.name.clone(), finding(source, document, refusal)))
        });
        for (name, finding) in refused.collect::<Vec<_>>() {
            let (warned, absent) = (format!("{name} has not been fetched"), absent(&name));
            checked.diagnostics.retain(|d| {
                (d.is_error() || !d.message.starts_with(&warned)) && !d.message.contains(&absent)
            });
            checked.diagnostics.push(finding);
            checked.plan = None;
        }
        checked.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        checked
    }
}

/// What a check says of a function that it does not have.
fn absent(path: &str) -> String {
    format!("would be in {path}, which does not exist")
}

/// One GET under the rules of the transport, redirects followed.
async fn text_at(
    url: &str,
    document: &NamedDocument,
    (adapters, live): (&Adapters, &dyn Transport),
) -> Result<String, String> {
    let request = http_call::read_request(url, document.authentication.as_ref());
    let request = request.map_err(|error| error.story())?;
    let call = Call {
        attempt: None,
        operation: Arc::clone(adapters.operation(READ).expect("it ships with the binary")),
        integration: None,
        request: Arc::new(request),
        input: Arc::new(json!({ "endpoint": url })),
        occurrence: Occurrence { seen: None, now: Timestamp::EPOCH },
        redirects: Redirects::Follow,
        timeout: TIMEOUT,
        send_id: String::new(),
        response_bytes_max: openapi::DOCUMENT_BYTES_MAX,
    };
    let response = live.perform(call).await.map_err(|failed| failed.detail)?;
    if !(200..=299).contains(&response.status) {
        return Err(format!("the answer has status {}", response.status));
    }
    String::from_utf8(response.body).map_err(|_no_text| "the answer is no text".to_owned())
}

fn finding(source: &Source, document: &NamedDocument, refusal: &Refusal) -> Diagnostic {
    let start = offset(source, document);
    Diagnostic {
        code: codes::UNKNOWN_CALL,
        severity: codes::UNKNOWN_CALL.severity,
        message: format!("the document {} could not be had: {}", document.name, refusal.reason),
        file: source.name().to_owned(),
        line: document.line,
        column: document.column,
        help: refusal.help.to_owned(),
        span: Span::new(start, start),
    }
}

/// The byte at which a document is named.
fn offset(source: &Source, document: &NamedDocument) -> usize {
    let before = (document.line as usize).saturating_sub(1);
    let start: usize = source.text().split_inclusive('\n').take(before).map(str::len).sum();
    let column = (document.column as usize).saturating_sub(1);
    let line = source.line_text(document.line);
    start + line.chars().take(column).map(char::len_utf8).sum::<usize>()
}
