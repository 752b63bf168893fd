//! The policy in words, who is who in it, what another one would have asked for on past requests,
//! votes in advance, and emergencies that somebody must look at.

mod trial;
mod words;

pub(super) use trial::test;

use super::form::{Form, see_other};
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::viewer::Viewer;
use crate::api::policy as api;
use crate::app::App;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use placet_model::policy::Policy;
use placet_model::{DecisionId, Principal, Timestamp};
use serde::Deserialize;
use std::sync::Arc;
use words::{RuleWords, StandingWords};

const PATH: &str = "/policy";

/// Somebody whom the policy knows.
#[derive(Debug)]
struct Person {
    name: String,
    kind: String,
    roles: String,
    groups: String,
}

/// Something that was sent in an emergency and that nobody has looked at.
#[derive(Debug, Deserialize)]
struct Emergency {
    decision: String,
    run: String,
    operation: Line,
    by: Option<Line>,
    at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Emergencies {
    items: Vec<Emergency>,
}

/// Who has given a vote in advance.
#[derive(Debug, Deserialize)]
struct Endorsement {
    standing: String,
    by: Vec<Principal>,
}

#[derive(Template)]
#[template(path = "policy/show.html", blocks = ["live"])]
struct Page {
    shell: Shell,
    rules: Vec<RuleWords>,
    blocked: Vec<String>,
    allow_lists: Vec<(String, String)>,
    standing: Vec<StandingWords>,
    delegations: Vec<String>,
    break_glass: Option<String>,
    notices: &'static str,
    people: Vec<Person>,
    groups: Vec<(String, String)>,
    emergencies: Vec<Emergency>,
}

/// `GET /policy`.
pub(super) async fn page(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    params.only(&[])?;
    let now = api::now(&app, viewer.caller.clone()).await?;
    let given: Vec<Endorsement> = read(now.endorsements.into())?;
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(open) = api::unreviewed(state, caller, Params::default()).await?;
    let open: Emergencies = read(open)?;
    let policy = &now.policy;
    let page = Page {
        shell: Shell::of(&app, &viewer, (Section::Policy, "Policy".to_owned())),
        rules: policy.rules.iter().map(RuleWords::of).collect(),
        blocked: policy.blocked.iter().cloned().collect(),
        allow_lists: policy
            .allow_lists
            .iter()
            .map(|(name, entries)| (name.clone(), words::listed(entries)))
            .collect(),
        standing: policy
            .standing
            .iter()
            .map(|standing| {
                let given = given.iter().find(|one| one.standing == standing.name);
                StandingWords::of(standing, given.map_or(&[], |given| &given.by))
            })
            .collect(),
        delegations: policy.delegations.iter().map(words::delegation).collect(),
        break_glass: policy.break_glass.as_ref().map(words::break_glass),
        notices: words::notices(policy.notice_payload),
        people: people(policy),
        groups: policy
            .groups
            .iter()
            .map(|(name, members)| (name.to_string(), words::listed(members)))
            .collect(),
        emergencies: open.items,
    };
    shown(viewer.part, &page, &page.as_live())
}

fn people(policy: &Policy) -> Vec<Person> {
    let groups_of = |name: &Principal| {
        let groups = policy.groups.iter().filter(|(_, members)| members.contains(name));
        words::listed(groups.map(|(group, _)| group))
    };
    let person = |(name, info): (&Principal, &placet_model::policy::PrincipalInfo)| Person {
        name: name.to_string(),
        kind: words::word(&info.kind),
        roles: info.roles.iter().map(words::word).collect::<Vec<_>>().join(", "),
        groups: groups_of(name),
    };
    policy.principals.iter().map(person).collect()
}

/// `POST /policy/endorse` `standing=`: one's own vote, in advance.
pub(super) async fn endorse(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let name = form.demanded("standing")?.to_owned();
    let _answer = api::endorse(State(app), form.caller(), Place(name), Nothing).await?;
    Ok(see_other(PATH))
}

/// `POST /policy/review` `decision= review= reason=?`: what somebody says of an emergency.
pub(super) async fn review(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let malformed = |error: &dyn std::fmt::Display| Problem::malformed(format!("form: {error}"));
    let decision = form.demanded("decision")?.parse::<DecisionId>();
    let decision = decision.map_err(|error| malformed(&error))?;
    let review = serde_json::Value::from(form.demanded("review")?);
    let review = serde_json::from_value(review).map_err(|error| malformed(&error))?;
    let body = api::ReviewBody { review, reason: form.text("reason").map(str::to_owned) };
    let _answer = api::review(State(app), form.caller(), Place(decision), Json(body)).await?;
    Ok(see_other(PATH))
}
