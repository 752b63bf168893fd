//! Faults: raising, catching, and what a closed request or a refusal means for the workflow.

use super::retry::Caught;
use super::scope::Place;
use super::{Error, Turn};
use crate::values::Content;
use placet_core::flow::{BranchPlace, Cause};
use placet_core::run::{Denial, Frame, Leaf, Refused};
use placet_model::attempt::RefuseReason;
use placet_model::decision::DecisionState;
use placet_model::event::run::{BranchFaulted, FaultFact, RunFaulted, TaskFaulted};
use placet_model::fault::{FaultKind, same_kind};
use placet_model::plan::{Catch, FaultFilter, Task, TaskKind};
use placet_model::{Fault, Iteration, PayloadRef, TaskPath};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a fault's type in an event; the whole of it is content.
const KIND_BYTES_MAX: usize = 1024;

/// The head of a text that somebody else has written.
pub(super) fn shortened(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

impl Turn<'_> {
    /// Faults a task. Always goes on: to a `try`, or to the end of the run.
    pub(super) fn fault_task(
        &mut self,
        task: &TaskPath,
        iteration: Iteration,
        fault: Fault,
    ) -> Result<bool, Error> {
        let fault = if fault.instance.is_none() { fault.at(task) } else { fault };
        self.abandon(task)?;
        let (fault, payloads) = self.fault_fact(&fault);
        self.note(TaskFaulted { task: task.clone(), iteration, fault }, payloads)?;
        Ok(true)
    }

    /// A step has made content that is larger than a payload may be: its task faults, and what
    /// belongs to no task ends the run.
    pub(super) fn fault_too_large(
        &mut self,
        place: Option<(TaskPath, Iteration)>,
        error: &Error,
    ) -> Result<bool, Error> {
        let fault = Fault::new(FaultKind::Runtime, error.to_string());
        if let Some((task, iteration)) = place {
            return self.fault_task(&task, iteration, fault);
        }
        let (fault, payloads) = self.fault_fact(&fault.at(&TaskPath::root()));
        self.end_with(fault, payloads).map(|()| true)
    }

    /// The structure of a fault, with its content as the first payload of the next event.
    pub(super) fn fault_fact(&self, fault: &Fault) -> (FaultFact, Vec<Content>) {
        let content = serde_json::to_value(fault).unwrap_or_default();
        let fact = FaultFact {
            kind: shortened(&fault.kind, KIND_BYTES_MAX),
            status: fault.status,
            content: self.out.run.slot(1, 0),
        };
        (fact, vec![Content::of_value(Arc::new(content))])
    }

    /// The plan has no task where the log says the run is: a bug, told as a fault.
    pub(super) fn astray(&mut self, task: &TaskPath) -> Result<bool, Error> {
        let words = format!("the pinned plan has no task at {task}");
        let iteration = self.here().activity.leaf().map(|leaf| leaf.iteration.clone());
        self.fault_task(task, iteration.unwrap_or_default(), Fault::new(FaultKind::Runtime, words))
    }

    /// Faults a leaf whose request was closed or whose call was refused.
    pub(super) fn fault_leaf(&mut self, leaf: &Leaf, cause: Cause) -> Result<bool, Error> {
        let fault = match cause {
            Cause::Denied(denial) => self.denied(&denial)?,
            Cause::Refused(refused) => self.refused(&refused)?,
            Cause::GivenUp => Fault::new(
                FaultKind::SendInDoubt,
                "the call may or may not have been carried out; it was given up",
            ),
            Cause::Branch(fault) => return self.fault_fork(leaf, fault),
        };
        self.fault_task(&leaf.task, leaf.iteration.clone(), fault)
    }

    fn denied(&mut self, denial: &Denial) -> Result<Fault, Error> {
        let reason = self.words(denial.reason)?;
        Ok(match denial.state {
            DecisionState::Rejected => Fault::new(FaultKind::ApprovalRejected, reason),
            DecisionState::Responded => Fault::new(FaultKind::ApprovalResponse, reason),
            DecisionState::Expired => {
                Fault::new(FaultKind::ApprovalExpired, "nobody decided in time")
            }
            DecisionState::Withdrawn | DecisionState::Superseded => {
                Fault::new(FaultKind::ApprovalWithdrawn, reason)
            }
            DecisionState::Void
            | DecisionState::Requested
            | DecisionState::Approved
            | DecisionState::Consumed => {
                let words = match denial.void {
                    Some((reason, Some(field))) => format!("{reason}: {field}"),
                    Some((reason, None)) => reason.to_string(),
                    None => String::new(),
                };
                Fault::new(FaultKind::ApprovalVoid, words)
            }
        })
    }

    fn refused(&mut self, refused: &Refused) -> Result<Fault, Error> {
        let said = self.words(refused.detail)?;
        let code = refused.code.clone().unwrap_or_default();
        let words =
            [code, said].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(": ");
        let status = if refused.status == 0 { 500 } else { refused.status };
        Ok(match refused.reason {
            RefuseReason::Reconnect => Fault::new(FaultKind::Authentication, words),
            RefuseReason::Unreadable => Fault::new(FaultKind::Validation, words),
            RefuseReason::Permanent | RefuseReason::Quota | RefuseReason::Exhausted => {
                Fault::new(FaultKind::Communication, words).with_status(status)
            }
        })
    }

    /// A person's or a provider's words behind a reference.
    fn words(&mut self, reference: Option<PayloadRef>) -> Result<String, Error> {
        let value = self.value_or_null(reference)?;
        Ok(value.as_str().map_or_else(String::new, str::to_owned))
    }

    /// Hands the fault to the innermost `try` that catches it, tries again where its policy says so;
    /// none ends the branch, or the run.
    pub(super) fn unwind(
        &mut self,
        fault: &FaultFact,
        tries: &[(&Task, Frame)],
        branch: Option<&BranchPlace>,
    ) -> Result<bool, Error> {
        let mut content = self.value(fault.content)?;
        let tries = if self.history_is_full().is_some() { &[] } else { tries };
        let (mut fault, mut payloads) = (fault.clone(), vec![]);
        for (task, frame) in tries {
            let TaskKind::Try(inner) = &task.kind else { continue };
            match self.catches(&inner.catch, &content, task)? {
                Ok(false) => {}
                Ok(true) => match self.caught(task, frame, (&content, fault.content, &payloads))? {
                    Ok(Caught::Recorded) => return Ok(true),
                    Ok(Caught::Propagates) => {}
                    Err(newer) => {
                        let newer = newer.at(&task.path);
                        content = Arc::new(serde_json::to_value(&newer).unwrap_or_default());
                        (fault, payloads) = self.fault_fact(&newer);
                    }
                },
                // a filter that fails leaves its `try` as a fault of its own
                Err(newer) => {
                    let newer = newer.at(&task.path);
                    content = Arc::new(serde_json::to_value(&newer).unwrap_or_default());
                    (fault, payloads) = self.fault_fact(&newer);
                }
            }
        }
        match branch.cloned() {
            None => {
                self.abandon(&TaskPath::root())?;
                self.note(RunFaulted { fault }, payloads)?;
            }
            Some(BranchPlace { fork: task, iteration, index: branch }) => {
                self.note(BranchFaulted { task, iteration, branch, fault }, payloads)?;
            }
        }
        Ok(true)
    }

    fn catches(
        &mut self,
        catch: &Catch,
        content: &Arc<Value>,
        task: &Task,
    ) -> super::Outcome<bool> {
        if !matches_filter(&catch.errors, content) {
            return Ok(Ok(false));
        }
        let place = Place {
            task: Some(task),
            fault: Some((&catch.variable, Arc::clone(content))),
            ..Place::default()
        };
        if let Some(when) = &catch.when
            && !super::or_fault!(self.condition(when, content, &place))
        {
            return Ok(Ok(false));
        }
        if let Some(except) = &catch.except_when
            && super::or_fault!(self.condition(except, content, &place))
        {
            return Ok(Ok(false));
        }
        Ok(Ok(true))
    }
}

fn matches_filter(filter: &FaultFilter, fault: &Value) -> bool {
    let text = |wanted: &Option<String>, key: &str| {
        wanted.as_deref().is_none_or(|wanted| fault[key].as_str() == Some(wanted))
    };
    filter
        .kind
        .as_deref()
        .is_none_or(|kind| same_kind(kind, fault["type"].as_str().unwrap_or_default()))
        && filter.status.is_none_or(|status| fault["status"] == status)
        && text(&filter.instance, "instance")
        && text(&filter.title, "title")
        && text(&filter.detail, "detail")
}
