//! Which runs have something in doubt, by the mark that it bears: whoever hears of such a mark tells the
//! run. Only in memory: a run that is in doubt is worked on at every start, and looks back itself.

use crate::arrivals::mark;
use placet_core::Run;
use placet_log::Log;
use placet_model::{Digest, RunId};
use std::collections::{BTreeMap, BTreeSet};

/// What is in doubt.
#[derive(Debug, Default)]
pub(super) struct Marks {
    runs: BTreeMap<Digest, RunId>,
    of: BTreeMap<RunId, BTreeSet<Digest>>,
}

impl Marks {
    /// A turn of this run has ended: what is in doubt now, and nothing else of it.
    pub(super) fn note(&mut self, log: &Log, run: &Run) {
        let marks = crate::turn::doubts(run).filter_map(|known| {
            let bound = known.started.integration.as_ref()?;
            Some(mark(log, bound.id, &known.started.send_id))
        });
        let marks: BTreeSet<Digest> = marks.collect();
        for gone in self.of.remove(&run.id).unwrap_or_default() {
            self.runs.remove(&gone);
        }
        if marks.is_empty() {
            return;
        }
        self.runs.extend(marks.iter().map(|mark| (*mark, run.id)));
        self.of.insert(run.id, marks);
    }

    /// The runs whose marks are among these.
    pub(super) fn told(&self, marks: &[Digest]) -> BTreeSet<RunId> {
        marks.iter().filter_map(|mark| self.runs.get(mark)).copied().collect()
    }
}
