//! Session stores: rows of a key, the start and the end of a session, kept for a time.

mod cached;
mod iter;
mod supplier;

use std::fmt;
use std::ops::{Bound, RangeBounds};

use iter::Times;
pub use iter::{SessionIterator, SessionKey};
use stream_core::Result;
pub use supplier::SessionBytesStoreSupplier;

use crate::error::StoreError;
use crate::key::SessionKeySchema;
use crate::key::session::SessionParts;
use crate::store::{Rows, Segmented, StoreBuilder, Typed, bytes_of};
use crate::value::{Envelope, Plain, SessionWithHeaders};

/// Declares a [`SessionStore`].
pub type SessionStoreBuilder<K, V> = StoreBuilder<SessionBytesStoreSupplier, K, Plain<V>>;

/// Declares a [`SessionStoreWithHeaders`].
pub type SessionStoreWithHeadersBuilder<K, V> = StoreBuilder<SessionBytesStoreSupplier, K, SessionWithHeaders<V>>;

/// A store of one value and its headers per key and session (KIP-1271). Mirrors Kafka Streams' `SessionStoreWithHeaders`; see [`Session`]
/// for its methods.
pub type SessionStoreWithHeaders<K, V> = Session<K, SessionWithHeaders<V>>;

/// A store of one value per key and session: what aggregations over sessions use. Mirrors Kafka Streams' `SessionStore`; see [`Session`]
/// for its methods.
pub type SessionStore<K, V> = Session<K, Plain<V>>;

/// The handle of a session store. A session is known by its key and by the times of its first and last record, both of which belong to it.
///
/// Rows are kept for the store's retention, counted back from its *stream time*: the largest end that was ever put. Sessions that ended
/// before do not show; the files forget them by whole segments. A session that is put behind the retention counts in `dropped-records` and
/// is left out. A cached store shows what it still has.
///
/// ```
/// use stream_core::Result;
/// use stream_state::SessionStore;
///
/// /// Adds a click to the session of `user` that it belongs to, if one is less than half an hour away.
/// fn click(clicks: &SessionStore<String, u64>, user: &String, time: i64) -> Result<()> {
///     let gap = 1_800_000;
///     let near: Vec<_> = clicks.find(user, time - gap, time + gap)?.collect::<Result<_>>()?;
///     let (mut start, mut end, mut count) = (time, time, 1);
///     for (session, clicked) in near {
///         (start, end, count) = (start.min(session.start), end.max(session.end), count + clicked);
///         clicks.remove(user, session.start, session.end)?;
///     }
///     clicks.put(user, &count, start, end)
/// }
/// ```
pub struct Session<K, E> {
    rows: Segmented<K, E>,
    schema: SessionKeySchema,
}

