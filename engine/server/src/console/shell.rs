//! What stands around every page: navigation, who looks, mode and pause.

use super::list;
use super::viewer::{Part, Viewer};
use crate::app::App;
use crate::guard::Dress;
use crate::problem::Problem;
use askama::Template;
use axum::Extension;
use axum::response::{Html, IntoResponse, Response};
use placet_model::actor::PrincipalKind;

/// What a page answers.
pub(crate) type Shown = Result<Response, Problem>;

/// The parts of the console, as the navigation names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Inbox,
    Runs,
    Workflows,
    Integrations,
    Charts,
    Audit,
    Policy,
    /// Whoever looks; stands beside their name.
    You,
}

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Inbox,
        Self::Runs,
        Self::Workflows,
        Self::Integrations,
        Self::Charts,
        Self::Audit,
        Self::Policy,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Runs => "Runs",
            Self::Workflows => "Workflows",
            Self::Integrations => "Integrations",
            Self::Charts => "Charts",
            Self::Audit => "Audit",
            Self::Policy => "Policy",
            Self::You => "You",
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Inbox => "/inbox",
            Self::Runs => "/runs",
            Self::Workflows => "/workflows",
            Self::Integrations => "/integrations",
            Self::Charts => "/charts",
            Self::Audit => "/audit",
            Self::Policy => "/policy",
            Self::You => "/you",
        }
    }

    /// The key that leads there after `g`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Inbox => "i",
            Self::Runs => "r",
            Self::Workflows => "w",
            Self::Integrations => "n",
            Self::Charts => "c",
            Self::Audit => "a",
            Self::Policy => "p",
            Self::You => "y",
        }
    }
}

/// What `layout.html` shows around a page.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: Section,
    pub(crate) project: String,
    pub(crate) user: String,
    /// In `dev`: whom one may act as.
    pub(crate) people: Vec<String>,
    pub(crate) state: State,
    pub(crate) form_token: String,
    /// Path and query of this page.
    pub(crate) here: String,
}

/// Whether anything may leave, and the switch.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) mode: String,
    pub(crate) paused: bool,
    /// Integrations that are paused by themselves.
    pub(crate) paused_only: Vec<String>,
    pub(crate) form_token: String,
    pub(crate) here: String,
}

impl State {
    pub(crate) fn of(app: &App, viewer: &Viewer, here: String) -> Self {
        let world = app.handle.world();
        let names = world.paused_integrations.iter().filter_map(|id| world.integrations.get(id));
        Self {
            mode: app.mode.to_string(),
            paused: world.paused,
            paused_only: names.map(|known| known.name.clone()).collect(),
            form_token: viewer.form_token.clone(),
            here,
        }
    }
}

impl Shell {
    /// This page, as it stands in a query.
    pub(crate) fn here_encoded(&self) -> String {
        list::escaped(&self.here)
    }

    pub(crate) fn of(app: &App, viewer: &Viewer, (section, title): (Section, String)) -> Self {
        let world = app.handle.world();
        let people = world.policy.principals.iter().filter(|_| app.access.is_dev());
        let people = people.filter(|(_, info)| info.kind == PrincipalKind::User);
        Self {
            title,
            section,
            project: app.handle.log().project().to_owned(),
            user: viewer.caller.principal.to_string(),
            people: people.map(|(name, _)| name.to_string()).collect(),
            state: State::of(app, viewer, viewer.here.clone()),
            form_token: viewer.form_token.clone(),
            here: viewer.here.clone(),
        }
    }
}

/// A page, or its live part where that is what was asked for.
pub(crate) fn shown(part: Part, whole: &impl Template, live: &impl Template) -> Shown {
    match part {
        Part::Whole => html(whole),
        Part::Live => html(live),
    }
}

/// HTML of ours.
pub(crate) fn html(template: &impl Template) -> Shown {
    let text = template.render().map_err(|error| Problem::internal(&error))?;
    Ok((Extension(Dress::Page), Html(text)).into_response())
}
