//! A run of batches that is rolled, kept, cleaned and deleted as one, as in Kafka: in memory or in a file.

use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::RollPolicy;
use super::batch::{self, BatchHeader};
use super::chunks::Chunks;
use super::segment_file::SegmentFile;
use super::time_lookup::{TimestampedOffset, first_in_batch};

/// Where the batches are.
#[derive(Debug)]
pub(crate) enum Batches {
    Memory(Chunks),
    File(SegmentFile),
}

/// See the module. The last segment of a log is the active one; only it is appended to.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    /// The offset after the last record.
    end_offset: i64,
    /// Bytes of the log before this segment, those long deleted included.
    pub(super) start_position: u64,
    pub(super) batches: Batches,
    /// Bytes held.
    size: usize,
    /// Bytes ever appended: in memory the first ones may have been freed.
    appended: u64,
    /// The greatest timestamp of the first batch: from here `segment.ms` counts.
    first_timestamp: Option<i64>,
    max_timestamp: i64,
    /// The last offset of the batch that brought the greatest timestamp.
    max_timestamp_offset: i64,
    bytes_since_index_entry: usize,
    index_entries: usize,
}

impl Segment {
    pub(crate) fn new(base_offset: i64, start_position: u64, batches: Batches) -> Self {
        Segment {
            base_offset,
            end_offset: base_offset,
            start_position,
            batches,
            size: 0,
            appended: 0,
            first_timestamp: None,
            max_timestamp: i64::MIN,
            max_timestamp_offset: base_offset,
            bytes_since_index_entry: 0,
            index_entries: 0,
        }
    }

