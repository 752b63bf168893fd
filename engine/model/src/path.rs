//! Where a task stands in a plan, and which execution of it is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// JSON Pointer of a task with index and name, such as `/do/1/awaitReply/try/0/reply`; the empty
/// path is the workflow itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskPath(Arc<str>);

impl TaskPath {
    /// The workflow itself.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The path with this text.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The pointer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a child: `list` is `do`, `try`, `catch/do` …, `index` its place in it.
    #[must_use]
    pub fn child(&self, list: &str, index: usize, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self(Arc::from(format!("{}/{list}/{index}/{name}", self.0)))
    }

    /// The head that all tasks of branch `index` of the `fork` at this path share.
    #[must_use]
    pub fn branch(&self, index: u32) -> Self {
        Self(Arc::from(format!("{}/fork/branches/{index}", self.0)))
    }

    /// The place of one attempt of the `try` at this path: what happens to it happens inside the
    /// `try`, which may therefore catch it.
    #[must_use]
    pub fn attempt(&self) -> Self {
        Self(Arc::from(format!("{}/try", self.0)))
    }

    /// Whether this stands inside `container`; everything but the workflow stands inside the
    /// workflow itself.
    pub fn is_inside(&self, container: &Self) -> bool {
        let rest = self.0.strip_prefix(container.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// The task's name, the last segment; empty for the workflow itself.
    pub fn name(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        last.replace("~1", "/").replace("~0", "~")
    }
}

impl fmt::Display for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskPath({})", self.0)
    }
}

/// Which execution of a task inside loops is meant: one index per enclosing loop, outermost first;
/// empty outside loops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Iteration(Vec<u32>);

impl Iteration {
    /// Outside every loop.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The iteration with these indices, outermost first.
    pub const fn new(indices: Vec<u32>) -> Self {
        Self(indices)
    }

    /// The iteration `index` of a loop that itself runs in `self`.
    #[must_use]
    pub fn inner(&self, index: u32) -> Self {
        let mut indices = self.0.clone();
        indices.push(index);
        Self(indices)
    }

    /// The indices, outermost first.
    pub fn indices(&self) -> &[u32] {
        &self.0
    }

    /// Whether this is outside every loop.
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Iteration {
    /// `2.0`; empty outside loops.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{index}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_json_pointer_and_gives_back_the_name() {
        let path = TaskPath::root().child("do", 1, "await/reply").child("catch/do", 0, "a~b");
        assert_eq!(path.as_str(), "/do/1/await~1reply/catch/do/0/a~0b");
        assert_eq!(path.name(), "a~b");
    }

    #[test]
    fn a_task_is_inside_its_containers_and_not_inside_their_namesakes() {
        let fork = TaskPath::new("/do/0/both");
        let inner = TaskPath::new("/do/0/both/fork/branches/1/right/do/0/a");
        assert!(inner.is_inside(&fork) && inner.is_inside(&fork.branch(1)));
        assert!(inner.is_inside(&TaskPath::root()));
        assert!(!inner.is_inside(&inner) && !TaskPath::root().is_inside(&TaskPath::root()));
        assert!(!TaskPath::new("/do/0/bothersome").is_inside(&fork));
        assert!(!TaskPath::new("/do/0/both/fork/branches/10/x").is_inside(&fork.branch(1)));
    }

    #[test]
    fn nested_iterations_are_shown_outermost_first() {
        assert_eq!(Iteration::none().inner(2).inner(0).to_string(), "2.0");
        assert_eq!(Iteration::none().to_string(), "");
    }
}
