//! Carrying out the end of a transaction.

use super::metadata::Ending;
use crate::core::{Core, Outbox};

/// Epoch of the only coordinator there is. It would rise if the coordinator moved.
const COORDINATOR_EPOCH: i32 = 0;

/// Writes the markers of a decided transaction to its partitions, completes the offsets of its groups and leaves the id at
/// rest. Nothing else runs in between, so no client sees a part of it.
pub(crate) fn end(core: &mut Core, ending: Ending, now: i64, out: &mut Outbox) {
    let Ending { transactional_id, producer, commit, partitions, groups } = ending;
    for (topic, indexes) in &partitions {
        for &index in indexes {
            // A topic that was deleted meanwhile needs no marker.
            if let Some(partition) = core.topics.partition_mut(topic, index) {
                partition.append_marker(producer.id, producer.epoch, commit, COORDINATOR_EPOCH, now);
            }
        }
    }
    for group_id in &groups {
        core.groups.complete_transaction(group_id, producer.id, commit);
    }
    core.transactions.complete(&transactional_id, now);
    for (topic, indexes) in &partitions {
        for &index in indexes {
            core.wake_fetches(topic, index, now, out);
        }
    }
}
