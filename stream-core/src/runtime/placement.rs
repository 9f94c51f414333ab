//! Where each task of this process is: pure bookkeeping.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::TaskId;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// With the restore thread, on its way to this worker.
    Preparing { worker: usize },
    /// Sent to this worker, which has not said yet that it runs.
    Starting { worker: usize },
    /// Running on this worker.
    Running { worker: usize },
}

impl Place {
    pub(crate) fn worker(self) -> usize {
        match self {
            Self::Preparing { worker } | Self::Starting { worker } | Self::Running { worker } => worker,
        }
    }
}

/// The tasks of a process: which it owns, where they are, which it is giving up.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    owned: BTreeSet<TaskId>,
    places: BTreeMap<TaskId, Place>,
    /// Asked to be given up, not released yet.
    leaving: BTreeSet<TaskId>,
}

impl Placement {
    /// The group gave these to the process; returns those that must be prepared now. One that is still leaving comes back when it
    /// is released.
    pub(crate) fn assign(&mut self, tasks: &BTreeSet<TaskId>, workers: &[usize]) -> Vec<TaskId> {
        self.owned.clone_from(tasks);
        self.place_missing(workers)
    }

    /// The owned tasks that are nowhere get a worker: the one with the fewest, the lowest number first.
    pub(crate) fn place_missing(&mut self, workers: &[usize]) -> Vec<TaskId> {
        let missing: Vec<TaskId> =
            self.owned.iter().filter(|task| !self.places.contains_key(task) && !self.leaving.contains(task)).copied().collect();
        let mut placed = Vec::with_capacity(missing.len());
        for task in missing {
            let fewest =
                workers.iter().min_by_key(|worker| (self.places.values().filter(|place| place.worker() == **worker).count(), **worker));
            if let Some(&worker) = fewest {
                self.places.insert(task, Place::Preparing { worker });
                placed.push(task);
            }
        }
        placed
    }

    /// These must be given up. Returns where each is; those that are nowhere are released already.
    pub(crate) fn leave(&mut self, tasks: &BTreeSet<TaskId>) -> Vec<(TaskId, Place)> {
        self.owned.retain(|task| !tasks.contains(task));
        let leaving: Vec<(TaskId, Place)> =
            tasks.iter().filter(|task| !self.leaving.contains(task)).filter_map(|task| Some((*task, *self.places.get(task)?))).collect();
        self.leaving.extend(leaving.iter().map(|(task, _)| *task));
        leaving
    }

    /// Nobody in this process has the task any more.
    pub(crate) fn released(&mut self, task: TaskId) {
        self.places.remove(&task);
        self.leaving.remove(&task);
    }

    pub(crate) fn set(&mut self, task: TaskId, place: Place) {
        self.places.insert(task, place);
    }

    pub(crate) fn place(&self, task: TaskId) -> Option<Place> {
        self.places.get(&task).copied()
    }

    /// Whether the process may run the task.
    pub(crate) fn is_wanted(&self, task: TaskId) -> bool {
        self.owned.contains(&task) && !self.leaving.contains(&task)
    }

    /// Whether any of these is still somewhere in this process.
    pub(crate) fn holds_any(&self, tasks: &BTreeSet<TaskId>) -> bool {
        tasks.iter().any(|task| self.places.contains_key(task))
    }

    /// All tasks that are somewhere.
    pub(crate) fn all(&self) -> BTreeSet<TaskId> {
        self.places.keys().copied().collect()
    }

    /// Whether every owned task runs and none is leaving.
    pub(crate) fn is_settled(&self) -> bool {
        self.leaving.is_empty() && self.owned.iter().all(|task| matches!(self.places.get(task), Some(Place::Running { .. })))
    }

    /// The tasks that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = TaskId> {
        self.places.iter().filter(|(_, place)| matches!(place, Place::Running { .. })).map(|(task, _)| *task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(partitions: impl IntoIterator<Item = i32>) -> BTreeSet<TaskId> {
        partitions.into_iter().map(|partition| TaskId::new(0, partition)).collect()
    }

    #[test]
    fn tasks_are_spread_evenly_over_workers() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..5), &[0, 1]);
        let on_first = (0..5).filter(|partition| placement.place(TaskId::new(0, *partition)).map(Place::worker) == Some(0)).count();
        assert_eq!(on_first, 3);
    }

    #[test]
    fn a_task_that_comes_back_while_it_leaves_is_prepared_only_after_its_release() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..2), &[0]);
        placement.leave(&tasks(0..1));
        assert_eq!(placement.assign(&tasks(0..2), &[0]), []);
        placement.released(TaskId::new(0, 0));
        assert_eq!(placement.place_missing(&[0]), [TaskId::new(0, 0)]);
    }

    #[test]
    fn a_process_is_settled_when_all_owned_tasks_run_and_none_leaves() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..2), &[0]);
        assert!(!placement.is_settled());
        for partition in 0..2 {
            placement.set(TaskId::new(0, partition), Place::Running { worker: 0 });
        }
        assert!(placement.is_settled());
        placement.leave(&tasks(1..2));
        assert!(!placement.is_settled());
        placement.released(TaskId::new(0, 1));
        assert!(placement.is_settled());
    }
}
