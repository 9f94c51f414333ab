//! Windowed stores: rows of a key and the start of a window, kept for a time.

mod cached;
mod iter;
mod supplier;

use std::fmt;
use std::ops::RangeBounds;

pub use iter::{WindowIterator, WindowKey, WindowedIterator};
use stream_core::Result;
pub use supplier::WindowBytesStoreSupplier;

use crate::error::StoreError;
use crate::key::WindowKeySchema;
use crate::store::{KeyBounds, Segmented, StoreBuilder, Typed, bytes_of};
use crate::value::{Envelope, Plain, Timestamped, WithHeaders};

/// Declares a [`WindowStore`].
pub type WindowStoreBuilder<K, V> = StoreBuilder<WindowBytesStoreSupplier, K, Plain<V>>;

/// Declares a [`TimestampedWindowStore`].
pub type TimestampedWindowStoreBuilder<K, V> = StoreBuilder<WindowBytesStoreSupplier, K, Timestamped<V>>;

/// Declares a [`TimestampedWindowStoreWithHeaders`].
pub type TimestampedWindowStoreWithHeadersBuilder<K, V> = StoreBuilder<WindowBytesStoreSupplier, K, WithHeaders<V>>;

/// A store of one value, its timestamp and its headers per key and window (KIP-1271). Mirrors Kafka Streams'
/// `TimestampedWindowStoreWithHeaders`; see [`Window`] for its methods.
pub type TimestampedWindowStoreWithHeaders<K, V> = Window<K, WithHeaders<V>>;

/// A store of one value per key and window. Mirrors Kafka Streams' `WindowStore`; see [`Window`] for its methods.
pub type WindowStore<K, V> = Window<K, Plain<V>>;

/// A store of one value and its timestamp per key and window: what windowed aggregations use. Mirrors Kafka Streams'
/// `TimestampedWindowStore`; see [`Window`] for its methods.
pub type TimestampedWindowStore<K, V> = Window<K, Timestamped<V>>;

/// The handle of a windowed store.
///
/// Rows are kept for the store's retention, counted back from its *stream time*: the largest window start that was ever put. Older
/// rows do not show; the files forget them by whole segments. A row that is put behind the retention counts in `dropped-records` and
/// is left out. A cached store shows what it still has. All bounds are inclusive and on the start of a window, ms.
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
    rows: Segmented<K, E>,
    schema: WindowKeySchema,
}

