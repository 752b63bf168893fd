//! `fork`: branches that run side by side.

use placet_model::plan::{Fork, TaskList};

use super::reader::Reader;
use super::tasks::At;
use crate::codes;
use crate::syntax::{Entry, Node};

impl Reader<'_> {
    pub(super) fn fork(&mut self, value: &Node, at: &At<'_>) -> Option<Fork> {
        if !self.map(value, "`fork`", &["branches", "compete"]) {
            return None;
        }
        let compete =
            value.get("compete").map_or(Some(false), |n| self.boolean(n, "`fork.compete`"));
        let branches = self.required(value, "branches", "`fork`");
        let branches = branches.and_then(|branches| self.branches(branches, at));
        Some(Fork { branches: branches?, compete: compete? })
    }

    /// One named task each; none of them can jump to another.
    fn branches(&mut self, node: &Node, at: &At<'_>) -> Option<TaskList> {
        let items = self.list(node, "`fork.branches`")?;
        if items.is_empty() {
            let message = "a fork needs at least one branch";
            self.report(codes::SHAPE, node.span, message, "write `- name: { … }` for each branch");
            return None;
        }
        let named: Vec<Option<&Entry>> = items.iter().map(|item| self.named_task(item)).collect();
        self.duplicates(&named);
        self.names.forks += 1;
        let tasks: Vec<_> = named
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let entry = (*entry)?;
                let path = at.path.child("fork/branches", index, &entry.key);
                self.task_in_scope(entry, &At { path, siblings: &[] })
            })
            .collect();
        self.names.forks -= 1;
        tasks.into_iter().collect::<Option<Vec<_>>>().map(TaskList)
    }
}
