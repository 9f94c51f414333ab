//! Cached tables of sessions, as cached tables of plain keys.

use stream_core::{Error, Result};

use super::{Session, SessionKey};
use crate::kv::CachedChange;
use crate::value::Envelope;

impl<K: 'static, E: Envelope> Session<K, E> {
    /// As [`KeyValue::is_caching`](crate::KeyValue::is_caching).
    pub fn is_caching(&self) -> bool {
        self.rows.typed.store.is_caching()
    }

    /// As [`KeyValue::next_change`](crate::KeyValue::next_change), by key and session.
    ///
    /// # Errors
    /// When a serde fails or the disk cannot be read.
    pub fn next_change(&self) -> Result<Option<CachedChange<SessionKey<K>, E::Row>>> {
        self.rows.typed.next_change(|stored| self.read_key(stored))
    }

    /// As [`KeyValue::drain`](crate::KeyValue::drain), by key and session.
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
