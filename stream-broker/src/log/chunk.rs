//! A piece of memory that holds whole batches, and where each of them begins.
//!
//! A chunk is filled once and then sealed. A sealed chunk is handed to fetches without a copy; only what is read from the one
//! chunk that is still being filled is copied. Chunks of a quiet partition are small, so that thousands of partitions cost
//! little.

use bytes::Bytes;

use super::batch::{self, BatchHeader};

const SMALLEST_BYTES: usize = 2 << 10;
const LARGEST_BYTES: usize = 1 << 20;

/// Where a batch lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) base_offset: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) position: u32,
    pub(crate) last_offset_delta: u32,
}

impl Entry {
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }
}

#[derive(Debug)]
enum Memory {
    Filling(Vec<u8>),
    Sealed(Bytes),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Bytes of the segment before this chunk, those long deleted included: the difference of two positions is a size.
    start_position: u64,
    memory: Memory,
    entries: Vec<Entry>,
    max_timestamp: i64,
}

impl Chunk {
    /// A chunk for a batch of `batch_bytes`, after one of `previous_bytes`: sizes double while a partition is busy.
    pub(crate) fn new(start_position: u64, batch_bytes: usize, previous_bytes: usize) -> Self {
        let capacity = (previous_bytes * 2).clamp(SMALLEST_BYTES, LARGEST_BYTES).max(batch_bytes);
        Chunk { start_position, memory: Memory::Filling(Vec::with_capacity(capacity)), entries: Vec::new(), max_timestamp: i64::MIN }
    }

    /// Whether a batch of `batch_bytes` still fits.
    pub(crate) fn has_room(&self, batch_bytes: usize) -> bool {
        match &self.memory {
            Memory::Filling(buffer) => buffer.capacity() - buffer.len() >= batch_bytes,
            Memory::Sealed(_) => false,
        }
    }

    /// Copies a batch in, at the offset that `header` bears. The chunk must have room.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>) {
        let Memory::Filling(buffer) = &mut self.memory else {
            debug_assert!(false, "a sealed chunk has no room");
            return;
        };
        let position = buffer.len();
        buffer.extend_from_slice(bytes);
        let stored = &mut buffer[position..];
        batch::patch_position(stored, header.base_offset, super::LEADER_EPOCH);
        let mut max_timestamp = header.max_timestamp;
        if let Some(now) = append_time {
            batch::patch_append_time(stored, now);
            max_timestamp = now;
        }
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
        self.entries.push(Entry {
            base_offset: header.base_offset,
            max_timestamp,
            position: position as u32,
            last_offset_delta: header.last_offset_delta as u32,
        });
    }

    /// Makes the chunk immutable and gives unused memory back.
    pub(crate) fn seal(&mut self) {
        if let Memory::Filling(buffer) = &mut self.memory {
            self.memory = Memory::Sealed(Bytes::from(std::mem::take(buffer).into_boxed_slice()));
            self.entries.shrink_to_fit();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.entries.last().map_or(-1, Entry::last_offset)
    }

    /// The first batch that holds `offset` or comes after it.
    pub(crate) fn find(&self, offset: i64) -> usize {
        self.entries.partition_point(|e| e.last_offset() < offset)
    }

    /// The position in the segment of a batch, or of the chunk's end.
    pub(crate) fn position_of(&self, index: usize) -> u64 {
        self.start_position + self.position(index) as u64
    }

    /// The bytes of one batch.
    pub(crate) fn batch(&self, index: usize) -> &[u8] {
        &self.bytes()[self.position(index)..self.position(index + 1)]
    }

    /// The batches from `first` on that end before `upper_bound` and together do not exceed `max_bytes`; at least one of them
    /// if `at_least_one` is set. Also whether these are all there are, so that reading may go on in the next chunk.
    pub(crate) fn read(&self, first: usize, max_bytes: usize, upper_bound: i64, at_least_one: bool) -> (Bytes, bool) {
        let start = self.position(first);
        let below_bound = first + self.entries[first..].partition_point(|entry| entry.last_offset() < upper_bound);
        // A batch ends where the next begins, so the last batch within the limit is one before the last beginning within it.
        let limit = start.saturating_add(max_bytes);
        let within_limit = if self.position(below_bound) <= limit {
            below_bound
        } else {
            let begins = &self.entries[first..below_bound];
            (first + begins.partition_point(|entry| entry.position as usize <= limit)).saturating_sub(1)
        };
        let last = if at_least_one && within_limit == first && below_bound > first { first + 1 } else { within_limit };
        let end = self.position(last);
        let bytes = match &self.memory {
            Memory::Filling(buffer) => Bytes::copy_from_slice(&buffer[start..end]),
            Memory::Sealed(bytes) => bytes.slice(start..end),
        };
        (bytes, last == self.entries.len())
    }

    fn position(&self, index: usize) -> usize {
        self.entries.get(index).map_or(self.len(), |entry| entry.position as usize)
    }

    fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Filling(buffer) => buffer,
            Memory::Sealed(bytes) => bytes,
        }
    }
}
