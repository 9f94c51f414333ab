//! The log of a partition: batches in the order of their offsets.
//!
//! Invariants:
//! - Offsets are assigned here and have no gaps: a batch begins where the one before it ended.
//! - There is always at least one segment; the last one is active.
//! - `start_offset <= end_offset`; what lies below `start_offset` is never read, although its memory may still be there.
//!
//! The log keeps bytes and finds them by offset and by time. What a batch means (producers, transactions) is kept beside it,
//! in [`producer_state`] and [`aborted`].

pub(crate) mod aborted;
pub(crate) mod batch;
mod chunk;
pub(crate) mod compression;
pub(crate) mod producer_state;
pub(crate) mod records;
mod segment;
pub(crate) mod time_lookup;

use std::collections::VecDeque;

use bytes::Bytes;

use batch::BatchHeader;
use segment::Segment;

/// The leader epoch of every partition: one node never elects another leader.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// When the active segment is closed and a new one begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RollPolicy {
    /// `segment.bytes`.
    pub(crate) bytes: usize,
    /// `segment.ms`, counted between the timestamps of batches.
    pub(crate) ms: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Log {
    segments: VecDeque<Segment>,
    start_offset: i64,
    end_offset: i64,
    size: usize,
    /// Bytes ever appended, deleted ones included.
    position: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        Log { segments: VecDeque::from([Segment::new(0)]), start_offset: 0, end_offset: 0, size: 0, position: 0 }
    }

    /// The first offset that can be read.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets. On one node this is also the high watermark.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Appends one batch and returns the offset of its first record. `append_time` replaces the timestamps of the records.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, roll: RollPolicy) -> i64 {
        let header = BatchHeader { base_offset: self.end_offset, ..*header };
        let timestamp = append_time.unwrap_or(header.max_timestamp);
        if self.segments.back().is_none_or(|active| {
            !active.is_empty() && (active.size() + bytes.len() > roll.bytes || active.is_older_than(roll.ms, timestamp))
        }) {
            self.roll();
        }
        if let Some(active) = self.segments.back_mut() {
            active.append(&header, bytes, append_time, self.position);
        }
        self.size += bytes.len();
        self.position += bytes.len() as u64;
        self.end_offset += i64::from(header.last_offset_delta) + 1;
        header.base_offset
    }

    /// Whole batches from the one that holds `offset` on, all ending before `upper_bound`, at most `max_bytes` together
    /// (but one batch whatever its size if `at_least_one` is set). May return less than there is: a read ends
    /// with its segment, and a large one with a piece of memory.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> Bytes {
        if offset >= upper_bound {
            return Bytes::new();
        }
        self.segment_of(offset).map_or_else(Bytes::new, |segment| segment.read(offset, max_bytes, upper_bound, at_least_one))
    }

    /// Bytes from the batch that holds `offset` to the one before `upper_bound`.
    pub(crate) fn bytes_between(&self, offset: i64, upper_bound: i64) -> usize {
        if offset >= upper_bound {
            return 0;
        }
        let size = self.position_of(upper_bound) - self.position_of(offset);
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// Moves the start to `offset`, frees memory below it and returns how much. Does nothing if the start is already there.
    pub(crate) fn delete_below(&mut self, offset: i64) -> usize {
        if offset <= self.start_offset {
            return 0;
        }
        self.start_offset = offset.min(self.end_offset);
        let mut freed = 0;
        while self.segments.len() > 1 && self.segments[0].end_offset() <= self.start_offset {
            freed += self.segments.pop_front().map_or(0, |s| s.size());
        }
        if self.start_offset == self.end_offset && self.segments.len() == 1 {
            freed += self.segments[0].size();
            self.segments[0] = Segment::new(self.end_offset);
        } else {
            freed += self.segments[0].free_below(self.start_offset);
        }
        self.size -= freed;
        freed
    }

    /// Deletes whole segments from the front while retention asks for it: all whose newest record is older than
    /// `retention_ms`, then as many as can go while `retention_bytes` remain. A negative limit is none. Returns the bytes
    /// freed. As in Kafka, an active segment that is too old goes too, after a new one was begun.
    pub(crate) fn enforce_retention(&mut self, retention_ms: i64, retention_bytes: i64, now: i64) -> usize {
        let mut new_start = self.start_offset;
        let mut size = self.size as i64;
        for segment in self.segments.iter().filter(|s| !s.is_empty()) {
            let too_old = retention_ms >= 0 && now.saturating_sub(segment.max_timestamp()) > retention_ms;
            let too_many = retention_bytes >= 0 && size - segment.size() as i64 >= retention_bytes;
            if !too_old && !too_many {
                break;
            }
            size -= segment.size() as i64;
            new_start = segment.end_offset();
        }
        self.delete_below(new_start)
    }

    fn roll(&mut self) {
        if let Some(active) = self.segments.back_mut() {
            active.seal();
        }
        self.segments.push_back(Segment::new(self.end_offset));
    }

    fn segment_of(&self, offset: i64) -> Option<&Segment> {
        let index = self.segments.partition_point(|s| s.end_offset() <= offset);
        self.segments.get(index)
    }

    fn position_of(&self, offset: i64) -> u64 {
        self.segment_of(offset)
            .and_then(|segment| segment.chunk_of(offset))
            .map_or(self.position, |chunk| chunk.log_position(chunk.find(offset)))
    }
}

#[cfg(test)]
mod tests;
