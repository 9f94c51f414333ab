//! `DeleteRecords`: moves the start of logs.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::Ctx;
use crate::core::{Core, Outbox};

/// An offset that stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

pub(crate) fn handle(core: &mut Core, request: DeleteRecordsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let result = delete(core, &topic.name, asked.partition_index, asked.offset);
            let response = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            partitions.push(match result {
                Ok(low_watermark) => {
                    // A fetch that is held below the new start has an error to report.
                    core.wake_fetches(&topic.name, asked.partition_index, now, out);
                    response.with_low_watermark(low_watermark)
                }
                Err(error) => response.with_low_watermark(-1).with_error_code(error.code()),
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
    }
    // What was deleted stays so after a restart, although its segment may still be there.
    if let Err(error) = core.topics.save_log_starts() {
        tracing::warn!(%error, "the starts of logs cannot be written down");
    }
    out.answer(ctx.ticket, DeleteRecordsResponse::default().with_topics(topics));
}

fn delete(core: &mut Core, name: &str, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let topic = core.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    // What compaction alone may remove is not for clients to delete.
    if !topic.config().deletes() {
        return Err(ResponseError::PolicyViolation);
    }
    let partition = core.topics.partition_mut(name, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let end = partition.log.end_offset();
    let offset = if offset == HIGH_WATERMARK { end } else { offset };
    if !(0..=end).contains(&offset) {
        return Err(ResponseError::OffsetOutOfRange);
    }
    partition.delete_below(offset);
    Ok(partition.log.start_offset())
}
