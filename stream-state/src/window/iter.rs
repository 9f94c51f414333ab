//! Rows of windows, typed.

use stream_core::Result;

use super::Window;
use crate::store::{KeyBounds, Rows, contains};
use crate::value::Envelope;

/// A key and the start of a window, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowKey<K> {
    /// The key.
    pub key: K,
    /// The start of the window, ms since the epoch.
    pub start: i64,
}

/// The rows of one key, with the starts of their windows (ms), as they were when the iterator was opened.
pub struct WindowIterator<'a, K, E> {
    store: &'a Window<K, E>,
    rows: Rows,
    key: Vec<u8>,
}

impl<'a, K, E> WindowIterator<'a, K, E> {
    pub(super) fn new(store: &'a Window<K, E>, rows: Rows, key: Vec<u8>) -> Self {
        Self { store, rows, key }
    }
}

impl<K: 'static, E: Envelope> Iterator for WindowIterator<'_, K, E> {
    type Item = Result<(i64, E::Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value) = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            // Keys of any length: between the rows of a key may lie those of a longer one (trap T136).
            if let Some(parts) = self.store.schema.parts(key.as_slice()).filter(|parts| parts.key == self.key) {
                return Some(self.store.rows.typed.read(value.as_slice()).map(|row| (parts.start, row)));
            }
        }
    }
}

/// The rows of several keys, as they were when the iterator was opened.
pub struct WindowedIterator<'a, K, E> {
    store: &'a Window<K, E>,
    rows: Rows,
    keys: KeyBounds,
    from: i64,
    to: i64,
}

impl<'a, K, E> WindowedIterator<'a, K, E> {
    pub(super) fn new(store: &'a Window<K, E>, rows: Rows, keys: KeyBounds, from: i64, to: i64) -> Self {
        Self { store, rows, keys, from, to }
    }
}

impl<K: 'static, E: Envelope> Iterator for WindowedIterator<'_, K, E> {
    type Item = Result<(WindowKey<K>, E::Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value) = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            let parts = self.store.schema.parts(key.as_slice());
            if parts.is_some_and(|parts| (self.from..=self.to).contains(&parts.start) && contains(&self.keys, parts.key)) {
                let row = self.store.read_key(key.as_slice());
                return Some(row.and_then(|key| Ok((key, self.store.rows.typed.read(value.as_slice())?))));
            }
        }
    }
}
