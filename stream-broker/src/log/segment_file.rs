//! The batches of a segment in a file, with its sparse indexes beside it, named and laid out as in Apache Kafka.
//!
//! The log file is written batch by batch. The indexes live in memory and are written when the segment is sealed or flushed: after
//! a crash they are made anew from the log.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::batch::{self, BatchHeader};
use super::index::{OffsetIndex, TimeIndex};
use super::walk::{Detail, walk};
use crate::storage::Storage;

/// What one read returns at most, unless a single batch is larger.
const READ_BYTES: usize = 1 << 20;

/// The extension of a cleaned segment that is being written.
pub(super) const CLEANED: &str = "log.cleaned";
/// The extension of a cleaned segment that is complete and has not taken its place yet.
pub(super) const SWAP: &str = "log.swap";

/// The path of one of a segment's files.
pub(crate) fn path(folder: &Path, base_offset: i64, extension: &str) -> PathBuf {
    folder.join(format!("{base_offset:020}.{extension}"))
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(super) storage: Arc<dyn Storage>,
    folder: Arc<Path>,
    base_offset: i64,
    log: PathBuf,
    pub(super) size: u64,
    pub(super) offsets: OffsetIndex,
    pub(super) times: TimeIndex,
    /// Base offset and position of the last batch: most reads are at the end.
    pub(super) last_batch: Option<(i64, u64)>,
    /// Entries of both indexes that are in their files.
    saved: Option<(usize, usize)>,
}

impl SegmentFile {
    /// A segment without batches. Its file comes into being with the first.
    pub(crate) fn new(storage: Arc<dyn Storage>, folder: Arc<Path>, base_offset: i64) -> Self {
        let log = path(&folder, base_offset, "log");
        SegmentFile {
            storage,
            folder,
            base_offset,
            log,
            size: 0,
            offsets: OffsetIndex::default(),
            times: TimeIndex::default(),
            last_batch: None,
            saved: None,
        }
    }

