//! The log of a partition: batches in the order of their offsets, in memory or in a folder.
//!
//! Invariants:
//! - Offsets are assigned here, one after the other. Compaction leaves gaps, but never moves a record.
//! - There is always at least one segment; the last one is active, and only it is written to.
//! - `start_offset <= end_offset`; what lies below `start_offset` is never read, although it may still be there.
//!
//! The log keeps bytes and finds them by offset and by time. What a batch means (producers, transactions) is kept beside it,
//! in [`producer_state`] and [`aborted`].

pub(crate) mod aborted;
pub(crate) mod batch;
mod chunk;
mod chunks;
pub(crate) mod cleaner;
pub(crate) mod compression;
mod index;
pub(crate) mod producer_state;
pub(crate) mod records;
mod recovery;
mod segment;
mod segment_file;
pub(crate) mod snapshot;
pub(crate) mod time_lookup;
mod walk;

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::storage::Storage;
use batch::BatchHeader;
use chunks::Chunks;
use segment::{Batches, Segment};
use segment_file::SegmentFile;

/// The leader epoch of every partition: one node never elects another leader.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// When the active segment is closed and a new one begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RollPolicy {
    /// `segment.bytes`.
    pub(crate) bytes: usize,
    /// `segment.ms`, counted between the timestamps of batches.
    pub(crate) ms: i64,
    /// Entries that fit into `segment.index.bytes`.
    pub(crate) index_entries: usize,
    /// `index.interval.bytes`.
    pub(crate) index_interval: usize,
}

impl RollPolicy {
    /// Entries that an index of this many bytes holds; those of the time index are the larger ones.
    pub(crate) fn entries_in(bytes: usize) -> usize {
        (bytes / index::TimeIndex::ENTRY_BYTES).max(1)
    }
}

/// Where the files of a log are.
#[derive(Clone, Debug)]
pub(crate) struct LogFolder {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) path: Arc<Path>,
}

/// What is known of a log from before its broker started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    /// All below is durable and whole; `i64::MAX` after a clean end.
    pub(crate) recovery_point: i64,
    /// The first offset that can be read.
    pub(crate) start_offset: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Log {
    segments: VecDeque<Segment>,
    folder: Option<LogFolder>,
    start_offset: i64,
    end_offset: i64,
    size: usize,
    /// All below was made durable.
    recovery_point: i64,
}

impl Log {
    /// A log without records, in a folder if one is given.
    pub(crate) fn new(folder: Option<LogFolder>) -> Self {
        let mut log = Log { segments: VecDeque::new(), folder, start_offset: 0, end_offset: 0, size: 0, recovery_point: 0 };
        log.push_segment();
        log
    }

    /// The log in a folder, as the last broker left it.
    ///
    /// # Errors
    /// A file cannot be read or repaired.
    pub(crate) fn open(folder: LogFolder, checkpoint: Checkpoint, index_interval: usize) -> io::Result<Self> {
        let segments = recovery::open_segments(&folder.storage, &folder.path, checkpoint.recovery_point, index_interval)?;
        let Some((first, last)) = segments.front().zip(segments.back()) else {
            // A log that ever had records has a segment, which may be empty.
            return Ok(Log::new(Some(folder)));
        };
        let end_offset = last.end_offset().max(last.base_offset());
        let start_offset = checkpoint.start_offset.max(first.base_offset()).min(end_offset);
        let size = segments.iter().map(Segment::size).sum();
        let recovery_point = checkpoint.recovery_point.min(end_offset);
        let mut log = Log { segments, folder: Some(folder), start_offset, end_offset, size, recovery_point };
        let sealed = log.segments.len() - 1;
        for segment in log.segments.iter_mut().take(sealed) {
            segment.seal()?;
        }
        Ok(log)
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

    /// The offset below which all is durable.
    pub(crate) fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    pub(crate) fn folder(&self) -> Option<&LogFolder> {
        self.folder.as_ref()
    }

    /// The first offset of the active segment.
    pub(crate) fn active_base_offset(&self) -> i64 {
        self.segments.back().map_or(self.end_offset, Segment::base_offset)
    }

    /// Base and end offsets of the segments.
    pub(crate) fn segment_bounds(&self) -> impl Iterator<Item = (i64, i64)> {
        self.segments.iter().map(|segment| (segment.base_offset(), segment.end_offset()))
    }

    /// Whether the active segment has no room for this batch, or is too old for it.
    pub(crate) fn must_roll(&self, header: &BatchHeader, append_time: Option<i64>, roll: &RollPolicy) -> bool {
        let header = BatchHeader { base_offset: self.end_offset, ..*header };
        let timestamp = append_time.unwrap_or(header.max_timestamp);
        self.segments.back().is_some_and(|active| active.is_full_for(&header, timestamp, roll))
    }

    /// Begins a new active segment, unless the present one is empty.
    ///
    /// # Errors
    /// The indexes of the old one cannot be written.
    pub(crate) fn roll(&mut self) -> io::Result<()> {
        match self.segments.back_mut() {
            Some(active) if active.is_empty() && active.base_offset() == self.end_offset => return Ok(()),
            Some(active) => active.seal()?,
            None => {}
        }
        // The file is there before older ones are deleted: its name says where the log goes on.
        if let Some(folder) = &self.folder {
            folder.storage.write(&segment_file::path(&folder.path, self.end_offset, "log"), 0, &[])?;
        }
        self.push_segment();
        Ok(())
    }

    /// Appends one batch to the active segment and returns the offset of its first record. `append_time` replaces the timestamps
    /// of the records.
    ///
    /// # Errors
    /// It cannot be written; the log is as before.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, roll: &RollPolicy) -> io::Result<i64> {
        let header = BatchHeader { base_offset: self.end_offset, ..*header };
        if let Some(active) = self.segments.back_mut() {
            active.append(&header, bytes, append_time, roll.index_interval)?;
        }
        self.size += bytes.len();
        self.end_offset = header.last_offset() + 1;
        Ok(header.base_offset)
    }

