//! Bytes below the layers: one contract for whatever keeps rows on disk.
//!
//! An in-memory store has nothing below: its committed layer is the store.

#[cfg(feature = "rocksdb")]
pub(crate) mod rocks;
mod row;

use std::collections::VecDeque;

pub(crate) use row::RowBytes;

use crate::error::StoreError;

/// A key and a value.
pub(crate) type Row = (RowBytes, RowBytes);

/// Keys from `from` (inclusive) to `to` (exclusive; `None` is the end), in unsigned byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Option<Vec<u8>>,
}

impl ByteRange {
    /// Every key.
    pub(crate) const fn all() -> Self {
        Self { from: Vec::new(), to: None }
    }

    /// The keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), to: successor(prefix) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.from.as_slice() <= key && self.to.as_deref().is_none_or(|to| key < to)
    }

    /// Leaves out everything up to and including `key`, in the direction of reading.
    pub(crate) fn advance(&mut self, key: &[u8], reverse: bool) {
        if reverse {
            self.to = Some(key.to_vec());
        } else {
            self.from.clear();
            self.from.extend_from_slice(key);
            self.from.push(0);
        }
    }
}

/// The first key behind all that begin with `prefix`; `None` when there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// What is written with every flush, beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The changelog offset that the rows reach.
    pub(crate) position: Option<i64>,
    /// The id of the changelog topic, when known.
    pub(crate) changelog_id: Option<u128>,
    /// When, ms since the epoch.
    pub(crate) flushed_at_ms: i64,
    /// The committed stream time of a windowed store, ms; -1 without.
    pub(crate) stream_time: i64,
    /// The last sequence number of a store that keeps duplicates.
    pub(crate) sequence: i32,
}

/// One flush.
pub(crate) struct Flush<'a> {
    /// Rows in key order; no value deletes.
    pub(crate) rows: &'a mut dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    /// Ranges whose rows are dropped, before the rows are written.
    pub(crate) expired: &'a [ByteRange],
    /// Written in the same step.
    pub(crate) checkpoint: Checkpoint,
}

/// Keeps committed rows beyond the process. Obligations:
///
/// - rows come back in unsigned byte order of their keys;
/// - [`write`](Self::write) applies rows, expiry and checkpoint in one step, or nothing; what it reported as done survives `kill -9`;
/// - a failed `write` leaves the store readable, and a later one may succeed.
pub(crate) trait ByteStore: Send {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<RowBytes>, StoreError>;

    /// Appends the first rows of `range`, in the direction of reading, at most `limit`. Returns whether the range is exhausted.
    fn scan(&self, range: &ByteRange, reverse: bool, limit: usize, rows: &mut VecDeque<Row>) -> Result<bool, StoreError>;

    /// Writes a flush.
    fn write(&mut self, flush: Flush<'_>) -> Result<(), StoreError>;

    /// Whether anything was ever written; a store that is not open holds nothing and answers without a look.
    fn is_open(&self) -> bool;

    /// An estimate of how many rows there are.
    fn approximate_rows(&self) -> u64;

    /// Closes the store, sets its files aside and starts empty.
    fn reset(&mut self, reason: &str, now_ms: i64) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_prefix_also_behind_ff() {
        assert_eq!(ByteRange::prefix(b"ab").to, Some(b"ac".to_vec()));
        assert_eq!(ByteRange::prefix(&[1, 0xff, 0xff]).to, Some(vec![2]));
        assert_eq!(ByteRange::prefix(&[0xff]).to, None);
        assert_eq!(ByteRange::prefix(b"").to, None);
    }
}
