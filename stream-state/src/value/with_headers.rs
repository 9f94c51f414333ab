//! Rows that keep the headers of the record that wrote them (KIP-1271).
//!
//! ```text
//! key-value, window:  headers size │ headers │ timestamp (8) │ value
//! session:            headers size │ headers │ value
//! headers:            count │ (key size │ key │ value size, -1 for null │ value)*     nothing when there are none
//! ```
//!
//! Sizes and counts are variable-length integers, as in Kafka's records. The changelog has the plain value, and timestamp and headers in the
//! record: a store of another kind can go on with it, and this one with another's.

use stream_core::Headers;
use stream_core::serdes::{SerdeContext, SerdeError, SerdeRef};

use super::{Envelope, ValueFormat};

/// A value, and timestamp and headers of the record that wrote it. Mirrors Kafka Streams' `ValueTimestampHeaders`.
///
/// ```
/// use stream_core::Headers;
/// use stream_state::ValueTimestampHeaders;
///
/// let mut headers = Headers::new();
/// headers.add("trace", Some(b"42"));
/// let row = ValueTimestampHeaders::new(3_u64, 1_000, headers);
/// assert_eq!(row.as_ref().value, &3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueTimestampHeaders<V> {
    /// The value.
    pub value: V,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers.
    pub headers: Headers,
}

impl<V> ValueTimestampHeaders<V> {
    /// A value that a record with these headers wrote at `timestamp` (ms).
    ///
    /// ```
    /// use stream_core::Headers;
    /// use stream_state::ValueTimestampHeaders;
    /// let row = ValueTimestampHeaders::new(3_u64, 1_000, Headers::new());
    /// assert_eq!((row.value, row.timestamp), (3, 1_000));
    /// ```
    pub const fn new(value: V, timestamp: i64, headers: Headers) -> Self {
        Self { value, timestamp, headers }
    }

    /// The same, borrowed: what a store's `put` takes. The headers are shared.
    ///
    /// ```
    /// use stream_core::Headers;
    /// use stream_state::ValueTimestampHeaders;
    /// let row = ValueTimestampHeaders::new("ada".to_owned(), 1_000, Headers::new());
    /// assert_eq!(row.as_ref(), ValueTimestampHeaders::new(&"ada".to_owned(), 1_000, Headers::new()));
    /// ```
    pub fn as_ref(&self) -> ValueTimestampHeaders<&V> {
        ValueTimestampHeaders { value: &self.value, timestamp: self.timestamp, headers: self.headers.clone() }
    }
}

/// The value of a session, and the headers of the record that wrote it. Mirrors Kafka Streams' `AggregationWithHeaders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregationWithHeaders<V> {
    /// The value.
    pub aggregation: V,
    /// The headers.
    pub headers: Headers,
}

impl<V> AggregationWithHeaders<V> {
    /// A value that a record with these headers wrote.
    ///
    /// ```
    /// use stream_core::Headers;
    /// use stream_state::AggregationWithHeaders;
    /// assert_eq!(AggregationWithHeaders::new(3_u64, Headers::new()).aggregation, 3);
    /// ```
    pub const fn new(aggregation: V, headers: Headers) -> Self {
        Self { aggregation, headers }
    }
}

/// Rows that hold a value, its timestamp and headers.
pub struct WithHeaders<V> {
    pub(crate) serde: SerdeRef<V>,
}

impl<V> Clone for WithHeaders<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde) }
    }
}

impl<V: 'static> Envelope for WithHeaders<V> {
    type Row = ValueTimestampHeaders<V>;
    type RowRef<'a> = ValueTimestampHeaders<&'a V>;

    fn format(&self) -> ValueFormat {
        ValueFormat::TimestampedWithHeaders
    }

    fn write(&self, row: ValueTimestampHeaders<&V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        if self.serde.is_null(row.value) {
            return Ok(false);
        }
        write_headers(&row.headers, out);
        out.extend_from_slice(&row.timestamp.to_be_bytes());
        self.serde.serialize(row.value, out, &SerdeContext { headers: &row.headers, ..*cx })?;
        Ok(true)
    }

    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Self::Row, SerdeError> {
        let (headers, rest) = split(bytes).ok_or_else(|| malformed(bytes))?;
        let headers = read_headers(headers).ok_or_else(|| malformed(bytes))?;
        let (timestamp, value) = rest.split_first_chunk::<8>().ok_or_else(|| malformed(bytes))?;
        let value = self.serde.deserialize(value, &SerdeContext { headers: &headers, ..*cx })?;
        Ok(ValueTimestampHeaders { value, timestamp: i64::from_be_bytes(*timestamp), headers })
    }
}

/// Rows of sessions that hold a value and headers.
pub struct SessionWithHeaders<V> {
    pub(crate) serde: SerdeRef<V>,
}

impl<V> Clone for SessionWithHeaders<V> {
    fn clone(&self) -> Self {
        Self { serde: SerdeRef::clone(&self.serde) }
    }
}

