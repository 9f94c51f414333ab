//! Draining a cached table: one change per key since the last drain, in the order of each key's last write.

use stream_core::{Headers, RecordMetadata};

use super::Layers;
use super::entry::DRAINED;
use crate::bytes::RowBytes;
use crate::error::StoreError;

/// The record that wrote a cached row last: the change goes on in its name (trap T41).
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    pub(crate) headers: Headers,
    pub(crate) metadata: Option<RecordMetadata>,
}

/// What became of a key since the last drain.
#[derive(Debug)]
pub(crate) struct ByteChange {
    pub(crate) key: RowBytes,
    pub(crate) old: Option<RowBytes>,
    pub(crate) new: Option<RowBytes>,
    pub(crate) timestamp: i64,
    pub(crate) writer: Writer,
}

impl Layers {
    /// Keeps who wrote a row of a cached store.
    pub(crate) fn written_by(&mut self, slot: u32, writer: Writer) {
        self.writers.insert(slot, writer);
    }

    /// The next change that no drain has taken. A key that was written and deleted and is not in the store, either, gives none
    /// (trap T39).
    pub(crate) fn next_change(&mut self) -> Result<Option<ByteChange>, StoreError> {
        while let Some(slot) = self.dirty.take_undrained(&self.table) {
            if !self.drained.contains_key(&slot) {
                self.learn(slot)?;
            }
            let old = match self.drained.remove(&slot) {
                Some(drained) => drained,
                None => self.table.entry(slot).committed.clone().flatten(),
            };
            let entry = self.table.entry_mut(slot);
            entry.flags |= DRAINED;
            let new = entry.pending.clone().flatten();
            self.held_back = self.held_back.saturating_sub(entry.key.len() + new.as_ref().map_or(0, RowBytes::len));
            let writer = self.writers.remove(&slot).unwrap_or_default();
            if old.is_none() && new.is_none() {
                continue;
            }
            let (_, timestamp) = self.format.changelog_value(new.as_ref().map(RowBytes::as_slice), entry.written_at);
            return Ok(Some(ByteChange { key: entry.key.clone(), old, new, timestamp, writer }));
        }
        self.held_back = 0;
        Ok(None)
    }
}
