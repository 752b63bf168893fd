//! Which finished tasks `$steps` may name from where (language.md §7.4).
//!
//! Visible are tasks of the same and of enclosing lists, and those inside a `do`, `try` or
//! `catch.do` of such a list; never what is inside a loop's body, seen from outside.

use std::collections::{BTreeMap, BTreeSet};

use super::outputs::Called;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};

type ListId = usize;
type TaskId = usize;

#[derive(Clone, Debug)]
struct List {
    /// The task it belongs to and that task's list; `None` for the document's own list.
    owner: Option<(TaskId, ListId)>,
    /// Whether its tasks cannot be seen from outside.
    closed: bool,
}

#[derive(Clone, Debug)]
struct Step {
    name: String,
    list: ListId,
    /// The task before it in its list.
    before: Option<TaskId>,
    /// What it calls, if it calls something.
    called: Option<Called>,
    /// Whether it always runs, and goes on to the next task of its list.
    flows_on: bool,
    /// Whether its expressions are evaluated on something else than what flows in.
    has_own_input: bool,
}

/// The outline of all tasks; a task's id is also its place in the document.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    lists: Vec<List>,
    all: Vec<Step>,
    /// Ids by name, in order.
    by_name: BTreeMap<String, Vec<TaskId>>,
    /// Ids by the byte at which a task's value starts.
    by_start: BTreeMap<usize, TaskId>,
    /// The task whose expressions are being read, and whether any task jumps back.
    current: Option<TaskId>,
    jumps_back: bool,
    /// Names that some task jumps to.
    targets: BTreeSet<String>,
    /// Whether what is being read is evaluated on the current task's own output.
    on_output: bool,
}

/// What a name gives from one place.
enum Found {
    None,
    Finished,
    Later,
    Several,
}

impl Steps {
    /// The outline of the list at `node`.
    pub(super) fn outline(node: &Node) -> Self {
        let mut steps = Self::default();
        steps.list(node, None, false);
        steps
    }

    /// The outline of one task on its own.
    pub(super) fn of_task(entry: &Entry) -> Self {
        let mut steps = Self::default();
        steps.lists.push(List { owner: None, closed: false });
        steps.step(entry, 0, &mut Vec::new());
        steps
    }

    fn list(&mut self, node: &Node, owner: Option<(TaskId, ListId)>, closed: bool) {
        let Content::List(items) = &node.content else { return };
        let list = self.lists.len();
        self.lists.push(List { owner, closed });
        let mut earlier: Vec<&str> = Vec::new();
        for entry in items.iter().filter_map(|item| item.entries().first()) {
            self.step(entry, list, &mut earlier);
        }
    }

