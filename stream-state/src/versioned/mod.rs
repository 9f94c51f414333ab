//! Versioned stores (KIP-889): what a key's value was, as of a time.

mod supplier;

use std::fmt;

use stream_core::Result;
pub use supplier::VersionedBytesStoreSupplier;

use crate::bytes::ByteRange;
use crate::key::VersionedKeySchema;
use crate::store::{StoreBuilder, Typed};
use crate::value::Versioned;

/// A store of the versions of each key's value. Mirrors Kafka Streams' `VersionedKeyValueStore`; see [`Versions`] for its methods.
pub type VersionedKeyValueStore<K, V> = Versions<K, Versioned<V>>;

/// Declares a [`VersionedKeyValueStore`].
pub type VersionedKeyValueStoreBuilder<K, V> = StoreBuilder<VersionedBytesStoreSupplier, K, Versioned<V>>;

impl<K: 'static, V: 'static> VersionedKeyValueStoreBuilder<K, V> {
    /// A store of versions.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, VersionedKeyValueStoreBuilder};
    ///
    /// let supplier = Stores::persistent_versioned_key_value_store("prices", Duration::from_secs(60));
    /// let _prices = VersionedKeyValueStoreBuilder::new(supplier, Serdes::string(), Serdes::long());
    /// ```
    pub fn new(supplier: VersionedBytesStoreSupplier, keys: stream_core::SerdeRef<K>, values: stream_core::SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Versioned { serde: values })
    }
}

/// A version of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionedRecord<V> {
    /// The value.
    pub value: V,
    /// From when on it is valid, ms.
    pub timestamp: i64,
    /// Until when it is valid, ms, exclusive; `None`: it is the latest.
    pub valid_to: Option<i64>,
}

/// What became of a version that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutVersion {
    /// It is the latest of its key.
    Latest,
    /// It is valid until then, ms, exclusive: a later version was there.
    ValidTo(i64),
    /// It was refused, since it is older than the history that the store keeps. It counts in `dropped-records`.
    Expired,
}

/// The handle of a versioned store. A processor gets it in `init` and keeps it in a field.
///
/// A version is valid from its timestamp until the next version of its key begins. A deletion is a version, too. The *history* of the
/// store bounds, by the largest timestamp that it has seen, how old a version may be that is put, and how far back reads go; the latest
/// version of a key is kept however old it is. Versions that have left the history go when their key is written next.
///
/// ```
/// use std::time::Duration;
/// use stream_core::store::StoreName;
/// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
/// use stream_state::{Stores, VersionedKeyValueStore};
///
/// const PRICES: StoreName<VersionedKeyValueStore<String, i64>> = StoreName::new("prices");
///
/// /// Gives each order the price that was valid when it was placed.
/// struct Price {
///     prices: Option<VersionedKeyValueStore<String, i64>>,
/// }
///
/// impl Processor for Price {
///     type KeyIn = String;
///     type ValueIn = String;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
///         self.prices = Some(cx.store(&PRICES)?);
///         Ok(())
///     }
///
///     fn process(&mut self, order: Record<String, String>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         let Some(prices) = &self.prices else { return Ok(()) };
///         if let Some(price) = prices.get_as_of(&order.value, order.timestamp)? {
///             cx.forward(order.with_value(price.value))?;
///         }
///         Ok(())
///     }
/// }
///
/// let supplier = Stores::in_memory_versioned_key_value_store("prices", Duration::from_secs(86_400));
/// assert_eq!(supplier.history_retention(), Duration::from_secs(86_400));
/// ```
pub struct Versions<K, E> {
    typed: Typed<K, E>,
    schema: VersionedKeySchema,
}

impl<K, E> Versions<K, E> {
    pub(crate) fn new(typed: Typed<K, E>, schema: VersionedKeySchema) -> Self {
        Self { typed, schema }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::versioned_key_value_store_builder(Stores::in_memory_versioned_key_value_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.name(), "store");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.typed.store.name()
    }
}

