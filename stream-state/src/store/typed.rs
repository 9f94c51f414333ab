//! Serdes over a store's bytes: what the typed handles of all kinds of stores share.

use std::rc::Rc;

use stream_core::Result;
use stream_core::serdes::{Role, SerdeRef};

use super::LayeredStore;
use crate::error::StoreError;
use crate::kv::CachedChange;
use crate::value::Envelope;

/// A store with the serdes of its keys and rows.
pub(crate) struct Typed<K, E> {
    pub(crate) store: Rc<LayeredStore>,
    pub(crate) keys: SerdeRef<K>,
    pub(crate) envelope: E,
}

impl<K: 'static, E: Envelope> Typed<K, E> {
    /// Appends the key's bytes.
    #[inline]
    pub(crate) fn write_key(&self, key: &K, out: &mut Vec<u8>) -> Result<(), StoreError> {
        if self.keys.is_null(key) {
            return Err(StoreError::NullKey);
        }
        self.keys.serialize(key, out, &self.store.serde_context(Role::Key)).map_err(StoreError::serde(Role::Key))
    }

    pub(crate) fn key_bytes(&self, key: &K) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_key(key, &mut bytes).map_err(|error| self.store.error(error))?;
        Ok(bytes)
    }

    /// Runs `f` with the stored key that `write` makes.
    #[inline]
    pub(crate) fn with_key<T>(
        &self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
        f: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        self.store.with_key_buffer(|bytes| {
            write(bytes).map_err(|error| self.store.error(error))?;
            f(bytes)
        })
    }

    /// Runs `f` with the row's bytes; without any when the row is, or is written as, null.
    #[inline]
    pub(crate) fn with_row<T>(&self, row: Option<E::RowRef<'_>>, f: impl FnOnce(Option<&[u8]>) -> Result<T>) -> Result<T> {
        let Some(row) = row else { return f(None) };
        self.store.with_value_buffer(|bytes| {
            let written = self.envelope.write(row, bytes, &self.store.serde_context(Role::Value));
            let written = written.map_err(|error| self.store.error(StoreError::serde(Role::Value)(error)))?;
            f(written.then_some(bytes.as_slice()))
        })
    }

    /// The row that is stored under the key that `write` makes.
    #[inline]
    pub(crate) fn get(&self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>) -> Result<Option<E::Row>> {
        self.store.with_value_buffer(|value| {
            let found = self.with_key(write, |key| self.store.get(key, value))?;
            if found { self.read(value).map(Some) } else { Ok(None) }
        })
    }

    #[inline]
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<E::Row> {
        let row = self.envelope.read(bytes, &self.store.serde_context(Role::Value));
        row.map_err(|error| self.store.error(StoreError::serde(Role::Value)(error)))
    }

    pub(crate) fn read_key(&self, bytes: &[u8]) -> Result<K> {
        let key = self.keys.deserialize(bytes, &self.store.serde_context(Role::Key));
        key.map_err(|error| self.store.error(StoreError::serde(Role::Key)(error)))
    }

    /// The next change of a cached table that no drain has taken; `key` reads the stored key.
    pub(crate) fn next_change<Q>(&self, key: impl FnOnce(&[u8]) -> Result<Q>) -> Result<Option<CachedChange<Q, E::Row>>> {
        let Some(change) = self.store.next_change()? else { return Ok(None) };
        let key = key(change.key.as_slice())?;
        change.typed(key, |bytes| self.read(bytes)).map(Some)
    }
}

impl<K, E: Clone> Clone for Typed<K, E> {
    fn clone(&self) -> Self {
        Self { store: Rc::clone(&self.store), keys: SerdeRef::clone(&self.keys), envelope: self.envelope.clone() }
    }
}
