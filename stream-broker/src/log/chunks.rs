//! The batches of a segment in memory, with the place of every one of them.

use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};

use super::batch::BatchHeader;
use super::chunk::Chunk;

/// A read of this size ends with its chunk, whose bytes then need no copy; a smaller one goes on in the next.
const ENOUGH_BYTES: usize = 256 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: Vec<Chunk>,
}

impl Chunks {
    /// Copies a batch in. `position` is the number of bytes ever appended to the segment before it.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8], append_time: Option<i64>, position: u64) {
        if !self.chunks.last().is_some_and(|c| c.has_room(bytes.len())) {
            let mut previous = 0;
            if let Some(full) = self.chunks.last_mut() {
                full.seal();
                previous = full.len();
            }
            self.chunks.push(Chunk::new(position, bytes.len(), previous));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.append(header, bytes, append_time);
        }
    }

    /// Ends appending: the memory that the last chunk reserved but did not use is given back.
    pub(crate) fn seal(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.seal();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter()
    }

    /// Where in the segment the batch begins that holds `offset` or is the first after it; `None` if there is none.
    pub(crate) fn position_of(&self, offset: i64) -> Option<u64> {
        let index = self.chunks.partition_point(|c| c.last_offset() < offset);
        self.chunks.get(index).map(|chunk| chunk.position_of(chunk.find(offset)))
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

    /// Calls `visit` with each batch, until it breaks.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&BatchHeader, &[u8]) -> ControlFlow<()>) {
        for chunk in &self.chunks {
            for index in 0..chunk.entries().len() {
                let bytes = chunk.batch(index);
                let stop = BatchHeader::read(bytes).is_none_or(|header| visit(&header, bytes).is_break());
                if stop {
                    return;
                }
            }
        }
    }

    /// Frees the chunks that lie wholly below `offset` and returns their size. A file could not do that; memory can, and a
    /// purged repartition topic then costs nothing although its segment is still active.
    pub(crate) fn free_below(&mut self, offset: i64) -> usize {
        let keep_from = self.chunks.partition_point(|c| c.last_offset() < offset);
        // The last chunk stays: its entries say where the log goes on.
        let freed = keep_from.min(self.chunks.len().saturating_sub(1));
        self.chunks.drain(..freed).map(|chunk| chunk.len()).sum()
    }
}
