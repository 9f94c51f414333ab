//! A run of batches that is rolled, kept and deleted as one, as in Kafka.

use bytes::{Bytes, BytesMut};

use super::batch::BatchHeader;
use super::chunk::Chunk;

/// A read of this size ends with its chunk, whose bytes then need no copy; a smaller one goes on in the next.
const ENOUGH_BYTES: usize = 256 << 10;

/// See the module. The last segment of a log is the active one; only it is appended to.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    /// The offset after the last record.
    end_offset: i64,
    chunks: Vec<Chunk>,
    size: usize,
    /// The greatest timestamp of the first batch: from here `segment.ms` counts.
    first_timestamp: Option<i64>,
    max_timestamp: i64,
}

impl Segment {
    pub(crate) fn new(base_offset: i64) -> Self {
        Segment { base_offset, end_offset: base_offset, chunks: Vec::new(), size: 0, first_timestamp: None, max_timestamp: i64::MIN }
    }

    /// Copies a batch in. `position` is the number of bytes ever appended to the log before it.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, position: u64) {
        if !self.chunks.last().is_some_and(|c| c.has_room(bytes.len())) {
            let mut previous = 0;
            if let Some(full) = self.chunks.last_mut() {
                full.seal();
                previous = full.len();
            }
            self.chunks.push(Chunk::new(position, bytes.len(), previous));
        }
        let Some(chunk) = self.chunks.last_mut() else {
            return;
        };
        chunk.append(header, bytes, append_time);
        let timestamp = append_time.unwrap_or(header.max_timestamp);
        self.first_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.size += bytes.len();
        self.end_offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
    }

    /// Ends appending: the memory that the last chunk reserved but did not use is given back.
    pub(crate) fn seal(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.seal();
        }
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end_offset == self.base_offset
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Whether a batch with this greatest timestamp comes too late for the segment (`segment.ms`).
    pub(crate) fn is_older_than(&self, segment_ms: i64, timestamp: i64) -> bool {
        self.first_timestamp.is_some_and(|first| timestamp.saturating_sub(first) > segment_ms)
    }

    /// The chunk that holds `offset` or the first after it.
    pub(crate) fn chunk_of(&self, offset: i64) -> Option<&Chunk> {
        let index = self.chunks.partition_point(|c| c.last_offset() < offset);
        self.chunks.get(index)
    }

    /// Reads as [`Chunk::read`] does, from the batch that holds `offset`.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> Bytes {
        let begin = self.chunks.partition_point(|c| c.last_offset() < offset);
        let Some((first, others)) = self.chunks[begin..].split_first() else {
            return Bytes::new();
        };
        let (bytes, whole) = first.read(first.find(offset), max_bytes, upper_bound, at_least_one);
        if !whole || others.is_empty() || bytes.len() >= ENOUGH_BYTES {
            return bytes;
        }
        let mut joined = BytesMut::from(&bytes[..]);
        for chunk in others {
            let room = max_bytes.saturating_sub(joined.len());
            let (bytes, whole) = chunk.read(0, room, upper_bound, false);
            joined.extend_from_slice(&bytes);
            if !whole || joined.len() >= ENOUGH_BYTES {
                break;
            }
        }
        joined.freeze()
    }

    /// Frees the chunks that lie wholly below `offset` and returns their size. A file could not do that; memory can, and a
    /// purged repartition topic then costs nothing although its segment is still active.
    pub(crate) fn free_below(&mut self, offset: i64) -> usize {
        let keep_from = self.chunks.partition_point(|c| c.last_offset() < offset);
        // The last chunk stays: its entries say where the log goes on.
        let freed = keep_from.min(self.chunks.len().saturating_sub(1));
        let size: usize = self.chunks.drain(..freed).map(|chunk| chunk.len()).sum();
        self.size -= size;
        size
    }
}
