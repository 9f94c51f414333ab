//! [`Stores`]: where each kind of store is found, under Kafka's names.

use std::time::Duration;

use stream_core::Result;
use stream_core::serdes::SerdeRef;

use crate::buffer::{BufferBytesStoreSupplier, TimeOrderedBufferBuilder};
use crate::kv::{
    KeyValueBytesStoreSupplier, KeyValueStoreBuilder, ListValueStoreBuilder, TimestampedKeyValueStoreBuilder,
    TimestampedKeyValueStoreWithHeadersBuilder,
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
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::persistent_key_value_store("seen");
    /// assert!(rows.is_persistent());
    /// // In memory until the commit and the next flush, then in RocksDB; the changelog restores what another machine lacks.
    /// let _seen = Stores::key_value_store_builder(rows, Serdes::string(), Serdes::long());
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn persistent_key_value_store(name: impl Into<String>) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), true)
    }

    /// A key-value store in memory, restored from its changelog at every start.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// // For state that fits into memory. After a restart it is read from the changelog, whole; without one it begins empty.
    /// let _seen = Stores::key_value_store_builder(Stores::in_memory_key_value_store("seen"), Serdes::string(), Serdes::long());
    /// ```
    pub fn in_memory_key_value_store(name: impl Into<String>) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), false)
    }

    /// Declares a store of plain values.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let builder = Stores::key_value_store_builder(Stores::in_memory_key_value_store("seen"), Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), &5)?;
    /// assert_eq!(store.get(&"ada".to_owned())?, Some(5));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn key_value_store_builder<K: 'static, V: 'static>(
        supplier: KeyValueBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> KeyValueStoreBuilder<K, V> {
        KeyValueStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a store of several values per key.
    pub fn list_value_store_builder<K: 'static, V: 'static>(
        supplier: KeyValueBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> ListValueStoreBuilder<K, V> {
        ListValueStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a store of values with timestamps.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, ValueAndTimestamp};
    ///
    /// // What tables have: the time of a row is part of it, on disk, in the changelog and for who reads it.
    /// let rows = Stores::in_memory_key_value_store("balances");
    /// let builder = Stores::timestamped_key_value_store_builder(rows, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), ValueAndTimestamp::new(&5, 1_000))?;
    /// assert_eq!(store.get(&"ada".to_owned())?, Some(ValueAndTimestamp::new(5, 1_000)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// // A day of prices: older ones can be neither put nor read, except the last of a key.
    /// let prices = Stores::persistent_versioned_key_value_store("prices", Duration::from_secs(86_400));
    /// let _prices = Stores::versioned_key_value_store_builder(prices, Serdes::string(), Serdes::long());
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn persistent_versioned_key_value_store(name: impl Into<String>, history: Duration) -> VersionedBytesStoreSupplier {
        VersionedBytesStoreSupplier::new(name.into(), true, history)
    }

    /// A store of versions in memory, restored from its changelog at every start.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// let prices = Stores::in_memory_versioned_key_value_store("prices", Duration::from_secs(60));
    /// assert_eq!(prices.history_retention(), Duration::from_secs(60));
    /// ```
    pub fn in_memory_versioned_key_value_store(name: impl Into<String>, history: Duration) -> VersionedBytesStoreSupplier {
        VersionedBytesStoreSupplier::new(name.into(), false, history)
    }

    /// Declares a store of versions.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let prices = Stores::in_memory_versioned_key_value_store("prices", Duration::from_secs(60));
    /// let builder = Stores::versioned_key_value_store_builder(prices, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"tea".to_owned(), &3, 100)?;
    /// store.put(&"tea".to_owned(), &4, 200)?;
    /// assert_eq!(store.get_as_of(&"tea".to_owned(), 150)?.map(|price| price.value), Some(3));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn versioned_key_value_store_builder<K: 'static, V: 'static>(
        supplier: VersionedBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> VersionedKeyValueStoreBuilder<K, V> {
        VersionedKeyValueStoreBuilder::new(supplier, keys, values)
    }

    /// A key-value store in memory that keeps the `max_entries` keys that were used last. What it forgets is gone, also from its
    /// changelog. Use it without a table's operators below: they would not hear of it.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let builder = Stores::key_value_store_builder(Stores::lru_map("recent", 2), Serdes::long(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&1, &10)?;
    /// store.put(&2, &20)?;
    /// store.get(&1)?; // a read counts as a use
    /// store.put(&3, &30)?;
    /// assert_eq!((store.get(&1)?, store.get(&2)?, store.get(&3)?), (Some(10), None, Some(30)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn lru_map(name: impl Into<String>, max_entries: usize) -> KeyValueBytesStoreSupplier {
        KeyValueBytesStoreSupplier::new(name.into(), false).with_max_entries(max_entries)
    }

    /// A windowed store in RocksDB. Rows are kept for at least `retention` behind the largest window start.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// // Windows of an hour, kept for a week. Old ones go by whole segments: no row is deleted by itself.
    /// let (week, hour) = (Duration::from_secs(7 * 86_400), Duration::from_secs(3_600));
    /// let counts = Stores::persistent_window_store("counts", week, hour, false)?;
    /// assert_eq!(counts.retention_ms() / counts.window_size_ms(), 7 * 24);
    /// assert!(Stores::persistent_window_store("counts", hour, week, false).is_err());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
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
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// // With duplicates, as joins of streams need it: two rows of one key and time live side by side.
    /// let ten = Duration::from_millis(10);
    /// let rows = Stores::in_memory_window_store("waiting", ten, ten, true)?;
    /// let builder = Stores::window_store_builder(rows, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), &1, 100)?;
    /// store.put(&"ada".to_owned(), &2, 100)?;
    /// assert_eq!(store.fetch(&"ada".to_owned(), 100, 100)?.count(), 2);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::in_memory_window_store("counts", Duration::from_millis(20), Duration::from_millis(10), false)?;
    /// let builder = Stores::window_store_builder(rows, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// let user = "ada".to_owned();
    /// store.put(&user, &1, 0)?;
    /// store.put(&user, &2, 30)?;
    /// // The time of the store is 30, its retention 20: the window that began at 0 is gone, and can not be written again.
    /// store.put(&user, &9, 0)?;
    /// assert_eq!(store.get(&user, 0)?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn window_store_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> WindowStoreBuilder<K, V> {
        WindowStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a windowed store of values with timestamps.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, ValueAndTimestamp};
    ///
    /// // What windowed aggregations have: of each window the time of the last record that changed it.
    /// let rows = Stores::in_memory_window_store("counts", Duration::from_millis(20), Duration::from_millis(10), false)?;
    /// let builder = Stores::timestamped_window_store_builder(rows, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), ValueAndTimestamp::new(&1, 7), 0)?;
    /// assert_eq!(store.get(&"ada".to_owned(), 0)?.map(|row| row.timestamp), Some(7));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn timestamped_window_store_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedWindowStoreBuilder<K, V> {
        TimestampedWindowStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a windowed store of values with timestamps and headers (KIP-1271).
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::Headers;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, ValueTimestampHeaders};
    ///
    /// let rows = Stores::in_memory_window_store("counts", Duration::from_millis(20), Duration::from_millis(10), false)?;
    /// let builder = Stores::timestamped_window_store_with_headers_builder(rows, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), ValueTimestampHeaders::new(&1, 7, Headers::new()), 0)?;
    /// assert_eq!(store.get(&"ada".to_owned(), 0)?, Some(ValueTimestampHeaders::new(1, 7, Headers::new())));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn timestamped_window_store_with_headers_builder<K: 'static, V: 'static>(
        supplier: WindowBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimestampedWindowStoreWithHeadersBuilder<K, V> {
        TimestampedWindowStoreWithHeadersBuilder::new(supplier, keys, values)
    }

    /// A session store in RocksDB. Sessions are kept for at least `retention` behind the largest session end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let visits = Stores::persistent_session_store("visits", Duration::from_secs(86_400));
    /// let _visits = Stores::session_store_builder(visits, Serdes::string(), Serdes::long());
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn persistent_session_store(name: impl Into<String>, retention: Duration) -> SessionBytesStoreSupplier {
        SessionBytesStoreSupplier::new(name.into(), true, retention)
    }

    /// A session store in memory, restored from its changelog at every start.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// let visits = Stores::in_memory_session_store("visits", Duration::from_secs(3_600));
    /// assert!(!visits.is_persistent());
    /// ```
    pub fn in_memory_session_store(name: impl Into<String>, retention: Duration) -> SessionBytesStoreSupplier {
        SessionBytesStoreSupplier::new(name.into(), false, retention)
    }

    /// Declares a session store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let visits = Stores::in_memory_session_store("visits", Duration::from_millis(100));
    /// let builder = Stores::session_store_builder(visits, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// let user = "ada".to_owned();
    /// store.put(&user, &1, 10, 20)?;
    /// store.put(&user, &2, 30, 130)?;
    /// // The store's time is the largest end, 130: what ended before 30 is gone.
    /// assert_eq!((store.get(&user, 10, 20)?, store.get(&user, 30, 130)?), (None, Some(2)));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn session_store_builder<K: 'static, V: 'static>(
        supplier: SessionBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> SessionStoreBuilder<K, V> {
        SessionStoreBuilder::new(supplier, keys, values)
    }

    /// Declares a session store of values with headers (KIP-1271).
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::Headers;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{AggregationWithHeaders, Stores};
    ///
    /// let visits = Stores::in_memory_session_store("visits", Duration::from_millis(100));
    /// let builder = Stores::session_store_with_headers_builder(visits, Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&"ada".to_owned(), AggregationWithHeaders::new(&1, Headers::new()), 10, 20)?;
    /// assert_eq!(store.get(&"ada".to_owned(), 10, 20)?.map(|row| row.aggregation), Some(1));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn session_store_with_headers_builder<K: 'static, V: 'static>(
        supplier: SessionBytesStoreSupplier,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> SessionStoreWithHeadersBuilder<K, V> {
        SessionStoreWithHeadersBuilder::new(supplier, keys, values)
    }

    /// The buffer of a `suppress`, in memory, restored from its changelog at every start.
    ///
    /// ```
    /// use stream_core::Headers;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{BufferedChange, Stores};
    ///
    /// let builder = Stores::time_ordered_buffer_builder("waiting", Serdes::string(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// let change = |new| BufferedChange { old: None, new: Some(new), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(3))?;
    /// store.put(&"milk".to_owned(), 90, &change(2))?;
    /// assert_eq!(store.first()?.map(|(key, _)| key), Some("milk".to_owned()));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn time_ordered_buffer_builder<K: 'static, V: 'static>(
        name: impl Into<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TimeOrderedBufferBuilder<K, V> {
        TimeOrderedBufferBuilder::new(BufferBytesStoreSupplier::new(name.into()), keys, values)
    }
}
