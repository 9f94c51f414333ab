//! The value and when it was written.

use stream_core::serdes::{SerdeContext, SerdeError, SerdeRef};
use stream_core::time::UNKNOWN_TIME;

use super::{Envelope, ValueFormat};

/// A value and its timestamp. Mirrors Kafka Streams' class of that name.
///
/// ```
/// use stream_state::ValueAndTimestamp;
/// let count = ValueAndTimestamp::new(3_u64, 1_000);
/// assert_eq!(count.as_ref(), ValueAndTimestamp::new(&3, 1_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueAndTimestamp<V> {
    /// The value.
    pub value: V,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

impl<V> ValueAndTimestamp<V> {
    /// A value written at `timestamp` (ms).
    ///
    /// ```
    /// use stream_state::ValueAndTimestamp;
    /// let count = ValueAndTimestamp::new(3_u64, 1_000);
    /// assert_eq!((count.value, count.timestamp), (3, 1_000));
    /// ```
    pub const fn new(value: V, timestamp: i64) -> Self {
        Self { value, timestamp }
    }

    /// The same, borrowed: what a store's `put` takes.
    ///
    /// ```
    /// use stream_state::ValueAndTimestamp;
    /// let name = ValueAndTimestamp::new("ada".to_owned(), 1_000);
    /// // Nothing is cloned to write what was read.
    /// assert_eq!(name.as_ref().value, "ada");
    /// ```
    pub const fn as_ref(&self) -> ValueAndTimestamp<&V> {
        ValueAndTimestamp { value: &self.value, timestamp: self.timestamp }
    }
}

/// Rows that hold a value and its timestamp.
pub struct Timestamped<V> {
    pub(crate) serde: SerdeRef<V>,
    format: ValueFormat,
}

impl<V> Timestamped<V> {
    pub(crate) fn new(serde: SerdeRef<V>) -> Self {
        Self { serde, format: ValueFormat::Timestamped }
    }

    /// Takes values with timestamps, but keeps the values alone.
    pub(crate) fn over_plain(serde: SerdeRef<V>) -> Self {
        Self { serde, format: ValueFormat::Untimed }
    }
}

impl<V> Clone for Timestamped<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde), format: self.format }
    }
}

impl<V: 'static> Envelope for Timestamped<V> {
    type Row = ValueAndTimestamp<V>;
    type RowRef<'a> = ValueAndTimestamp<&'a V>;

    fn format(&self) -> ValueFormat {
        self.format
    }

    /// A cached row keeps its timestamp, as in Java's cache.
    fn settled(&self, caching: bool) -> Self {
        let format = if caching { ValueFormat::Timestamped } else { self.format };
        Self { serde: SerdeRef::clone(&self.serde), format }
    }

    #[inline]
    fn write(&self, row: ValueAndTimestamp<&V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        if self.serde.is_null(row.value) {
            return Ok(false);
        }
        if self.format == ValueFormat::Timestamped {
            out.extend_from_slice(&row.timestamp.to_be_bytes());
        }
        self.serde.serialize(row.value, out, cx)?;
        Ok(true)
    }

    #[inline]
    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Self::Row, SerdeError> {
        if self.format == ValueFormat::Untimed {
            return Ok(ValueAndTimestamp::new(self.serde.deserialize(bytes, cx)?, UNKNOWN_TIME));
        }
        match bytes.split_first_chunk::<8>() {
            Some((timestamp, value)) => Ok(ValueAndTimestamp::new(self.serde.deserialize(value, cx)?, i64::from_be_bytes(*timestamp))),
            None => Err(SerdeError::bad(format!("a timestamped value has at least 8 bytes, this one has {}", bytes.len()))),
        }
    }
}
