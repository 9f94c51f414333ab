//! Several values under one key.

use stream_core::serdes::{List, Serde, SerdeContext, SerdeError, SerdeRef};

use super::{Envelope, ValueFormat};

/// Rows that hold a list of values, as Kafka Streams' list-value store writes them: see [`List`]. The changelog has the whole list.
pub struct Listed<V> {
    pub(crate) lists: List<V>,
}

impl<V: 'static> Listed<V> {
    pub(crate) fn new(values: SerdeRef<V>) -> Self {
        Self { lists: List::of(values) }
    }
}

impl<V> Clone for Listed<V> {
    fn clone(&self) -> Self {
        Self { lists: self.lists.clone() }
    }
}

impl<V: 'static> Envelope for Listed<V> {
    type Row = Vec<V>;
    type RowRef<'a> = &'a Vec<V>;

    fn format(&self) -> ValueFormat {
        ValueFormat::Plain
    }

    fn write(&self, row: &Vec<V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        // A list without values is no row.
        if row.is_empty() {
            return Ok(false);
        }
        self.lists.serialize(row, out, cx)?;
        Ok(true)
    }

    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Vec<V>, SerdeError> {
        self.lists.deserialize(bytes, cx)
    }
}
