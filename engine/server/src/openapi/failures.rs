//! How a request comes to nothing, in every description.

use super::shapes::Problem;
use std::collections::BTreeMap;
use utoipa::openapi::{RefOr, Response, ResponseBuilder, content::ContentBuilder};
use utoipa::{IntoResponses, ToSchema as _};

/// Every code has its own status, and every answer of a problem has one form.
#[derive(Debug)]
pub(crate) struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(Problem::name()));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new()
            .description("It came to nothing; the code says why, and its page what to do.")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
