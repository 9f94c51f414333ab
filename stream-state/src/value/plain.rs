//! The value alone.

use stream_core::serdes::{SerdeContext, SerdeError, SerdeRef};

use super::{Envelope, ValueFormat};

/// Rows that hold a value.
pub struct Plain<V> {
    pub(crate) serde: SerdeRef<V>,
}

impl<V> Clone for Plain<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde) }
    }
}

impl<V: 'static> Envelope for Plain<V> {
    type Row = V;
    type RowRef<'a> = &'a V;

    fn format(&self) -> ValueFormat {
        ValueFormat::Plain
    }

    #[inline]
    fn write(&self, row: &V, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        if self.serde.is_null(row) {
            return Ok(false);
        }
        self.serde.serialize(row, out, cx)?;
        Ok(true)
    }

    #[inline]
    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<V, SerdeError> {
        self.serde.deserialize(bytes, cx)
    }
}
