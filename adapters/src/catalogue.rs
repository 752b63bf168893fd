//! Every operation that a project knows: the shipped manifests and the project's own.

use crate::manifest::{LoadContext, LoadError, Manifest, Operation, Origin, Problem, SchemaFiles};
use placet_model::manifest::{Catalogue, OperationInfo};
use placet_schemas::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The manifests in the binary.
const SHIPPED: [(&str, &str); 15] = [
    ("adapters/manifests/github.yaml", include_str!("../manifests/github.yaml")),
    ("adapters/manifests/gmail.yaml", include_str!("../manifests/gmail.yaml")),
    ("adapters/manifests/helpscout.yaml", include_str!("../manifests/helpscout.yaml")),
    ("adapters/manifests/http.yaml", include_str!("../manifests/http.yaml")),
    ("adapters/manifests/intercom.yaml", include_str!("../manifests/intercom.yaml")),
    ("adapters/manifests/mailgun.yaml", include_str!("../manifests/mailgun.yaml")),
    ("adapters/manifests/postmark.yaml", include_str!("../manifests/postmark.yaml")),
    ("adapters/manifests/resend.yaml", include_str!("../manifests/resend.yaml")),
    ("adapters/manifests/sendgrid.yaml", include_str!("../manifests/sendgrid.yaml")),
    ("adapters/manifests/slack.yaml", include_str!("../manifests/slack.yaml")),
    ("adapters/manifests/smtp.yaml", include_str!("../manifests/smtp.yaml")),
    ("adapters/manifests/stripe.yaml", include_str!("../manifests/stripe.yaml")),
    ("adapters/manifests/telegram.yaml", include_str!("../manifests/telegram.yaml")),
    ("adapters/manifests/twilio.yaml", include_str!("../manifests/twilio.yaml")),
    ("adapters/manifests/webhook.yaml", include_str!("../manifests/webhook.yaml")),
];

/// Providers whose operations are built into the engine; no manifest may take their names.
const RESERVED: [&str; 7] = ["notify", "agent", "context", "inbox", "openapi", "mcp", "a2a"];

/// A project's own manifest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Path as the author knows it, for messages.
    pub path: String,
    pub text: String,
}

/// All manifests of a project. Cheap to share; never changes once made.
#[derive(Debug)]
pub struct Adapters {
    manifests: BTreeMap<String, Arc<Manifest>>,
    registry: Arc<Registry>,
}

impl Adapters {
    /// The manifests that ship with the binary.
    ///
    /// # Panics
    /// If a shipped manifest is broken: a bug that the test of this file finds.
    pub fn shipped() -> Self {
        let registry = Arc::new(Registry::new());
        let context = LoadContext {
            registry: &registry,
            schema_files: &shipped_schema,
            origin: Origin::Shipped,
        };
        let manifests = SHIPPED
            .iter()
            .map(|(file, text)| {
                Manifest::load(file, text, context).expect("shipped manifests load")
            })
            .map(|manifest| (manifest.provider().to_owned(), Arc::new(manifest)))
            .collect();
        Self { manifests, registry }
    }

