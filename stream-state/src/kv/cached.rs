//! Cached tables: changes are held back in the store and drained before a commit.

use stream_core::{Error, Headers, RecordMetadata, Result};

use super::KeyValue;
use crate::layer::ByteChange;
use crate::value::Envelope;

/// What became of a key since the last drain.
#[derive(Clone, Debug)]
pub struct CachedChange<K, R> {
    /// The key.
    pub key: K,
    /// What downstream knows of it: the committed row, or the one of an earlier drain in this transaction.
    pub old: Option<R>,
    /// The row now; `None` when it was deleted.
    pub new: Option<R>,
    /// The timestamp (ms) with which the change goes on: the value's own, if it has one, else that of the last write.
    pub timestamp: i64,
    /// The headers of the record that wrote the row last.
    pub headers: Headers,
    /// Where that record came from; forward with [`ProcessorContext::forward_from`](stream_core::ProcessorContext::forward_from).
    pub metadata: Option<RecordMetadata>,
}

impl ByteChange {
    /// The change with its rows read.
    pub(crate) fn typed<K, R>(self, key: K, read: impl Fn(&[u8]) -> Result<R>) -> Result<CachedChange<K, R>> {
        Ok(CachedChange {
            key,
            old: self.old.map(|row| read(row.as_slice())).transpose()?,
            new: self.new.map(|row| read(row.as_slice())).transpose()?,
            timestamp: self.timestamp,
            headers: self.writer.headers,
            metadata: self.writer.metadata,
        })
    }
}

impl<K: 'static, E: Envelope> KeyValue<K, E> {
    /// Whether changes are held back until a drain. False when caching is off for the store, or for the application
    /// (`statestore.cache.max.bytes` is 0): then a table forwards every update at once.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// assert!(store.is_caching(), "who writes to the store must drain it before the commit");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn is_caching(&self) -> bool {
        self.typed.store.is_caching()
    }

    /// Takes the next change that no drain has taken: one per key, in the order of each key's last write. A key that came and went
    /// in between gives none.
    ///
    /// ```
    /// use stream_state::ValueAndTimestamp;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// store.put(&1, ValueAndTimestamp::new(&10, 100))?;
    /// store.put(&1, ValueAndTimestamp::new(&11, 105))?;
    /// store.put(&2, ValueAndTimestamp::new(&20, 106))?;
    /// store.put(&2, None)?;
    /// // Of key 1 the last write; key 2 came and went.
    /// let change = store.next_change()?.map(|change| (change.key, change.old, change.new, change.timestamp));
    /// assert_eq!(change, Some((1, None, Some(ValueAndTimestamp::new(11, 105)), 105)));
    /// assert!(store.next_change()?.is_none());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn next_change(&self) -> Result<Option<CachedChange<K, E::Row>>> {
        self.typed.next_change(|key| self.typed.read_key(key))
    }

    /// Gives all changes since the last drain to `forward`. No borrow is held meanwhile: `forward` may use the store.
    ///
    /// ```
    /// use stream_core::Error;
    /// use stream_state::ValueAndTimestamp;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::timestamped_key_value_store_builder(Stores::in_memory_key_value_store("store"), Serdes::long(), Serdes::long()).with_caching_enabled();
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), true));
    /// # let store = bench.handle(&name);
    /// store.put(&1, ValueAndTimestamp::new(&10, 100))?;
    /// let mut told = Vec::new();
    /// store.drain(|change| {
    ///     told.push((change.key, change.new.map(|row| row.value)));
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!(told, [(1, Some(10))]);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `forward`, or as [`next_change`](Self::next_change).
    pub fn drain<X: From<Error>>(&self, mut forward: impl FnMut(CachedChange<K, E::Row>) -> Result<(), X>) -> Result<(), X> {
        while let Some(change) = self.next_change()? {
            forward(change)?;
        }
        Ok(())
    }
}