impl<K: 'static, E: Envelope> Session<K, E> {
    pub(super) fn new(typed: Typed<K, E>, schema: SessionKeySchema, exact: bool) -> Self {
        Self { rows: Segmented { typed, segments: schema.segments.clone(), exact }, schema }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.name(), "store");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.rows.typed.store.name()
    }

    /// How long sessions are kept after their end, ms.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.retention_ms(), 100);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.schema.segments.retention_ms
    }

    /// The largest session end that was put, ms, or -1. It rolls back with an aborted transaction.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// assert_eq!(store.stream_time_ms(), 20);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn stream_time_ms(&self) -> i64 {
        self.rows.stream_time()
    }

    /// Writes the row of the session of `key` from `start` to `end` (ms); `None` deletes it. A session behind the retention is counted as
    /// dropped.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&1, None, 10, 20)?;
    /// // A session that grew is another session: write the new one and remove the old one.
    /// store.put(&1, &6, 10, 25)?;
    /// assert_eq!((store.get(&1, 10, 20)?, store.get(&1, 10, 25)?), (None, Some(6)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails, the key is null, `start` is negative, or the disk cannot be read.
    pub fn put<'r>(&self, key: &K, row: impl Into<Option<E::RowRef<'r>>>, start: i64, end: i64) -> Result<()> {
        let typed = &self.rows.typed;
        if start < 0 || end < 0 {
            return Err(typed.store.error(StoreError::NegativeStart { start: start.min(end) }));
        }
        typed.with_row(row.into(), |value| {
            let observed = self.rows.observe(end);
            self.rows.put(|bytes| self.write(key, start, end, bytes), value, observed)
        })
    }

    /// Deletes a session.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.remove(&1, 10, 20)?;
    /// assert_eq!(store.get(&1, 10, 20)?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn remove(&self, key: &K, start: i64, end: i64) -> Result<()> {
        let mut observed = self.rows.typed.store.with(|layers| layers.pending);
        // Nothing is left out here: what is behind the retention is gone already.
        observed.stream_time = if self.rows.exact { observed.stream_time } else { observed.stream_time.max(end) };
        self.rows.put(|bytes| self.write(key, start, end, bytes), None, observed)
    }

    /// The row of the session of `key` that lasts exactly from `start` to `end` (ms). Java's `fetchSession`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// assert_eq!((store.get(&1, 10, 20)?, store.get(&1, 10, 19)?), (Some(5), None));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn get(&self, key: &K, start: i64, end: i64) -> Result<Option<E::Row>> {
        if end < self.rows.first_visible_time() {
            return Ok(None);
        }
        self.rows.typed.get(|bytes| self.write(key, start, end, bytes))
    }

    /// The sessions of `key`, by their end; of those that end together the earlier one comes first on disk and in a cached store, the later
    /// one in memory.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&1, &7, 50, 60)?;
    /// let ends = store.fetch(&1)?.map(|row| row.map(|(session, _)| session.end));
    /// assert_eq!(ends.collect::<Result<Vec<_>, _>>()?, [20, 60]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the key serde fails. The iterator's items fail as [`get`](Self::get) does.
    pub fn fetch(&self, key: &K) -> Result<SessionIterator<'_, K, E>> {
        self.find(key, 0, i64::MAX)
    }

    /// As [`fetch`](Self::fetch), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&1, &7, 50, 60)?;
    /// assert_eq!(store.backward_fetch(&1)?.next().transpose()?.map(|(_, clicks)| clicks), Some(7));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_fetch(&self, key: &K) -> Result<SessionIterator<'_, K, E>> {
        self.backward_find(key, 0, i64::MAX)
    }

    /// The sessions of a range of keys, in the order of their bytes. On disk: segment by segment, in each by the bytes of the key, then by
    /// end. In memory: by end, then by key.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// for user in [1, 2, 3] {
    ///     store.put(&user, &5, 10, 20)?;
    /// }
    /// assert_eq!(store.fetch_keys(2..)?.count(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_keys(&self, keys: impl RangeBounds<K>) -> Result<SessionIterator<'_, K, E>> {
        self.find_keys(keys, 0, i64::MAX)
    }

    /// As [`fetch_keys`](Self::fetch_keys), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// for user in [1, 2, 3] {
    ///     store.put(&user, &5, 10, 20)?;
    /// }
    /// assert_eq!(store.backward_fetch_keys(..3)?.next().transpose()?.map(|(session, _)| session.key), Some(2));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the key serde fails.
    pub fn backward_fetch_keys(&self, keys: impl RangeBounds<K>) -> Result<SessionIterator<'_, K, E>> {
        self.backward_find_keys(keys, 0, i64::MAX)
    }

    /// The sessions of `key` that end at `earliest_end` or later and begin at `latest_start` or earlier (ms, both inclusive), by their end.
    /// Java's `findSessions(key, …)`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&1, &7, 50, 60)?;
    /// // The sessions that a record at 25 is near to, with a gap of 10: they end at 15 or later and begin at 35 or earlier.
    /// let near = store.find(&1, 15, 35)?.map(|row| row.map(|(session, _)| session.start));
    /// assert_eq!(near.collect::<Result<Vec<_>, _>>()?, [10]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn find(&self, key: &K, earliest_end: i64, latest_start: i64) -> Result<SessionIterator<'_, K, E>> {
        self.find_key(key, earliest_end, latest_start, false)
    }

    /// As [`find`](Self::find), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&1, &7, 50, 60)?;
    /// assert_eq!(store.backward_find(&1, 0, 100)?.next().transpose()?.map(|(_, clicks)| clicks), Some(7));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_find(&self, key: &K, earliest_end: i64, latest_start: i64) -> Result<SessionIterator<'_, K, E>> {
        self.find_key(key, earliest_end, latest_start, true)
    }

    /// As [`find`](Self::find), for a range of keys, in the order of [`fetch_keys`](Self::fetch_keys).
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&2, &7, 50, 60)?;
    /// assert_eq!(store.find_keys(1..=2, 30, 100)?.count(), 1);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn find_keys(&self, keys: impl RangeBounds<K>, earliest_end: i64, latest_start: i64) -> Result<SessionIterator<'_, K, E>> {
        self.find_in(&keys, earliest_end, latest_start, false)
    }

    /// As [`find_keys`](Self::find_keys), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&2, &7, 50, 60)?;
    /// assert_eq!(store.backward_find_keys(.., 0, 100)?.next().transpose()?.map(|(session, _)| session.key), Some(2));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn backward_find_keys(&self, keys: impl RangeBounds<K>, earliest_end: i64, latest_start: i64) -> Result<SessionIterator<'_, K, E>> {
        self.find_in(&keys, earliest_end, latest_start, true)
    }

    /// The sessions of all keys that end from `earliest_end` to `latest_end` (ms, both inclusive), by their end. On disk the retention hides
    /// none of them: a session that closes now may have expired with the same record. Java's `findSessions(earliestEnd, latestEnd)`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)).ordered_by_time(), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&2, &7, 15, 18)?;
    /// // All sessions that closed with the step of time from 17 to 20, whoever's they are.
    /// let ended = store.find_ended(17, 20)?.map(|row| row.map(|(session, _)| (session.key, session.end)));
    /// assert_eq!(ended.collect::<Result<Vec<_>, _>>()?, [(2, 18), (1, 20)]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store is not ordered by time: see [`SessionBytesStoreSupplier::ordered_by_time`].
    pub fn find_ended(&self, earliest_end: i64, latest_end: i64) -> Result<SessionIterator<'_, K, E>> {
        if !self.schema.segments.time_index {
            return Err(stream_core::Error::invalid(format!(
                "session store {} cannot be searched by time alone; make its supplier `ordered_by_time`",
                self.name()
            )));
        }
        let from = if self.rows.exact { earliest_end.max(self.rows.first_visible_time()) } else { earliest_end };
        let mut rows = self.rows.scan_index(from, latest_end, false);
        if self.rows.exact {
            rows = self.in_memory_order(rows, false)?;
        }
        let times = Times { earliest_end: from, latest_end, latest_start: i64::MAX };
        Ok(SessionIterator::new(self, rows, (Bound::Unbounded, Bound::Unbounded), times))
    }

    /// All sessions, in the order of [`fetch_keys`](Self::fetch_keys).
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.put(&2, &7, 15, 18)?;
    /// assert_eq!(store.all()?.count(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn all(&self) -> Result<SessionIterator<'_, K, E>> {
        self.find_keys(.., 0, i64::MAX)
    }

    fn find_key(&self, key: &K, earliest_end: i64, latest_start: i64, reverse: bool) -> Result<SessionIterator<'_, K, E>> {
        let key = self.rows.typed.key_bytes(key)?;
        let earliest_end = earliest_end.max(self.rows.first_visible_time());
        let range = |segment| self.schema.key_range(segment, &key, earliest_end, i64::MAX);
        let mut rows = self.rows.scan(earliest_end, i64::MAX, reverse, range);
        if self.rows.exact {
            rows = self.in_memory_order(rows, reverse)?;
        }
        let times = Times { earliest_end, latest_end: i64::MAX, latest_start };
        Ok(SessionIterator::new(self, rows, (Bound::Included(key.clone()), Bound::Included(key)), times))
    }

    fn find_in(
        &self,
        keys: &impl RangeBounds<K>,
        earliest_end: i64,
        latest_start: i64,
        reverse: bool,
    ) -> Result<SessionIterator<'_, K, E>> {
        let keys = self.rows.key_bounds(keys)?;
        let (first, last) = (bytes_of(&keys.0), bytes_of(&keys.1));
        let earliest_end = earliest_end.max(self.rows.first_visible_time());
        let mut rows = self.rows.scan(earliest_end, i64::MAX, reverse, |segment| self.schema.keys_range(segment, first, last));
        if self.rows.exact {
            rows = self.in_memory_order(rows, reverse)?;
        }
        Ok(SessionIterator::new(self, rows, keys, Times { earliest_end, latest_end: i64::MAX, latest_start }))
    }

    fn in_memory_order(&self, rows: Rows, reverse: bool) -> Result<Rows> {
        let is_caching = self.rows.typed.store.is_caching();
        rows.sorted_by(reverse, |stored| self.schema.parts(stored).map(|parts| memory_order(parts, is_caching)))
    }

    fn write(&self, key: &K, start: i64, end: i64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.schema.write(start, end, out, |out| self.rows.typed.write_key(key, out))
    }

    fn read_key(&self, stored: &[u8]) -> Result<SessionKey<K>> {
        let Some(parts) = self.schema.parts(stored) else {
            let reason = format!("its key has {} bytes only", stored.len());
            return Err(self.rows.typed.store.error(StoreError::ForeignRecord { reason }));
        };
        Ok(SessionKey { key: self.rows.typed.read_key(parts.key)?, start: parts.start, end: parts.end })
    }
}

/// The order of Java's in-memory store: of the sessions of a key that end together the one that began last comes first. Its record cache
/// has them the other way round.
fn memory_order(parts: SessionParts<'_>, is_caching: bool) -> (i64, Vec<u8>, i64) {
    (parts.end, parts.key.to_vec(), if is_caching { parts.start } else { -parts.start })
}

impl<K, E: Clone> Clone for Session<K, E> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), schema: self.schema.clone() }
    }
}

impl<K, E> fmt::Debug for Session<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore").field("name", &self.rows.typed.store.name()).finish_non_exhaustive()
    }
}
