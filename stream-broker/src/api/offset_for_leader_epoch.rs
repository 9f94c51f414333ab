//! `OffsetForLeaderEpoch`: where the records of a leader epoch end. With one epoch, that is the log's end.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::log::LEADER_EPOCH;
use crate::topic::partition::Partition;

pub(crate) fn handle(core: &mut Core, request: OffsetForLeaderEpochRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions =
                topic.partitions.iter().map(|asked| answer(core.topics.partition(&topic.topic, asked.partition), asked)).collect();
            OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, OffsetForLeaderEpochResponse::default().with_topics(topics));
}

fn answer(partition: Option<&Partition>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let unknown = EpochEndOffset::default().with_partition(asked.partition).with_leader_epoch(-1).with_end_offset(-1);
    let Some(partition) = partition else {
        return unknown.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    if asked.current_leader_epoch > LEADER_EPOCH {
        return unknown.with_error_code(ResponseError::UnknownLeaderEpoch.code());
    }
    if asked.leader_epoch == LEADER_EPOCH {
        unknown.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.log.end_offset())
    } else {
        unknown
    }
}
