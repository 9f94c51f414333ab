//! [`Stores`]: where each kind of store is found, under Kafka's names.

use std::time::Duration;

use stream_core::Result;
use stream_core::serdes::SerdeRef;

use crate::buffer::{BufferBytesStoreSupplier, TimeOrderedBufferBuilder};
use crate::kv::{
    KeyValueBytesStoreSupplier, KeyValueStoreBuilder, TimestampedKeyValueStoreBuilder, TimestampedKeyValueStoreWithHeadersBuilder,
};
use crate::session::{SessionBytesStoreSupplier, SessionStoreBuilder, SessionStoreWithHeadersBuilder};
use crate::versioned::{VersionedBytesStoreSupplier, VersionedKeyValueStoreBuilder};
use crate::window::{
    TimestampedWindowStoreBuilder, TimestampedWindowStoreWithHeadersBuilder, WindowBytesStoreSupplier, WindowStoreBuilder,
};

/// Makes suppliers and builders of stores. Mirrors Kafka Streams' `Stores`.
///
/// ```
/// use stream_core::serdes::SerdeRef;
/// use stream_core::store::StoreFactory;
/// use stream_state::Stores;
///
/// fn counts(words: SerdeRef<String>, counts: SerdeRef<i64>) -> impl StoreFactory {
///     Stores::key_value_store_builder(Stores::in_memory_key_value_store("counts"), words, counts).with_logging_disabled()
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stores;

