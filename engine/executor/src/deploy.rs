//! Deploying as an act (GATE.md §8): what a proposal would change, and making it bind. Files only
//! propose; whoever deploys is recorded with the fact.

mod diff;
mod manifests;

pub use manifests::{InForce, Proposed};

use crate::handle::{Error, Handle};
use placet_core::policy::is_agent;
use placet_log::ReadView;
use placet_model::actor::Role;
use placet_model::event::governance::WorkflowDeployed;
use placet_model::plan::Plan;
use placet_model::{Actor, Digest, PayloadRef, Principal, StreamId, canonical};
use placet_projections::{Views, WorkflowRow};
use serde::Serialize;
use std::sync::Arc;

/// What is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A workflow.
    Workflow,
    /// A provider's manifest.
    Manifest,
}

/// How a proposal stands to what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing of this name is in force.
    New,
    /// Something else is in force under this name.
    Changed,
    /// It is in force already; deploying it records nothing.
    Unchanged,
}

/// From when it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// From the commit on.
    Now,
    /// From the engine's next start on.
    NextStart,
}

/// What deploying one file changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// `namespace/name@version`, or the provider.
    pub name: String,
    /// How it stands to what is in force.
    pub standing: Standing,
    /// Digest of the plan, or of the manifest's text.
    pub digest: Digest,
    /// What it is compared with.
    pub replaces: Option<String>,
    /// Unified diff of the texts; empty when it is in force already.
    pub diff: String,
    /// From when it holds.
    pub holds: Holds,
    /// Reads with another method than GET, HEAD or OPTIONS that an admin trusts.
    pub trusts: Vec<String>,
}

impl Handle {
    /// Makes a plan startable. Deploying what is in force already records nothing.
    ///
    /// # Errors
    /// When the actor may not, or the project cannot be written.
    pub async fn deploy(
        &self,
        actor: &Principal,
        plan: Plan,
        source: &str,
    ) -> Result<Digest, Error> {
        Ok(self.deploy_workflow(actor, plan, source).await?.digest)
    }

    /// As [`Handle::deploy`]; tells what has changed.
    ///
    /// # Errors
    /// As [`Handle::deploy`].
    pub async fn deploy_workflow(
        &self,
        actor: &Principal,
        plan: Plan,
        source: &str,
    ) -> Result<Change, Error> {
        let turn = self.act_turn().await;
        self.demand_deployer(actor)?;
        self.check_scopes(&plan)?;
        let bytes = plan_bytes(&plan)?;
        let digest = Digest::of(&bytes);
        let stream = StreamId::Workflow(plan.workflow.family());
        let (change, revision) = {
            let view = self.view()?;
            (workflow_change(&view, &plan, digest, source)?, view.revision(&stream)?.next())
        };
        if change.standing != Standing::Unchanged {
            let deployed = WorkflowDeployed {
                workflow: plan.workflow.clone(),
                plan_digest: digest,
                plan: PayloadRef::new(revision, 0),
                source_digest: Digest::of(source.as_bytes()),
                source: PayloadRef::new(revision, 1),
            };
            let payloads = vec![bytes, source.as_bytes().to_vec()];
            let actor = Actor::Principal(actor.clone());
            self.govern(&actor, vec![(stream, deployed.into(), payloads)], None, turn).await?;
        }
        let family = plan.family();
        self.env.keep_plan(digest, Arc::new(plan));
        if change.standing != Standing::Unchanged {
            self.listen_for(&family).await?;
        }
        Ok(change)
    }

    /// What deploying this plan would change. Appends nothing.
    ///
    /// # Errors
    /// When the actor may not deploy, or the project cannot be read.
    pub fn workflow_change(
        &self,
        actor: &Principal,
        plan: &Plan,
        source: &str,
    ) -> Result<Change, Error> {
        self.demand_deployer(actor)?;
        workflow_change(&self.view()?, plan, Digest::of(&plan_bytes(plan)?), source)
    }

    /// An author, and never an agent, whatever its roles.
    ///
    /// # Errors
    /// When the actor may not deploy.
    pub fn demand_deployer(&self, actor: &Principal) -> Result<(), Error> {
        self.demand(actor, Role::Author)?;
        if is_agent(&self.world().policy, actor) {
            let detail = "an agent never deploys".to_owned();
            return Err(Error::Refused { code: "PL4005", detail });
        }
        Ok(())
    }
}

fn plan_bytes(plan: &Plan) -> Result<Vec<u8>, Error> {
    let document = plan.to_json().map_err(crate::turn::Error::from)?;
    Ok(canonical::to_bytes(&document).map_err(crate::turn::Error::from)?)
}

/// A version that was deployed before and changed since is changed back by deploying it again: what
/// counts is the last deployment of that version, not whether the plan has ever been seen.
fn workflow_change(
    view: &ReadView,
    plan: &Plan,
    digest: Digest,
    source: &str,
) -> Result<Change, Error> {
    let views = Views::new(view)?;
    let (family, version) = (plan.family(), &plan.workflow.version);
    let rows: Vec<WorkflowRow> =
        views.workflows()?.into_iter().filter(|row| row.family == family).collect();
    let same = rows.iter().find(|row| row.version == *version);
    let standing = match same {
        Some(row) if row.plan_digest == digest => Standing::Unchanged,
        None if rows.is_empty() => Standing::New,
        Some(_) | None => Standing::Changed,
    };
    let base = same.or_else(|| rows.first());
    let before = match base {
        Some(row) if standing != Standing::Unchanged => source_of(view, &views, row.plan_digest)?,
        Some(_) | None => String::new(),
    };
    let diff = match standing {
        Standing::Unchanged => String::new(),
        Standing::New | Standing::Changed => diff::unified(&family, &before, source),
    };
    Ok(Change {
        kind: Kind::Workflow,
        name: plan.workflow.to_string(),
        standing,
        digest,
        replaces: base.map(|row| format!("{}@{}", row.family, row.version)),
        diff,
        holds: Holds::Now,
        trusts: vec![],
    })
}

fn source_of(view: &ReadView, views: &Views<'_>, plan: Digest) -> Result<String, Error> {
    let Some(place) = views.source(plan)? else { return Ok(String::new()) };
    let payload = view.payload(&place.stream, place.payload)?;
    Ok(String::from_utf8_lossy(payload.as_bytes()).into_owned())
}
