//! A version: a value, or that there was none from then on.

use stream_core::serdes::{SerdeContext, SerdeError, SerdeRef};

use super::{Envelope, ValueFormat};

/// What a version without a value begins with: an empty value is not the same (trap T78).
pub(super) const TOMBSTONE: u8 = 0;
/// What a version with a value begins with.
pub(super) const VALUE: u8 = 1;

/// Rows that hold a value or a tombstone.
pub struct Versioned<V> {
    pub(crate) serde: SerdeRef<V>,
}

impl<V> Clone for Versioned<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde) }
    }
}

impl<V: 'static> Envelope for Versioned<V> {
    type Row = Option<V>;
    type RowRef<'a> = Option<&'a V>;

    fn format(&self) -> ValueFormat {
        ValueFormat::Versioned
    }

    fn write(&self, row: Option<&V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        match row.filter(|value| !self.serde.is_null(value)) {
            None => out.push(TOMBSTONE),
            Some(value) => {
                out.push(VALUE);
                self.serde.serialize(value, out, cx)?;
            }
        }
        Ok(true)
    }

    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Option<V>, SerdeError> {
        match bytes.split_first() {
            Some((&TOMBSTONE, [])) => Ok(None),
            Some((&VALUE, value)) => self.serde.deserialize(value, cx).map(Some),
            _ => Err(SerdeError::bad(format!("{} bytes are not a version of a value", bytes.len()))),
        }
    }
}
