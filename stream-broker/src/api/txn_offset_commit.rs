//! TxnOffsetCommit: offsets that take effect when the producer's transaction commits.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use kafka_protocol::messages::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::offset_commit::checked_metadata;
use super::{Ctx, error_code, fencing};
use crate::core::{Core, Outbox};
use crate::group::{self, CommittedOffset, Committer};
use crate::topic::internal::{CONSUMER_OFFSETS, partition_for};
use crate::transaction::{self, Producer, TransactionVersion};

/// First version whose clients know `TRANSACTION_ABORTABLE`.
const KNOWS_ABORTABLE: i16 = 4;
/// First version that adds the group to the transaction by itself (KIP-890, version 2).
const ADDS_GROUP: i16 = 5;

pub(crate) fn handle(core: &mut Core, request: TxnOffsetCommitRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let committer =
        Committer { generation: request.generation_id, member_id: &request.member_id, instance_id: request.group_instance_id.as_ref() };
    let exists = |topic: &TxnOffsetCommitRequestTopic| {
        topic.partitions.iter().any(|p| core.topics.partition(&topic.name.0, p.partition_index).is_some())
    };
    // Neither the transaction nor the group is asked about topics that nobody has.
    let accepted = match request.topics.iter().any(exists) {
        true => accept(core, &request, &committer, ctx.version, now),
        false => Err(ResponseError::UnknownTopicOrPartition),
    };
    let mut offsets = Vec::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let found = core.topics.get(&topic.name.0).filter(|found| found.partition(index).is_some());
            // What does not exist is named first, whoever asks.
            let result = found.map(|found| found.id).ok_or(ResponseError::UnknownTopicOrPartition).and_then(|topic_id| {
                accepted?;
                if !core.groups.may_commit(&request.group_id.0, &committer, &(topic_id, index)) {
                    return Err(ResponseError::IllegalGeneration);
                }
                let metadata = checked_metadata(partition.committed_metadata, core.config.offset_metadata_max_bytes)?;
                let (offset, leader_epoch) = (partition.committed_offset, partition.committed_leader_epoch);
                let offset = CommittedOffset { offset, leader_epoch, metadata, committed_at: now, expires_at: None, position: 0 };
                offsets.push((topic.name.0.to_string(), index, offset));
                Ok(())
            });
            partitions.push((index, result));
        }
        results.push((topic.name, partitions));
    }
    let written = accepted.and_then(|producer| group::commit(core, &request.group_id.0, offsets, Some(producer), now));
    let topics = results
        .into_iter()
        .map(|(name, partitions)| {
            let partitions = partitions
                .into_iter()
                .map(|(index, result)| {
                    let code = error_code(result.and(written));
                    TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
                })
                .collect();
            TxnOffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, TxnOffsetCommitResponse::default().with_topics(topics));
}

/// The producer must be the current one and have added the group; the member must be one of the current generation.
fn accept(
    core: &mut Core,
    request: &TxnOffsetCommitRequest,
    committer: &Committer<'_>,
    version: i16,
    now: i64,
) -> Result<Producer, ResponseError> {
    let group_id = &request.group_id.0;
    if group_id.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let partition = partition_for(group_id, core.topics.internal_partition_count(CONSUMER_OFFSETS));
    let id = &request.transactional_id.0;
    if version >= ADDS_GROUP {
        let offsets = [(CONSUMER_OFFSETS, partition)];
        transaction::logged(core, id, now, |transactions| transactions.add_partitions(id, producer, offsets, TransactionVersion::V2, now))
            .map_err(|error| fencing(error, 0, i16::MAX))?;
    } else {
        core.transactions.check_group(id, producer, partition).map_err(|error| match error {
            ResponseError::InvalidTxnState if version >= KNOWS_ABORTABLE => ResponseError::TransactionAbortable,
            other => other,
        })?;
    }
    core.groups.accept_transactional_commit(group_id, committer, now)?;
    Ok(producer)
}
