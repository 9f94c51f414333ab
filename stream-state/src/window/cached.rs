//! Cached windowed tables, as cached tables of plain keys.

use stream_core::{Error, Result};

use super::{Window, WindowKey};
use crate::kv::CachedChange;
use crate::value::Envelope;

impl<K: 'static, E: Envelope> Window<K, E> {
    /// As [`KeyValue::is_caching`](crate::KeyValue::is_caching).
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// assert!(store.is_caching());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn is_caching(&self) -> bool {
        self.rows.typed.store.is_caching()
    }

    /// As [`KeyValue::next_change`](crate::KeyValue::next_change), by key and window.
    ///
    /// ```
    /// use stream_state::ValueAndTimestamp;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// store.put(&1, ValueAndTimestamp::new(&5, 3), 0)?;
    /// store.put(&1, ValueAndTimestamp::new(&6, 4), 0)?;
    /// let change = store.next_change()?.map(|change| (change.key.start, change.new.map(|row| row.value)));
    /// assert_eq!(change, Some((0, Some(6))));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn next_change(&self) -> Result<Option<CachedChange<WindowKey<K>, E::Row>>> {
        self.rows.typed.next_change(|stored| self.read_key(stored))
    }

    /// As [`KeyValue::drain`](crate::KeyValue::drain), by key and window.
    ///
    /// ```
    /// use stream_core::Error;
    /// use stream_state::ValueAndTimestamp;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_window_store_builder(Stores::in_memory_window_store("store", Duration::from_millis(100), Duration::from_millis(10), false)?, Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// for start in [0, 10] {
    ///     store.put(&1, ValueAndTimestamp::new(&5, 3), start)?;
    /// }
    /// let mut windows = Vec::new();
    /// store.drain(|change| {
    ///     windows.push(change.key.start);
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!(windows, [0, 10]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `forward`, or as [`next_change`](Self::next_change).
    pub fn drain<X: From<Error>>(&self, mut forward: impl FnMut(CachedChange<WindowKey<K>, E::Row>) -> Result<(), X>) -> Result<(), X> {
        while let Some(change) = self.next_change()? {
            forward(change)?;
        }
        Ok(())
    }
}
