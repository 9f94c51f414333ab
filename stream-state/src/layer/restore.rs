//! Restore: changelog records go straight to the committed layer.

use stream_core::store::ChangelogRecord;

use super::entry::Entry;
use super::{Layers, NO_TIME};
use crate::bytes::{ByteRange, RowBytes};
use crate::error::StoreError;
use crate::key::segments::segment_of;
use crate::key::{KeySchema, VersionedKeySchema};

impl Layers {
    /// Applies records in their order, then takes over `position`.
    pub(crate) fn restore(&mut self, records: &mut dyn Iterator<Item = ChangelogRecord<'_>>, position: i64) -> Result<(), StoreError> {
        self.close_scans();
        self.forget_use();
        let (mut key, mut index, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            self.format.check(&record)?;
            self.schema.stored_key(record.key, record.timestamp, &mut key)?;
            if self.is_expired(&key) {
                continue;
            }
            let value = self.format.restored(&record, &mut buffer).map(RowBytes::new);
            if self.schema.write_index(&key, &mut index).is_some() {
                self.apply(&index, value.as_ref().map(|_| RowBytes::new(&[])));
            }
            self.apply(&key, value);
        }
        self.position = Some(position);
        if self.below.is_none() {
            self.expire_in_memory();
        }
        Ok(())
    }

    /// Moves the committed stream time forward with a windowed row, and says whether the row's segment lies behind it.
    fn is_expired(&mut self, stored: &[u8]) -> bool {
        if let (KeySchema::Versioned(schema), Some(parts)) = (&self.schema, VersionedKeySchema::parts(stored)) {
            let expired = parts.from < self.committed.stream_time.saturating_sub(schema.history_ms);
            self.committed.stream_time = self.committed.stream_time.max(parts.from);
            self.pending.stream_time = self.pending.stream_time.max(self.committed.stream_time);
            return expired;
        }
        let Some(segments) = self.schema.segments() else { return false };
        let Some(time) = self.schema.time(stored) else { return false };
        self.committed.stream_time = self.committed.stream_time.max(time);
        self.committed.sequence = self.committed.sequence.max(self.schema.sequence(stored));
        let expired = segment_of(stored) < segments.first_live_segment(self.committed.stream_time);
        self.pending.stream_time = self.pending.stream_time.max(self.committed.stream_time);
        self.pending.sequence = self.pending.sequence.max(self.committed.sequence);
        expired
    }

    fn apply(&mut self, key: &[u8], value: Option<RowBytes>) {
        let hash = self.table.hash(key);
        let slot = match self.table.find(hash, key) {
            Some(slot) => slot,
            None => {
                let known = self.coverage.covers(key);
                if known && value.is_none() {
                    return;
                }
                self.coverage.extend(key);
                self.insert(Entry::new(RowBytes::new(key), hash, known.then_some(None)))
            }
        };
        self.bytes += value.as_ref().map_or(0, RowBytes::heap_bytes);
        self.settle(slot, value);
    }

    /// After opening: which segments the persistent layer holds. One look per segment.
    pub(super) fn cover_what_is_below(&mut self) -> Result<(), StoreError> {
        let Some(below) = self.below.as_ref().filter(|below| below.is_open()) else { return Ok(()) };
        if self.schema.segments().is_none() {
            self.coverage.break_off(&[]);
            return Ok(());
        }
        let mut range = ByteRange::all();
        let mut first = std::collections::VecDeque::new();
        loop {
            below.scan(&range, false, 1, &mut first)?;
            let Some((key, _)) = first.pop_front() else { break };
            self.coverage.break_off(key.as_slice());
            match segment_of(key.as_slice()).checked_add(1) {
                Some(next) => range.from = next.to_be_bytes().to_vec(),
                None => break,
            }
        }
        debug_assert!(self.committed.stream_time >= NO_TIME);
        Ok(())
    }
}
