//! What a fetch reads from the logs.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::isolation;
use crate::log::{LEADER_EPOCH, batch::BatchHeader};
use crate::topic::partition::{Isolation, Partition};
use crate::topic::{Topic, Topics};

/// Whether a fetch need not wait: there is enough to read, or an error to report.
pub(crate) fn is_satisfied(topics: &Topics, request: &FetchRequest) -> bool {
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut available = 0_usize;
    for topic in &request.topics {
        let found = topic_of(topics, topic);
        for asked in &topic.partitions {
            let Some(partition) = found.and_then(|t| t.partition(asked.partition)) else {
                return true;
            };
            if objection(partition, asked).is_some() {
                return true;
            }
            // What cannot be read is an error to report.
            let Ok(readable) = partition.log.bytes_between(asked.fetch_offset, partition.readable_end(isolation(request))) else {
                return true;
            };
            // A partition counts for no more than it may return, or a limit below `min_bytes` could never be reached.
            let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
            available += readable.min(limit.max(1));
            if available >= wanted {
                return true;
            }
        }
    }
    available >= wanted
}

/// Reads what there is now, within the limits of the request.
pub(crate) fn response(topics: &Topics, request: &FetchRequest) -> FetchResponse {
    let isolation = isolation(request);
    let mut remaining = usize::try_from(request.max_bytes).unwrap_or(0);
    let mut nothing_yet = true;
    let mut responses = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let found = topic_of(topics, topic);
        let unknown = if topic.topic_id.is_nil() { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let partition = match found {
                Some(topic) => topic.partition(asked.partition).ok_or(ResponseError::UnknownTopicOrPartition),
                None => Err(unknown),
            };
            let data = read_partition(partition, asked, isolation, remaining, nothing_yet);
            let bytes = data.records.as_ref().map_or(0, Bytes::len);
            nothing_yet &= bytes == 0;
            remaining = remaining.saturating_sub(bytes);
            partitions.push(data);
        }
        let response = FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_topic_id(topic.topic_id);
        responses.push(response.with_partitions(partitions));
    }
    FetchResponse::default().with_responses(responses)
}

/// The topic that is asked for: by its name, or if there is an id by that. While a fetch is held, the topic may be replaced by another
/// of its name.
fn topic_of<'a>(topics: &'a Topics, asked: &FetchTopic) -> Option<&'a Topic> {
    topics.get(&asked.topic).filter(|topic| asked.topic_id.is_nil() || asked.topic_id == topic.id)
}

fn read_partition(
    partition: Result<&Partition, ResponseError>,
    asked: &FetchPartition,
    isolation: Isolation,
    remaining: usize,
    nothing_yet: bool,
) -> PartitionData {
    let data = PartitionData::default().with_partition_index(asked.partition);
    // The first records of a response may exceed every limit, or a batch larger than the limit could never be consumed.
    let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(remaining);
    let outcome = partition.and_then(|partition| {
        objection(partition, asked).map_or(Ok(()), Err)?;
        let records = partition.read(asked.fetch_offset, limit, isolation, nothing_yet).map_err(|error| {
            tracing::warn!(%error, "a log cannot be read");
            ResponseError::KafkaStorageError
        })?;
        Ok((partition, records))
    });
    let (partition, records) = match outcome {
        Ok(read) => read,
        Err(error) => {
            return data
                .with_error_code(error.code())
                .with_high_watermark(-1)
                .with_last_stable_offset(-1)
                .with_log_start_offset(-1)
                .with_aborted_transactions(None)
                .with_records(Some(Bytes::new()));
        }
    };
    let aborted = (isolation == Isolation::ReadCommitted).then(|| aborted_transactions(partition, asked.fetch_offset, &records));
    data.with_high_watermark(partition.log.end_offset())
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(partition.log.start_offset())
        .with_aborted_transactions(aborted)
        .with_records(Some(records))
}

fn objection(partition: &Partition, asked: &FetchPartition) -> Option<ResponseError> {
    if asked.current_leader_epoch > LEADER_EPOCH {
        return Some(ResponseError::UnknownLeaderEpoch);
    }
    let readable = partition.log.start_offset()..=partition.log.end_offset();
    (!readable.contains(&asked.fetch_offset)).then_some(ResponseError::OffsetOutOfRange)
}

fn aborted_transactions(partition: &Partition, from: i64, records: &Bytes) -> Vec<AbortedTransaction> {
    // Only what the response covers: from the asked offset to the end of the last batch returned.
    let to = last_batch_end(records).unwrap_or(from);
    let mut aborted: Vec<_> = partition
        .aborted
        .between(from, to)
        .map(|t| AbortedTransaction::default().with_producer_id(t.producer_id.into()).with_first_offset(t.first_offset))
        .collect();
    aborted.sort_by_key(|t| t.first_offset);
    aborted
}

fn last_batch_end(records: &Bytes) -> Option<i64> {
    let mut rest = &records[..];
    let mut end = None;
    while let Some(header) = BatchHeader::read(rest) {
        end = Some(header.base_offset + i64::from(header.last_offset_delta) + 1);
        rest = &rest[header.size..];
    }
    end
}
