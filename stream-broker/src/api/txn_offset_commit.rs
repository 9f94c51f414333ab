//! TxnOffsetCommit: offsets that take effect when the producer's transaction commits.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::offset_commit::checked_metadata;
use super::{Ctx, error_code};
use crate::core::{Core, Outbox};
use crate::group::{AcceptedCommit, CommittedOffset, Committer};
use crate::transaction::Producer;

pub(crate) fn handle(core: &mut Core, request: TxnOffsetCommitRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let max_metadata = core.config.offset_metadata_max_bytes;
    let mut accepted = accept(core, &request, now);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let result = match &mut accepted {
                Err(error) => Err(*error),
                Ok((topics, _)) if topics.partition(&topic.name.0, index).is_none() => Err(ResponseError::UnknownTopicOrPartition),
                Ok((_, accepted)) => checked_metadata(partition.committed_metadata, max_metadata).map(|metadata| {
                    let offset = CommittedOffset {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata,
                        committed_at: now,
                        expires_at: None,
                        position: accepted.position,
                    };
                    accepted.offsets.commit_in_transaction(request.producer_id.0, &topic.name.0, index, offset);
                }),
            };
            partitions.push(TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error_code(result)));
        }
        topics.push(TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    out.answer(ctx.ticket, TxnOffsetCommitResponse::default().with_topics(topics));
}

/// The producer must be the current one and have added the group; the member must be one of the current generation.
fn accept<'a>(
    core: &'a mut Core,
    request: &TxnOffsetCommitRequest,
    now: i64,
) -> Result<(&'a crate::topic::Topics, AcceptedCommit<'a>), ResponseError> {
    if request.group_id.0.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    core.transactions.check_group(&request.transactional_id.0, producer, &request.group_id.0)?;
    let committer =
        Committer { generation: request.generation_id, member_id: &request.member_id, instance_id: request.group_instance_id.as_ref() };
    let accepted = core.groups.accept_transactional_commit(&request.group_id.0, &committer, now)?;
    Ok((&core.topics, accepted))
}
