//! Timestamp extractors: which time a consumed record has.

use super::UNKNOWN_TIME;
use crate::error::BoxError;
use crate::record::Headers;

/// A consumed record as an extractor sees it.
#[derive(Debug)]
pub struct ConsumedRecord<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value.
    pub value: &'a V,
    /// The timestamp in the record, ms; negative when it has none.
    pub timestamp: i64,
    /// The source topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The headers.
    pub headers: &'a Headers,
}

/// Gives a consumed record its timestamp. Mirrors Kafka Streams' `TimestampExtractor`.
pub trait TimestampExtractor<K, V>: Send + Sync + 'static {
    /// The timestamp in ms; a negative one drops the record, which counts in `dropped-records`.
    ///
    /// `partition_time` is the largest timestamp among the records taken from this partition so far, or -1.
    /// `now_ms` is the wall clock.
    ///
    /// # Errors
    /// Stops the task; the uncaught-error handler decides.
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError>;

    /// The timestamp of a record whose key or value is null where the types have no null: a table reads it as a deletion. Unless the
    /// extractor says something else, it is the one in the record.
    ///
    /// # Errors
    /// As [`extract`](Self::extract).
    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        FailOnInvalidTimestamp.extract(record, partition_time, now_ms)
    }
}

/// Takes the record's timestamp; a negative one is an error. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnInvalidTimestamp;

/// Takes the record's timestamp; drops records with a negative one, with a warning.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAndSkipOnInvalidTimestamp;

/// Takes the record's timestamp, or the partition's time when it is negative.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsePartitionTimeOnInvalidTimestamp;

/// Takes the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallclockTimestampExtractor;

impl<K: 'static, V: 'static> TimestampExtractor<K, V> for FailOnInvalidTimestamp {
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, _partition_time: i64, _now_ms: i64) -> Result<i64, BoxError> {
        if record.timestamp < 0 {
            return Err(invalid(record).into());
        }
        Ok(record.timestamp)
    }
}

impl<K: 'static, V: 'static> TimestampExtractor<K, V> for LogAndSkipOnInvalidTimestamp {
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, _partition_time: i64, _now_ms: i64) -> Result<i64, BoxError> {
        if record.timestamp < 0 {
            tracing::warn!(
                topic = record.topic,
                partition = record.partition,
                offset = record.offset,
                timestamp = record.timestamp,
                "record dropped: negative timestamp"
            );
        }
        Ok(record.timestamp)
    }

    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        self.extract(record, partition_time, now_ms)
    }
}

impl<K: 'static, V: 'static> TimestampExtractor<K, V> for UsePartitionTimeOnInvalidTimestamp {
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, partition_time: i64, _now_ms: i64) -> Result<i64, BoxError> {
        match (record.timestamp, partition_time) {
            (timestamp, _) if timestamp >= 0 => Ok(timestamp),
            (_, UNKNOWN_TIME) => Err(format!("{}, and the partition has no time yet", invalid(record)).into()),
            (_, partition_time) => Ok(partition_time),
        }
    }

    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        self.extract(record, partition_time, now_ms)
    }
}

impl<K: 'static, V: 'static> TimestampExtractor<K, V> for WallclockTimestampExtractor {
    fn extract(&self, _record: &ConsumedRecord<'_, K, V>, _partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        Ok(now_ms)
    }

    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        self.extract(record, partition_time, now_ms)
    }
}

fn invalid<K, V>(record: &ConsumedRecord<'_, K, V>) -> String {
    format!(
        "the record at {}-{} offset {} has the negative timestamp {}; its producer may write no timestamps: choose another `default.timestamp.extractor`",
        record.topic, record.partition, record.offset, record.timestamp
    )
}
