//! From an event to who is to hear of it.

use super::Herald;
use super::pending::{Line, Part, Pending};
use crate::handle::Error;
use crate::world::World;
use placet_core::policy::{Electorate, Moment};
use placet_model::actor::Role;
use placet_model::decision::{DecisionState, Verdict};
use placet_model::draft::Mode;
use placet_model::event::decision::NoticeKind;
use placet_model::event::hook::SubscriptionStep;
use placet_model::event::notice::NoticeAbout;
use placet_model::{
    DecisionId, Event, Position, Principal, RecordedEvent, Revision, StreamId, Timestamp,
};
use placet_projections::{DecisionRow, Views};

/// How a part of a connection stands, as far as somebody is to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Good,
    /// Why.
    Failed(String),
}

impl Standing {
    /// A subscription that was not renewed has ended: it is on record as refused, with its end. One that
    /// was never made has none.
    fn of_subscription(self, event: &Event, resource: &str) -> Self {
        match event {
            Event::SubscriptionChanged(body) if body.resource == resource => match body.step {
                SubscriptionStep::Refused if body.expires_at.is_some() => {
                    Self::Failed(body.code.clone().unwrap_or_default())
                }
                SubscriptionStep::Made => Self::Good,
                SubscriptionStep::Refused
                | SubscriptionStep::Begun
                | SubscriptionStep::Unclear
                | SubscriptionStep::Removing
                | SubscriptionStep::Removed => self,
            },
            _ => self,
        }
    }

    fn after(self, event: &Event) -> Self {
        match event {
            Event::HealthCheckFailed(body) => Self::Failed(body.code.clone()),
            Event::IntegrationConnected(_)
            | Event::IntegrationTested(_)
            | Event::IntegrationEnabled(_)
            | Event::IntegrationDisabled(_)
            | Event::IntegrationDisconnected(_) => Self::Good,
            _ => self,
        }
    }
}

/// Open requests that are read at a time.
const PAGE: usize = 500;

/// Whether somebody's vote on a request is still asked for.
pub(super) fn is_asked(
    (world, now): (&World, Timestamp),
    row: &DecisionRow,
    who: &Principal,
) -> bool {
    let electorate = Electorate {
        policy: &world.policy,
        requirement: &row.requirement,
        requester: &row.requester,
        editor: row.editor.as_ref(),
        assigned: &row.assigned,
        moment: Moment { now, requested_at: row.requested_at },
    };
    row.state == DecisionState::Requested
        && !row.votes.iter().any(|(voter, ..)| voter == who)
        && electorate.is_entitled(who)
}

impl Herald {
    /// Notes who is to hear of an event.
    pub(super) fn watch(
        &self,
        views: &Views<'_>,
        event: &RecordedEvent,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        if self.env.config.channels.is_empty() {
            return Ok(());
        }
        let at = event.position;
        let request = |decision, about| (decision, about);
        let (decision, about) = match &event.event {
            Event::DecisionRequested(body) => request(body.decision, NoticeAbout::Waiting),
            Event::RequirementRaised(body) => request(body.decision, NoticeAbout::Waiting),
            Event::DecisionReassigned(body) => request(body.decision, NoticeAbout::Waiting),
            Event::ApproversReminded(body) => match body.kind {
                NoticeKind::Reminder => request(body.decision, NoticeAbout::Reminder),
                NoticeKind::Escalation => request(body.decision, NoticeAbout::Escalation),
            },
            Event::VoteCast(body) if body.verdict == Verdict::BreakGlass => {
                return self.emergency(views, (body.decision, &body.voter), at, pending);
            }
            Event::ApproverAlarmRaised(body) => {
                let (world, mode) = (self.world(), self.env.mode);
                let is_admin = |who: &Principal| world.policy.has_role(who, Role::Admin);
                for line in self.lines(NoticeAbout::Alarm, mode, is_admin) {
                    pending.alarm(line, body.approver.clone(), at);
                }
                return Ok(());
            }
            Event::OutboundResumed(_)
            | Event::IntegrationEnabled(_)
            | Event::IntegrationConnected(_)
            | Event::IntegrationTested(_)
            | Event::HealthCheckFailed(_) => {
                pending.look_again();
                return self.connection(event, pending);
            }
            Event::SubscriptionChanged(_) => return self.connection(event, pending),
            _ => return Ok(()),
        };
        let Some(row) = views.decision(decision)? else { return Ok(()) };
        self.asked(&row, about, at, pending);
        Ok(())
    }

