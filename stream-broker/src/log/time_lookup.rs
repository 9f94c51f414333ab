//! Offsets by time, as `ListOffsets` asks for them.

use std::io;

use super::Log;
use super::batch::BatchHeader;
use super::compression::uncompressed_records;
use super::records::Records;

/// A record's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimestampedOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

impl Log {
    /// The first record, in the order of offsets, whose timestamp is at least `timestamp`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn offset_for_time(&self, timestamp: i64) -> io::Result<Option<TimestampedOffset>> {
        for segment in self.segments.iter().filter(|segment| segment.max_timestamp() >= timestamp) {
            if let Some(found) = segment.offset_for_time(timestamp, self.start_offset)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record that bears the greatest timestamp of the log; `None` if the log is empty.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn greatest_timestamp(&self) -> io::Result<Option<TimestampedOffset>> {
        let mut greatest = None;
        for segment in &self.segments {
            greatest = greatest.max(segment.max_timestamp_from(self.start_offset)?);
        }
        greatest.map_or(Ok(None), |greatest| self.offset_for_time(greatest))
    }
}

/// The first record of a batch, at or above `start_offset`, whose timestamp is at least `timestamp`.
pub(crate) fn first_in_batch(header: &BatchHeader, batch: &[u8], timestamp: i64, start_offset: i64) -> Option<TimestampedOffset> {
    if header.is_log_append_time() {
        return Some(TimestampedOffset { timestamp: header.max_timestamp, offset: header.base_offset.max(start_offset) });
    }
    // Batches were validated when they came in; one that cannot be read now holds nothing to be found.
    let records = uncompressed_records(header, batch).ok()?;
    Records::new(&records)
        .map_while(Result::ok)
        .map(|record| TimestampedOffset {
            timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
            offset: header.base_offset + i64::from(record.offset_delta),
        })
        .find(|found| found.timestamp >= timestamp && found.offset >= start_offset)
}
