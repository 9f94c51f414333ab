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
    /// Given up by this worker. The restore thread has its stores, to flush and close them: others may run the task, but this process
    /// cannot open it again yet.
    Closing { worker: usize },
}

impl Place {
    pub(crate) fn worker(self) -> usize {
        match self {
            Self::Preparing { worker } | Self::Starting { worker } | Self::Running { worker } | Self::Closing { worker } => worker,
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
    ///
    /// Whoever has a task is asked once and answers once, with [`released`](Self::released), or ends ([`worker_ended`](Self::worker_ended)).
    /// Until then the task keeps its place, whatever else is heard of it: an answer that came to a later placement would delete that.
    pub(crate) fn leave(&mut self, tasks: &BTreeSet<TaskId>) -> Vec<(TaskId, Place)> {
        self.owned.retain(|task| !tasks.contains(task));
        let leaving: Vec<(TaskId, Place)> =
            tasks.iter().filter(|task| !self.leaving.contains(task)).filter_map(|task| Some((*task, *self.places.get(task)?))).collect();
        self.leaving.extend(leaving.iter().map(|(task, _)| *task));
        leaving
    }

    /// Nobody in this process has the task any more: the answer to [`leave`](Self::leave). Means nothing for a task that is not leaving.
    pub(crate) fn released(&mut self, task: TaskId) {
        if self.leaving.remove(&task) {
            self.places.remove(&task);
        }
    }

    /// The worker gave the task up, as it was asked to; its stores are with the restore thread.
    pub(crate) fn closing(&mut self, task: TaskId) {
        if let Some(place) = self.places.get_mut(&task).filter(|_| self.leaving.contains(&task)) {
            *place = Place::Closing { worker: place.worker() };
        }
    }

    /// The task is ready to run. Returns the worker that it is for, unless it was given up meanwhile.
    pub(crate) fn prepared(&mut self, task: TaskId) -> Option<usize> {
        let worker = self.preparing(task)?;
        self.places.insert(task, Place::Starting { worker });
        Some(worker)
    }

    /// The task cannot be prepared: it is nowhere now. Returns the worker that it was for, unless it was given up meanwhile.
    pub(crate) fn not_prepared(&mut self, task: TaskId) -> Option<usize> {
        let worker = self.preparing(task)?;
        self.places.remove(&task);
        Some(worker)
    }

    /// The worker to which a task is on its way that the process still wants.
    fn preparing(&mut self, task: TaskId) -> Option<usize> {
        match self.places.get(&task) {
            Some(&Place::Preparing { worker }) if self.is_wanted(task) => Some(worker),
            Some(Place::Preparing { .. }) if !self.leaving.contains(&task) => {
                self.places.remove(&task);
                None
            }
            _ => None,
        }
    }

    /// The worker runs the task.
    pub(crate) fn running(&mut self, task: TaskId, worker: usize) {
        if self.places.get(&task) == Some(&Place::Starting { worker }) {
            self.places.insert(task, Place::Running { worker });
        }
    }

    /// The worker gave the task back, to be prepared again. Returns whether it shall be: not when it was given up meanwhile.
    pub(crate) fn revived(&mut self, task: TaskId) -> bool {
        let Some(&(Place::Starting { worker } | Place::Running { worker })) = self.places.get(&task) else {
            return false;
        };
        if self.leaving.contains(&task) {
            return false;
        }
        if self.owned.contains(&task) {
            self.places.insert(task, Place::Preparing { worker });
        } else {
            self.places.remove(&task);
        }
        self.owned.contains(&task)
    }

    /// The worker has no tasks any more, nor will it answer.
    pub(crate) fn worker_ended(&mut self, worker: usize) {
        let (places, leaving) = (&mut self.places, &mut self.leaving);
        places.retain(|task, place| {
            let is_kept = !matches!(*place, Place::Starting { worker: on } | Place::Running { worker: on } if on == worker);
            if !is_kept {
                leaving.remove(task);
            }
            is_kept
        });
    }

    /// The tasks that the restore thread has.
    pub(crate) fn all_preparing(&self) -> impl Iterator<Item = TaskId> {
        self.places.iter().filter(|(_, place)| matches!(place, Place::Preparing { .. })).map(|(task, _)| *task)
    }

    /// Whether the process may run the task.
    fn is_wanted(&self, task: TaskId) -> bool {
        self.owned.contains(&task) && !self.leaving.contains(&task)
    }

    /// Whether this process still has something to do for any of these before others may run it.
    pub(crate) fn holds_any(&self, tasks: &BTreeSet<TaskId>) -> bool {
        tasks.iter().filter_map(|task| self.places.get(task)).any(|place| !matches!(place, Place::Closing { .. }))
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
    pub(crate) fn all_running(&self) -> impl Iterator<Item = TaskId> {
        self.places.iter().filter(|(_, place)| matches!(place, Place::Running { .. })).map(|(task, _)| *task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(0, 0);

    fn tasks(partitions: impl IntoIterator<Item = i32>) -> BTreeSet<TaskId> {
        partitions.into_iter().map(|partition| TaskId::new(0, partition)).collect()
    }

    /// Task 0_0 on its way to worker 0.
    fn preparing() -> Placement {
        let mut placement = Placement::default();
        assert_eq!(placement.assign(&tasks(0..1), &[0]), [TASK]);
        placement
    }

    /// Task 0_0 on worker 0.
    fn running() -> Placement {
        let mut placement = preparing();
        assert_eq!(placement.prepared(TASK), Some(0));
        placement.running(TASK, 0);
        placement
    }

    #[test]
    fn tasks_are_spread_evenly_over_workers() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..5), &[0, 1]);
        let on_first = placement.places.values().filter(|place| place.worker() == 0).count();
        assert_eq!(on_first, 3);
    }

    #[test]
    fn a_task_that_comes_back_while_it_leaves_is_prepared_only_after_its_release() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..2), &[0]);
        placement.leave(&tasks(0..1));
        assert_eq!(placement.assign(&tasks(0..2), &[0]), []);
        placement.released(TASK);
        assert_eq!(placement.place_missing(&[0]), [TASK]);
    }

    #[test]
    fn a_process_is_settled_when_all_owned_tasks_run_and_none_leaves() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..2), &[0]);
        assert!(!placement.is_settled());
        for task in tasks(0..2) {
            placement.prepared(task);
            placement.running(task, 0);
        }
        assert!(placement.is_settled());
        placement.leave(&tasks(1..2));
        assert!(!placement.is_settled());
        placement.released(TaskId::new(0, 1));
        assert!(placement.is_settled());
    }

    #[test]
    fn a_late_answer_does_not_delete_a_newer_placement() {
        let mut placement = preparing();
        placement.leave(&tasks(0..1));
        // Ready just before the restore thread heard that it was given up: its answer is still to come.
        assert_eq!(placement.prepared(TASK), None);
        assert_eq!(placement.assign(&tasks(0..1), &[0]), []);
        placement.released(TASK);
        assert_eq!(placement.place_missing(&[0]), [TASK]);
        placement.released(TASK);
        assert_eq!(placement.prepared(TASK), Some(0));
    }

    #[test]
    fn a_task_that_leaves_keeps_its_place_until_the_answer_whatever_else_is_heard_of_it() {
        let mut placement = preparing();
        placement.leave(&tasks(0..1));
        assert_eq!(placement.not_prepared(TASK), None);
        assert!(placement.holds_any(&tasks(0..1)));

        let mut placement = running();
        placement.leave(&tasks(0..1));
        assert!(!placement.revived(TASK));
        assert!(placement.holds_any(&tasks(0..1)));
        placement.released(TASK);
        assert!(!placement.holds_any(&tasks(0..1)));
    }

    #[test]
    fn a_task_whose_stores_are_being_closed_may_run_elsewhere_but_not_here() {
        let mut placement = running();
        placement.leave(&tasks(0..1));
        placement.closing(TASK);
        assert!(!placement.holds_any(&tasks(0..1)), "the group need not wait");
        assert_eq!(placement.assign(&tasks(0..1), &[0]), [], "its stores are open");
        placement.worker_ended(0);
        assert_eq!(placement.place_missing(&[0]), [], "they are not with the worker");
        placement.released(TASK);
        assert_eq!(placement.place_missing(&[0]), [TASK]);
    }

    #[test]
    fn a_failure_to_prepare_a_task_that_is_no_longer_wanted_concerns_nobody() {
        let mut placement = preparing();
        placement.assign(&tasks([]), &[0]);
        assert_eq!(placement.not_prepared(TASK), None);
        assert!(!placement.holds_any(&tasks(0..1)));
        assert_eq!(preparing().not_prepared(TASK), Some(0));
    }

    #[test]
    fn a_task_that_could_not_start_does_not_count_as_running() {
        let mut placement = preparing();
        placement.prepared(TASK);
        assert!(placement.revived(TASK));
        assert!(!placement.is_settled());
        assert_eq!(placement.all_preparing().collect::<Vec<_>>(), [TASK]);
    }

    #[test]
    fn a_worker_that_ends_releases_what_it_had_and_nothing_else() {
        let mut placement = Placement::default();
        placement.assign(&tasks(0..4), &[0, 1]);
        // 0_0 and 0_2 are for worker 0; 0_2 is not there yet, 0_0 is leaving.
        placement.prepared(TASK);
        placement.prepared(TaskId::new(0, 1));
        placement.leave(&tasks(0..1));
        placement.worker_ended(0);
        assert!(!placement.holds_any(&tasks(0..1)));
        assert!(placement.holds_any(&tasks(1..2)) && placement.holds_any(&tasks(2..3)));
        assert_eq!(placement.assign(&tasks(0..4), &[0, 1]), [TASK]);
    }
}
