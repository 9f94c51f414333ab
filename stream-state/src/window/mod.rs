//! Windowed stores: rows of a key and the start of a window, kept for a time.

mod builder;
mod cached;
mod iter;

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::rc::Rc;

pub use builder::{TimestampedWindowStoreBuilder, WindowBuilder, WindowBytesStoreSupplier, WindowStoreBuilder};
pub use iter::{WindowIterator, WindowKey, WindowedIterator};
use stream_core::Result;
use stream_core::serdes::{Role, SerdeRef};

use crate::bytes::ByteRange;
use crate::error::StoreError;
use crate::key::{WindowKeySchema, window};
use crate::store::{LayeredStore, RowScan};
use crate::value::{Envelope, Plain, Timestamped};

/// A store of one value per key and window. Mirrors Kafka Streams' `WindowStore`; see [`Window`] for its methods.
pub type WindowStore<K, V> = Window<K, Plain<V>>;

/// A store of one value and its timestamp per key and window: what windowed aggregations use. Mirrors Kafka Streams'
/// `TimestampedWindowStore`; see [`Window`] for its methods.
pub type TimestampedWindowStore<K, V> = Window<K, Timestamped<V>>;

/// The handle of a windowed store.
///
/// Rows are kept for the store's retention, counted back from its *stream time*: the largest window start that was ever put. Older
/// rows do not show; the files forget them by whole segments. A row that is put behind the retention is left out. All bounds are
/// inclusive and on the start of a window, ms.
///
/// ```
/// use stream_core::Result;
/// use stream_state::{ValueAndTimestamp, TimestampedWindowStore};
///
/// /// The hourly counts of `user` on one day, as `(start of the hour, count)`.
/// fn day(counts: &TimestampedWindowStore<String, u64>, user: &String, midnight: i64) -> Result<Vec<(i64, u64)>> {
///     let day = counts.fetch(user, midnight, midnight + 86_399_999)?;
///     day.map(|row| row.map(|(start, count)| (start, count.value))).collect()
/// }
///
/// fn add(counts: &TimestampedWindowStore<String, u64>, user: &String, hour: i64, now: i64) -> Result<()> {
///     let count = counts.get(user, hour)?.map_or(0, |row| row.value) + 1;
///     counts.put(user, ValueAndTimestamp::new(&count, now), hour)
/// }
/// ```
pub struct Window<K, E> {
    store: Rc<LayeredStore>,
    keys: SerdeRef<K>,
    envelope: E,
    schema: WindowKeySchema,
    /// In memory a row expires to the millisecond; on disk it can be written while its segment lives (as in Java).
    exact: bool,
}

