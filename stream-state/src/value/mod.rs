//! Value envelopes: what a store keeps beside the value, and how both differ from what the changelog holds.
//!
//! A further envelope is one more file here and one more [`ValueFormat`].

mod buffered;
mod listed;
mod plain;
mod timestamped;
mod versioned;
mod with_headers;

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

pub use buffered::BufferedValue;
pub use listed::Listed;
pub use plain::Plain;
use stream_core::Headers;
use stream_core::serdes::{SerdeContext, SerdeError};
use stream_core::store::ChangelogRecord;
pub use timestamped::{Timestamped, ValueAndTimestamp};
pub use versioned::Versioned;
pub use with_headers::{AggregationWithHeaders, SessionWithHeaders, ValueTimestampHeaders, WithHeaders};

use crate::buffer::format::{VERSION, VERSION_HEADER};
use crate::error::StoreError;

/// How values lie in a store, for code that sees only bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum ValueFormat {
    /// The value's bytes.
    Plain,
    /// `timestamp (8) ‖ value`; the changelog has the plain value, and the timestamp in the record.
    Timestamped,
    /// Headers, timestamp and value; the changelog has the plain value, the rest in the record.
    TimestampedWithHeaders,
    /// Headers and value; the changelog has the plain value, and the headers in the record.
    WithHeaders,
    /// The value's bytes, although timestamps are written with it.
    Untimed,
    /// A change that waits in a buffer, as in the changelog, whose records tell their version in a header.
    Buffered,
    /// A flag, and the value unless the flag says that there is none; the changelog has the plain value or null.
    Versioned,
}

impl ValueFormat {
    /// The value and timestamp of the changelog record for a stored value that was written at `written_at`.
    #[inline]
    pub(crate) fn changelog_value(self, stored: Option<&[u8]>, written_at: i64) -> (Option<&[u8]>, i64) {
        match (self, stored) {
            (Self::Timestamped, Some(stored)) => match stored.split_first_chunk::<8>() {
                Some((timestamp, value)) => (Some(value), i64::from_be_bytes(*timestamp)),
                None => (Some(stored), written_at),
            },
            (Self::TimestampedWithHeaders, Some(stored)) => {
                match with_headers::split(stored).and_then(|(_, rest)| rest.split_first_chunk::<8>()) {
                    Some((timestamp, value)) => (Some(value), i64::from_be_bytes(*timestamp)),
                    None => (Some(stored), written_at),
                }
            }
            (Self::WithHeaders, Some(stored)) => (Some(with_headers::split(stored).map_or(stored, |(_, value)| value)), written_at),
            (Self::Versioned, Some(stored)) => {
                (stored.split_first().filter(|(flag, _)| **flag == versioned::VALUE).map(|(_, value)| value), written_at)
            }
            (Self::Plain | Self::Untimed | Self::Buffered, Some(stored)) => (Some(stored), written_at),
            (_, None) => (None, written_at),
        }
    }

    /// Whether rows have timestamps of their own.
    pub(crate) const fn is_timestamped(self) -> bool {
        matches!(self, Self::Timestamped | Self::TimestampedWithHeaders)
    }

    /// Whether rows have headers of their own.
    pub(crate) const fn has_headers(self) -> bool {
        matches!(self, Self::TimestampedWithHeaders | Self::WithHeaders)
    }

    /// The headers of the changelog record for a stored value.
    pub(crate) fn changelog_headers(self, stored: Option<&[u8]>) -> Cow<'static, Headers> {
        static NONE: Headers = Headers::new();
        static VERSIONED: LazyLock<Headers> = LazyLock::new(|| {
            let mut headers = Headers::new();
            headers.add(VERSION_HEADER, Some(&[VERSION]));
            headers
        });
        match stored {
            Some(_) if self == Self::Buffered => Cow::Borrowed(&VERSIONED),
            Some(stored) if self.has_headers() => {
                Cow::Owned(with_headers::split(stored).and_then(|(headers, _)| with_headers::read_headers(headers)).unwrap_or_default())
            }
            _ => Cow::Borrowed(&NONE),
        }
    }

    /// What is wrong with a changelog record, if it cannot be one of this format.
    pub(crate) fn check(self, record: &ChangelogRecord<'_>) -> Result<(), StoreError> {
        if self != Self::Buffered || record.value.is_none() {
            return Ok(());
        }
        match record.headers.last(VERSION_HEADER).flatten() {
            Some([VERSION]) => Ok(()),
            version => {
                let reason = format!(
                    "it holds a buffered change of version {version:?}, and only version {VERSION} (Kafka Streams 2.6 and later) is known"
                );
                Err(StoreError::ForeignRecord { reason })
            }
        }
    }

    /// The stored value of a changelog record; `None` deletes the row.
    pub(crate) fn restored<'a>(self, record: &ChangelogRecord<'a>, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let value = record.value;
        if self != Self::Versioned {
            return value.map(|value| self.stored_value(value, record, buffer));
        }
        // A deletion is a version, and a row.
        buffer.clear();
        buffer.push(if value.is_some() { versioned::VALUE } else { versioned::TOMBSTONE });
        buffer.extend_from_slice(value.unwrap_or_default());
        Some(buffer)
    }

    /// The stored value of a changelog record.
    fn stored_value<'a>(self, value: &'a [u8], record: &ChangelogRecord<'_>, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.is_timestamped() && !self.has_headers() {
            return value;
        }
        buffer.clear();
        if self.has_headers() {
            with_headers::write_headers(record.headers, buffer);
        }
        if self.is_timestamped() {
            buffer.extend_from_slice(&record.timestamp.to_be_bytes());
        }
        buffer.extend_from_slice(value);
        buffer
    }
}

/// Part of a store's identity on disk.
impl fmt::Display for ValueFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain values",
            Self::Timestamped => "timestamped values",
            Self::TimestampedWithHeaders => "timestamped values with headers",
            Self::WithHeaders => "values with headers",
            Self::Untimed => "values without their timestamps",
            Self::Buffered => "buffered changes",
            Self::Versioned => "versions",
        })
    }
}

/// Writes and reads what a typed store keeps in a row. [`Plain`] keeps the value, [`Timestamped`] also its timestamp.
///
/// Sealed: the formats on disk belong to this crate.
pub trait Envelope: sealed::Sealed + 'static {
    /// What a read gives.
    type Row: 'static;

    /// What a write takes.
    type RowRef<'a>;

    #[doc(hidden)]
    fn format(&self) -> ValueFormat;

    /// The envelope of a store that holds changes back, or of one that does not.
    #[doc(hidden)]
    fn settled(&self, _caching: bool) -> Self
    where
        Self: Sized + Clone,
    {
        self.clone()
    }

    #[doc(hidden)]
    fn write(&self, row: Self::RowRef<'_>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<bool, SerdeError>;

    #[doc(hidden)]
    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Self::Row, SerdeError>;
}

mod sealed {
    pub trait Sealed {}
    impl<V> Sealed for super::BufferedValue<V> {}
    impl<V> Sealed for super::Listed<V> {}
    impl<V> Sealed for super::Plain<V> {}
    impl<V> Sealed for super::Timestamped<V> {}
    impl<V> Sealed for super::SessionWithHeaders<V> {}
    impl<V> Sealed for super::Versioned<V> {}
    impl<V> Sealed for super::WithHeaders<V> {}
}
