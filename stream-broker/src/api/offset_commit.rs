//! OffsetCommit outside of transactions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};
use crate::group::{self, CommittedOffset, Committer};

/// Retention time of requests that leave it to the broker.
const DEFAULT_RETENTION: i64 = -1;

pub(crate) fn handle(core: &mut Core, request: OffsetCommitRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let committer = Committer {
        generation: request.generation_id_or_member_epoch,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let exists = |topic: &OffsetCommitRequestTopic| {
        topic.partitions.iter().any(|p| core.topics.partition(&topic.name.0, p.partition_index).is_some())
    };
    // The group is not asked about topics that nobody has.
    let accepted = match request.topics.iter().any(exists) {
        true => core.groups.accept_commit(&request.group_id.0, &committer, ctx.version, now),
        false => Err(ResponseError::UnknownTopicOrPartition),
    };
    let expires_at = (request.retention_time_ms != DEFAULT_RETENTION).then(|| now.saturating_add(request.retention_time_ms));
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
                    return Err(ResponseError::StaleMemberEpoch);
                }
                let metadata = checked_metadata(partition.committed_metadata, core.config.offset_metadata_max_bytes)?;
                let (offset, leader_epoch) = (partition.committed_offset, partition.committed_leader_epoch);
                let offset = CommittedOffset { offset, leader_epoch, metadata, committed_at: now, expires_at, position: 0 };
                offsets.push((topic.name.0.to_string(), index, offset));
                Ok(())
            });
            partitions.push((index, result));
        }
        results.push((topic.name, partitions));
    }
    let written = group::commit(core, &request.group_id.0, offsets, None, now);
    let topics = results
        .into_iter()
        .map(|(name, partitions)| {
            let partitions = partitions
                .into_iter()
                .map(|(index, result)| {
                    OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error_code(result.and(written)))
                })
                .collect();
            OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, OffsetCommitResponse::default().with_topics(topics));
}

/// The text that a client stores with an offset, in memory of its own: that of the request is part of a frame, which would
/// stay as long as the offset.
pub(super) fn checked_metadata(metadata: Option<StrBytes>, max_bytes: usize) -> Result<StrBytes, ResponseError> {
    let metadata = metadata.unwrap_or_default();
    if metadata.len() > max_bytes {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(StrBytes::from_string(metadata.as_str().to_owned()))
}