impl Stores {
    /// A key-value store in RocksDB.
    #[cfg(feature = "rocksdb")]
    pub fn persistent_key_value_store(name: impl Into<String>) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), true)
    }

    /// A key-value store in memory, restored from its changelog at every start.
    pub fn in_memory_key_value_store(name: impl Into<String>) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), false)
    }

    /// Declares a store of plain values.
    pub fn key_value_store_builder<K: 'static, V: 'static>(
        supplier: KeyValueBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> KeyValueStoreBuilder<K, V> {
        KeyValueStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a store of values with timestamps.
    pub fn timestamped_key_value_store_builder<K: 'static, V: 'static>(
        supplier: KeyValueBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedKeyValueStoreBuilder<K, V> {
        TimestampedKeyValueStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a store of values with timestamps and headers (KIP-1271): a row keeps where it came from, such as a trace id, and the
    /// changelog has the headers in its records.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
    /// use stream_state::{Stores, TimestampedKeyValueStoreWithHeaders, ValueTimestampHeaders};
    /// use stream_testkit::ProcessorTestDriver;
    ///
    /// const LAST: StoreName<TimestampedKeyValueStoreWithHeaders<String, String>> = StoreName::new("last");
    ///
    /// /// Forwards the record of each key that came before, as it was.
    /// #[derive(Default)]
    /// struct Previous { last: Option<TimestampedKeyValueStoreWithHeaders<String, String>> }
    ///
    /// impl Processor for Previous {
    ///     type KeyIn = String;
    ///     type ValueIn = String;
    ///     type KeyOut = String;
    ///     type ValueOut = String;
    ///
    ///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
    ///         self.last = Some(cx.store(&LAST)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
    ///         let Some(last) = &self.last else { return Ok(()) };
    ///         let before = last.get(&record.key)?;
    ///         last.put(&record.key, ValueTimestampHeaders::new(&record.value, record.timestamp, record.headers.clone()))?;
    ///         if let Some(ValueTimestampHeaders { value, timestamp, headers }) = before {
    ///             cx.forward(Record { key: record.key, value, timestamp, headers })?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let last = Stores::in_memory_key_value_store("last");
    /// let last = Stores::timestamped_key_value_store_with_headers_builder(last, Serdes::string(), Serdes::string());
    /// let mut driver = ProcessorTestDriver::with_stores(Previous::default(), &[&last])?;
    /// let mut first = Record::new("k".to_owned(), "one".to_owned(), 5);
    /// first.headers.add("trace", Some(b"42"));
    /// driver.process(first.clone())?;
    /// driver.process(Record::new("k".to_owned(), "two".to_owned(), 6))?;
    /// assert_eq!(driver.forwarded()[0].record, first);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn timestamped_key_value_store_with_headers_builder<K: 'static, V: 'static>(
        supplier: KeyValueBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedKeyValueStoreWithHeadersBuilder<K, V> {
        TimestampedKeyValueStoreWithHeadersBuilder::new(supplier, keys, values)
    }

    /// A store of versions in RocksDB, which keeps `history` behind the largest timestamp.
    #[cfg(feature = "rocksdb")]
    pub fn persistent_versioned_key_value_store(name: impl Into<String>, history: Duration) -> VersionedBytesStoreSupplier {
        VersionedBytesStoreSupplier::new(name.into(), true, history)
    }

    /// A store of versions in memory, restored from its changelog at every start.
    pub fn in_memory_versioned_key_value_store(name: impl Into<String>, history: Duration) -> VersionedBytesStoreSupplier {
        VersionedBytesStoreSupplier::new(name.into(), false, history)
    }

    /// Declares a store of versions.
    pub fn versioned_key_value_store_builder<K: 'static, V: 'static>(
        supplier: VersionedBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> VersionedKeyValueStoreBuilder<K, V> {
        VersionedKeyValueStoreBuilder::new(supplier, keys, values)
    }

    /// A key-value store in memory that keeps the `max_entries` keys that were used last. What it forgets is gone, also from its
    /// changelog. Use it without a table's operators below: they would not hear of it.
    pub fn lru_map(name: impl Into<String>, max_entries: usize) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), false).with_max_entries(max_entries)
    }

    /// A windowed store in RocksDB. Rows are kept for at least `retention` behind the largest window start.
    ///
    /// # Errors
    /// When the retention is shorter than a window.
    #[cfg(feature = "rocksdb")]
    pub fn persistent_window_store(
        name: impl Into<String>,
        retention: Duration,
        window_size: Duration,
        retain_duplicates: bool,
    ) -> Result<WindowBytesStoreSupplier> {
        WindowBytesStoreSupplier::new(name.into(), true, retention, window_size, retain_duplicates)
    }

    /// A windowed store in memory, restored from its changelog at every start.
    ///
    /// # Errors
    /// When the retention is shorter than a window.
    pub fn in_memory_window_store(
        name: impl Into<String>,
        retention: Duration,
        window_size: Duration,
        retain_duplicates: bool,
    ) -> Result<WindowBytesStoreSupplier> {
        WindowBytesStoreSupplier::new(name.into(), false, retention, window_size, retain_duplicates)
    }

    /// Declares a windowed store of plain values.
    pub fn window_store_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> WindowStoreBuilder<K, V> {
        WindowStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a windowed store of values with timestamps.
    pub fn timestamped_window_store_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedWindowStoreBuilder<K, V> {
        TimestampedWindowStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a windowed store of values with timestamps and headers (KIP-1271).
    pub fn timestamped_window_store_with_headers_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedWindowStoreWithHeadersBuilder<K, V> {
        TimestampedWindowStoreWithHeadersBuilder::new(supplier, keys, values)
    }

    /// A session store in RocksDB. Sessions are kept for at least `retention` behind the largest session end.
    #[cfg(feature = "rocksdb")]
    pub fn persistent_session_store(name: impl Into<String>, retention: Duration) -> SessionBytesStoreSupplier {
        SessionBytesStoreSupplier::new(name.into(), true, retention)
    }

    /// A session store in memory, restored from its changelog at every start.
    pub fn in_memory_session_store(name: impl Into<String>, retention: Duration) -> SessionBytesStoreSupplier {
        SessionBytesStoreSupplier::new(name.into(), false, retention)
    }

    /// Declares a session store.
    pub fn session_store_builder<K: 'static, V: 'static>(
        supplier: SessionBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> SessionStoreBuilder<K, V> {
        SessionStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a session store of values with headers (KIP-1271).
    pub fn session_store_with_headers_builder<K: 'static, V: 'static>(
        supplier: SessionBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> SessionStoreWithHeadersBuilder<K, V> {
        SessionStoreWithHeadersBuilder::new(supplier, keys, values)
    }

    /// The buffer of a `suppress`, in memory, restored from its changelog at every start.
    pub fn time_ordered_buffer_builder<K: 'static, V: 'static>(
        name: impl Into<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimeOrderedBufferBuilder<K, V> {
        TimeOrderedBufferBuilder::new(BufferBytesStoreSupplier::new(name.into()), keys, values)
    }
}
