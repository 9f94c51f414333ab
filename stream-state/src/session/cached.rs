//! Cached tables of sessions, as cached tables of plain keys.

use stream_core::{Error, Result};

use super::{Session, SessionKey};
use crate::kv::CachedChange;
use crate::value::Envelope;

impl<K: 'static, E: Envelope> Session<K, E> {
    /// As [`KeyValue::is_caching`](crate::KeyValue::is_caching).
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// assert!(store.is_caching());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn is_caching(&self) -> bool {
        self.rows.typed.store.is_caching()
    }

    /// As [`KeyValue::next_change`](crate::KeyValue::next_change), by key and session.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// store.remove(&1, 10, 20)?;
    /// store.put(&1, &6, 10, 25)?;
    /// // A session that was told to nobody is not told as deleted.
    /// let change = store.next_change()?.map(|change| (change.key.end, change.new));
    /// assert_eq!(change, Some((25, Some(6))));
    /// assert!(store.next_change()?.is_none());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn next_change(&self) -> Result<Option<CachedChange<SessionKey<K>, E::Row>>> {
        self.rows.typed.next_change(|stored| self.read_key(stored))
    }

    /// As [`KeyValue::drain`](crate::KeyValue::drain), by key and session.
    ///
    /// ```
    /// use stream_core::Error;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::session_store_builder(Stores::in_memory_session_store("store", Duration::from_millis(100)), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// store.put(&1, &5, 10, 20)?;
    /// let mut told = Vec::new();
    /// store.drain(|change| {
    ///     told.push((change.key.start, change.key.end, change.new));
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!(told, [(10, 20, Some(5))]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `forward`, or as [`next_change`](Self::next_change).
    pub fn drain<X: From<Error>>(&self, mut forward: impl FnMut(CachedChange<SessionKey<K>, E::Row>) -> Result<(), X>) -> Result<(), X> {
        while let Some(change) = self.next_change()? {
            forward(change)?;
        }
        Ok(())
    }
}
