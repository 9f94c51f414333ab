//! A change of a table that waits to be told.

use stream_core::serdes::{SerdeContext, SerdeError, SerdeRef};

use super::{Envelope, ValueFormat};
use crate::buffer::{BufferedChange, read_change};

/// Rows that hold a change: its values, where it came from, and the time by which it waits.
pub struct BufferedValue<V> {
    pub(crate) serde: SerdeRef<V>,
}

impl<V> Clone for BufferedValue<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde) }
    }
}

impl<V: 'static> Envelope for BufferedValue<V> {
    type Row = BufferedChange<V>;
    // What a row holds beside the change depends on the one that waits: the buffer writes it.
    type RowRef<'a> = std::convert::Infallible;

    fn format(&self) -> ValueFormat {
        ValueFormat::Buffered
    }

    fn write(&self, row: std::convert::Infallible, _: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        match row {}
    }

    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<BufferedChange<V>, SerdeError> {
        read_change(&self.serde, bytes, cx)
    }
}
