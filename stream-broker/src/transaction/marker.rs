//! Carrying out the end of a transaction.

use std::io;

use kafka_protocol::protocol::StrBytes;

use super::log::logged;
use super::state::State;
use crate::core::{Core, Outbox};

/// Epoch of the only coordinator there is. It would rise if the coordinator moved.
const COORDINATOR_EPOCH: i32 = 0;

/// How long to wait after a disk error before the markers are written again.
const RETRY_MS: i64 = 1_000;

/// Writes the markers of a decided transaction to its partitions, completes the offsets of its groups and leaves the id at
/// rest. Nothing else runs in between, so no client sees a part of it. If the disk fails, all is done once more later: a marker
/// that is written twice ends nothing twice.
pub(crate) fn end(core: &mut Core, transactional_id: &StrBytes, now: i64, out: &mut Outbox) {
    let Some(transaction) = core.transactions.get(transactional_id).filter(|transaction| transaction.state.is_ending()) else {
        return;
    };
    let commit = transaction.state == State::PrepareCommit;
    let (producer, partitions) = (transaction.producer, transaction.partitions.clone());
    let write = |core: &mut Core| -> io::Result<()> {
        for (topic, indexes) in &partitions {
            for &index in indexes {
                // A topic that was deleted meanwhile needs no marker.
                if let Some(partition) = core.topics.partition_mut(topic, index) {
                    partition.append_marker(producer.id, producer.epoch, commit, COORDINATOR_EPOCH, now)?;
                }
            }
        }
        Ok(())
    };
    let written = write(core);
    if written.is_ok() {
        core.groups.complete_transaction(producer.id, commit);
    }
    if let Err(error) = &written {
        tracing::warn!(%transactional_id, %error, "the markers of a transaction cannot be written; trying again");
    }
    let complete = |transactions: &mut super::Transactions| {
        transactions.complete(transactional_id, now);
        Ok(())
    };
    if written.is_err() || logged(core, transactional_id, now, complete).is_err() {
        core.transactions.end_again(transactional_id, now + RETRY_MS);
    }
    for (topic, indexes) in &partitions {
        for &index in indexes {
            core.wake_fetches(topic, index, now, out);
        }
    }
}
