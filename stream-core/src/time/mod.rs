//! Time: the clock, and where a record's timestamp comes from. All timestamps are milliseconds since the Unix epoch.

mod built_in;
mod clock;
mod duration;
mod ending;
mod extractor;
mod retry;

pub use built_in::BuiltInTimestampExtractor;
pub(crate) use built_in::simple_name;
pub use clock::{Clock, ManualClock, SystemClock};
pub(crate) use duration::parse_iso8601;
pub use extractor::{
    ConsumedRecord, FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, TimestampExtractor, UsePartitionTimeOnInvalidTimestamp,
    WallclockTimestampExtractor,
};

pub(crate) use ending::Ending;
pub(crate) use retry::{Retry, RetryPolicy};

/// The time of a partition or task that has seen no record.
pub const UNKNOWN_TIME: i64 = -1;
