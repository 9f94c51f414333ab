//! A partition: its log, its producers, its aborted transactions, and the rules by which batches enter.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::config::{TimestampType, TopicConfig};
use crate::log::aborted::{AbortedIndex, AbortedTransaction};
use crate::log::batch::{self, BatchHeader};
use crate::log::compression::{self, uncompressed_records};
use crate::log::producer_state::{ProducerStates, Refusal, Verdict};
use crate::log::records::Records;
use crate::log::{Log, RollPolicy};

/// Compressed records are also checked one by one up to this batch size. Beyond it the cost would be felt, and clients that
/// send such batches are no less correct.
const FULLY_CHECKED_BYTES: usize = 1 << 20;

/// A batch that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// -1 if the records bear their producer's timestamps.
    pub(crate) append_time: i64,
    /// Bytes added to the log; 0 for a retry of a batch that was already there.
    pub(crate) bytes: usize,
}

/// Why a batch did not enter the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendError {
    pub(crate) code: ResponseError,
    pub(crate) message: String,
}

impl AppendError {
    pub(crate) fn new(code: ResponseError, message: impl Into<String>) -> Self {
        AppendError { code, message: message.into() }
    }
}

/// What a consumer may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

impl Isolation {
    /// From the protocol's number.
    pub(crate) fn from_wire(level: i8) -> Self {
        if level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    pub(crate) producers: ProducerStates,
    pub(crate) aborted: AbortedIndex,
    config: Arc<TopicConfig>,
}

impl Partition {
    pub(crate) fn new(config: Arc<TopicConfig>) -> Self {
        Partition { log: Log::new(), producers: ProducerStates::default(), aborted: AbortedIndex::default(), config }
    }

    pub(crate) fn set_config(&mut self, config: Arc<TopicConfig>) {
        self.config = config;
    }

    /// The offset up to which every transaction is decided. It never lies above the log's end.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.first_open_offset().unwrap_or_else(|| self.log.end_offset()).max(self.log.start_offset())
    }

