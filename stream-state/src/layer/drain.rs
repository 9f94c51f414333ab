//! Draining a cached table: one change per key since the last drain, in the order of each key's last write.

use stream_core::{Headers, RecordMetadata};

use super::Layers;
use super::entry::{DRAINED, UNTOLD};
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
    /// Keeps who made the last write.
    #[inline]
    pub(crate) fn written_by(&mut self, writer: Writer) {
        self.dirty.written_by(writer);
    }

    /// The next change that no drain has taken. A key that was written and deleted and is not in the store, either, gives none
    /// (trap T39).
    pub(crate) fn next_change(&mut self) -> Result<Option<ByteChange>, StoreError> {
        while let Some((slot, place)) = self.dirty.take_undrained(&self.table) {
            // What an earlier drain of this transaction told downstream, else what is committed.
            let drained = if self.drained.is_empty() { None } else { self.drained.remove(&slot) };
            let old = match drained {
                Some(drained) => drained,
                None => {
                    self.learn(slot)?;
                    self.table.entry(slot).committed.clone().flatten()
                }
            };
            let expired = self.had_expired(slot);
            let old = old.filter(|_| !expired);
            let entry = self.table.entry_mut(slot);
            entry.flags |= DRAINED;
            let new = entry.pending.clone().flatten();
            self.held_back = self.held_back.saturating_sub(entry.key.len() + new.as_ref().map_or(0, RowBytes::len));
            let writer = self.dirty.take_writer(place).unwrap_or_default();
            if entry.is(UNTOLD) {
                continue;
            }
            if old.is_none() && new.is_none() {
                if expired {
                    entry.flags |= UNTOLD;
                }
                continue;
            }
            if self.schema.changelog_key(entry.key.as_slice()).is_none() {
                // A row of the index is no row of the table.
                continue;
            }
            let (_, timestamp) = self.format.changelog_value(new.as_ref().map(RowBytes::as_slice), entry.written_at);
            return Ok(Some(ByteChange { key: entry.key.clone(), old, new, timestamp, writer }));
        }
        self.held_back = 0;
        Ok(None)
    }

    /// Whether the row was hidden by the retention when the rows before it had been taken: it is as if it had not been there. Moves the
    /// time of the drain on to the row.
    fn had_expired(&mut self, slot: u32) -> bool {
        let Some(segments) = self.schema.segments() else { return false };
        let Some(time) = self.schema.time(self.table.entry(slot).key.as_slice()) else { return false };
        let before = self.drained_time.max(self.committed.stream_time);
        self.drained_time = before.max(time);
        time < segments.first_visible_time(before)
    }
}