impl<K: 'static, V: 'static> VersionedKeyValueStore<K, V> {
    /// Puts a version that is valid from `timestamp` (ms) on; `None` is a deletion. One with the same timestamp is replaced.
    ///
    /// ```
    /// use stream_state::PutVersion;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::versioned_key_value_store_builder(Stores::in_memory_versioned_key_value_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.put(&1, &10, 500)?, PutVersion::Latest);
    /// // Late, but within the history of 100 ms: valid until the version that was there.
    /// assert_eq!(store.put(&1, &9, 450)?, PutVersion::ValidTo(500));
    /// assert_eq!(store.put(&1, &8, 399)?, PutVersion::Expired);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails, the key is null, or the disk cannot be read.
    pub fn put<'v>(&self, key: &K, value: impl Into<Option<&'v V>>, timestamp: i64) -> Result<PutVersion> {
        let (bytes, store) = (self.typed.key_bytes(key)?, &self.typed.store);
        self.typed.with_row(Some(value.into()), |row| {
            if timestamp < self.first_time() {
                store.drop_row();
                // The changelog has it, as in Java: a restore refuses it again.
                store.with(|layers| layers.log_refused(&bytes, row, timestamp));
                return Ok(PutVersion::Expired);
            }
            store.with(|layers| layers.pending.stream_time = layers.pending.stream_time.max(timestamp));
            let mut stored = Vec::new();
            VersionedKeySchema::write(&bytes, timestamp, &mut stored);
            store.put_at(&stored, row, timestamp)?;
            self.forget_old(&bytes)?;
            Ok(self.begin_after(&bytes, timestamp)?.map_or(PutVersion::Latest, PutVersion::ValidTo))
        })
    }

    /// The latest version, unless it is a deletion.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::versioned_key_value_store_builder(Stores::in_memory_versioned_key_value_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10, 500)?;
    /// store.put(&1, &9, 450)?;
    /// assert_eq!(store.get(&1)?.map(|price| (price.value, price.timestamp)), Some((10, 500)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails, the key is null, or the disk cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<VersionedRecord<V>>> {
        let bytes = self.typed.key_bytes(key)?;
        self.newest(&bytes, i64::MAX)
    }

    /// The version that was valid at `timestamp` (ms), unless it is a deletion. Behind the history only the latest version is found.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::versioned_key_value_store_builder(Stores::in_memory_versioned_key_value_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &9, 450)?;
    /// store.put(&1, &10, 500)?;
    /// let then = store.get_as_of(&1, 499)?.map(|price| (price.value, price.valid_to));
    /// assert_eq!(then, Some((9, Some(500))));
    /// assert!(store.get_as_of(&1, 449)?.is_none(), "before the first version");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as_of(&self, key: &K, timestamp: i64) -> Result<Option<VersionedRecord<V>>> {
        let bytes = self.typed.key_bytes(key)?;
        if timestamp < self.first_time() {
            // Trap T77: what is older is not shown, also where it is still there.
            return Ok(self.newest(&bytes, i64::MAX)?.filter(|latest| latest.timestamp <= timestamp));
        }
        self.newest(&bytes, timestamp)
    }

    /// Puts a deletion that is valid from `timestamp` (ms) on; gives the version that was valid then;
    /// none when the deletion is refused.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::versioned_key_value_store_builder(Stores::in_memory_versioned_key_value_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10, 450)?;
    /// assert_eq!(store.delete(&1, 500)?.map(|price| price.value), Some(10));
    /// // The past stays as it was.
    /// assert_eq!(store.get_as_of(&1, 499)?.map(|price| price.value), Some(10));
    /// assert!(store.get(&1)?.is_none());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&self, key: &K, timestamp: i64) -> Result<Option<VersionedRecord<V>>> {
        let before = self.get_as_of(key, timestamp)?;
        let put = self.put(key, None, timestamp)?;
        Ok(before.filter(|_| put != PutVersion::Expired))
    }

    /// The oldest time that can be put and read.
    fn first_time(&self) -> i64 {
        let stream_time = self.typed.store.with(|layers| layers.pending.stream_time);
        stream_time.saturating_sub(self.schema.history_ms)
    }

    /// The last version that begins at `timestamp` or before.
    fn newest(&self, key: &[u8], timestamp: i64) -> Result<Option<VersionedRecord<V>>> {
        let range = VersionedKeySchema::versions(key, i64::MIN, timestamp);
        let Some(row) = self.typed.store.scan([range], true).next() else { return Ok(None) };
        let (stored, row) = row?;
        let Some(value) = self.typed.read(row.as_slice())? else { return Ok(None) };
        let timestamp = VersionedKeySchema::parts(stored.as_slice()).map_or(timestamp, |parts| parts.from);
        Ok(Some(VersionedRecord { value, timestamp, valid_to: self.begin_after(key, timestamp)? }))
    }

    /// When the next version begins.
    fn begin_after(&self, key: &[u8], timestamp: i64) -> Result<Option<i64>> {
        let Some(next) = timestamp.checked_add(1) else { return Ok(None) };
        self.first_begin(VersionedKeySchema::versions(key, next, i64::MAX), 0)
    }

    /// When the version at this place of a range begins.
    fn first_begin(&self, range: ByteRange, place: usize) -> Result<Option<i64>> {
        let row = self.typed.store.scan([range], false).nth(place).transpose()?;
        Ok(row.and_then(|(stored, _)| VersionedKeySchema::parts(stored.as_slice()).map(|parts| parts.from)))
    }

    /// Drops versions that ended before the history. They are not logged: compaction forgets them, and a restore refuses them.
    fn forget_old(&self, key: &[u8]) -> Result<()> {
        let stream_time = self.typed.store.with(|layers| layers.pending.stream_time);
        let all = || VersionedKeySchema::versions(key, i64::MIN, i64::MAX);
        while let Some(end) = self.first_begin(all(), 1)?.filter(|end| !self.schema.keeps(*end, stream_time)) {
            let Some(first) = self.first_begin(all(), 0)? else { break };
            let mut stored = Vec::new();
            VersionedKeySchema::write(key, first, &mut stored);
            if self.typed.store.with(|layers| layers.is_written(&stored)) {
                // The changelog is still to have it.
                break;
            }
            self.typed.store.put_at(&stored, None, end)?;
        }
        Ok(())
    }
}

impl<K, E: Clone> Clone for Versions<K, E> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone(), schema: self.schema.clone() }
    }
}

impl<K, E> fmt::Debug for Versions<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionedKeyValueStore").field("name", &self.typed.store.name()).finish_non_exhaustive()
    }
}
