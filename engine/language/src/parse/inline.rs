//! Functions are put in where they are called: a plan has no names that must be looked up, and each
//! task in it a path of its own.
//!
//! Two functions that each call the next one twice double the plan with every level, so depth, tasks
//! and bytes are bounded, and what goes beyond is an error at the call in the document.

use std::collections::BTreeMap;

use placet_model::TaskPath;
use placet_model::plan::{Task, TaskKind, TaskList};

use super::reader::Reader;
use super::with::find;
use crate::codes;
use crate::source::Span;
use crate::syntax::Node;

/// Deepest chain of functions that call functions.
pub(super) const CALLS_MAX: usize = 16;
/// Most tasks of one plan, functions put in.
const TASKS_MAX: usize = 10_000;
/// Most bytes of JSON that functions may add to one plan.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a plan would not end, or not fit.
enum Excess {
    /// This chain of functions is too deep.
    Chain(Vec<String>),
    Tasks,
    Bytes,
}

/// One document's functions and what has been put in so far.
struct Inliner<'f> {
    functions: &'f BTreeMap<String, Task>,
    /// Bytes of each function's JSON, once known.
    sizes: BTreeMap<String, usize>,
    /// The functions around the current place.
    chain: Vec<String>,
    tasks: usize,
    bytes: usize,
}

impl Reader<'_> {
    /// Puts the functions into the calls of `tasks`; `root` is the document they stand in.
    pub(super) fn inline(&mut self, tasks: &mut TaskList, root: &Node) {
        let functions = std::mem::take(&mut self.functions);
        let mut inliner = Inliner {
            functions: &functions,
            sizes: BTreeMap::new(),
            chain: Vec::new(),
            tasks: 0,
            bytes: 0,
        };
        self.inline_list(tasks, &mut inliner, root);
        self.functions = functions;
    }

    /// Whether the list fits; each chain that is too deep is said at its own call.
    fn inline_list(&mut self, list: &mut TaskList, inliner: &mut Inliner<'_>, root: &Node) -> bool {
        list.0.iter_mut().all(|task| {
            let excess = match inliner.count() {
                Ok(()) if matches!(task.kind, TaskKind::Function(_)) => inliner.expand(task).err(),
                Ok(()) => None,
                Err(excess) => Some(excess),
            };
            match excess {
                Some(excess) => {
                    let span = place_of(root, task);
                    self.excess(&excess, span);
                    matches!(excess, Excess::Chain(_))
                }
                None if matches!(task.kind, TaskKind::Function(_)) => true,
                None => {
                    let mut lists = lists_mut(&mut task.kind).into_iter();
                    lists.all(|list| self.inline_list(list, inliner, root))
                }
            }
        })
    }

    fn excess(&mut self, excess: &Excess, span: Span) {
        let (message, help) = match excess {
            Excess::Chain(chain) => (
                too_deep(chain),
                "call fewer functions from functions; repeat with `for` and `while`, or with \
                 `run.workflow`",
            ),
            Excess::Tasks => (
                format!("the plan has more than {TASKS_MAX} tasks, functions put in"),
                "split the workflow, and run its parts with `run.workflow`",
            ),
            Excess::Bytes => (
                format!("functions add more than {BYTES_MAX} bytes to the plan"),
                "hand over large values with `with`, or split the workflow",
            ),
        };
        self.report(codes::CROSS_FIELD, span, message, help);
    }
}

/// What is said of a chain that is too deep, a circle shown once.
pub(super) fn too_deep(chain: &[String]) -> String {
    let again =
        |index: usize| chain.iter().skip(index + 1).position(|other| *other == chain[index]);
    let circle = (0..chain.len()).find_map(|start| Some((start, again(start)?)));
    let shown = match circle {
        Some((start, length)) => chain.get(..=start + length + 1).unwrap_or(chain),
        None => chain,
    };
    let names: Vec<String> = shown.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(" calls ");
    format!("functions call each other deeper than {CALLS_MAX} levels: {names}")
}

/// Where a task's call is written: a path of the document is a pointer into it.
fn place_of(root: &Node, task: &Task) -> Span {
    let Some(node) = find(root, task.path.as_str()) else { return root.span };
    node.get("call").map_or(node.span, |call| call.span)
}

impl Inliner<'_> {
    fn count(&mut self) -> Result<(), Excess> {
        self.tasks += 1;
        if self.tasks > TASKS_MAX { Err(Excess::Tasks) } else { Ok(()) }
    }

    /// Puts the function into a call of one, and functions into the calls inside.
    fn expand(&mut self, task: &mut Task) -> Result<(), Excess> {
        let TaskKind::Function(call) = &mut task.kind else {
            for list in lists_mut(&mut task.kind) {
                for inner in &mut list.0 {
                    self.count()?;
                    self.expand(inner)?;
                }
            }
            return Ok(());
        };
        // Without an entry the function itself is wrong, and that has been said.
        let Some(function) = self.functions.get(&call.function) else { return Ok(()) };
        self.chain.push(call.function.clone());
        if self.chain.len() > CALLS_MAX {
            return Err(Excess::Chain(std::mem::take(&mut self.chain)));
        }
        self.count()?;
        self.weigh(function)?;
        let path = format!("{}/call/{}", task.path, escaped(&call.function));
        let mut body = moved(function, function.path.as_str().len(), &path);
        self.expand(&mut body)?;
        self.chain.pop();
        call.body = TaskList(vec![body]);
        Ok(())
    }

    fn weigh(&mut self, function: &Task) -> Result<(), Excess> {
        let size = *self
            .sizes
            .entry(function.name.clone())
            .or_insert_with(|| serde_json::to_vec(function).map_or(0, |json| json.len()));
        self.bytes += size;
        if self.bytes > BYTES_MAX { Err(Excess::Bytes) } else { Ok(()) }
    }
}

/// A name as a segment of a path.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A copy of the task under another path; the first `from` bytes of each path are exchanged.
fn moved(task: &Task, from: usize, to: &str) -> Task {
    let mut copy = task.clone();
    moved_in_place(&mut copy, from, to);
    copy
}

fn moved_in_place(task: &mut Task, from: usize, to: &str) {
    let rest = task.path.as_str().get(from..).unwrap_or_default();
    task.path = TaskPath::new(&format!("{to}{rest}"));
    for list in lists_mut(&mut task.kind) {
        for inner in &mut list.0 {
            moved_in_place(inner, from, to);
        }
    }
}

/// [`TaskKind::lists`], to be changed.
fn lists_mut(kind: &mut TaskKind) -> Vec<&mut TaskList> {
    match kind {
        TaskKind::Do(list) => vec![list],
        TaskKind::Try(inner) => {
            let inner = &mut **inner;
            std::iter::once(&mut inner.tasks).chain(inner.catch.tasks.as_mut()).collect()
        }
        TaskKind::For(inner) => vec![&mut inner.tasks],
        TaskKind::Fork(inner) => vec![&mut inner.branches],
        TaskKind::Function(call) => vec![&mut call.body],
        TaskKind::Listen(inner) => {
            inner.each.iter_mut().filter_map(|each| each.tasks.as_mut()).collect()
        }
        TaskKind::Set(_)
        | TaskKind::Call(_)
        | TaskKind::Switch(_)
        | TaskKind::Wait(_)
        | TaskKind::Raise(_)
        | TaskKind::Emit(_)
        | TaskKind::Run(_)
        | TaskKind::OpenApi(_) => vec![],
    }
}
