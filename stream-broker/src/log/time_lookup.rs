//! Offsets by time, as `ListOffsets` asks for them.

use super::Log;
use super::batch::{BatchHeader, HEADER_BYTES};
use super::chunk::Chunk;
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
    pub(crate) fn offset_for_time(&self, timestamp: i64) -> Option<TimestampedOffset> {
        self.segments
            .iter()
            .filter(|segment| segment.max_timestamp() >= timestamp)
            .flat_map(|segment| segment.chunks())
            .filter(|chunk| chunk.max_timestamp() >= timestamp)
            .find_map(|chunk| self.first_in_chunk(chunk, timestamp))
    }

    /// The first record that bears the greatest timestamp of the log; `None` if the log is empty.
    pub(crate) fn greatest_timestamp(&self) -> Option<TimestampedOffset> {
        let greatest = self
            .segments
            .iter()
            .flat_map(|segment| segment.chunks())
            .flat_map(Chunk::entries)
            .filter(|entry| entry.last_offset() >= self.start_offset)
            .map(|entry| entry.max_timestamp)
            .max()?;
        self.offset_for_time(greatest)
    }

    fn first_in_chunk(&self, chunk: &Chunk, timestamp: i64) -> Option<TimestampedOffset> {
        chunk
            .entries()
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.max_timestamp >= timestamp && entry.last_offset() >= self.start_offset)
            .find_map(|(index, _)| first_in_batch(chunk.batch(index), timestamp, self.start_offset))
    }
}

fn first_in_batch(batch: &[u8], timestamp: i64, start_offset: i64) -> Option<TimestampedOffset> {
    let header = BatchHeader::read(batch)?;
    if header.is_log_append_time() {
        return Some(TimestampedOffset { timestamp: header.max_timestamp, offset: header.base_offset.max(start_offset) });
    }
    debug_assert!(batch.len() >= HEADER_BYTES);
    // Batches were validated when they came in; one that cannot be read now holds nothing to be found.
    let records = uncompressed_records(&header, batch).ok()?;
    Records::new(&records)
        .map_while(Result::ok)
        .map(|record| TimestampedOffset {
            timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
            offset: header.base_offset + i64::from(record.offset_delta),
        })
        .find(|found| found.timestamp >= timestamp && found.offset >= start_offset)
}