    /// The offset before which a consumer of this isolation may read.
    pub(crate) fn readable_end(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.log.end_offset(),
            Isolation::ReadCommitted => self.last_stable_offset(),
        }
    }

    /// Checks the one batch in `records` and appends it.
    ///
    /// # Errors
    /// Kafka's code for the rule that the batch breaks; the log is unchanged.
    pub(crate) fn append(&mut self, records: &[u8], now: i64) -> Result<Appended, AppendError> {
        let header = self.validate(records, now)?;
        if header.has_producer() {
            match self.producers.check(&header) {
                Ok(Verdict::Append) => {}
                Ok(Verdict::Duplicate { base_offset, append_time }) => {
                    return Ok(Appended { base_offset, append_time, bytes: 0 });
                }
                Err(refusal) => return Err(refused(&header, &refusal)),
            }
        }
        let append_time = match self.config.timestamp_type {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(now),
        };
        let base_offset = self.log.append(&header, &records[..header.size], append_time, self.roll());
        if header.has_producer() {
            self.producers.appended(&header, base_offset, append_time.unwrap_or(-1), now);
        }
        Ok(Appended { base_offset, append_time: append_time.unwrap_or(-1), bytes: header.size })
    }

    /// Ends the producer's transaction in this partition: writes the marker, moves the last stable offset, and fences every
    /// older epoch of the producer. The marker is written even if the producer has no open transaction here, as in Kafka.
    pub(crate) fn append_marker(&mut self, producer_id: i64, producer_epoch: i16, commit: bool, coordinator_epoch: i32, now: i64) {
        let marker = batch::control_batch(producer_id, producer_epoch, commit, coordinator_epoch, now);
        let Some(header) = BatchHeader::read(&marker) else {
            return;
        };
        let last_offset = self.log.append(&header, &marker, None, self.roll());
        let first_offset = self.producers.marked(producer_id, producer_epoch, now);
        if let (Some(first_offset), false) = (first_offset, commit) {
            self.aborted.push(AbortedTransaction { producer_id, first_offset, last_offset });
        }
    }

    /// Whole batches from `offset` on that a consumer of this isolation may see. See [`Log::read`] for the limits.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, isolation: Isolation, at_least_one: bool) -> Bytes {
        self.log.read(offset, max_bytes, self.readable_end(isolation), at_least_one)
    }

    /// Moves the log's start (`DeleteRecords`, retention) and forgets what lies below it.
    pub(crate) fn delete_below(&mut self, offset: i64) {
        self.log.delete_below(offset);
        self.aborted.delete_below(self.log.start_offset());
    }

    /// Applies the topic's `retention.ms` and `retention.bytes`, and forgets idle producers.
    pub(crate) fn enforce_retention(&mut self, producer_id_expiration_ms: i64, now: i64) {
        if self.config.deletes() {
            self.log.enforce_retention(self.config.retention_ms, self.config.retention_bytes, now);
            self.aborted.delete_below(self.log.start_offset());
        }
        self.producers.forget_idle(now.saturating_sub(producer_id_expiration_ms));
    }

    fn roll(&self) -> RollPolicy {
        RollPolicy { bytes: self.config.segment_bytes, ms: self.config.segment_ms }
    }

    fn validate(&self, records: &[u8], now: i64) -> Result<BatchHeader, AppendError> {
        use ResponseError as Code;
        let header = BatchHeader::read(records).ok_or_else(|| {
            // As Kafka reads it, a batch that is cut off is no batch; one too small for its own header is damaged.
            let code = if batch::announces_too_little(records) { Code::CorruptMessage } else { Code::InvalidRecord };
            AppendError::new(code, format!("{} bytes hold no complete record batch", records.len()))
        })?;
        if header.magic != 2 {
            return Err(AppendError::new(
                Code::InvalidRecord,
                format!("message format {} is not supported, only record batches of format 2 are", header.magic),
            ));
        }
        if header.size != records.len() {
            return Err(AppendError::new(Code::InvalidRecord, "a produce request holds exactly one record batch for each partition"));
        }
        if header.size > self.config.max_message_bytes {
            return Err(AppendError::new(
                Code::MessageTooLarge,
                format!("the record batch has {} bytes, max.message.bytes of the topic is {}", header.size, self.config.max_message_bytes),
            ));
        }
        if header.size > self.config.segment_bytes {
            return Err(AppendError::new(
                Code::RecordListTooLarge,
                format!("the record batch has {} bytes, segment.bytes of the topic is {}", header.size, self.config.segment_bytes),
            ));
        }
        if !batch::checksum_is_right(&header, records) {
            return Err(AppendError::new(Code::CorruptMessage, "the checksum of the record batch is wrong"));
        }
        if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
            return Err(AppendError::new(
                Code::InvalidRecord,
                format!(
                    "the record batch counts {} records but its last offset delta is {}",
                    header.record_count, header.last_offset_delta
                ),
            ));
        }
        if header.is_control() {
            return Err(AppendError::new(Code::InvalidRecord, "clients cannot write control batches"));
        }
        let numbered = header.base_sequence >= 0 && header.producer_epoch >= 0;
        if (header.has_producer() && !numbered) || (header.is_transactional() && !header.has_producer()) {
            return Err(AppendError::new(
                Code::InvalidRecord,
                format!(
                    "producer id {}, epoch {} and sequence {} do not fit together",
                    header.producer_id, header.producer_epoch, header.base_sequence
                ),
            ));
        }
        if self.config.timestamp_type == TimestampType::CreateTime {
            self.validate_timestamp(header.max_timestamp, now)?;
        }
        self.validate_records(&header, records)?;
        Ok(header)
    }

    fn validate_timestamp(&self, timestamp: i64, now: i64) -> Result<(), AppendError> {
        let ahead = timestamp.saturating_sub(now);
        if timestamp >= 0 && (ahead > self.config.timestamp_after_max_ms || -ahead > self.config.timestamp_before_max_ms) {
            return Err(AppendError::new(
                ResponseError::InvalidTimestamp,
                format!(
                    "timestamp {timestamp} is {} ms {} broker time {now}; message.timestamp.{} of the topic forbids it",
                    ahead.abs(),
                    if ahead > 0 { "after" } else { "before" },
                    if ahead > 0 { "after.max.ms" } else { "before.max.ms" },
                ),
            ));
        }
        Ok(())
    }

    fn validate_records(&self, header: &BatchHeader, batch: &[u8]) -> Result<(), AppendError> {
        let invalid = |message: String| AppendError::new(ResponseError::InvalidRecord, message);
        if header.compression() > compression::ZSTD {
            return Err(AppendError::new(ResponseError::UnsupportedCompressionType, format!("codec {} is unknown", header.compression())));
        }
        // On the record path a checksum is proof enough; whether keys are there matters to compaction alone.
        let compacted = self.config.compacts();
        if !compacted && (header.compression() != 0 || header.size > FULLY_CHECKED_BYTES) {
            return Ok(());
        }
        let records =
            uncompressed_records(header, batch).map_err(|error| invalid(format!("the records cannot be decompressed: {error}")))?;
        let mut count = 0;
        for record in Records::new(&records) {
            let record = record.map_err(|_| invalid(format!("record {count} is malformed")))?;
            if record.offset_delta != count {
                return Err(invalid(format!("record {count} has offset delta {}", record.offset_delta)));
            }
            if compacted && record.key_is_null {
                return Err(invalid(format!("record {count} has no key, and the topic is compacted")));
            }
            count += 1;
        }
        if count != header.record_count {
            return Err(invalid(format!("the record batch counts {} records and holds {count}", header.record_count)));
        }
        Ok(())
    }
}

fn refused(header: &BatchHeader, refusal: &Refusal) -> AppendError {
    let producer_id = header.producer_id;
    match refusal {
        Refusal::OldEpoch { current } => AppendError::new(
            ResponseError::InvalidProducerEpoch,
            format!("producer {producer_id} writes with epoch {}, epoch {current} has written since", header.producer_epoch),
        ),
        Refusal::OutOfOrderSequence { last } => AppendError::new(
            ResponseError::OutOfOrderSequenceNumber,
            format!("producer {producer_id} sends sequence {}, the last one in the partition is {last}", header.base_sequence),
        ),
        Refusal::TransactionOpen => AppendError::new(
            ResponseError::InvalidTxnState,
            format!("producer {producer_id} has an open transaction and sends a batch outside it"),
        ),
    }
}

#[cfg(test)]
mod tests;
