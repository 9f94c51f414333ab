//! What a commit asks of a task, step by step.

use super::{Task, TaskStore, begun};
use crate::client::CommitOffset;
use crate::error::{Error, Result, ResultExt};
use crate::id::TopicPartition;
use crate::node::Stopped;
use crate::task::collector::ChangelogWriter;
use crate::task::commit_metadata::CommitMetadata;

impl Task {
    /// The offset that a commit stores for a slot.
    fn position(&self, slot: usize) -> i64 {
        self.group.position(slot).unwrap_or(self.inputs[slot].position.offset)
    }

    /// Whether a processor asked for a commit.
    pub(crate) fn commit_requested(&self) -> bool {
        self.context.commit_requested
    }

    /// Whether there is something to commit that records or punctuations caused.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched || self.context.commit_requested
    }

    /// Whether a position moved since the last commit, be it only past commit markers.
    pub(crate) fn has_moved(&self) -> bool {
        (0..self.inputs.len()).any(|slot| self.inputs[slot].committed != Some(self.position(slot)))
    }

    /// Commit, step 1: operators forward what they hold back.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    pub(crate) fn drain(&mut self) -> Result<()> {
        let drained = self.graph.drain(&mut self.context);
        self.count_dropped();
        if let Some(error) = self.context.take_failure() {
            return Err(begun(error).at("before a commit").of_task(self.id));
        }
        drained.map_err(|Stopped| Error::internal("a drain stopped without a reason"))
    }

    /// Whether step 2 has anything to send.
    pub(crate) fn has_changes(&self) -> bool {
        self.stores.iter().any(|store| store.changelog.as_ref().is_some_and(|changelog| !changelog.is_source) && store.store.is_dirty())
    }

    /// Commit, step 2: one changelog record per dirty key.
    ///
    /// # Errors
    /// When the producer cannot take a record.
    pub(crate) fn log_changes(&self) -> Result<()> {
        for TaskStore { store, changelog, slot } in &self.stores {
            let Some(changelog) = changelog.as_ref().filter(|changelog| !changelog.is_source) else {
                continue;
            };
            if store.is_dirty() {
                let mut writer = ChangelogWriter {
                    outgoing: &*self.outgoing,
                    topic: &changelog.partition.topic,
                    partition: changelog.partition.partition,
                    slot: *slot,
                    sent: 0,
                };
                store.log_changes(&mut writer).at(|| format!("task {}, store {}", self.id, store.name()))?;
                self.context.metrics.changelogged.add(writer.sent);
            }
        }
        Ok(())
    }

    /// Commit, step 3: the positions, with partition times as metadata. Positions that did not move are left out, except that a
    /// touched task gives at least one: a transaction without an offset would not be fenced.
    pub(crate) fn offsets(&self) -> Vec<CommitOffset> {
        let offset_of = |slot: usize| CommitOffset {
            partition: self.inputs[slot].position.partition.clone(),
            offset: self.position(slot),
            metadata: CommitMetadata {
                partition_time: self.group.partition_time(slot),
                processors: self.context.processor_metadata.clone(),
            }
            .encode(),
            leader_epoch: None,
        };
        let moved: Vec<CommitOffset> =
            (0..self.inputs.len()).filter(|&slot| self.inputs[slot].committed != Some(self.position(slot))).map(offset_of).collect();
        if moved.is_empty() && self.touched { (0..self.inputs.len().min(1)).map(offset_of).collect() } else { moved }
    }

    /// Every position, for the daily commit that keeps brokers from expiring offsets of topics that nobody subscribes to.
    pub(crate) fn forget_committed(&mut self) {
        for input in &mut self.inputs {
            input.committed = None;
        }
    }

    /// Commit, step 4: what was committed becomes the stores' committed layer.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn committed(&mut self, offsets: &[CommitOffset]) -> Result<()> {
        for offset in offsets {
            if let Some(input) = self.inputs.iter_mut().find(|input| input.position.partition == offset.partition) {
                input.committed = Some(offset.offset);
            }
        }
        for TaskStore { store, changelog, slot } in &self.stores {
            let position = match changelog {
                Some(changelog) if changelog.is_source => {
                    self.inputs.iter().find(|input| input.position.partition == changelog.partition).and_then(|input| input.committed)
                }
                Some(_) => self.outgoing.take_acknowledged(*slot).map(|offset| offset + 1),
                None => None,
            };
            store.commit(position).at(|| format!("task {}, store {}", self.id, store.name()))?;
        }
        self.touched = false;
        self.committed_metadata.clone_from(&self.context.processor_metadata);
        self.context.commit_requested = false;
        self.context.metrics.commits.add(1);
        Ok(())
    }

    /// The committed positions of the sources that read one of these topics.
    pub(crate) fn committed_positions<'a>(
        &'a self,
        topics: &'a dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'a TopicPartition, i64)> + 'a {
        self.inputs
            .iter()
            .filter(move |input| topics(&input.position.partition.topic))
            .filter_map(|input| Some((&input.position.partition, input.committed?)))
    }
}
