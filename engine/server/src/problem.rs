//! Every answer that is not a success: `application/problem+json` (RFC 9457) with our code, and the
//! one table that gives each code its HTTP status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use placet_executor::{Error, inbox};
use placet_language::Diagnostic;
use placet_model::code;
use serde_json::{Value, json};

/// The media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

/// The HTTP status of each code. A code stands once; a code that does not stand here is a 500.
const STATUSES: &[(u16, &[&str])] = &[
    (202, &["PL4013"]),
    (400, &["PL3041", "PL4003", "PL5004"]),
    (401, &["PL4004"]),
    (
        403,
        &[
            "PL3003", "PL3004", "PL3008", "PL3012", "PL3017", "PL3030", "PL3031", "PL3033",
            "PL3042", "PL3043", "PL3044", "PL3045", "PL3046", "PL3050", "PL4005", "PL4015",
            "PL4042", "PL5005", "PL6003",
        ],
    ),
    (404, &["PL3001", "PL4001", "PL4002", "PL4009", "PL4012"]),
    (405, &["PL4016"]),
    (
        409,
        &[
            "PL3002", "PL3005", "PL3006", "PL3007", "PL3011", "PL3013", "PL3014", "PL3016",
            "PL3032", "PL3034", "PL3049", "PL4008", "PL4011", "PL4019", "PL4031", "PL6004",
        ],
    ),
    (410, &["PL4030"]),
    (413, &["PL4014"]),
    (415, &["PL4017"]),
    (
        422,
        &[
            "PL2001", "PL2002", "PL2003", "PL2004", "PL2101", "PL2102", "PL2103", "PL2104",
            "PL2105", "PL2106", "PL2107", "PL2108", "PL2109", "PL2110", "PL2201", "PL2202",
            "PL2203", "PL2204", "PL2205", "PL2206", "PL2301", "PL2302", "PL2303", "PL2304",
            "PL2305", "PL2306", "PL2307", "PL2308", "PL2309", "PL2310", "PL2401", "PL3009",
            "PL3010", "PL3018", "PL3047", "PL3048", "PL3051", "PL3052", "PL3053", "PL4010",
            "PL4018", "PL4041", "PL6001", "PL6002", "PL6005",
        ],
    ),
    (429, &["PL4007", "PL4040"]),
    (
        500,
        &[
            "PL1002", "PL1003", "PL1004", "PL1005", "PL1007", "PL1009", "PL1010", "PL1015",
            "PL1202", "PL1203", "PL9001",
        ],
    ),
    (
        503,
        &[
            "PL1001", "PL1006", "PL1008", "PL1201", "PL4006", "PL4032", "PL5001", "PL5002",
            "PL5003", "PL5006",
        ],
    ),
];

/// The status of a code.
fn status(code: &str) -> StatusCode {
    let row = STATUSES.iter().find(|(_, codes)| codes.contains(&code));
    row.and_then(|(status, _)| StatusCode::from_u16(*status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Why a request came to nothing.
#[derive(Debug)]
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

    pub(crate) const fn code(&self) -> &'static str {
        self.code
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
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_one_status() {
        let listed: Vec<&str> = STATUSES.iter().flat_map(|(_, codes)| *codes).copied().collect();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), once.len());
        let known: BTreeSet<&str> = code::CODES.iter().map(|code| code.name).collect();
        assert_eq!(once, known);
    }

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