    /// The shipped manifests and the project's own. `schema_files` reads a schema of the project by
    /// the path that its manifest names; shipped schemas are found without it.
    ///
    /// # Errors
    /// Every file that does not load, with its problems; a provider that exists already or is
    /// reserved.
    pub fn with_project(
        files: &[ManifestFile],
        schema_files: SchemaFiles<'_>,
        trusted_reads: &BTreeSet<String>,
    ) -> Result<Self, Vec<LoadError>> {
        let mut adapters = Self::shipped();
        let mut errors = Vec::new();
        let registry = Arc::clone(&adapters.registry);
        let read = |path: &str| shipped_schema(path).or_else(|| schema_files(path));
        let context = LoadContext {
            registry: &registry,
            schema_files: &read,
            origin: Origin::Project { trusted_reads },
        };
        for file in files {
            match Manifest::load(&file.path, &file.text, context) {
                Ok(manifest) => errors.extend(adapters.add(&file.path, manifest)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(adapters) } else { Err(errors) }
    }

    fn add(&mut self, file: &str, manifest: Manifest) -> Option<LoadError> {
        let provider = manifest.provider().to_owned();
        let taken = match () {
            () if RESERVED.contains(&provider.as_str()) => "is reserved",
            () if self.manifests.contains_key(&provider) => "exists already",
            () => {
                self.manifests.insert(provider, Arc::new(manifest));
                return None;
            }
        };
        let problem = Problem {
            line: 0,
            column: 0,
            message: format!("the provider {provider} {taken}"),
            help: None,
        };
        Some(LoadError { file: file.to_owned(), problems: vec![problem] })
    }

    /// By provider, sorted.
    pub const fn manifests(&self) -> &BTreeMap<String, Arc<Manifest>> {
        &self.manifests
    }

    pub fn manifest(&self, provider: &str) -> Option<&Arc<Manifest>> {
        self.manifests.get(provider)
    }

    /// By full name, `slack.chat.postMessage`.
    pub fn operation(&self, name: &str) -> Option<&Arc<Operation>> {
        let (provider, _) = name.split_once('.')?;
        self.manifests.get(provider)?.operations().get(name)
    }

    /// The schemas of this project, compiled.
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What `language` and the CLI must know of each operation, as data.
    pub fn catalogue(&self) -> Catalogue {
        let operations =
            self.manifests.values().flat_map(|manifest| manifest.operations().values());
        Catalogue {
            operations: operations
                .map(info)
                .chain(std::iter::once(crate::notify::info()))
                .map(|info| (info.name.clone(), info))
                .collect(),
            carriers: self.carriers(),
            ..Catalogue::default()
        }
    }
}

fn info(operation: &Arc<Operation>) -> OperationInfo {
    OperationInfo {
        name: operation.name().to_owned(),
        provider: operation.provider().to_owned(),
        effect: operation.effect(),
        digest: operation.digest(),
        input_schema: operation
            .input_schema()
            .map_or(Value::Bool(true), |schema| schema.document().clone()),
        output_schema: operation.output_schema().map(|schema| schema.document().clone()),
        output_kept: operation
            .output_kept()
            .map(|kept| kept.iter().map(|pointer| pointer.as_str().to_owned()).collect()),
        output_named: operation.output_named().map(str::to_owned).collect(),
        title: operation.title().to_owned(),
    }
}

/// A schema that ships with the binary, by the path that a manifest names.
pub fn shipped_schema(path: &str) -> Option<String> {
    placet_schemas::embedded(path).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_manifest_loads() {
        let adapters = Adapters::shipped();
        let providers: Vec<&str> = adapters.manifests().keys().map(String::as_str).collect();
        let files: Vec<&str> = SHIPPED
            .iter()
            .map(|(file, _)| file.rsplit('/').next().unwrap().trim_end_matches(".yaml"))
            .collect();
        assert_eq!(providers, files, "a file is named after its provider, and they are sorted");
        assert!(adapters.manifests().values().all(|manifest| !manifest.operations().is_empty()));
    }

    #[test]
    fn every_shipped_schema_compiles() {
        let registry = Registry::new();
        for path in placet_schemas::embedded_paths().filter(|path| path.contains("/providers/")) {
            registry.shipped(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }

    #[test]
    fn the_catalogue_has_every_operation_with_its_schemas_and_digest() {
        let adapters = Adapters::shipped();
        let catalogue = adapters.catalogue();
        let send = catalogue.get("slack.chat.postMessage").unwrap();
        assert_eq!(send.digest, adapters.operation("slack.chat.postMessage").unwrap().digest());
        assert_eq!(send.input_schema["required"], serde_json::json!(["channel"]));
        assert!(catalogue.get(placet_model::manifest::HTTP_OPERATION).is_some());
        assert!(catalogue.get("slack.chat.nothing").is_none());
    }
}