impl<V: 'static> Envelope for SessionWithHeaders<V> {
    type Row = AggregationWithHeaders<V>;
    type RowRef<'a> = AggregationWithHeaders<&'a V>;

    fn format(&self) -> ValueFormat {
        ValueFormat::WithHeaders
    }

    fn write(&self, row: AggregationWithHeaders<&V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        if self.serde.is_null(row.aggregation) {
            return Ok(false);
        }
        write_headers(&row.headers, out);
        self.serde.serialize(row.aggregation, out, &SerdeContext { headers: &row.headers, ..*cx })?;
        Ok(true)
    }

    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Self::Row, SerdeError> {
        let (headers, value) = split(bytes).ok_or_else(|| malformed(bytes))?;
        let headers = read_headers(headers).ok_or_else(|| malformed(bytes))?;
        let aggregation = self.serde.deserialize(value, &SerdeContext { headers: &headers, ..*cx })?;
        Ok(AggregationWithHeaders { aggregation, headers })
    }
}

#[cold]
fn malformed(bytes: &[u8]) -> SerdeError {
    SerdeError::bad(format!("{} bytes are no row with headers", bytes.len()))
}

/// Appends the headers with their size before them.
pub(super) fn write_headers(headers: &Headers, out: &mut Vec<u8>) {
    if headers.is_empty() {
        return write_size(Some(0), out);
    }
    let mut bytes = Vec::new();
    write_size(Some(headers.len()), &mut bytes);
    for header in headers {
        write_size(Some(header.key.len()), &mut bytes);
        bytes.extend_from_slice(header.key.as_bytes());
        write_size(header.value.as_ref().map(|value| value.len()), &mut bytes);
        bytes.extend_from_slice(header.value.as_deref().unwrap_or_default());
    }
    write_size(Some(bytes.len()), out);
    out.extend_from_slice(&bytes);
}

/// The bytes of the headers, and those behind them.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    let size = read_size(&mut rest)??;
    rest.split_at_checked(size)
}

/// Headers from their bytes, without the size.
pub(super) fn read_headers(bytes: &[u8]) -> Option<Headers> {
    let mut headers = Headers::new();
    if bytes.is_empty() {
        return Some(headers);
    }
    let mut rest = bytes;
    for _ in 0..read_size(&mut rest)?? {
        let size = read_size(&mut rest)??;
        let (key, behind) = rest.split_at_checked(size)?;
        rest = behind;
        let value = match read_size(&mut rest)? {
            Some(size) => {
                let (value, behind) = rest.split_at_checked(size)?;
                rest = behind;
                Some(value)
            }
            None => None,
        };
        headers.add(std::str::from_utf8(key).ok()?, value);
    }
    rest.is_empty().then_some(headers)
}

/// A size as a zigzag-encoded integer of variable length; `None` is -1.
fn write_size(size: Option<usize>, out: &mut Vec<u8>) {
    // Sizes are those of things in memory: twice of one fits.
    let mut rest = size.map_or(1, |size| (size as u64) << 1);
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Reads what [`write_size`] wrote: `Some(None)` is null, `None` no size.
fn read_size(bytes: &mut &[u8]) -> Option<Option<usize>> {
    let mut encoded = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        encoded |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return match encoded {
                1 => Some(None),
                even if even % 2 == 0 => usize::try_from(even / 2).ok().map(Some),
                _ => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> Headers {
        let mut headers = Headers::new();
        headers.add("k", Some(b"vv"));
        headers.add("null", None);
        headers
    }

    #[test]
    fn bytes_are_those_of_kafka_streams() {
        let mut bytes = Vec::new();
        write_headers(&headers(), &mut bytes);
        // 12 bytes of headers: 2 of them; `k` of 1 byte with 2 bytes; `null` of 4 bytes with null.
        assert_eq!(bytes, [24, 4, 2, b'k', 4, b'v', b'v', 8, b'n', b'u', b'l', b'l', 1]);
        let mut none = Vec::new();
        write_headers(&Headers::new(), &mut none);
        assert_eq!(none, [0], "no headers are no bytes, behind a size of 0");
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_refused() {
        let long = "x".repeat(300);
        let mut headers = headers();
        headers.add(long.as_str(), Some(long.as_bytes()));
        let mut bytes = Vec::new();
        write_headers(&headers, &mut bytes);
        bytes.extend_from_slice(b"rest");
        let (found, rest) = split(&bytes).expect("a size");
        assert_eq!((read_headers(found), rest), (Some(headers), &b"rest"[..]));
        for end in 0..found.len() {
            assert!(end == 0 || read_headers(&found[..end]).is_none(), "cut off at {end}");
        }
        assert!(split(&[0x80; 10]).is_none(), "a size of more than five bytes");
        assert!(split(&[1]).is_none(), "a size of -1");
    }
}
