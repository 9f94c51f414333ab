//! Rows of a range, typed.

use stream_core::Result;

use crate::store::{RowScan, Typed};
use crate::value::Envelope;

/// Rows of a key-value store, as they were when the iterator was opened. It cannot be kept beyond the call of the processor.
pub struct KeyValueIterator<'a, K, E> {
    store: &'a Typed<K, E>,
    rows: RowScan,
}

impl<'a, K, E> KeyValueIterator<'a, K, E> {
    pub(super) fn new(store: &'a Typed<K, E>, rows: RowScan) -> Self {
        Self { store, rows }
    }
}

impl<K: 'static, E: Envelope> Iterator for KeyValueIterator<'_, K, E> {
    type Item = Result<(K, E::Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.and_then(|(key, value)| Ok((self.store.read_key(key.as_slice())?, self.store.read(value.as_slice())?))))
    }
}
