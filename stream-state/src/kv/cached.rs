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
    pub fn is_caching(&self) -> bool {
        self.typed.store.is_caching()
    }

    /// Takes the next change that no drain has taken: one per key, in the order of each key's last write. A key that came and went
    /// in between gives none.
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn next_change(&self) -> Result<Option<CachedChange<K, E::Row>>> {
        self.typed.next_change(|key| self.typed.read_key(key))
    }

    /// Gives all changes since the last drain to `forward`. No borrow is held meanwhile: `forward` may use the store.
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
