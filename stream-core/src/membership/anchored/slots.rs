//! Which task each partition of an anchor stands for.
//!
//! The assignor balances how many partitions a process has, and does not know of sub-topologies. When a process joins one that had
//! everything, it moves partitions in the order of topics: all tasks of the first sub-topologies would go to one process, those of the
//! last would stay with the other, and with them all of their state. So the sub-topologies take turns at the anchors: partition `p` of an
//! anchor is always a task `p`, but of which sub-topology differs from `p` to `p`. Whatever run or stride of partitions a process is
//! given, it has a share of each sub-topology.
//!
//! All members must agree on this. A change here needs another fingerprint of the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::TaskId;
use crate::membership::Plan;

/// The tasks by anchor and partition.
#[derive(Clone, Debug)]
pub(super) struct Slots(BTreeMap<Arc<str>, Vec<TaskId>>);

impl Slots {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut slots: BTreeMap<Arc<str>, Vec<TaskId>> = plan.anchors.values().map(|(topic, _)| (Arc::clone(topic), Vec::new())).collect();
        let most = plan.anchors.values().map(|(_, partitions)| *partitions).max().unwrap_or(0);
        for (partition, turn) in (0..most).zip(0_usize..) {
            let with_it: Vec<(u32, &Arc<str>)> =
                plan.anchors.iter().filter(|(_, (_, partitions))| partition < *partitions).map(|(id, (topic, _))| (*id, topic)).collect();
            // The second term keeps the turns from going in step with the number of processes.
            let turn = turn + turn / with_it.len();
            for (index, (_, topic)) in with_it.iter().enumerate() {
                let (subtopology, _) = with_it[(index + turn) % with_it.len()];
                if let Some(tasks) = slots.get_mut(*topic) {
                    tasks.push(TaskId::new(subtopology, partition));
                }
            }
        }
        Self(slots)
    }

    /// `None` for a partition that the plan does not know.
    pub(super) fn task(&self, topic: &str, partition: i32) -> Option<TaskId> {
        self.0.get(topic)?.get(usize::try_from(partition).ok()?).copied()
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn slots(counts: &[i32]) -> (Slots, Vec<(String, i32)>) {
        let anchors = counts.iter().zip(0..).map(|(count, id)| (id, (Arc::from(format!("t{id}")), *count)));
        let slots = Slots::of(&Plan { anchors: anchors.collect(), fingerprint: String::new() });
        let partitions = counts.iter().zip(0..).flat_map(|(count, id)| (0..*count).map(move |partition| (format!("t{id}"), partition)));
        (slots, partitions.collect())
    }

    #[test]
    fn every_task_is_one_partition_with_its_own_number() {
        for counts in [&[4][..], &[4, 4], &[3, 5, 1], &[7, 7, 7, 7], &[1, 64]] {
            let (slots, partitions) = slots(counts);
            let tasks: BTreeSet<TaskId> = partitions.iter().map(|(topic, partition)| slots.task(topic, *partition).unwrap()).collect();
            assert_eq!((tasks.len(), slots.len()), (partitions.len(), partitions.len()));
            for (topic, partition) in &partitions {
                assert_eq!(slots.task(topic, *partition).unwrap().partition, *partition);
            }
            assert!((0..).zip(counts).all(|(id, count)| tasks.iter().filter(|task| task.subtopology == id).count() as i32 == *count));
        }
    }

    #[test]
    fn one_subtopology_has_its_anchor_as_it_is_and_unknown_partitions_are_none() {
        let (slots, _) = slots(&[3]);
        assert_eq!([0, 1, 2].map(|partition| slots.task("t0", partition)), [0, 1, 2].map(|partition| Some(TaskId::new(0, partition))));
        assert_eq!((slots.task("t0", 3), slots.task("t0", -1), slots.task("t1", 0)), (None, None, None));
    }

    #[test]
    fn a_run_of_partitions_holds_a_share_of_each_subtopology() {
        for (counts, most) in [(&[4, 4][..], 0), (&[6, 6], 0), (&[32, 32], 0), (&[8, 8, 8], 2), (&[16, 16, 16], 0), (&[8, 8, 8, 8], 0)] {
            let (slots, partitions) = slots(counts);
            // What a second process gets: the first half, in the order of topics.
            let moved = &partitions[..partitions.len() / 2];
            let shares = (0..).zip(counts).map(|(id, _)| {
                moved.iter().filter(|(topic, partition)| slots.task(topic, *partition).is_some_and(|task| task.subtopology == id)).count()
            });
            let shares: Vec<usize> = shares.collect();
            let spread = shares.iter().max().unwrap() - shares.iter().min().unwrap();
            assert!(spread <= most, "{counts:?}: {shares:?}");
        }
    }
}
