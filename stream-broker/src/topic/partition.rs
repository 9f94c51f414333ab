//! A partition: its log, its producers, its aborted transactions, and the rules by which batches enter.

mod compaction;
pub(crate) mod restart;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::config::{TimestampType, TopicConfig};
use crate::log::aborted::{AbortedIndex, AbortedTransaction};
use crate::log::batch::{self, BatchHeader};
use crate::log::compression::{self, uncompressed_records};
use crate::log::producer_state::{ProducerStates, Refusal, Verdict};
use crate::log::records::Records;
use crate::log::{Log, LogFolder, RollPolicy};
use crate::mistake::{self, Mistake};

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

/// Clients retry a failure of the disk.
impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        AppendError::new(ResponseError::KafkaStorageError, error.to_string())
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
    /// The offset below which the log was compacted.
    pub(crate) cleaned_to: i64,
    config: Arc<TopicConfig>,
    topic_id: Uuid,
    /// Whether the files beside the log (`partition.metadata`) are there.
    is_laid_out: bool,
    unflushed_records: i64,
    /// When the first record that is not flushed was written.
    unflushed_since: Option<i64>,
}

impl Partition {
    /// A partition without records; in a folder, if one is given, which comes into being with the first record.
    pub(crate) fn new(config: Arc<TopicConfig>, topic_id: Uuid, folder: Option<LogFolder>) -> Self {
        Partition {
            log: Log::new(folder),
            producers: ProducerStates::default(),
            aborted: AbortedIndex::default(),
            cleaned_to: 0,
            config,
            topic_id,
            is_laid_out: false,
            unflushed_records: 0,
            unflushed_since: None,
        }
    }

    pub(crate) fn config(&self) -> &TopicConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: Arc<TopicConfig>) {
        self.config = config;
    }

    /// The offset up to which every transaction is decided. It never lies above the log's end.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        if mistake::is_made(Mistake::StableOffsetTooHigh) {
            return self.log.end_offset();
        }
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
        let base_offset = self.write(&header, &records[..header.size], append_time, now)?;
        if header.has_producer() {
            self.producers.appended(&header, base_offset, append_time.unwrap_or(-1), now);
        }
        Ok(Appended { base_offset, append_time: append_time.unwrap_or(-1), bytes: header.size })
    }

    /// Appends what the broker itself keeps in one of its own topics, and returns the offset of the first record. A null value is a
    /// tombstone; with a `producer` (id, epoch) the records are part of its transaction.
    ///
    /// # Errors
    /// The disk; the log is unchanged.
    pub(crate) fn append_internal(
        &mut self,
        entries: &[(Vec<u8>, Option<Vec<u8>>)],
        producer: Option<(i64, i16)>,
        now: i64,
    ) -> io::Result<i64> {
        let batch = batch::internal_batch(entries, producer, now);
        let Some(header) = BatchHeader::read(&batch) else {
            return Ok(self.log.end_offset());
        };
        let base_offset = self.write(&header, &batch, None, now)?;
        if header.has_producer() {
            self.producers.appended(&header, base_offset, -1, now);
        }
        Ok(base_offset)
    }

    /// Ends the producer's transaction in this partition: writes the marker, moves the last stable offset, and fences every
    /// older epoch of the producer. The marker is written even if the producer has no open transaction here, as in Kafka.
    ///
    /// # Errors
    /// The disk; the transaction is still open.
    pub(crate) fn append_marker(
        &mut self,
        producer_id: i64,
        producer_epoch: i16,
        commit: bool,
        coordinator_epoch: i32,
        now: i64,
    ) -> io::Result<()> {
        let marker = batch::control_batch(producer_id, producer_epoch, commit, coordinator_epoch, now);
        let Some(header) = BatchHeader::read(&marker) else {
            return Ok(());
        };
        let last_offset = self.write(&header, &marker, None, now)?;
        self.marked(&header, last_offset, commit, now);
        Ok(())
    }

    /// Takes note of a marker that is in the log.
    fn marked(&mut self, header: &BatchHeader, last_offset: i64, commit: bool, now: i64) {
        let producer_id = header.producer_id;
        let first_offset = self.producers.marked(producer_id, header.producer_epoch, now);
        if let (Some(first_offset), false) = (first_offset, commit) {
            let last_stable_offset = self.producers.first_open_offset().unwrap_or(last_offset + 1);
            self.aborted.push(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset });
        }
    }

    /// Whole batches from `offset` on that a consumer of this isolation may see. See [`Log::read`] for the limits.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, isolation: Isolation, at_least_one: bool) -> io::Result<Bytes> {
        self.log.read(offset, max_bytes, self.readable_end(isolation), at_least_one)
    }

    /// Moves the log's start (`DeleteRecords`, retention) and forgets what lies below it.
    pub(crate) fn delete_below(&mut self, offset: i64) {
        self.log.delete_below(offset);
        self.aborted.delete_below(self.log.start_offset());
        self.cleaned_to = self.cleaned_to.max(self.log.start_offset());
    }

    /// Applies the topic's `retention.ms` and `retention.bytes`, and forgets idle producers.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn enforce_retention(&mut self, producer_id_expiration_ms: i64, now: i64) -> io::Result<()> {
        if self.config.deletes() {
            let start = self.log.retention_start(self.config.retention_ms, self.config.retention_bytes, now);
            if start > self.log.start_offset() && start == self.log.end_offset() {
                self.roll()?;
            }
            self.delete_below(start);
        }
        self.producers.forget_idle(now.saturating_sub(producer_id_expiration_ms));
        Ok(())
    }

    fn roll_policy(&self) -> RollPolicy {
        // A record must not wait in the active segment, which is never cleaned, for longer than it may.
        let most = if self.config.compacts() { self.config.max_compaction_lag_ms } else { i64::MAX };
        RollPolicy {
            bytes: self.config.segment_bytes,
            ms: self.config.segment_ms.min(most),
            index_entries: RollPolicy::entries_in(self.config.segment_index_bytes),
            index_interval: self.config.index_interval_bytes,
        }
    }

    fn write(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, now: i64) -> io::Result<i64> {
        self.lay_out()?;
        let roll = self.roll_policy();
        if self.log.must_roll(header, append_time, &roll) {
            self.roll()?;
        }
        let base_offset = self.log.append(header, bytes, append_time, &roll)?;
        self.unflushed_records += i64::from(header.last_offset_delta) + 1;
        self.unflushed_since.get_or_insert(now);
        if self.unflushed_records >= self.config.flush_messages {
            self.flush()?;
        }
        Ok(base_offset)
    }

    /// Begins a new segment. What is known of the producers at its first offset is kept beside it, so that a restart need not read
    /// what lies before.
    pub(crate) fn roll(&mut self) -> io::Result<()> {
        self.save_aborted()?;
        self.log.roll()?;
        self.save_producers()
    }

    /// Makes all records durable.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.log.flush(true)?;
        self.unflushed_records = 0;
        self.unflushed_since = None;
        Ok(())
    }

    /// Makes records durable that have waited for `flush.ms`.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn flush_if_due(&mut self, now: i64) -> io::Result<()> {
        match self.unflushed_since {
            Some(since) if now.saturating_sub(since) >= self.config.flush_ms => self.flush(),
            _ => Ok(()),
        }
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
            if compacted && record.key.is_none() {
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
