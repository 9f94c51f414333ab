//! [`BuiltInTimestampExtractor`]: the extractors that have a name.

use std::str::FromStr;

use super::{
    ConsumedRecord, FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, TimestampExtractor, UsePartitionTimeOnInvalidTimestamp,
    WallclockTimestampExtractor,
};
use crate::error::BoxError;

/// `default.timestamp.extractor`: the extractor of sources that name none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuiltInTimestampExtractor {
    /// `fail-on-invalid`: [`FailOnInvalidTimestamp`].
    #[default]
    FailOnInvalid,
    /// `log-and-skip`: [`LogAndSkipOnInvalidTimestamp`].
    LogAndSkip,
    /// `use-partition-time`: [`UsePartitionTimeOnInvalidTimestamp`].
    UsePartitionTime,
    /// `wallclock`: [`WallclockTimestampExtractor`].
    Wallclock,
}

impl FromStr for BuiltInTimestampExtractor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match simple_name(text) {
            "fail-on-invalid" | "FailOnInvalidTimestamp" => Ok(Self::FailOnInvalid),
            "log-and-skip" | "LogAndSkipOnInvalidTimestamp" => Ok(Self::LogAndSkip),
            "use-partition-time" | "UsePartitionTimeOnInvalidTimestamp" => Ok(Self::UsePartitionTime),
            "wallclock" | "WallclockTimestampExtractor" => Ok(Self::Wallclock),
            _ => Err("expected `fail-on-invalid`, `log-and-skip`, `use-partition-time` or `wallclock`; an extractor of your own is passed to the \
                      source with `Consumed::with_timestamp_extractor`"
                .to_owned()),
        }
    }
}

impl<K: 'static, V: 'static> TimestampExtractor<K, V> for BuiltInTimestampExtractor {
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        match self {
            Self::FailOnInvalid => FailOnInvalidTimestamp.extract(record, partition_time, now_ms),
            Self::LogAndSkip => LogAndSkipOnInvalidTimestamp.extract(record, partition_time, now_ms),
            Self::UsePartitionTime => UsePartitionTimeOnInvalidTimestamp.extract(record, partition_time, now_ms),
            Self::Wallclock => WallclockTimestampExtractor.extract(record, partition_time, now_ms),
        }
    }

    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        self.extract(record, partition_time, now_ms)
    }
}

/// The last part of a Java class name; other words are left as they are.
pub(crate) fn simple_name(text: &str) -> &str {
    text.rsplit(['.', '$']).next().unwrap_or(text)
}