impl<K: 'static, E: Envelope> Window<K, E> {
    pub(super) fn new(typed: Typed<K, E>, schema: WindowKeySchema, exact: bool) -> Self {
        Self { rows: Segmented { typed, segments: schema.segments.clone(), exact }, schema }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.name(), "store");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.rows.typed.store.name()
    }

    /// How long rows are kept, ms.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.retention_ms(), 100);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.schema.segments.retention_ms
    }

    /// The largest window start that was put, ms, or -1. It rolls back with an aborted transaction.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.stream_time_ms(), -1);
    /// store.put(&1, &10, 70)?;
    /// store.put(&1, &10, 50)?;
    /// assert_eq!(store.stream_time_ms(), 70);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn stream_time_ms(&self) -> i64 {
        self.rows.stream_time()
    }

    /// Writes the row of `key` in the window that starts at `start` (ms); `None` deletes it. A store that keeps duplicates adds
    /// the row beside the others; `None` adds none, but its changelog tells so, as Java's does. A row behind the retention is counted as
    /// dropped.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10, 0)?;
    /// store.put(&1, &11, 0)?; // the same window: overwritten
    /// store.put(&1, &20, 10)?;
    /// store.put(&1, None, 10)?;
    /// assert_eq!((store.get(&1, 0)?, store.get(&1, 10)?), (Some(11), None));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails, the key is null, `start` is negative, or the disk cannot be read.
    #[inline]
    pub fn put<'r>(&self, key: &K, row: impl Into<Option<E::RowRef<'r>>>, start: i64) -> Result<()> {
        let typed = &self.rows.typed;
        if start < 0 {
            return Err(typed.store.error(StoreError::NegativeStart { start }));
        }
        typed.with_row(row.into(), |value| {
            // On disk Java's store does not see the nulls that add nothing; in memory it does.
            let unseen = self.schema.retain_duplicates && value.is_none() && !self.rows.exact;
            let mut observed = if unseen { typed.store.with(|layers| layers.pending) } else { self.rows.observe(start) };
            if self.schema.retain_duplicates {
                // Wraps at the largest positive number, as Java's does (trap T133).
                observed.sequence = observed.sequence.wrapping_add(1) & i32::MAX;
            }
            let sequence = observed.sequence_of(&self.schema);
            self.rows.put(|bytes| self.write(key, start, sequence, bytes), value, observed)
        })
    }

    /// The row of `key` in the window that starts at `start` (ms). Java's `fetch(key, time)`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10, 20)?;
    /// // By the start of the window, not by a time within it.
    /// assert_eq!((store.get(&1, 20)?, store.get(&1, 25)?), (Some(10), None));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    #[inline]
    pub fn get(&self, key: &K, start: i64) -> Result<Option<E::Row>> {
        if start < self.first_visible_start() {
            return Ok(None);
        }
        self.rows.typed.get(|bytes| self.write(key, start, 0, bytes))
    }

    /// The rows of `key` whose windows start from `from` to `to` (ms, both inclusive), earliest first.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// for start in [0, 10, 20, 30] {
    ///     store.put(&1, &start, start)?;
    /// }
    /// let rows = store.fetch(&1, 10, 20)?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(rows, [(10, 10), (20, 20)]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the key serde fails. The iterator's items fail as [`get`](Self::get) does.
    pub fn fetch(&self, key: &K, from: i64, to: i64) -> Result<WindowIterator<'_, K, E>> {
        self.fetch_key(key, from, to, false)
    }

    /// As [`fetch`](Self::fetch), latest first.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 0)?;
    /// store.put(&1, &7, 10)?;
    /// let newest = store.backward_fetch(&1, 0, i64::MAX)?.next().transpose()?;
    /// assert_eq!(newest, Some((10, 7)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch(&self, key: &K, from: i64, to: i64) -> Result<WindowIterator<'_, K, E>> {
        self.fetch_key(key, from, to, true)
    }

    /// The rows of all keys whose windows start from `from` to `to` (ms, both inclusive). On disk: segment by segment, in each by the
    /// bytes of the key, then by start. In memory, and in a store that is ordered by time: by start, then by the bytes of the key.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&2, &5, 0)?;
    /// store.put(&1, &7, 10)?;
    /// store.put(&1, &9, 20)?;
    /// let keys = store.fetch_all(0, 10)?.map(|row| row.map(|(window, _)| (window.key, window.start)));
    /// assert_eq!(keys.collect::<Result<Vec<_>, _>>()?, [(2, 0), (1, 10)]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch). Rows of a store in memory are read at once, so that the disk cannot fail later.
    pub fn fetch_all(&self, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., from, to, false)
    }

    /// As [`fetch_all`](Self::fetch_all), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&2, &5, 0)?;
    /// store.put(&1, &7, 10)?;
    /// let newest = store.backward_fetch_all(0, 10)?.next().transpose()?;
    /// assert_eq!(newest.map(|(window, count)| (window.key, count)), Some((1, 7)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch_all(&self, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., from, to, true)
    }

    /// As [`fetch_all`](Self::fetch_all), for a range of keys in the order of their bytes. Java's `fetch(keyFrom, keyTo, …)`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// for user in [1, 2, 3] {
    ///     store.put(&user, &5, 0)?;
    /// }
    /// assert_eq!(store.fetch_keys(2..=3, 0, 100)?.count(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_keys(&self, keys: impl RangeBounds<K>, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(keys, from, to, false)
    }

    /// As [`fetch_keys`](Self::fetch_keys), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// for user in [1, 2, 3] {
    ///     store.put(&user, &5, 0)?;
    /// }
    /// let last = store.backward_fetch_keys(..3, 0, 100)?.next().transpose()?;
    /// assert_eq!(last.map(|(window, _)| window.key), Some(2));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch_keys(&self, keys: impl RangeBounds<K>, from: i64, to: i64) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(keys, from, to, true)
    }

    /// All rows, in the order of [`fetch_all`](Self::fetch_all).
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 0)?;
    /// store.put(&1, &7, 200)?; // moves the time of the store past the retention of the first window
    /// assert_eq!(store.all()?.count(), 1);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn all(&self) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., 0, i64::MAX, false)
    }

    /// All rows, from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 0)?;
    /// store.put(&1, &7, 10)?;
    /// assert_eq!(store.backward_all()?.next().transpose()?.map(|(window, _)| window.start), Some(10));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_all(&self) -> Result<WindowedIterator<'_, K, E>> {
        self.windowed(.., 0, i64::MAX, true)
    }

    fn fetch_key(&self, key: &K, from: i64, to: i64, reverse: bool) -> Result<WindowIterator<'_, K, E>> {
        let key = self.rows.typed.key_bytes(key)?;
        let from = from.max(self.first_visible_start());
        let scan = self.rows.scan(from, to, reverse, |segment| self.schema.key_range(segment, &key, from, to));
        Ok(WindowIterator::new(self, scan, key))
    }

    fn windowed(&self, keys: impl RangeBounds<K>, from: i64, to: i64, reverse: bool) -> Result<WindowedIterator<'_, K, E>> {
        let keys: KeyBounds = self.rows.key_bounds(&keys)?;
        let (first, last) = (bytes_of(&keys.0), bytes_of(&keys.1));
        let from = from.max(self.first_visible_start());
        let rows = if self.schema.segments.time_index {
            self.rows.scan_index(from, to, reverse)
        } else {
            let rows = self.rows.scan(from, to, reverse, |segment| self.schema.keys_range(segment, first, last, to));
            if self.rows.exact {
                rows.sorted_by(reverse, |stored| {
                    let parts = self.schema.parts(stored)?;
                    Some((parts.start, parts.key.to_vec(), parts.sequence))
                })?
            } else {
                rows
            }
        };
        Ok(WindowedIterator::new(self, rows, keys, from, to))
    }

    fn first_visible_start(&self) -> i64 {
        self.rows.first_visible_time()
    }

    #[inline]
    fn write(&self, key: &K, start: i64, sequence: i32, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.schema.write(start, sequence, out, |out| self.rows.typed.write_key(key, out))
    }

    fn read_key(&self, stored: &[u8]) -> Result<WindowKey<K>> {
        let Some(parts) = self.schema.parts(stored) else {
            let reason = format!("its key has {} bytes only", stored.len());
            return Err(self.rows.typed.store.error(StoreError::ForeignRecord { reason }));
        };
        Ok(WindowKey { key: self.rows.typed.read_key(parts.key)?, start: parts.start })
    }
}

impl<K, E: Clone> Clone for Window<K, E> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), schema: self.schema.clone() }
    }
}

impl<K, E> fmt::Debug for Window<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowStore").field("name", &self.rows.typed.store.name()).finish_non_exhaustive()
    }
}