    /// Takes the indexes from their files; false if these do not fit the log file.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn load_indexes(&mut self) -> io::Result<bool> {
        let offsets = self.storage.read_all(&self.path("index"))?.and_then(|bytes| OffsetIndex::decode(&bytes, self.size));
        let times = self.storage.read_all(&self.path("timeindex"))?.and_then(|bytes| TimeIndex::decode(&bytes));
        let (Some(offsets), Some(times)) = (offsets, times) else {
            return Ok(false);
        };
        // The last entry has the greatest timestamp of the segment: where there are records there is one.
        if self.size > 0 && times.last().is_none() {
            return Ok(false);
        }
        self.saved = Some((offsets.len(), times.len()));
        (self.offsets, self.times) = (offsets, times);
        Ok(true)
    }

    /// Writes a batch behind the last one.
    ///
    /// # Errors
    /// The batch cannot be written; the segment is as before.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>) -> io::Result<()> {
        let mut stored = bytes.to_vec();
        batch::patch_position(&mut stored, header.base_offset, super::LEADER_EPOCH);
        if let Some(now) = append_time {
            batch::patch_append_time(&mut stored, now);
        }
        if let Err(error) = self.storage.write(&self.log, self.size, &stored) {
            // A part may have been written. If it stays, the next write covers it or recovery cuts it off.
            if self.storage.size(&self.log)?.is_some_and(|size| size > self.size) {
                self.storage.truncate(&self.log, self.size)?;
            }
            return Err(error);
        }
        self.last_batch = Some((header.base_offset, self.size));
        self.size += stored.len() as u64;
        Ok(())
    }

    /// Adds an entry to both indexes: for the batch that was appended last, and for the greatest timestamp so far.
    pub(crate) fn index(&mut self, last_offset: i64, position: u64, max_timestamp: i64, max_timestamp_offset: i64) {
        self.offsets.push(self.relative(last_offset), position as u32);
        self.times.push(max_timestamp, self.relative(max_timestamp_offset));
    }

    /// Adds the last entry of the time index: the greatest timestamp of the whole segment.
    pub(crate) fn finish_time_index(&mut self, max_timestamp: i64, max_timestamp_offset: i64) {
        self.times.push(max_timestamp, self.relative(max_timestamp_offset));
    }

    /// Where the batch begins that holds `offset` or is the first after it; the end if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn position_of(&self, offset: i64) -> io::Result<u64> {
        if let Some((base_offset, position)) = self.last_batch.filter(|(base_offset, _)| *base_offset <= offset) {
            let end = self.header_at(position)?.last_offset();
            return Ok(if offset <= end.max(base_offset) { position } else { self.size });
        }
        let from = self.offsets.position_for(self.relative(offset));
        self.walk_headers(from, |_, header| if header.last_offset() >= offset { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Whole batches from the one that holds `offset` on; see [`Log::read`](super::Log::read).
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> io::Result<Bytes> {
        let position = self.position_of(offset)?;
        if position >= self.size {
            return Ok(Bytes::new());
        }
        let mut length = max_bytes.min(READ_BYTES);
        if at_least_one {
            length = length.max(self.header_at(position)?.size);
        }
        let mut bytes = vec![0; length.min((self.size - position) as usize)];
        self.storage.read(&self.log, position, &mut bytes)?;
        let mut end = 0;
        while let Some(header) = BatchHeader::read(&bytes[end..])
            && header.last_offset() < upper_bound
        {
            end += header.size;
        }
        bytes.truncate(end);
        Ok(Bytes::from(bytes))
    }

    /// Calls `visit` with each whole batch from the one on that an index entry for `timestamp` leads to, until it breaks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn walk_from_time(&self, timestamp: i64, mut visit: impl FnMut(&BatchHeader, &[u8]) -> ControlFlow<()>) -> io::Result<()> {
        let from = self.offsets.position_for(self.times.offset_for(timestamp));
        walk(&*self.storage, &self.log, from, self.size, Detail::Batches, |_, header, bytes| visit(header, bytes)).map(|_| ())
    }

    /// Calls `visit` with position and header of each batch from a position on, until it breaks; returns where it ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn walk_headers(&self, from: u64, mut visit: impl FnMut(u64, &BatchHeader) -> ControlFlow<()>) -> io::Result<u64> {
        walk(&*self.storage, &self.log, from, self.size, Detail::Headers, |position, header, _| visit(position, header))
    }

    /// As [`SegmentFile::walk_headers`], with the whole batches.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn walk_batches(&self, from: u64, visit: impl FnMut(u64, &BatchHeader, &[u8]) -> ControlFlow<()>) -> io::Result<u64> {
        walk(&*self.storage, &self.log, from, self.size, Detail::Batches, visit)
    }

    /// Writes what the files of the indexes lack.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn save_indexes(&mut self) -> io::Result<()> {
        let now = (self.offsets.len(), self.times.len());
        if self.saved == Some(now) {
            return Ok(());
        }
        let (offsets, times) = self.saved.unwrap_or_default();
        self.save(&self.path("index"), &self.offsets.encode(), offsets * OffsetIndex::ENTRY_BYTES)?;
        self.save(&self.path("timeindex"), &self.times.encode(), times * TimeIndex::ENTRY_BYTES)?;
        self.saved = Some(now);
        Ok(())
    }

    fn save(&self, file: &Path, content: &[u8], saved: usize) -> io::Result<()> {
        self.storage.write(file, saved as u64, &content[saved..])?;
        self.storage.truncate(file, content.len() as u64)
    }

    /// Makes log and indexes durable.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.save_indexes()?;
        if self.size > 0 {
            self.storage.sync(&self.log)?;
        }
        self.storage.sync(&self.path("index"))?;
        self.storage.sync(&self.path("timeindex"))
    }

    /// Cuts the log file behind its last whole batch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.storage.truncate(&self.log, size)?;
        self.size = size;
        Ok(())
    }

    /// Writes to a file aside.
    pub(super) fn write_aside(&mut self) -> io::Result<()> {
        self.log = self.path(CLEANED);
        // One that an earlier cleaning has left half done.
        self.storage.delete(&self.log)?;
        self.storage.write(&self.log, 0, &[])
    }

    /// Makes the file aside durable, and names it so that a recovery gives it its place.
    pub(super) fn commit_aside(&mut self) -> io::Result<()> {
        self.storage.sync(&self.log)?;
        let swap = self.path(SWAP);
        self.storage.rename(&self.log, &swap)?;
        self.log = swap;
        Ok(())
    }

    /// Goes on with a file that was to take its place when the broker ended.
    pub(super) fn resume_swap(&mut self) {
        self.log = self.path(SWAP);
    }

    /// Names the file as the segment's log. Its indexes are written after that, and are missing until then.
    pub(super) fn take_place(&mut self) -> io::Result<()> {
        let log = self.path("log");
        self.storage.rename(&self.log, &log)?;
        self.log = log;
        Ok(())
    }

    /// Deletes all files.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub(crate) fn delete(&self) -> io::Result<()> {
        // The log goes last: a log without indexes is recovered, indexes without a log would be left for ever.
        for extension in ["index", "timeindex", "txnindex", "log"] {
            self.storage.delete(&self.path(extension))?;
        }
        Ok(())
    }

    /// The path of one of the segment's files.
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        path(&self.folder, self.base_offset, extension)
    }

    fn header_at(&self, position: u64) -> io::Result<BatchHeader> {
        let mut header = [0; batch::HEADER_BYTES];
        self.storage.read(&self.log, position, &mut header)?;
        BatchHeader::parse(&header)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no batch at {position}", self.log.display())))
    }

    fn relative(&self, offset: i64) -> u32 {
        u32::try_from(offset.saturating_sub(self.base_offset).max(0)).unwrap_or(u32::MAX)
    }
}