    fn step<'n>(&mut self, entry: &'n Entry, list: ListId, earlier: &mut Vec<&'n str>) {
        let id = self.all.len();
        let before = earlier.last().and_then(|name| self.by_name.get(*name)?.last().copied());
        let flows_on = entry.value.get("if").is_none() && entry.value.get("then").is_none();
        let called = Called::of(&entry.value);
        // what stands inside of these has inputs of its own: an event, an item, an error
        let holds_others =
            ["do", "for", "try", "fork", "listen"].iter().any(|key| entry.value.get(key).is_some());
        let from = entry.value.get("input").is_some_and(|input| input.get("from").is_some());
        let has_own_input = holds_others || from;
        let name = entry.key.clone();
        self.all.push(Step { name, list, before, called, flows_on, has_own_input });
        self.by_name.entry(entry.key.clone()).or_default().push(id);
        self.by_start.insert(entry.value.span.start, id);
        let task = &entry.value;
        earlier.push(&entry.key);
        self.targets.extend(jumps(task).map(str::to_owned));
        self.jumps_back |= jumps(task).any(|target| earlier.contains(&target));
        let owner = Some((id, list));
        let is_loop = task.get("for").is_some();
        let caught = task.get("catch").and_then(|catch| catch.get("do"));
        for inner in [task.get("do"), task.get("try"), caught].into_iter().flatten() {
            self.list(inner, owner, is_loop);
        }
        if let Some(body) = task.get("foreach").and_then(|each| each.get("do")) {
            self.list(body, owner, true);
        }
        let branches = task.get("fork").and_then(|fork| fork.get("branches"));
        let Some(Content::List(branches)) = branches.map(|branches| &branches.content) else {
            return;
        };
        // Each branch is a list of its own: no branch sees another.
        for branch in branches.iter().filter_map(|item| item.entries().first()) {
            let list = self.lists.len();
            self.lists.push(List { owner, closed: true });
            self.step(branch, list, &mut Vec::new());
        }
    }

    /// Makes the task that starts at this byte the current one; gives back the one before.
    pub(super) fn enter(&mut self, start: usize) -> Option<usize> {
        let before = self.current;
        self.current = self.by_start.get(&start).copied();
        before
    }

    pub(super) fn leave(&mut self, before: Option<usize>) {
        self.current = before;
    }

    /// Whether what is read now is evaluated on the current task's own output; gives back what
    /// was so before.
    pub(super) fn on_output(&mut self, on_output: bool) -> bool {
        std::mem::replace(&mut self.on_output, on_output)
    }

    pub(super) const fn is_on_output(&self) -> bool {
        self.on_output
    }

    /// The call whose output the input of the current place is, by the name of its task.
    pub(super) fn flows_in(&self) -> Option<(&str, &Called)> {
        let current = self.all.get(self.current?)?;
        let step = if self.on_output {
            current
        } else {
            let before = self.all.get(current.before.filter(|_| !current.has_own_input)?)?;
            let straight = before.flows_on && !self.targets.contains(&current.name);
            straight.then_some(before)?
        };
        Some((&step.name, step.called.as_ref()?))
    }

    /// The call that `$steps.<name>` means at the current place.
    pub(super) fn call_of(&self, name: &str) -> Option<&Called> {
        match self.lookup(name) {
            (Some(id), None) => self.all.get(id)?.called.as_ref(),
            _ => None,
        }
    }

    /// The lists around the current place, and the tasks that own them.
    fn around(&self) -> (Vec<ListId>, Vec<TaskId>) {
        let (mut lists, mut owners) = (Vec::new(), Vec::new());
        let innermost = self.current.and_then(|id| self.all.get(id)).map_or(0, |step| step.list);
        let mut next = (!self.lists.is_empty()).then_some(innermost);
        while let Some(id) = next {
            lists.push(id);
            let owner = self.lists.get(id).and_then(|list| list.owner);
            owners.extend(owner.map(|(task, _)| task));
            next = owner.map(|(_, list)| list);
        }
        (lists, owners)
    }

    fn visible(&self, list: ListId, around: &[ListId]) -> bool {
        let mut next = Some(list);
        while let Some(id) = next {
            if around.contains(&id) {
                return true;
            }
            let Some(list) = self.lists.get(id) else { return false };
            if list.closed {
                return false;
            }
            next = list.owner.map(|(_, list)| list);
        }
        false
    }

    /// Every visible task with its id, the owners of the lists around left out.
    fn candidates(&self) -> impl Iterator<Item = (TaskId, &Step)> {
        let (around, owners) = self.around();
        self.all
            .iter()
            .enumerate()
            .filter(move |(id, step)| !owners.contains(id) && self.visible(step.list, &around))
    }

    /// The first two tasks that a name can mean from the current place.
    fn lookup(&self, name: &str) -> (Option<TaskId>, Option<TaskId>) {
        let (around, owners) = self.around();
        let called = self.by_name.get(name).into_iter().flatten().copied();
        let mut found = called.filter(|id| {
            let step = self.all.get(*id);
            !owners.contains(id) && step.is_some_and(|step| self.visible(step.list, &around))
        });
        (found.next(), found.next())
    }

    fn find(&self, name: &str) -> Found {
        match self.lookup(name) {
            (None, _) => Found::None,
            (Some(_), Some(_)) => Found::Several,
            (Some(id), None) => {
                let earlier = self.current.is_none_or(|current| id < current);
                if earlier || self.jumps_back { Found::Finished } else { Found::Later }
            }
        }
    }
}

/// The names that a task's directives may jump to.
fn jumps(task: &Node) -> impl Iterator<Item = &str> {
    let cases = match task.get("switch").map(|switch| &switch.content) {
        Some(Content::List(cases)) => cases.as_slice(),
        Some(
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text { .. }
            | Content::Map(_),
        )
        | None => &[],
    };
    let of_cases =
        cases.iter().filter_map(|case| case.entries().first()?.value.get("then")?.as_text());
    let of_catch = task.get("catch").and_then(|catch| catch.get("then"));
    task.get("then").into_iter().chain(of_catch).filter_map(Node::as_text).chain(of_cases)
}

impl Reader<'_> {
    /// Checks `$steps.<name>` at the current place.
    pub(super) fn check_step(&mut self, name: &str, span: Span) {
        match self.steps.find(name) {
            Found::Finished => {}
            Found::Later => {
                let message = format!("the task `{name}` can only run later, so this is null");
                let help = "name a task that has finished before this one";
                self.warn(codes::VARIABLE, span, message, help);
            }
            Found::Several => {
                let message = format!("several tasks in scope are called `{name}`");
                self.report(codes::VARIABLE, span, message, "give them different names");
            }
            Found::None => {
                let near =
                    did_you_mean(name, self.steps.candidates().map(|(_, step)| step.name.as_str()));
                let help = near.map_or_else(
                    || {
                        "name a task that has finished before this one; what runs inside a `for` \
                        is not visible outside"
                            .to_owned()
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("no task `{name}` can be named from here");
                self.report(codes::VARIABLE, span, message, help);
            }
        }
    }
}
