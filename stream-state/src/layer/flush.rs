//! Flush: unflushed entries and the position that they reach go down in one step; expired segments go away with it.

use super::Layers;
#[cfg(feature = "fault-injection")]
use super::Observed;
use super::entry::{UNFLUSHED, heap_bytes};
use crate::bytes::{ByteRange, Checkpoint, Flush, RowBytes};
use crate::error::StoreError;
use crate::key::Segments;
use crate::key::segments::segment_of;

/// How old the time of the last flush may become, ms, before a flush without changes renews it. The age of a flush decides whether
/// a restart may still trust the changelog's tombstones.
const RENEW_AFTER_MS: i64 = 60_000;

impl Layers {
    /// Writes what is unflushed. On an error nothing has changed, and a later flush tries again.
    pub(crate) fn flush(&mut self, now_ms: i64) -> Result<(), StoreError> {
        self.close_scans();
        let expired = self.expired_segments();
        let first_live = self.first_live_segment();
        let checkpoint = Checkpoint {
            position: self.position,
            changelog_id: self.changelog_id,
            flushed_at_ms: now_ms,
            stream_time: self.committed.stream_time,
            sequence: self.committed.sequence,
        };
        let Some(below) = &mut self.below else { return Ok(()) };
        if self.unflushed.is_empty() && expired.is_empty() {
            let due = match &self.checkpoint {
                // A store that holds nothing is not worth a database.
                None => below.is_open() || self.position.is_some_and(|position| position > 0),
                Some(last) => Checkpoint { flushed_at_ms: now_ms, ..*last } != checkpoint || now_ms - last.flushed_at_ms >= RENEW_AFTER_MS,
            };
            if !due {
                return Ok(());
            }
        }
        let mut sorted: Vec<(u64, u32)> = Vec::with_capacity(self.unflushed.len());
        for slot in &self.unflushed {
            let key = self.table.entry(*slot).key.as_slice();
            if first_live.is_none_or(|first| segment_of(key) >= first) {
                sorted.push((leading_bytes(key), *slot));
            }
        }
        let table = &self.table;
        sorted.sort_unstable_by(|(head, slot), (other_head, other)| {
            head.cmp(other_head).then_with(|| table.entry(*slot).key.cmp(&table.entry(*other).key))
        });
        let mut rows = sorted.iter().map(|(_, slot)| {
            let entry = table.entry(*slot);
            (entry.key.as_slice(), entry.committed.as_ref().and_then(Option::as_ref).map(RowBytes::as_slice))
        });
        let ranges: Vec<ByteRange> = expired.iter().map(|segment| Segments::range(*segment)).collect();
        below.write(Flush { rows: &mut rows, expired: &ranges, checkpoint })?;
        self.checkpoint = Some(checkpoint);
        self.settle_flushed();
        for segment in expired {
            self.drop_segment(segment);
        }
        Ok(())
    }

    /// A seeded mistake: a position on disk whose rows are not.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn flush_position_alone(&mut self) -> Result<(), StoreError> {
        let Some(below) = &mut self.below else { return Ok(()) };
        let Observed { stream_time, sequence } = self.committed;
        let checkpoint = Checkpoint {
            position: self.position,
            changelog_id: self.changelog_id,
            // Never so old that the store would be rebuilt for it.
            flushed_at_ms: i64::MAX,
            stream_time,
            sequence,
        };
        below.write(Flush { rows: &mut std::iter::empty(), expired: &[], checkpoint })?;
        self.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn settle_flushed(&mut self) {
        for slot in std::mem::take(&mut self.unflushed) {
            let entry = self.table.entry_mut(slot);
            entry.flags &= !UNFLUSHED;
            // A deletion that is on disk: a table that holds all rows says the same without the entry.
            if entry.pending.is_none() && entry.committed == Some(None) && self.coverage.covers(entry.key.as_slice()) {
                self.remove(slot);
            }
        }
        self.unflushed_bytes = 0;
    }

    fn first_live_segment(&self) -> Option<u64> {
        self.schema.segments().map(|schema| schema.first_live_segment(self.committed.stream_time))
    }

    /// The segments that the committed stream time has left behind.
    fn expired_segments(&self) -> Vec<u64> {
        match (self.first_live_segment(), self.coverage.segments()) {
            (Some(first), Some(segments)) => segments.range(..first).map(|(segment, _)| *segment).collect(),
            _ => Vec::new(),
        }
    }

    /// An in-memory store has no flush; its segments go at a commit.
    pub(super) fn expire_in_memory(&mut self) {
        for segment in self.expired_segments() {
            self.drop_segment(segment);
        }
    }

    fn drop_segment(&mut self, segment: u64) {
        let slots = self.table.unordered(&Segments::range(segment));
        let mut kept = false;
        for slot in slots {
            if self.table.entry(slot).pending.is_some() {
                // Written since; it expires with a later flush.
                let before = self.table.entry_mut(slot).committed.replace(None);
                self.bytes -= heap_bytes(before.as_ref());
                kept = true;
            } else {
                self.remove(slot);
            }
        }
        if !kept {
            self.coverage.remove(segment);
        }
    }
}

/// The first eight bytes as a number: it decides most comparisons without a look at the keys.
fn leading_bytes(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}
