//! Documents that workflows name, such as an API's: fetched when a workflow is deployed, under the
//! same rules as every call.

use crate::transport::{Egress, Errand};
use placet_adapters::{Redirects, http_call, openapi};
use placet_model::plan::Authentication;
use std::time::Duration;

/// From the first look-up to the last byte of a document.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A document that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("{url} cannot be asked for: {reason}")]
    Request { url: String, reason: String },
    #[error("{url} could not be fetched: {reason}")]
    Failed { url: String, reason: String },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is no text")]
    NotText { url: String },
}

impl Egress {
    /// The text at `url`: one GET, redirects followed under the egress rules, at most
    /// [`openapi::DOCUMENT_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DocumentError`] names the URL and what became of it.
    pub async fn document(
        &self,
        url: &str,
        authentication: Option<&Authentication>,
    ) -> Result<String, DocumentError> {
        self.document_up_to(url, authentication, openapi::DOCUMENT_BYTES_MAX).await
    }

    /// The same with another bound: what is imported is larger than what a workflow names.
    ///
    /// # Errors
    /// As [`Egress::document`].
    pub async fn document_up_to(
        &self,
        url: &str,
        authentication: Option<&Authentication>,
        bytes_max: usize,
    ) -> Result<String, DocumentError> {
        let url = || url.to_owned();
        let request = http_call::read_request(&url(), authentication)
            .map_err(|error| DocumentError::Request { url: url(), reason: error.story() })?;
        let errand = Errand {
            request: &request,
            integration: None,
            redirects: Redirects::Follow,
            timeout: TIMEOUT,
            bytes_max,
            certificate: None,
            assertion: None,
        };
        let answer = self.run(&errand).await;
        let response =
            answer.map_err(|failed| DocumentError::Failed { url: url(), reason: failed.detail })?;
        if !(200..=299).contains(&response.status) {
            return Err(DocumentError::Status { url: url(), status: response.status });
        }
        String::from_utf8(response.body).map_err(|_no_text| DocumentError::NotText { url: url() })
    }
}
