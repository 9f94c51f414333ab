//! `ListOffsets`: the first, the last, the newest and the first offset after a time.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::log::LEADER_EPOCH;
use crate::log::time_lookup::TimestampedOffset;
use crate::topic::partition::{Isolation, Partition};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// The first version that knows each special timestamp; `None` for those that no version knows.
fn known_since(timestamp: i64) -> Option<i16> {
    match timestamp {
        EARLIEST | LATEST | 0.. => Some(0),
        MAX_TIMESTAMP => Some(7),
        EARLIEST_LOCAL => Some(8),
        LATEST_TIERED => Some(9),
        _ => None,
    }
}

/// The first version whose answers name the leader epoch.
const NAMES_LEADER_EPOCH: i16 = 4;

pub(crate) fn handle(core: &mut Core, request: ListOffsetsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let isolation = Isolation::from_wire(request.isolation_level);
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let partition = core.topics.partition(&topic.name, asked.partition_index);
                    answer(partition, asked, isolation, ctx.version)
                })
                .collect();
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, ListOffsetsResponse::default().with_topics(topics));
}

fn answer(partition: Option<&Partition>, asked: &ListOffsetsPartition, isolation: Isolation, version: i16) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_timestamp(-1)
        .with_offset(-1)
        .with_leader_epoch(-1);
    if known_since(asked.timestamp).is_none_or(|since| version < since) {
        return response.with_error_code(ResponseError::UnsupportedVersion.code());
    }
    let Some(partition) = partition else {
        return response.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    if asked.current_leader_epoch > LEADER_EPOCH {
        return response.with_error_code(ResponseError::UnknownLeaderEpoch.code());
    }
    let end = partition.readable_end(isolation);
    // A record that this reader may not see yet is not found; the answer is then 'none', not an error.
    let found = match asked.timestamp {
        LATEST => Ok(Some(without_time(end))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some(without_time(partition.log.start_offset()))),
        MAX_TIMESTAMP => partition.log.greatest_timestamp().map(|found| found.filter(|found| found.offset < end)),
        // Nothing is in a remote tier.
        LATEST_TIERED => Ok(None),
        timestamp => partition.log.offset_for_time(timestamp).map(|found| found.filter(|found| found.offset < end)),
    };
    match found {
        Ok(Some(TimestampedOffset { timestamp, offset })) => response
            .with_timestamp(timestamp)
            .with_offset(offset)
            .with_leader_epoch(if version >= NAMES_LEADER_EPOCH { LEADER_EPOCH } else { -1 }),
        Ok(None) => response,
        Err(error) => {
            tracing::warn!(%error, "a log cannot be read");
            response.with_error_code(ResponseError::KafkaStorageError.code())
        }
    }
}

fn without_time(offset: i64) -> TimestampedOffset {
    TimestampedOffset { timestamp: -1, offset }
}
