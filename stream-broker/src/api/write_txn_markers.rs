//! WriteTxnMarkers: ends transactions in single partitions, past their coordinator. An administrator frees a partition so of a
//! transaction that hangs (KIP-664).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};
use crate::topic::internal::CONSUMER_OFFSETS;
use crate::transaction::Producer;

pub(crate) fn handle(core: &mut Core, request: WriteTxnMarkersRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let markers = request
        .markers
        .into_iter()
        .map(|marker| {
            let producer = Producer { id: marker.producer_id.0, epoch: marker.producer_epoch };
            let topics = marker
                .topics
                .into_iter()
                .map(|topic| {
                    let mut end = |index: i32| {
                        let ended = end(core, &topic.name, index, producer, marker.transaction_result, marker.coordinator_epoch, now);
                        core.wake_fetches(&topic.name, index, now, out);
                        WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(error_code(ended))
                    };
                    let partitions = topic.partition_indexes.iter().map(|&index| end(index)).collect();
                    WritableTxnMarkerTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
                })
                .collect();
            WritableTxnMarkerResult::default().with_producer_id(marker.producer_id).with_topics(topics)
        })
        .collect();
    out.answer(ctx.ticket, WriteTxnMarkersResponse::default().with_markers(markers));
}

fn end(
    core: &mut Core,
    topic: &str,
    index: i32,
    producer: Producer,
    commit: bool,
    coordinator_epoch: i32,
    now: i64,
) -> Result<(), ResponseError> {
    let partition = core.topics.partition_mut(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if partition.producers.epoch(producer.id).is_some_and(|known| producer.epoch < known) {
        return Err(ResponseError::InvalidProducerEpoch);
    }
    partition.append_marker(producer.id, producer.epoch, commit, coordinator_epoch, now).map_err(|error| {
        tracing::warn!(topic, partition = index, %error, "a marker cannot be written");
        ResponseError::KafkaStorageError
    })?;
    if topic == CONSUMER_OFFSETS {
        let count = core.topics.internal_partition_count(CONSUMER_OFFSETS);
        core.groups.complete_transaction_in(producer.id, commit, index, count);
    }
    Ok(())
}
