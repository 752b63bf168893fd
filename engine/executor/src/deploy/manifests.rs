//! A project's own manifests, as deployed. They stand in one stream of their own, so that an engine
//! finds all of them without looking at any file:
//!
//! ```text
//! adapter:*   OperationRegistered, one for each operation of the manifest, in one append
//!   payload 0 of the first: the manifest's text
//!   payload 1 of the first: { file, schemas: { path: text }, trusted: { operation: digest } }
//! ```
//!
//! The last deployment of a provider is in force. A trusted read is trusted in this very form: once
//! its digest is another, an admin must say so again.

use super::{Change, Holds, Kind, Standing, diff};
use crate::handle::{Error, Handle, ProjectFact};
use placet_adapters::{
    Adapters, LoadContext, LoadError, Manifest, ManifestFile, Origin, shipped_schema,
};
use placet_log::ReadView;
use placet_model::actor::Role;
use placet_model::event::governance::OperationRegistered;
use placet_model::manifest::Effect;
use placet_model::{Actor, Digest, Event, PayloadRef, Principal, Revision, StreamId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The stream of them all; no provider can have this name.
const STREAM: &str = "*";

/// A manifest that somebody proposes.
#[derive(Debug, Clone, Default)]
pub struct Proposed {
    /// What to call it in findings.
    pub file: String,
    /// Its text.
    pub source: String,
    /// The project's schemas that it names, by path.
    pub schemas: BTreeMap<String, String>,
    /// Operations that an admin trusts to be reads, by full name.
    pub trust: BTreeSet<String>,
}

/// What was deployed with a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    file: String,
    schemas: BTreeMap<String, String>,
    trusted: BTreeMap<String, Digest>,
}

/// A manifest as it was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Deployed {
    source: String,
    record: Record,
}

/// The manifests of a project that are in force.
#[derive(Debug, Clone, Default)]
pub struct InForce(BTreeMap<String, Deployed>);

impl InForce {
    /// Reads them.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn read(view: &ReadView) -> Result<Self, Error> {
        let stream = StreamId::Adapter(STREAM.to_owned());
        let mut all = BTreeMap::new();
        for event in view.stream(&stream, Revision::START) {
            let event = event?;
            let Event::OperationRegistered(body) = &event.event else { continue };
            if body.document.revision != event.revision {
                continue;
            }
            let content = |index| view.payload(&stream, PayloadRef::new(event.revision, index));
            let source = String::from_utf8_lossy(content(0)?.as_bytes()).into_owned();
            let record = serde_json::from_slice(content(1)?.as_bytes());
            let record = record.map_err(|error| Error::Refused {
                code: "PL1003",
                detail: format!("a deployed manifest cannot be read: {error}"),
            })?;
            let provider = body.operation.split('.').next().unwrap_or_default().to_owned();
            all.insert(provider, Deployed { source, record });
        }
        Ok(Self(all))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their providers.
    pub fn providers(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Operations that an admin trusts to be reads, with the digests for which that holds.
    pub fn trusted(&self) -> impl Iterator<Item = (&String, &Digest)> {
        self.0.values().flat_map(|deployed| &deployed.record.trusted)
    }

    /// The shipped manifests and these.
    ///
    /// # Errors
    /// Every manifest that does not load any more.
    pub fn adapters(&self) -> Result<Adapters, Vec<LoadError>> {
        let files: Vec<ManifestFile> = self
            .0
            .values()
            .map(|deployed| ManifestFile {
                path: deployed.record.file.clone(),
                text: deployed.source.clone(),
            })
            .collect();
        let schema = |path: &str| {
            self.0.values().find_map(|deployed| deployed.record.schemas.get(path)).cloned()
        };
        let trusted = self.trusted().map(|(name, _)| name.clone()).collect();
        Adapters::with_project(&files, &schema, &trusted)
    }
}

impl Handle {
    /// Puts a manifest into force. One that is in force already records nothing.
    ///
    /// # Errors
    /// When the actor may not, or the manifest cannot be used.
    pub async fn deploy_manifest(
        &self,
        actor: &Principal,
        proposed: &Proposed,
    ) -> Result<Change, Error> {
        let turn = self.act_turn().await;
        let (change, facts) = self.manifest_facts(actor, proposed)?;
        if change.standing != Standing::Unchanged {
            self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        }
        Ok(change)
    }

    /// What deploying this manifest would change. Appends nothing.
    ///
    /// # Errors
    /// As [`Handle::deploy_manifest`].
    pub fn manifest_change(&self, actor: &Principal, proposed: &Proposed) -> Result<Change, Error> {
        Ok(self.manifest_facts(actor, proposed)?.0)
    }