    /// Whole batches from the one that holds `offset` on, all ending before `upper_bound`, at most `max_bytes` together
    /// (but one batch whatever its size if `at_least_one` is set). May return less than there is: a read ends
    /// with its segment, and a large one with a piece of memory.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> io::Result<Bytes> {
        match self.segment_of(offset) {
            Some(segment) if offset < upper_bound => segment.read(offset, max_bytes, upper_bound, at_least_one),
            _ => Ok(Bytes::new()),
        }
    }

    /// Bytes from the batch that holds `offset` to the one before `upper_bound`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn bytes_between(&self, offset: i64, upper_bound: i64) -> io::Result<usize> {
        if offset >= upper_bound {
            return Ok(0);
        }
        let size = self.position_of(upper_bound)?.saturating_sub(self.position_of(offset)?);
        Ok(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// Calls `visit` with each batch that reaches `offset`, until it breaks.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn walk(&self, offset: i64, mut visit: impl FnMut(&BatchHeader, &[u8]) -> ControlFlow<()>) -> io::Result<()> {
        let mut stopped = false;
        for segment in self.segments.iter().filter(|segment| segment.end_offset() > offset) {
            segment.walk(|header, bytes| {
                if header.last_offset() < offset {
                    return ControlFlow::Continue(());
                }
                let flow = visit(header, bytes);
                stopped = flow.is_break();
                flow
            })?;
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// Moves the start to `offset`, frees what can be freed below it and returns how much. Does nothing if the start is already
    /// there.
    pub(crate) fn delete_below(&mut self, offset: i64) -> usize {
        if offset <= self.start_offset {
            return 0;
        }
        self.start_offset = offset.min(self.end_offset);
        let mut freed = 0;
        while self.segments.len() > 1 && self.segments[1].base_offset() <= self.start_offset {
            let Some(segment) = self.segments.pop_front() else { break };
            freed += segment.size();
            if let Err(error) = segment.delete() {
                // The start of the log keeps its records hidden, also after a restart.
                tracing::warn!(%error, "a deleted segment stays on the disk");
            }
        }
        if self.folder.is_none() && self.start_offset == self.end_offset && self.segments.len() == 1 {
            freed += self.segments[0].size();
            self.segments.clear();
            self.push_segment();
        } else {
            freed += self.segments[0].free_below(self.start_offset);
        }
        self.size -= freed;
        freed
    }

    /// Where the log would begin after whole segments are deleted from its front while retention asks for it: all whose newest
    /// record is older than `retention_ms`, then as many as can go while `retention_bytes` remain. A negative limit is none. As
    /// in Kafka, an active segment that is too old is among them, and is to be rolled first.
    pub(crate) fn retention_start(&self, retention_ms: i64, retention_bytes: i64, now: i64) -> i64 {
        let mut new_start = self.start_offset;
        let mut size = self.size as i64;
        for (segment, next) in self.segments.iter().zip(1..).filter(|(s, _)| !s.is_empty()) {
            let too_old = retention_ms >= 0 && now.saturating_sub(segment.max_timestamp()) > retention_ms;
            let too_many = retention_bytes >= 0 && size - segment.size() as i64 >= retention_bytes;
            if !too_old && !too_many {
                break;
            }
            size -= segment.size() as i64;
            new_start = self.segments.get(next).map_or(self.end_offset, Segment::base_offset);
        }
        new_start
    }

    /// Makes the log durable up to its end, or up to the active segment only.
    ///
    /// # Errors
    /// A file cannot be written; what was made durable before stays so.
    pub(crate) fn flush(&mut self, with_active: bool) -> io::Result<()> {
        let target = if with_active { self.end_offset } else { self.active_base_offset() };
        if target <= self.recovery_point || self.folder.is_none() {
            return Ok(());
        }
        for segment in self.segments.iter_mut().filter(|s| s.end_offset() > self.recovery_point && s.base_offset() < target) {
            segment.flush()?;
        }
        self.recovery_point = target;
        Ok(())
    }

    /// Writes the indexes and makes all durable, before a clean end.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.folder.is_some()
            && let Some(active) = self.segments.back_mut().filter(|active| !active.is_empty())
        {
            active.seal()?;
        }
        self.flush(true)
    }

    fn push_segment(&mut self) {
        let position = self.segments.back().map_or(0, Segment::end_position);
        let segment = Segment::new(self.end_offset, position, self.new_batches(self.end_offset));
        self.segments.push_back(segment);
    }

    fn new_batches(&self, base_offset: i64) -> Batches {
        match &self.folder {
            Some(folder) => Batches::File(SegmentFile::new(Arc::clone(&folder.storage), Arc::clone(&folder.path), base_offset)),
            None => Batches::Memory(Chunks::default()),
        }
    }

    fn segment_of(&self, offset: i64) -> Option<&Segment> {
        let index = self.segments.partition_point(|s| s.end_offset() <= offset);
        self.segments.get(index)
    }

    fn position_of(&self, offset: i64) -> io::Result<u64> {
        match self.segment_of(offset) {
            Some(segment) => segment.position_of(offset),
            None => Ok(self.segments.back().map_or(0, Segment::end_position)),
        }
    }
}

#[cfg(test)]
mod tests;
