//! What windowed and session stores share: rows with a time, kept for the store's retention.

use std::ops::{Bound, RangeBounds};

use stream_core::Result;

use super::{Rows, Typed};
use crate::bytes::ByteRange;
use crate::error::StoreError;
use crate::key::Segments;
use crate::layer::Observed;
use crate::value::Envelope;

/// A store of rows that expire.
pub(crate) struct Segmented<K, E> {
    pub(crate) typed: Typed<K, E>,
    pub(crate) segments: Segments,
    /// In memory a row expires to the millisecond; on disk it can be written while its segment lives (as in Java).
    pub(crate) exact: bool,
}

/// A range of keys, as bytes.
pub(crate) type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl<K: 'static, E: Envelope> Segmented<K, E> {
    /// The largest time that was put, ms, or -1.
    pub(crate) fn stream_time(&self) -> i64 {
        self.typed.store.with(|layers| layers.pending.stream_time)
    }

    /// The earliest time that reads show.
    #[inline]
    pub(crate) fn first_visible_time(&self) -> i64 {
        self.typed.store.with(|layers| layers.first_visible_time())
    }

    /// What the store has seen when it has seen a row of this time. A row behind the retention is counted as dropped: it is written all the
    /// same, because Java logs it, too, but no read shows it and the next flush leaves it out.
    pub(crate) fn observe(&self, time: i64) -> Observed {
        let mut observed = self.typed.store.with(|layers| layers.pending);
        observed.stream_time = observed.stream_time.max(time);
        let expired = if self.exact {
            time < self.segments.first_visible_time(observed.stream_time)
        } else {
            self.segments.segment(time) < self.segments.first_live_segment(observed.stream_time)
        };
        if expired {
            self.typed.store.drop_row();
            tracing::debug!(
                store = self.typed.store.name(),
                time,
                stream_time = observed.stream_time,
                "a row behind the retention was left out"
            );
        }
        observed
    }

    /// Writes a row, and its place in the index if there is one.
    #[inline]
    pub(crate) fn put(
        &self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
        value: Option<&[u8]>,
        observed: Observed,
    ) -> Result<()> {
        let store = &self.typed.store;
        self.typed.with_key(write, |key| {
            if self.segments.time_index {
                self.put_index(key, value.is_some())?;
            }
            store.put(key, value)
        })?;
        store.with(|layers| layers.pending = observed);
        Ok(())
    }

    fn put_index(&self, key: &[u8], present: bool) -> Result<()> {
        let store = &self.typed.store;
        let was_present = store.get(key, &mut Vec::new())?;
        let mut index = Vec::new();
        match store.with(|layers| layers.schema.write_index(key, &mut index)) {
            Some(()) if was_present != present => store.put(&index, present.then_some(&[][..])),
            _ => Ok(()),
        }
    }

    /// Scans the ranges that `range` gives for the segments from `from` to `to`.
    pub(crate) fn scan(&self, from: i64, to: i64, reverse: bool, range: impl Fn(u64) -> ByteRange) -> Rows {
        let mut segments = if to < from || to < 0 {
            Vec::new()
        } else {
            self.typed.store.with(|layers| layers.segments(self.segments.segment(from.max(0)), self.segments.segment(to)))
        };
        if reverse {
            segments.reverse();
        }
        Rows::Scan(self.typed.store.scan(segments.into_iter().map(range), reverse))
    }

    /// The rows of all keys with times from `from` to `to`, in the order of the index.
    pub(crate) fn scan_index(&self, from: i64, to: i64, reverse: bool) -> Rows {
        match self.scan(from, to, reverse, |segment| self.segments.index_range(segment, from, to)) {
            Rows::Scan(scan) => Rows::Indexed(scan),
            other => other,
        }
    }

    /// The bytes of a range of keys. A range whose end lies before its start is empty, with a warning.
    pub(crate) fn key_bounds(&self, keys: &impl RangeBounds<K>) -> Result<KeyBounds> {
        let bound = |bound: Bound<&K>| -> Result<Bound<Vec<u8>>> {
            Ok(match bound {
                Bound::Included(key) => Bound::Included(self.typed.key_bytes(key)?),
                Bound::Excluded(key) => Bound::Excluded(self.typed.key_bytes(key)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        let keys = (bound(keys.start_bound())?, bound(keys.end_bound())?);
        if bytes_of(&keys.0).zip(bytes_of(&keys.1)).is_some_and(|(first, last)| last < first) {
            tracing::warn!(
                store = self.typed.store.name(),
                "a range of keys ends before it begins and gives nothing; keys are in the order of their bytes, where negative numbers follow positive ones"
            );
        }
        Ok(keys)
    }
}

pub(crate) fn bytes_of(bound: &Bound<Vec<u8>>) -> Option<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

/// Whether a key lies in a range.
pub(crate) fn contains(keys: &KeyBounds, key: &[u8]) -> bool {
    let keys: (Bound<&[u8]>, Bound<&[u8]>) = (keys.0.as_ref().map(Vec::as_slice), keys.1.as_ref().map(Vec::as_slice));
    keys.contains(key)
}

impl<K, E: Clone> Clone for Segmented<K, E> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone(), segments: self.segments.clone(), exact: self.exact }
    }
}