    /// Adds a batch behind the last one.
    ///
    /// # Errors
    /// It cannot be written; the segment is as before.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, interval: usize) -> io::Result<()> {
        let position = self.appended;
        match &mut self.batches {
            Batches::Memory(chunks) => chunks.append(header, bytes, append_time, position),
            Batches::File(file) => file.append(header, bytes, append_time)?,
        }
        self.note(header, append_time, position, interval);
        Ok(())
    }

    /// Takes note of a batch that lies behind the last one.
    pub(super) fn note(&mut self, header: &BatchHeader, append_time: Option<i64>, position: u64, interval: usize) {
        let timestamp = append_time.unwrap_or(header.max_timestamp);
        self.first_timestamp.get_or_insert(timestamp);
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_offset = header.last_offset();
        }
        if self.bytes_since_index_entry > interval {
            self.bytes_since_index_entry = 0;
            self.index_entries += 1;
            if let Batches::File(file) = &mut self.batches {
                file.index(header.last_offset(), position, self.max_timestamp, self.max_timestamp_offset);
            }
        }
        self.bytes_since_index_entry += header.size;
        self.size += header.size;
        self.appended = position + header.size as u64;
        self.end_offset = header.last_offset() + 1;
    }

    /// Makes the size of the whole file known, when only its end was looked at.
    pub(super) fn loaded(&mut self, first_timestamp: Option<i64>, size: u64, index_entries: usize) {
        self.first_timestamp = first_timestamp.or(self.first_timestamp);
        self.size = size as usize;
        self.appended = size;
        self.index_entries = index_entries;
    }

    /// The greatest timestamp that is known of the part of a file that is not looked at.
    pub(super) fn set_max_timestamp(&mut self, max_timestamp: i64, offset: i64) {
        (self.max_timestamp, self.max_timestamp_offset) = (max_timestamp, offset);
    }

    /// Ends appending.
    ///
    /// # Errors
    /// The indexes cannot be written.
    pub(crate) fn seal(&mut self) -> io::Result<()> {
        match &mut self.batches {
            Batches::Memory(chunks) => {
                chunks.seal();
                Ok(())
            }
            Batches::File(file) => {
                if self.size > 0 {
                    file.finish_time_index(self.max_timestamp, self.max_timestamp_offset);
                }
                file.save_indexes()
            }
        }
    }

    /// Makes the segment durable, if it is in a file.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.batches {
            Batches::File(file) if self.size > 0 => file.flush(),
            _ => Ok(()),
        }
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The position in the log of the segment's end.
    pub(crate) fn end_position(&self) -> u64 {
        self.start_position + self.appended
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The greatest timestamp of the first batch.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        self.first_timestamp
    }

    pub(crate) fn file(&self) -> Option<&SegmentFile> {
        match &self.batches {
            Batches::File(file) => Some(file),
            Batches::Memory(_) => None,
        }
    }

    /// Whether a batch has to go to a new segment.
    pub(crate) fn is_full_for(&self, header: &BatchHeader, timestamp: i64, roll: &RollPolicy) -> bool {
        let too_old = self.first_timestamp.is_some_and(|first| timestamp.saturating_sub(first) > roll.ms);
        // A relative offset in an index has four bytes.
        let too_far = header.last_offset() - self.base_offset > i64::from(i32::MAX);
        !self.is_empty() && (self.size + header.size > roll.bytes || too_old || too_far || self.index_entries >= roll.index_entries)
    }

    /// Where in the log the batch begins that holds `offset` or is the first after it; the segment's end if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn position_of(&self, offset: i64) -> io::Result<u64> {
        let within = match &self.batches {
            Batches::Memory(chunks) => chunks.position_of(offset).unwrap_or(self.appended),
            Batches::File(file) => file.position_of(offset)?,
        };
        Ok(self.start_position + within)
    }

    /// Whole batches from the one that holds `offset` on; see [`Log::read`](super::Log::read).
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> io::Result<Bytes> {
        match &self.batches {
            Batches::Memory(chunks) => Ok(chunks.read(offset, max_bytes, upper_bound, at_least_one)),
            Batches::File(file) => file.read(offset, max_bytes, upper_bound, at_least_one),
        }
    }

    /// The first record at or above `start_offset` whose timestamp is at least `timestamp`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn offset_for_time(&self, timestamp: i64, start_offset: i64) -> io::Result<Option<TimestampedOffset>> {
        let mut found = None;
        let mut look = |header: &BatchHeader, bytes: &[u8]| {
            if header.max_timestamp >= timestamp && header.last_offset() >= start_offset {
                found = first_in_batch(header, bytes, timestamp, start_offset);
            }
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match &self.batches {
            Batches::Memory(chunks) => {
                for chunk in chunks.iter().filter(|chunk| chunk.max_timestamp() >= timestamp) {
                    let matching = chunk.entries().iter().enumerate().filter(|(_, e)| e.max_timestamp >= timestamp);
                    for (index, _) in matching {
                        let bytes = chunk.batch(index);
                        if BatchHeader::read(bytes).is_some_and(|header| look(&header, bytes).is_break()) {
                            return Ok(found);
                        }
                    }
                }
            }
            Batches::File(file) => file.walk_from_time(timestamp, look)?,
        }
        Ok(found)
    }

    /// The greatest timestamp of the batches that reach `start_offset`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn max_timestamp_from(&self, start_offset: i64) -> io::Result<Option<i64>> {
        if start_offset <= self.base_offset {
            return Ok((!self.is_empty()).then_some(self.max_timestamp));
        }
        let mut greatest = None;
        self.walk(|header, _| {
            if header.last_offset() >= start_offset {
                greatest = greatest.max(Some(header.max_timestamp));
            }
            ControlFlow::Continue(())
        })?;
        Ok(greatest)
    }

    /// Calls `visit` with each batch, until it breaks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&BatchHeader, &[u8]) -> ControlFlow<()>) -> io::Result<()> {
        match &self.batches {
            Batches::Memory(chunks) => chunks.walk(visit),
            Batches::File(file) => {
                file.walk_batches(0, |_, header, bytes| visit(header, bytes))?;
            }
        }
        Ok(())
    }

    /// Frees what memory can be freed below `offset` and returns its size.
    pub(crate) fn free_below(&mut self, offset: i64) -> usize {
        let Batches::Memory(chunks) = &mut self.batches else {
            return 0;
        };
        let freed = chunks.free_below(offset);
        self.size -= freed;
        freed
    }

    /// Writes to a file aside, from the first batch on: the segment is to replace others.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn write_aside(&mut self) -> io::Result<()> {
        match &mut self.batches {
            Batches::File(file) => file.write_aside(),
            Batches::Memory(_) => Ok(()),
        }
    }

    /// Makes the file aside the one that counts: after a crash it takes its place.
    ///
    /// # Errors
    /// The file cannot be written or renamed.
    pub(crate) fn commit_aside(&mut self) -> io::Result<()> {
        match &mut self.batches {
            Batches::File(file) => file.commit_aside(),
            Batches::Memory(_) => Ok(()),
        }
    }

    /// Gives the file its place, when those that were there are deleted.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub(crate) fn take_place(&mut self) -> io::Result<()> {
        match &mut self.batches {
            Batches::File(file) => file.take_place(),
            Batches::Memory(_) => Ok(()),
        }
    }

    /// Deletes the segment's files.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub(crate) fn delete(&self) -> io::Result<()> {
        self.file().map_or(Ok(()), SegmentFile::delete)
    }
}

/// Whether a batch read from a file is whole and what was written.
pub(crate) fn is_intact(header: &BatchHeader, bytes: &[u8], least_offset: i64) -> bool {
    header.magic == 2 && header.base_offset >= least_offset && header.last_offset_delta >= 0 && batch::checksum_is_right(header, bytes)
}
