//! What the group decides, carried out: who gets which task, who gives one up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::WorkerCommand;
use super::control::Control;
use super::placement::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;
use crate::membership::GroupEvent;
use crate::restore::{PrepareTask, RestoreCommand, WantedInput};
use crate::task::PreparedTask;

impl Control {
    pub(super) fn group_changed(&mut self, event: GroupEvent) -> Result<()> {
        match event {
            GroupEvent::Assigned { tasks } => {
                let span = tracing::info_span!("rebalance");
                let _entered = span.enter();
                tracing::info!(tasks = %list(&tasks), "assigned");
                self.has_joined = true;
                self.is_lost = false;
                if self.closing.is_none() {
                    let workers: Vec<usize> = self.workers.keys().copied().collect();
                    let missing = self.placement.assign(&tasks, &workers);
                    self.prepare(&missing);
                }
            }
            GroupEvent::Revoke { tasks } => {
                tracing::info!(tasks = %list(&tasks), "revoked");
                self.leave(&tasks, false);
                self.revoking.get_or_insert_default().extend(tasks);
            }
            GroupEvent::Lost { reason } => {
                tracing::warn!(reason, "the group gave this process's tasks to others");
                self.is_lost = true;
                // The group waits for no answer any more.
                self.revoking = None;
                let all = self.placement.all();
                self.leave(&all, true);
            }
            GroupEvent::Waiting { for_whom } => {
                tracing::warn!(for_whom, "waiting: the members of the group do not see the same topology and topics yet");
                // It may be this process that is behind.
                self.look_at_topics_soon();
            }
            // A process that closes anyway goes on doing so.
            GroupEvent::ShutdownRequested { .. } if self.closing.is_some() => {}
            GroupEvent::ShutdownRequested { by } => {
                return Err(Error::new(ErrorKind::Closed, format!("member {by} asked all processes of the application to stop")));
            }
            GroupEvent::Fatal(error) => return Err(error),
        }
        Ok(())
    }

    /// Asks whoever has these tasks to give them up.
    fn leave(&mut self, tasks: &BTreeSet<TaskId>, is_lost: bool) {
        let mut by_worker: BTreeMap<usize, Vec<TaskId>> = BTreeMap::new();
        let mut preparing = Vec::new();
        for (task, place) in self.placement.leave(tasks) {
            match place {
                Place::Preparing { .. } => preparing.push(task),
                // Not among those that leave only now.
                Place::Closing { .. } => {}
                Place::Starting { worker } | Place::Running { worker } => by_worker.entry(worker).or_default().push(task),
            }
        }
        if !preparing.is_empty() {
            self.tell_restorer(RestoreCommand::Cancel(preparing));
        }
        for (worker, tasks) in by_worker {
            let command = if is_lost { WorkerCommand::Lose(tasks) } else { WorkerCommand::Revoke(tasks) };
            if !self.workers.get(&worker).is_some_and(|handle| handle.tell(command)) {
                // They are released when the worker's end is heard of.
                tracing::debug!(worker, "a worker is gone already");
            }
        }
    }

    /// Workers gave these up. To write out what their stores hold takes as long as a disk takes: no worker may stand still for that.
    pub(super) fn closed(&mut self, ids: Vec<TaskId>, tasks: Vec<PreparedTask>) {
        ids.iter().for_each(|task| self.placement.closing(*task));
        self.tell_restorer(RestoreCommand::Retire { ids, tasks });
    }

    /// Answers the group when everything that it asked back is given up.
    pub(super) fn finish_revocation(&mut self) {
        if self.revoking.as_ref().is_some_and(|tasks| !self.placement.holds_any(tasks)) {
            if let Some(tasks) = self.revoking.take() {
                if let Err(error) = self.membership.released(&tasks) {
                    tracing::warn!(%error, "the group could not be answered");
                }
            }
        }
    }

    pub(super) fn place_missing(&mut self) {
        if self.closing.is_some() || self.is_lost {
            return;
        }
        let workers: Vec<usize> = self.workers.keys().copied().collect();
        let missing = self.placement.place_missing(&workers);
        self.prepare(&missing);
    }

    pub(super) fn prepare(&mut self, tasks: &[TaskId]) {
        if tasks.is_empty() {
            return;
        }
        let requests = tasks
            .iter()
            .map(|&id| PrepareTask {
                id,
                inputs: self.wanted_inputs(id),
                stores: Vec::new(),
                metrics: self.environment.shared.task_metrics(id),
                directory: None,
                backoff: Duration::ZERO,
            })
            .collect();
        self.tell_restorer(RestoreCommand::Prepare(requests));
    }

    pub(super) fn wanted_inputs(&self, task: TaskId) -> Vec<WantedInput> {
        let Some(subtopology) = self.environment.topology.subtopology(task.subtopology) else {
            return Vec::new();
        };
        let default_reset = self.environment.settings.default_reset;
        self.plan
            .input_partitions(task)
            .into_iter()
            .filter_map(|partition| {
                let source = subtopology.source_of(&partition.topic)?;
                let is_internal = subtopology.repartition_topics.contains(&partition.topic);
                // A repartition topic is read from its first record, whatever the program's policy.
                let reset = if is_internal { crate::topology::AutoOffsetReset::Earliest } else { source.reset.unwrap_or(default_reset) };
                Some(WantedInput { partition, source: source.node, reset })
            })
            .collect()
    }
}

/// The names of tasks, for logs and errors.
pub(super) fn list<'a>(tasks: impl IntoIterator<Item = &'a TaskId>) -> String {
    tasks.into_iter().map(TaskId::to_string).collect::<Vec<_>>().join(" ")
}
