//! Every answer that is not a success: `application/problem+json` (RFC 9457) with our code, whose
//! status and page stand in the one table of codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use placet_executor::{Error, inbox};
use placet_language::Diagnostic;
use placet_model::code;
use serde_json::{Value, json};
use std::sync::Arc;

/// The media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

/// The status of a code, which stands in the table of codes.
fn status(code: &str) -> StatusCode {
    let known = code::find(code).and_then(|code| StatusCode::from_u16(code.http).ok());
    known.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Why a request came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: &'static str,
    detail: String,
    /// Where it is known when to come back.
    retry_after_s: u64,
    diagnostics: Option<Vec<Diagnostic>>,
}

impl Problem {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_s: 1, diagnostics: None }
    }

    /// A request that cannot be read.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new("PL4003", detail)
    }

    /// A document with errors: all findings go along, the first error gives the code.
    pub(crate) fn findings(diagnostics: Vec<Diagnostic>) -> Self {
        let first = diagnostics.iter().find(|finding| finding.is_error());
        let (code, detail) = match first {
            Some(found) => {
                let place = format!("{}:{}:{}", found.file, found.line, found.column);
                (found.code.id, format!("{place}: {}", found.message))
            }
            None => ("PL9001", "the document was refused without a finding".to_owned()),
        };
        Self { code, detail, retry_after_s: 1, diagnostics: Some(diagnostics) }
    }

    /// What goes wrong inside is told to the log of the process; outside it has no words.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %with_sources(error), "a request failed");
        Self::new("PL9001", "see the log of the engine")
    }

    /// Each finding on a line, `file:line:column: message`.
    pub(crate) fn findings_in_words(&self) -> Vec<String> {
        let findings = self.diagnostics.iter().flatten();
        let words = findings.map(|found| {
            let Diagnostic { file, line, column, message, .. } = found;
            format!("{file}:{line}:{column}: {message}")
        });
        words.collect()
    }

    pub(crate) fn status(&self) -> StatusCode {
        status(self.code)
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// As the doors say it that are no HTTP.
    pub(crate) fn to_inbox(&self) -> inbox::Problem {
        let title = code::find(self.code).map_or("", |code| code.title);
        let (code, title) = (self.code.to_owned(), title.to_owned());
        inbox::Problem { code, title, detail: self.detail.clone() }
    }

    /// `{type, title, status, code, detail, diagnostics?}`.
    fn to_json(&self) -> Value {
        let title = code::find(self.code).map_or("", |code| code.title);
        let mut problem = json!({
            "type": format!("/errors/{}", self.code),
            "title": title,
            "status": status(self.code).as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(diagnostics) = &self.diagnostics {
            problem["diagnostics"] = json!(diagnostics);
        }
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.code() == "PL9001" {
            return Self::internal(&error);
        }
        let problem = Self::new(error.code(), inbox::Problem::from(&error).detail);
        match error {
            Error::TooMuch { retry_after_s, .. } => Self { retry_after_s, ..problem },
            _ => problem,
        }
    }
}

impl From<placet_log::Error> for Problem {
    fn from(error: placet_log::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<placet_projections::Error> for Problem {
    fn from(error: placet_projections::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (status(self.code), self.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match status(self.code) {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s));
            }
            _ => {}
        }
        // for whoever says it in other words
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// An error and what it rests on, in one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_and_where() {
        let problem = Problem::new("PL4001", "there is no run x").to_json();
        let expected = json!({
            "type": "/errors/PL4001", "title": "unknown run", "status": 404, "code": "PL4001",
            "detail": "there is no run x",
        });
        assert_eq!(problem, expected);
    }
}
