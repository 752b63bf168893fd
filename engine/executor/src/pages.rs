//! Reading further pages of a look-up, until it has found what it looks for, or the list has ended.
//!
//! Each page is a call of its own: over the same threshold (a pause holds it), with a share of the
//! provider's budgets, at the origin of the page before. What was not read is never taken for
//! absent: how far it has read goes along with the answer.

use crate::env::Env;
use crate::turn::CallPlan;
use placet_adapters::pages::{NextPage, PageError, render_page};
use placet_adapters::{
    Answer, Finding, Operation, Performing, RenderInput, Response, Sent, classify,
};
use placet_model::manifest::Outcome;
use serde_json::Value;
use std::sync::Arc;

/// Bytes of all pages of one look-up.
const PAGES_BYTES_MAX: usize = 8 << 20;

/// How far a look-up has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PagesRead {
    pub(crate) count: u32,
    pub(crate) end: PagesEnd,
}

/// Why it has read no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PagesEnd {
    /// What it looks for has been found, or the list has ended.
    Done,
    /// There is more than is ever read.
    Bound,
    /// The next page cannot be asked for.
    Refused(PageError),
    /// A later page did not come; it may the next time.
    Lost(String),
}

impl PagesRead {
    /// Whether nothing was left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.end == PagesEnd::Done
    }

    /// In words, for people.
    pub(crate) fn words(&self) -> String {
        let pages =
            if self.count == 1 { "1 page".to_owned() } else { format!("{} pages", self.count) };
        match &self.end {
            PagesEnd::Done => format!("read {pages}, to the end"),
            PagesEnd::Bound => {
                format!("read {pages}, and there are more: what stands there is not known")
            }
            PagesEnd::Refused(error) => format!("read {pages} and not the rest: {error}"),
            PagesEnd::Lost(why) => format!("read {pages} and not the rest: {why}"),
        }
    }
}

/// What following pages needs of whoever makes calls.
pub(crate) struct Reader<'t> {
    pub(crate) env: &'t Env,
    /// Makes one more call over the threshold; none where it may not begin.
    pub(crate) step_over: &'t (dyn Fn(&CallPlan) -> Option<Performing<'t>> + Send + Sync),
}

impl Reader<'_> {
    /// The answer with the items of the further pages in it, and how far it has read; the answer as
    /// it is, where the read has no pages or is no look-up.
    pub(crate) async fn follow(
        &self,
        plan: &CallPlan,
        first: Answer,
    ) -> (Answer, Option<PagesRead>) {
        let operation = Arc::clone(&plan.target.operation);
        let (Some(pages), Some(_)) = (operation.pagination(), &plan.sought) else {
            return (first, None);
        };
        let Some(mut page) = self.page_of(plan, &operation, &first) else { return (first, None) };
        let Some(mut all) = page.json() else { return (first, None) };
        let (mut plan, mut count, mut bytes) = (plan.clone(), 1, page.body.len());
        let end = loop {
            if self.has_found(&plan, &all) {
                break PagesEnd::Done;
            }
            let next = match pages.next(&plan.request, &page) {
                Ok(Some(next)) => next,
                Ok(None) => break PagesEnd::Done,
                Err(error) => break PagesEnd::Refused(error),
            };
            if count >= pages.pages_max() || bytes > PAGES_BYTES_MAX {
                break PagesEnd::Bound;
            }
            let Some(asked) = self.asked(&plan, &next) else {
                break PagesEnd::Refused(PageError::Unreadable);
            };
            plan = asked;
            page = match self.one(&plan, &operation, count + 1).await {
                Ok(page) => page,
                Err(why) => break PagesEnd::Lost(why),
            };
            bytes += page.body.len();
            if !page.json().is_some_and(|more| pages.merge(&mut all, more)) {
                break PagesEnd::Refused(PageError::Unreadable);
            }
            count += 1;
        };
        let merged = first.map(|first| Response { body: all.to_string().into_bytes(), ..first });
        (merged, Some(PagesRead { count, end }))
    }

    /// The page, where the answer is one.
    fn page_of(&self, plan: &CallPlan, operation: &Operation, answer: &Answer) -> Option<Response> {
        let settings = plan.target.integration.as_ref().map(|integration| &integration.settings);
        let settings = settings.unwrap_or(&Value::Null);
        let sent = Sent { input: &plan.with, settings, send_id: "" };
        let classified = classify(operation, answer, sent, self.env.now());
        answer.clone().ok().filter(|_| classified.outcome == Outcome::Sent)
    }

    /// Whether there is any need to read on.
    fn has_found(&self, plan: &CallPlan, all: &Value) -> bool {
        let Some(sought) = &plan.sought else { return true };
        let body = all.to_string().into_bytes();
        let answer = Ok(Response::new(200, vec![], body));
        let found = sought.finding(&plan.target.operation, &answer, self.env.now());
        !matches!(found, Some(Finding::Absent(_)))
    }

    /// The call for the next page.
    fn asked(&self, plan: &CallPlan, next: &NextPage) -> Option<CallPlan> {
        let settings = plan.target.integration.as_ref().map(|integration| &integration.settings);
        let given = RenderInput {
            settings: settings.unwrap_or(&Value::Null),
            input: &plan.with,
            send_id: "",
            draft_time: self.env.now(),
            authentication: None,
        };
        let rendered = render_page(&plan.target.operation, given, next).ok()?;
        let may = self.env.may_read(&plan.target.operation, &rendered.request);
        may.then(|| CallPlan { request: Arc::new(rendered.request), ..plan.clone() })
    }

    async fn one(
        &self,
        plan: &CallPlan,
        operation: &Operation,
        number: u32,
    ) -> Result<Response, String> {
        let share = plan.share.of_page(number);
        if share.take(self.env).is_err() {
            return Err("the provider's budget is used up for now".to_owned());
        }
        let Some(performing) = (self.step_over)(plan) else {
            share.give_back(self.env);
            return Err("the project has changed meanwhile".to_owned());
        };
        let answer = performing.await;
        share.ended(self.env);
        self.page_of(plan, operation, &answer).ok_or_else(|| match &answer {
            Ok(response) => format!("the next page was answered with status {}", response.status),
            Err(failed) => format!("the next page did not come: {failed}"),
        })
    }
}