    fn manifest_facts(
        &self,
        actor: &Principal,
        proposed: &Proposed,
    ) -> Result<(Change, Vec<ProjectFact>), Error> {
        self.demand_deployer(actor)?;
        if !proposed.trust.is_empty() {
            self.demand(actor, Role::Admin)?;
        }
        let view = self.view()?;
        let mut all = InForce::read(&view)?;
        let (manifest, trusted) = self.load_manifest(proposed, &all)?;
        let provider = manifest.provider().to_owned();
        let record = Record {
            file: proposed.file.clone(),
            schemas: proposed.schemas.clone(),
            trusted: trusted.clone(),
        };
        let deployed = Deployed { source: proposed.source.clone(), record };
        let before = all.0.insert(provider.clone(), deployed.clone());
        // beside the others: names that are taken
        all.adapters().map(drop).map_err(|errors| unusable(&errors))?;
        let runs_now = self
            .env
            .adapters
            .manifest(&provider)
            .is_some_and(|known| known.source_digest() == manifest.source_digest());
        let change = Change {
            kind: Kind::Manifest,
            name: provider.clone(),
            standing: standing(before.as_ref(), &deployed),
            digest: manifest.source_digest(),
            replaces: before.as_ref().map(|_| provider.clone()),
            diff: diff_of(before.as_ref(), &deployed),
            holds: if runs_now { Holds::Now } else { Holds::NextStart },
            trusts: trusted.into_keys().collect(),
        };
        let stream = StreamId::Adapter(STREAM.to_owned());
        let first = view.revision(&stream)?.next();
        Ok((change, facts(&manifest, &deployed, (stream, first))))
    }

    /// The manifest, and which of its reads are trusted in this form.
    fn load_manifest(
        &self,
        proposed: &Proposed,
        all: &InForce,
    ) -> Result<(Manifest, BTreeMap<String, Digest>), Error> {
        let earlier: BTreeMap<&String, &Digest> = all.trusted().collect();
        let names = |keep: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
            let earlier = earlier.keys().filter(|name| keep(name)).map(|name| (*name).clone());
            earlier.chain(proposed.trust.iter().cloned()).collect()
        };
        let manifest = self.load_trusting(proposed, &names(&|_| true))?;
        let still = |name: &str| {
            let today = manifest.operations().get(name).map(|operation| operation.digest());
            today.is_some_and(|today| {
                earlier.iter().any(|(n, d)| n.as_str() == name && **d == today)
            })
        };
        let trusted = names(&still);
        let manifest = self.load_trusting(proposed, &trusted)?;
        if let Some(name) = proposed.trust.iter().find(|name| !is_read(&manifest, name)) {
            let detail = format!("there is no read {name} in {} to be trusted", proposed.file);
            return Err(Error::Refused { code: "PL4003", detail });
        }
        if manifest.operations().is_empty() {
            let detail = format!("{} declares no operation", proposed.file);
            return Err(Error::Refused { code: "PL6001", detail });
        }
        let trusted = trusted.into_iter().filter_map(|name| {
            let digest = manifest.operations().get(&name)?.digest();
            Some((name, digest))
        });
        let trusted = trusted.collect();
        Ok((manifest, trusted))
    }

    fn load_trusting(
        &self,
        proposed: &Proposed,
        trusted: &BTreeSet<String>,
    ) -> Result<Manifest, Error> {
        let schema =
            |path: &str| shipped_schema(path).or_else(|| proposed.schemas.get(path).cloned());
        let context = LoadContext {
            registry: self.env.adapters.registry(),
            schema_files: &schema,
            origin: Origin::Project { trusted_reads: trusted },
        };
        Manifest::load(&proposed.file, &proposed.source, context)
            .map_err(|error| unusable(std::slice::from_ref(&error)))
    }
}

fn facts(
    manifest: &Manifest,
    deployed: &Deployed,
    (stream, first): (StreamId, Revision),
) -> Vec<ProjectFact> {
    let record = serde_json::to_vec(&deployed.record).expect("a record has text keys");
    let mut payloads = vec![deployed.source.as_bytes().to_vec(), record];
    let registered = manifest.operations().values().map(|operation| OperationRegistered {
        operation: operation.name().to_owned(),
        digest: operation.digest(),
        document: PayloadRef::new(first, 0),
    });
    registered
        .map(|event| (stream.clone(), Event::from(event), std::mem::take(&mut payloads)))
        .collect()
}

fn is_read(manifest: &Manifest, name: &str) -> bool {
    manifest.operations().get(name).is_some_and(|operation| operation.effect() == Effect::Read)
}

fn unusable(errors: &[LoadError]) -> Error {
    let lines = errors.iter().flat_map(|error| {
        error.problems.iter().map(|problem| match problem.line {
            0 => format!("{}: {}", error.file, problem.message),
            _ => format!("{}:{problem}", error.file),
        })
    });
    Error::Refused { code: "PL6001", detail: lines.collect::<Vec<_>>().join("; ") }
}

/// What it is called in findings makes no difference.
fn standing(before: Option<&Deployed>, after: &Deployed) -> Standing {
    let same = |before: &Deployed| {
        before.source == after.source
            && before.record.schemas == after.record.schemas
            && before.record.trusted == after.record.trusted
    };
    match before {
        None => Standing::New,
        Some(before) if same(before) => Standing::Unchanged,
        Some(_) => Standing::Changed,
    }
}

/// The manifest's text, then each schema's, then what is trusted.
fn diff_of(before: Option<&Deployed>, after: &Deployed) -> String {
    let none = Deployed { source: String::new(), record: Record::default() };
    let before = before.unwrap_or(&none);
    let mut text = diff::unified(&after.record.file, &before.source, &after.source);
    let (old, new) = (&before.record.schemas, &after.record.schemas);
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for path in paths {
        let of = |all: &BTreeMap<String, String>| all.get(path).cloned().unwrap_or_default();
        text.push_str(&diff::unified(path, &of(old), &of(new)));
    }
    let trusted = |deployed: &Deployed| {
        deployed
            .record
            .trusted
            .iter()
            .fold(String::new(), |text, (name, digest)| text + &format!("{name} {digest}\n"))
    };
    text + &diff::unified("trusted reads", &trusted(before), &trusted(after))
}
