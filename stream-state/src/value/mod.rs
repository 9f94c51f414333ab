//! Value envelopes: what a store keeps beside the value, and how both differ from what the changelog holds.
//!
//! A further envelope (headers) is one more file here and one more [`ValueFormat`].

mod buffered;
mod plain;
mod timestamped;
mod versioned;

use std::fmt;
use std::sync::LazyLock;

pub use buffered::BufferedValue;
pub use plain::Plain;
use stream_core::Headers;
use stream_core::serdes::{SerdeContext, SerdeError};
use stream_core::store::ChangelogRecord;
pub use timestamped::{Timestamped, ValueAndTimestamp};
pub use versioned::Versioned;

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
            (Self::Versioned, Some(stored)) => {
                (stored.split_first().filter(|(flag, _)| **flag == versioned::VALUE).map(|(_, value)| value), written_at)
            }
            (Self::Plain | Self::Untimed | Self::Buffered, Some(stored)) => (Some(stored), written_at),
            (_, None) => (None, written_at),
        }
    }

    /// The headers of a changelog record.
    pub(crate) fn changelog_headers(self, value: Option<&[u8]>) -> &'static Headers {
        static NONE: Headers = Headers::new();
        static VERSIONED: LazyLock<Headers> = LazyLock::new(|| {
            let mut headers = Headers::new();
            headers.add(VERSION_HEADER, Some(&[VERSION]));
            headers
        });
        if self == Self::Buffered && value.is_some() { &VERSIONED } else { &NONE }
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
    pub(crate) fn restored<'a>(self, value: Option<&'a [u8]>, timestamp: i64, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self != Self::Versioned {
            return value.map(|value| self.stored_value(value, timestamp, buffer));
        }
        // A deletion is a version, and a row.
        buffer.clear();
        buffer.push(if value.is_some() { versioned::VALUE } else { versioned::TOMBSTONE });
        buffer.extend_from_slice(value.unwrap_or_default());
        Some(buffer)
    }

    /// The stored value of a changelog record.
    pub(crate) fn stored_value<'a>(self, value: &'a [u8], timestamp: i64, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        match self {
            Self::Plain | Self::Untimed | Self::Buffered | Self::Versioned => value,
            Self::Timestamped => {
                buffer.clear();
                buffer.extend_from_slice(&timestamp.to_be_bytes());
                buffer.extend_from_slice(value);
                buffer
            }
        }
    }
}

/// Part of a store's identity on disk.
impl fmt::Display for ValueFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain values",
            Self::Timestamped => "timestamped values",
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
    impl<V> Sealed for super::Plain<V> {}
    impl<V> Sealed for super::Timestamped<V> {}
    impl<V> Sealed for super::Versioned<V> {}
}
