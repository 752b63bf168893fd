//! External resources: documents that a workflow names and that somebody else fetches.
//!
//! A check notes every one of them, with its place; whoever checks fetches those and checks again
//! with them in the catalogue. Without a document the rest is checked, and a warning says so.

use placet_model::manifest::Document;
use placet_model::plan::Authentication;

use super::reader::{Reader, field};
use crate::codes;
use crate::source::Span;
use crate::syntax::Node;

/// A document that a workflow names: the key of `Catalogue::documents`, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDocument {
    /// As written: the key of the catalogue.
    pub name: String,
    /// Where it is.
    pub at: DocumentAt,
    /// As whom it is fetched.
    pub authentication: Option<Authentication>,
    /// Whether the catalogue had it.
    pub is_known: bool,
    /// Line of the workflow where it is named, from 1.
    pub line: u32,
    /// Column there, from 1.
    pub column: u32,
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentAt {
    /// At this `https` or `http` URL.
    Url(String),
    /// In this file of the project: a relative path that stays inside.
    File(String),
    /// In this file of the project as well: a function of a catalog, and the key of
    /// `Catalogue::functions`.
    Function(String),
}

impl<'a> Reader<'a> {
    /// `{ name, endpoint }` with a URL or a path that is written out. Gives the name under which the
    /// catalogue has it.
    pub(super) fn resource(&mut self, node: &Node, what: &str) -> Option<String> {
        if !self.map(node, what, &["name", "endpoint"]) {
            return None;
        }
        let endpoint = self.required(node, "endpoint", what)?;
        let (uri, authentication) = if endpoint.as_text().is_some() {
            (endpoint, Ok(None))
        } else {
            if !self.map(endpoint, "`endpoint`", &["uri", "authentication"]) {
                return None;
            }
            let authentication =
                field(endpoint.get("authentication"), |node| self.authentication(node));
            (self.required(endpoint, "uri", "`endpoint`")?, authentication)
        };
        let name = self.literal(uri, "`endpoint` of the document")?;
        let at = self.document_at(uri, &name)?;
        self.note_document(&name, at, (authentication.ok()?, uri.span));
        Some(name)
    }

    fn document_at(&mut self, node: &Node, text: &str) -> Option<DocumentAt> {
        let path = text.strip_prefix("file:").unwrap_or(text);
        let path = path.strip_prefix("./").unwrap_or(path);
        if text.contains(['{', '}', '#']) {
            let message = "a document is named by one whole URL";
            let help = "write it out, without `{ }` and without `#`";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        }
        if path.contains("://") {
            self.check_scheme(node, text);
            return Some(DocumentAt::Url(text.to_owned()));
        }
        if path.starts_with('/') || path.contains('\\') || path.split('/').any(walks) {
            let message =
                format!("the document `{text}` is neither a URL nor a file of the project");
            let help = "write https://…, or a path such as api/openapi.yaml";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        }
        Some(DocumentAt::File(path.to_owned()))
    }

    fn note_document(
        &mut self,
        name: &str,
        at: DocumentAt,
        (authentication, span): (Option<Authentication>, Span),
    ) {
        if self.documents.iter().any(|known| known.name == name) {
            return;
        }
        let place = self.source().place(span.start);
        self.documents.push(NamedDocument {
            name: name.to_owned(),
            at,
            authentication,
            is_known: self.environment.catalogue.documents.contains_key(name),
            line: place.line,
            column: place.column,
        });
    }

    /// A function of a catalog, whether the catalogue has it or not.
    pub(super) fn note_function(&mut self, path: &str, span: Span) {
        let at = DocumentAt::Function(path.to_owned());
        if self.documents.iter().any(|known| known.at == at) {
            return;
        }
        let place = self.source().place(span.start);
        self.documents.push(NamedDocument {
            name: path.to_owned(),
            at,
            authentication: None,
            is_known: self.environment.catalogue.functions.contains_key(path),
            line: place.line,
            column: place.column,
        });
    }

    /// The document of this name; a warning where there is none yet.
    pub(super) fn fetched(&mut self, name: &str, span: Span) -> Option<&'a Document> {
        let catalogue = self.environment.catalogue;
        let found = catalogue.documents.get(name);
        if found.is_none() {
            let message =
                format!("{name} has not been fetched, so what depends on it is not checked");
            let help = "a check never asks the network; a deploy and a run do";
            self.warn(codes::UNKNOWN_CALL, span, message, help);
        }
        found
    }
}

fn walks(part: &str) -> bool {
    matches!(part, "" | "." | "..")
}
