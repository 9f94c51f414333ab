//! Key-value stores: typed over bytes, once for plain and once for timestamped values.

mod cached;
mod iter;
mod list;
mod supplier;

use std::fmt;
use std::ops::{Bound, RangeBounds};

pub use cached::CachedChange;
pub use iter::KeyValueIterator;
pub use list::{ListValueStore, ListValueStoreBuilder};
use stream_core::Result;
use stream_core::serdes::{Role, Serde};
pub use supplier::KeyValueBytesStoreSupplier;

use crate::bytes::ByteRange;
use crate::error::StoreError;
use crate::store::{StoreBuilder, Typed};
use crate::value::{Envelope, Plain, Timestamped, WithHeaders};

/// A store of one value per key. Mirrors Kafka Streams' `KeyValueStore`; see [`KeyValue`] for its methods.
pub type KeyValueStore<K, V> = KeyValue<K, Plain<V>>;

/// A store of one value and its timestamp per key: what tables use. Mirrors Kafka Streams' `TimestampedKeyValueStore`; see
/// [`KeyValue`] for its methods.
pub type TimestampedKeyValueStore<K, V> = KeyValue<K, Timestamped<V>>;

/// A store of one value, its timestamp and its headers per key (KIP-1271). Mirrors Kafka Streams' `TimestampedKeyValueStoreWithHeaders`; see
/// [`KeyValue`] for its methods.
pub type TimestampedKeyValueStoreWithHeaders<K, V> = KeyValue<K, WithHeaders<V>>;

/// The handle of a key-value store. A processor gets it in `init` and keeps it in a field.
///
/// A read shows the newest write, committed or not. Writes are undone when the transaction is aborted. Keys are in the order of
/// their bytes, unsigned: negative integers come behind positive ones, as in Kafka Streams.
///
/// ```
/// use stream_core::store::StoreName;
/// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
/// use stream_state::KeyValueStore;
///
/// const LAST_SEEN: StoreName<KeyValueStore<String, i64>> = StoreName::new("last-seen");
///
/// /// Forwards how long ago the same key came.
/// struct Gaps {
///     last_seen: Option<KeyValueStore<String, i64>>,
/// }
///
/// impl Processor for Gaps {
///     type KeyIn = String;
///     type ValueIn = String;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
///         self.last_seen = Some(cx.store(&LAST_SEEN)?);
///         Ok(())
///     }
///
///     fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         let Some(last_seen) = &self.last_seen else { return Ok(()) };
///         let before = last_seen.get(&record.key)?;
///         last_seen.put(&record.key, &record.timestamp)?;
///         if let Some(before) = before {
///             let gap = record.timestamp - before;
///             cx.forward(record.with_value(gap))?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub struct KeyValue<K, E> {
    typed: Typed<K, E>,
}

/// Declares a [`KeyValueStore`].
pub type KeyValueStoreBuilder<K, V> = StoreBuilder<KeyValueBytesStoreSupplier, K, Plain<V>>;

/// Declares a [`TimestampedKeyValueStore`].
pub type TimestampedKeyValueStoreBuilder<K, V> = StoreBuilder<KeyValueBytesStoreSupplier, K, Timestamped<V>>;

/// Declares a [`TimestampedKeyValueStoreWithHeaders`].
pub type TimestampedKeyValueStoreWithHeadersBuilder<K, V> = StoreBuilder<KeyValueBytesStoreSupplier, K, WithHeaders<V>>;

