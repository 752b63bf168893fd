//! Published JSON Schemas and a validating registry.