    /// Whoever is asked hears of a request.
    fn asked(&self, row: &DecisionRow, about: NoticeAbout, at: Position, pending: &mut Pending) {
        let (world, now) = (self.world(), self.env.now());
        let escalated: Vec<Principal> = row
            .requirement
            .thresholds
            .iter()
            .flat_map(|t| t.escalate.iter())
            .flat_map(|more| more.to.clone())
            .collect();
        let escalated = world.policy.people(&escalated);
        let hears = |who: &Principal| {
            let is_new = about != NoticeAbout::Escalation || escalated.contains(who);
            is_new && is_asked((&world, now), row, who)
        };
        for line in self.lines(about, row.mode, hears) {
            pending.request(line, (about, row.decision), at);
        }
    }

    /// Who is to look into it hears of an emergency, and admins, but not whoever has caused it.
    fn emergency(
        &self,
        views: &Views<'_>,
        (decision, voter): (DecisionId, &Principal),
        at: Position,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        let Some(row) = views.decision(decision)? else { return Ok(()) };
        let world = self.world();
        let policy = &world.policy;
        let named = policy.break_glass.iter().flat_map(|glass| glass.review.iter());
        let reviewers: Vec<&Principal> = named
            .flat_map(|name| match policy.groups.get(name) {
                Some(members) => members.iter().collect::<Vec<_>>(),
                None => vec![name],
            })
            .collect();
        let hears = |who: &Principal| {
            who != voter && (reviewers.contains(&who) || policy.has_role(who, Role::Admin))
        };
        for line in self.lines(NoticeAbout::BreakGlass, row.mode, hears) {
            pending.request(line, (NoticeAbout::BreakGlass, decision), at);
        }
        Ok(())
    }

    /// Whoever operates hears of a connection that has failed, or is good again, or that hears nothing any
    /// more: of the change, and not of each check that finds the same.
    fn connection(&self, event: &RecordedEvent, pending: &mut Pending) -> Result<(), Error> {
        let StreamId::Integration(id) = event.stream else { return Ok(()) };
        let view = self.env.view()?;
        let (mut name, mut then, mut now) = (String::new(), Standing::Good, Standing::Good);
        for earlier in view.stream(&event.stream, Revision::START) {
            let earlier = earlier?;
            if let Event::IntegrationConnected(body) = &earlier.event {
                name.clone_from(&body.name);
            }
            let next = match &event.event {
                Event::SubscriptionChanged(body) => {
                    now.clone().of_subscription(&earlier.event, &body.resource)
                }
                _ => now.clone().after(&earlier.event),
            };
            (then, now) = (now, next);
            if earlier.revision == event.revision {
                break;
            }
        }
        let world = self.world();
        let operates = |who: &Principal| {
            [Role::Operator, Role::Admin].into_iter().any(|role| world.policy.has_role(who, role))
        };
        let failed = match (then, now) {
            (Standing::Good, Standing::Failed(code)) => Some(code),
            (Standing::Failed(_), Standing::Good) => None,
            (Standing::Failed(_), Standing::Failed(_)) | (Standing::Good, Standing::Good) => {
                return Ok(());
            }
        };
        let part = match &event.event {
            Event::SubscriptionChanged(_) => Part::Subscription,
            _ => Part::Credential,
        };
        for line in self.lines(NoticeAbout::Connection, self.env.mode, operates) {
            pending.connection(line, ((id, part), &name, failed.as_deref()), event.position);
        }
        Ok(())
    }

    /// What is open at the first start counts as new.
    pub(super) fn watch_open(&self, views: &Views<'_>, pending: &mut Pending) -> Result<(), Error> {
        if self.env.config.channels.is_empty() {
            return Ok(());
        }
        let (mut after, at) = (None, pending.read_up_to);
        loop {
            let page = views.open(after, PAGE)?;
            for row in &page {
                self.asked(row, NoticeAbout::Waiting, at, pending);
            }
            after = page.last().map(|row| row.decision);
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// The lines over which somebody hears of something. Only the project's own principals hear
    /// anything, and agents never: they could pass it on.
    fn lines(
        &self,
        about: NoticeAbout,
        mode: Mode,
        hears: impl Fn(&Principal) -> bool,
    ) -> Vec<Line> {
        let world = self.world();
        let channels = self.env.config.channels.iter();
        let telling = channels.filter(|(_, channel)| channel.about.contains(&about));
        let people =
            telling.flat_map(|(name, channel)| channel.to.iter().map(move |to| (to, name)));
        let known = |who: &Principal| {
            world.policy.principals.contains_key(who)
                && !placet_core::policy::is_agent(&world.policy, who)
        };
        let hearing = people.filter(|(to, _)| known(to) && hears(to));
        hearing.map(|(to, name)| Line::new(to, name, mode)).collect()
    }
}