impl<K: 'static, E: Envelope> KeyValue<K, E> {
    pub(super) fn new(typed: Typed<K, E>) -> Self {
        Self { typed }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.name(), "store");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.typed.store.name()
    }

    /// The row of `key`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.get(&1)?, None);
    /// store.put(&1, &10)?;
    /// assert_eq!(store.get(&1)?, Some(10), "a write shows before its commit");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    #[inline]
    pub fn get(&self, key: &K) -> Result<Option<E::Row>> {
        self.typed.get(|bytes| self.typed.write_key(key, bytes))
    }

    /// Writes a row; `None` deletes it, and so does a value that its serde writes as null.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10)?;
    /// store.put(&1, None)?;
    /// assert_eq!(store.get(&1)?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails, the key is null, or the disk cannot be read.
    #[inline]
    pub fn put<'r>(&self, key: &K, row: impl Into<Option<E::RowRef<'r>>>) -> Result<()> {
        self.typed.with_row(row.into(), |value| self.with_key(key, |key| self.typed.store.put(key, value)))
    }

    /// Writes a row if there is none; returns the one that there is.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.put_if_absent(&1, &10)?, None);
    /// assert_eq!(store.put_if_absent(&1, &20)?, Some(10));
    /// assert_eq!(store.get(&1)?, Some(10));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_if_absent<'r>(&self, key: &K, row: impl Into<Option<E::RowRef<'r>>>) -> Result<Option<E::Row>> {
        let before = self.get(key)?;
        if before.is_none() {
            self.put(key, row)?;
        }
        Ok(before)
    }

    /// Writes several rows, in their order; `None` deletes.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20)), (&1, None)])?;
    /// assert_eq!((store.get(&1)?, store.get(&2)?), (None, Some(20)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put); rows before the failed one stay.
    pub fn put_all<'r>(&self, rows: impl IntoIterator<Item = (&'r K, Option<E::RowRef<'r>>)>) -> Result<()> {
        rows.into_iter().try_for_each(|(key, row)| self.put(key, row))
    }

    /// Deletes a row; returns what it held.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10)?;
    /// assert_eq!(store.delete(&1)?, Some(10));
    /// assert_eq!(store.delete(&1)?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&self, key: &K) -> Result<Option<E::Row>> {
        let before = self.get(key)?;
        self.put(key, None::<E::RowRef<'_>>)?;
        Ok(before)
    }

    /// The rows of a range of keys, in the order of their bytes. A range whose end lies before its start is empty, with a warning.
    ///
    /// An iterator shows the store as it is now; what is written while it is open does not show.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20)), (&3, Some(&30)), (&-1, Some(&0))])?;
    /// let rows = store.range(2..)?.collect::<Result<Vec<_>, _>>()?;
    /// // By bytes: a negative number comes behind all others.
    /// assert_eq!(rows, [(2, 20), (3, 30), (-1, 0)]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the key serde fails. The iterator's items fail as [`get`](Self::get) does.
    pub fn range(&self, keys: impl RangeBounds<K>) -> Result<KeyValueIterator<'_, K, E>> {
        self.scan(&keys, false)
    }

    /// As [`range`](Self::range), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20)), (&3, Some(&30))])?;
    /// let last = store.reverse_range(..3)?.next().transpose()?;
    /// assert_eq!(last, Some((2, 20)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn reverse_range(&self, keys: impl RangeBounds<K>) -> Result<KeyValueIterator<'_, K, E>> {
        self.scan(&keys, true)
    }

    /// All rows, in the order of their keys' bytes.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20))])?;
    /// for row in store.all()? {
    ///     let (key, value) = row?;
    ///     store.put(&(key + 10), &value)?; // does not show in the iterator that is open
    /// }
    /// assert_eq!(store.all()?.count(), 4);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn all(&self) -> Result<KeyValueIterator<'_, K, E>> {
        Ok(self.rows(ByteRange::all(), false))
    }

    /// As [`all`](Self::all), from the end.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20))])?;
    /// assert_eq!(store.reverse_all()?.next().transpose()?, Some((2, 20)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn reverse_all(&self) -> Result<KeyValueIterator<'_, K, E>> {
        Ok(self.rows(ByteRange::all(), true))
    }

    /// The rows whose keys' bytes begin with those of `prefix`.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&"ab".to_owned(), Some(&1)), (&"abc".to_owned(), Some(&2)), (&"b".to_owned(), Some(&3))])?;
    /// assert_eq!(store.prefix_scan(&"ab".to_owned(), &*Serdes::string())?.count(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `serde` fails.
    pub fn prefix_scan<P: 'static>(&self, prefix: &P, serde: &dyn Serde<P>) -> Result<KeyValueIterator<'_, K, E>> {
        let range = self.typed.store.with_key_buffer(|bytes| {
            serde.serialize(prefix, bytes, &self.typed.store.serde_context(Role::Key)).map(|()| ByteRange::prefix(bytes))
        });
        let range = range.map_err(|error| self.typed.store.error(StoreError::serde(Role::Key)(error)))?;
        Ok(self.rows(range, false))
    }

    /// How many rows there are, about: exact while all rows are in memory, RocksDB's estimate otherwise.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put_all([(&1, Some(&10)), (&2, Some(&20))])?;
    /// assert_eq!(store.approximate_num_entries(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn approximate_num_entries(&self) -> u64 {
        self.typed.store.with(|layers| layers.approximate_rows())
    }

    fn scan(&self, keys: &impl RangeBounds<K>, reverse: bool) -> Result<KeyValueIterator<'_, K, E>> {
        let bytes = |key: &K| self.with_key(key, |key| Ok(key.to_vec()));
        // A range of ours begins with a key and ends before one; the next key behind `k` is `k` and a zero byte.
        let behind = |key: &K| {
            bytes(key).map(|mut key| {
                key.push(0);
                key
            })
        };
        let from = match keys.start_bound() {
            Bound::Included(key) => bytes(key)?,
            Bound::Excluded(key) => behind(key)?,
            Bound::Unbounded => Vec::new(),
        };
        let to = match keys.end_bound() {
            Bound::Included(key) => Some(behind(key)?),
            Bound::Excluded(key) => Some(bytes(key)?),
            Bound::Unbounded => None,
        };
        let range = ByteRange { from, to };
        if range.to.as_ref().is_some_and(|to| *to < range.from) {
            tracing::warn!(
                store = self.name(),
                "a range ends before it begins and gives nothing; keys are in the order of their bytes, where negative numbers follow positive ones"
            );
        }
        Ok(self.rows(range, reverse))
    }

    fn rows(&self, range: ByteRange, reverse: bool) -> KeyValueIterator<'_, K, E> {
        KeyValueIterator::new(&self.typed, self.typed.store.scan([range], reverse))
    }

    /// Runs `f` with the key's bytes.
    #[inline]
    fn with_key<T>(&self, key: &K, f: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.typed.with_key(|bytes| self.typed.write_key(key, bytes), f)
    }
}

impl<K, E: Clone> Clone for KeyValue<K, E> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone() }
    }
}

impl<K, E> fmt::Debug for KeyValue<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueStore").field("name", &self.typed.store.name()).finish_non_exhaustive()
    }
}
