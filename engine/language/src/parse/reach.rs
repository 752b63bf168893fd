//! Tasks that nothing leads to: a hint.

use placet_model::plan::{Directive, Task, TaskKind};

use super::reader::Reader;
use crate::codes;
use crate::source::Span;

impl Reader<'_> {
    /// Hints at the tasks of one list that can never run.
    pub(super) fn unreachable(&mut self, tasks: &[Task], spans: &[Span]) {
        let mut reached = vec![false; tasks.len()];
        let mut next = vec![0];
        while let Some(index) = next.pop() {
            let (Some(seen), Some(task)) = (reached.get_mut(index), tasks.get(index)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                next.extend(successors(task, index));
            }
        }
        for (task, span) in
            tasks.iter().zip(spans).zip(&reached).filter(|(_, seen)| !**seen).map(|(t, _)| t)
        {
            let message = format!("nothing leads to the task `{}`", task.name);
            self.report(codes::UNUSED, *span, message, "remove it, or name it in a `then`");
        }
    }
}

/// Places of the list that may follow a task.
fn successors(task: &Task, index: usize) -> Vec<usize> {
    let mut directives = vec![&task.then];
    match &task.kind {
        TaskKind::Switch(cases) => {
            if cases.iter().any(|case| case.when.is_none()) {
                directives.clear();
            }
            directives.extend(cases.iter().map(|case| &case.then));
        }
        TaskKind::Try(inner) => directives.extend(inner.catch.then.as_ref()),
        TaskKind::Raise(_) => directives.clear(),
        TaskKind::Do(_)
        | TaskKind::Set(_)
        | TaskKind::Call(_)
        | TaskKind::Wait(_)
        | TaskKind::For(_)
        | TaskKind::Fork(_)
        | TaskKind::Listen(_)
        | TaskKind::Emit(_)
        | TaskKind::Run(_)
        | TaskKind::OpenApi(_)
        | TaskKind::Function(_) => {}
    }
    let skipped = task.condition.is_some().then_some(&Directive::Continue);
    directives
        .into_iter()
        .chain(skipped)
        .filter_map(|directive| match directive {
            Directive::Continue => Some(index + 1),
            Directive::Goto { index, .. } => Some(*index as usize),
            Directive::Exit | Directive::End => None,
        })
        .collect()
}
