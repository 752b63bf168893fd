//! `schedule`: what starts runs of the workflow.

use placet_model::cron::Cron;
use placet_model::plan::Schedule;

use super::names::Place;
use super::reader::{Reader, field};
use crate::codes;
use crate::syntax::Node;

impl Reader<'_> {
    pub(super) fn schedule(&mut self, root: &Node) -> Option<Schedule> {
        let node = root.get("schedule")?;
        if !self.map(node, "`schedule`", &["every", "cron", "after", "on", "read"]) {
            return None;
        }
        let every = field(node.get("every"), |n| self.some_time(n, "`schedule.every`"));
        let after = field(node.get("after"), |n| self.some_time(n, "`schedule.after`"));
        let cron = field(node.get("cron"), |n| self.cron(n));
        let on = field(node.get("on"), |n| self.consume(n, "`schedule.on`", Place::Schedule));
        let read = self.event_read(node.get("read"));
        if node.get("every").is_some() {
            let message = "`every` starts a run even while the last one is still going";
            let help = "write `after` for runs that do not overlap";
            self.report(codes::UNUSED, node.key_span("every"), message, help);
        }
        if node.get("on").is_none() && node.get("read").is_some() {
            let message = "`schedule.read` says how events are read, and there is no `on`";
            self.report(codes::CROSS_FIELD, node.key_span("read"), message, "remove it, or add on");
        }
        if !["every", "cron", "after", "on"].iter().any(|key| node.get(key).is_some()) {
            let message = "this schedule starts nothing";
            let help = "add every, cron, after or on";
            self.report(codes::CROSS_FIELD, root.key_span("schedule"), message, help);
        }
        self.reads_event_data = node.get("on").is_some() && node.get("read").is_none();
        Some(Schedule {
            every: every.ok()?,
            cron: cron.ok()?,
            after: after.ok()?,
            on: on.ok()?,
            read: read?,
        })
    }

    fn cron(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`schedule.cron`")?;
        if let Err(message) = Cron::parse(text) {
            let help = "minute hour day month weekday, in UTC: '0 8 * * MON-FRI'";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        }
        Some(text.to_owned())
    }
}