impl<K: 'static, E: Envelope> Window<K, E> {
    pub(crate) fn new(store: Rc<LayeredStore>, keys: SerdeRef<K>, envelope: E, schema: WindowKeySchema, exact: bool) -> Self {
        Self { store, keys, envelope, schema, exact }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        self.store.name()
    }

    /// How long rows are kept, ms.
    pub fn retention_ms(&self) -> i64 {
        self.schema.retention_ms
    }

    /// The largest window start that was put, ms, or -1. It rolls back with an aborted transaction.
    pub fn stream_time_ms(&self) -> i64 {
        self.store.with(|layers| layers.pending.stream_time)
    }

    /// Writes the row of `key` in the window that starts at `start` (ms); `None` deletes it. A store that keeps duplicates adds
    /// the row beside the others; `None` adds none, but its changelog tells so, as Java's does. Returns nothing for a row behind the retention, which is left out.
    ///
    /// # Errors
    /// When a serde fails, the key is null, `start` is negative, or the disk cannot be read.
    #[inline]
    pub fn put<'r>(&self, key: &K, row: impl Into<Option<E::RowRef<'r>>>, start: i64) -> Result<()> {
        if start < 0 {
            return Err(self.store.error(StoreError::NegativeStart { start }));
        }
        let mut observed = self.store.with(|layers| layers.pending);
        observed.stream_time = observed.stream_time.max(start);
        let expired = if self.exact {
            start < self.schema.first_visible_start(observed.stream_time)
        } else {
            self.schema.segment(start) < self.schema.first_live_segment(observed.stream_time)
        };
        if expired {
            tracing::debug!(store = self.name(), start, stream_time = observed.stream_time, "a row behind the retention was left out");
            return Ok(());
        }
        self.with_row(row.into(), |value| {
            if self.schema.retain_duplicates {
                // Wraps at the largest positive number, as Java's does (trap T133).
                observed.sequence = observed.sequence.wrapping_add(1) & i32::MAX;
            }
            self.with_key(key, start, observed.sequence_of(&self.schema), |key| self.store.put(key, value))?;
            self.store.with(|layers| layers.pending = observed);
            Ok(())
        })
    }

    /// The row of `key` in the window that starts at `start` (ms). Java's `fetch(key, time)`.
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    #[inline]
    pub fn get(&self, key: &K, start: i64) -> Result<Option<E::Row>> {
        if start < self.first_visible_start() {
            return Ok(None);
        }
        self.store.with_value_buffer(|value| {
            let found = self.with_key(key, start, 0, |key| self.store.get(key, value))?;
            if found { self.read(value).map(Some) } else { Ok(None) }
        })
    }

    /// The rows of `key` whose windows start from `from` to `to` (ms, both inclusive), earliest first.
    ///
    /// # Errors
    /// When the key serde fails. The iterator's items fail as [`get`](Self::get) does.
    pub fn fetch(&self, key: &K, from: i64, to: i64) -> Result<WindowIterator<'_, K, E>> {
        self.fetch_key(key, from, to, false)
    }

    /// As [`fetch`](Self::fetch), latest first.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch(&self, key: &K, from: i64, to: i64) -> Result<WindowIterator<'_, K, E>> {
        self.fetch_key(key, from, to, true)
    }

    /// The rows of all keys whose windows start from `from` to `to` (ms, both inclusive): segment by segment, in each by the bytes
    /// of the key, then by start.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_all(&self, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., from, to, false)
    }

    /// As [`fetch_all`](Self::fetch_all), from the end.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch_all(&self, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., from, to, true)
    }

    /// As [`fetch_all`](Self::fetch_all), for a range of keys in the order of their bytes. Java's `fetch(keyFrom, keyTo, …)`.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_keys(&self, keys: impl RangeBounds<K>, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(keys, from, to, false)
    }

    /// All rows, in the order of [`fetch_all`](Self::fetch_all).
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn all(&self) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., 0, i64::MAX, false)
    }

    /// All rows, from the end.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_all(&self) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., 0, i64::MAX, true)
    }

    fn fetch_key(&self, key: &K, from: i64, to: i64, reverse: bool) -> Result<WindowIterator<'_, K, E>> {
        let key = self.key_bytes(key)?;
        let from = from.max(self.first_visible_start());
        let scan = self.scan(from, to, reverse, |segment| WindowKeySchema::key_range(segment, &key, from, to));
        Ok(WindowIterator::new(self, scan, key))
    }

    fn windowed(&self, keys: impl RangeBounds<K>, from: i64, to: i64, reverse: bool) -> Result<WindowedIterator<'_, K, E>> {
        let bound = |bound: Bound<&K>| -> Result<Bound<Vec<u8>>> {
            Ok(match bound {
                Bound::Included(key) => Bound::Included(self.key_bytes(key)?),
                Bound::Excluded(key) => Bound::Excluded(self.key_bytes(key)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        let keys = (bound(keys.start_bound())?, bound(keys.end_bound())?);
        let (first, last) = (bytes_of(&keys.0), bytes_of(&keys.1));
        if first.zip(last).is_some_and(|(first, last)| last < first) {
            tracing::warn!(
                store = self.name(),
                "a range of keys ends before it begins and gives nothing; keys are in the order of their bytes, where negative numbers follow positive ones"
            );
        }
        let from = from.max(self.first_visible_start());
        let scan = self.scan(from, to, reverse, |segment| WindowKeySchema::keys_range(segment, first, last, to));
        Ok(WindowedIterator::new(self, scan, keys, from, to))
    }

    /// Scans the ranges that `range` gives for the segments from `from` to `to`.
    fn scan(&self, from: i64, to: i64, reverse: bool, range: impl Fn(u64) -> ByteRange) -> RowScan {
        let mut segments = if to < from || to < 0 {
            Vec::new()
        } else {
            self.store.with(|layers| layers.segments(self.schema.segment(from.max(0)), self.schema.segment(to)))
        };
        if reverse {
            segments.reverse();
        }
        self.store.scan(segments.into_iter().map(range), reverse)
    }

    fn first_visible_start(&self) -> i64 {
        self.schema.first_visible_start(self.stream_time_ms()).max(0)
    }

    fn key_bytes(&self, key: &K) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_key(key, &mut bytes).map_err(|error| self.store.error(error))?;
        Ok(bytes)
    }

    fn write_key(&self, key: &K, out: &mut Vec<u8>) -> Result<(), StoreError> {
        if self.keys.is_null(key) {
            return Err(StoreError::NullKey);
        }
        self.keys.serialize(key, out, &self.store.serde_context(Role::Key)).map_err(StoreError::serde(Role::Key))
    }

    /// Runs `f` with the row's stored key.
    #[inline]
    fn with_key<T>(&self, key: &K, start: i64, sequence: i32, f: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.store.with_key_buffer(|bytes| {
            let written = self.schema.write(start, sequence, bytes, |bytes| self.write_key(key, bytes));
            written.map_err(|error| self.store.error(error))?;
            f(bytes)
        })
    }

    #[inline]
    fn with_row<T>(&self, row: Option<E::RowRef<'_>>, f: impl FnOnce(Option<&[u8]>) -> Result<T>) -> Result<T> {
        let Some(row) = row else { return f(None) };
        self.store.with_value_buffer(|bytes| {
            let written = self.envelope.write(row, bytes, &self.store.serde_context(Role::Value));
            let written = written.map_err(|error| self.store.error(StoreError::serde(Role::Value)(error)))?;
            f(written.then_some(bytes.as_slice()))
        })
    }

    #[inline]
    fn read(&self, bytes: &[u8]) -> Result<E::Row> {
        let row = self.envelope.read(bytes, &self.store.serde_context(Role::Value));
        row.map_err(|error| self.store.error(StoreError::serde(Role::Value)(error)))
    }

    fn read_key(&self, stored: &[u8]) -> Result<WindowKey<K>> {
        let Some(parts) = window::parts(stored) else {
            let reason = format!("its key has {} bytes only", stored.len());
            return Err(self.store.error(StoreError::ForeignRecord { reason }));
        };
        let key = self.keys.deserialize(parts.key, &self.store.serde_context(Role::Key));
        let key = key.map_err(|error| self.store.error(StoreError::serde(Role::Key)(error)))?;
        Ok(WindowKey { key, start: parts.start })
    }
}

fn bytes_of(bound: &Bound<Vec<u8>>) -> Option<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

impl<K, E: Clone> Clone for Window<K, E> {
    fn clone(&self) -> Self {
        Self {
            store: Rc::clone(&self.store),
            keys: SerdeRef::clone(&self.keys),
            envelope: self.envelope.clone(),
            schema: self.schema.clone(),
            exact: self.exact,
        }
    }
}

impl<K, E> fmt::Debug for Window<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowStore").field("name", &self.store.name()).finish_non_exhaustive()
    }
}
