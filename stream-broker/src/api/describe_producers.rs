//! `DescribeProducers`: who writes to a partition, and whose transaction is open there.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::log::producer_state::ActiveProducer;
use crate::topic::partition::Partition;

/// On one node the coordinator never moves.
const COORDINATOR_EPOCH: i32 = 0;

pub(crate) fn handle(core: &mut Core, request: DescribeProducersRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions =
                topic.partition_indexes.iter().map(|&index| describe(core.topics.partition(&topic.name, index), index)).collect();
            TopicResponse::default().with_name(topic.name).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, DescribeProducersResponse::default().with_topics(topics));
}

fn describe(partition: Option<&Partition>, index: i32) -> PartitionResponse {
    let response = PartitionResponse::default().with_partition_index(index);
    match partition {
        Some(partition) => response.with_active_producers(partition.producers.active().map(state).collect()),
        None => response
            .with_error_code(ResponseError::UnknownTopicOrPartition.code())
            .with_error_message(Some(StrBytes::from_static_str("This server does not host this topic-partition."))),
    }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(producer.producer_id.into())
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_append)
        .with_coordinator_epoch(COORDINATOR_EPOCH)
        .with_current_txn_start_offset(producer.open_since.unwrap_or(-1))
}
