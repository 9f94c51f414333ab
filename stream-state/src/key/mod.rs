//! Key schemas: how the rows of a kind of store are keyed, in the changelog (as Java does) and in the layers.
//!
//! A further kind of store (session, versioned) is one more variant here and one more file beside this one.

pub(crate) mod window;

use std::fmt;

pub(crate) use window::WindowKeySchema;

use crate::bytes::ByteRange;
use crate::error::StoreError;

/// How the rows of a store are keyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySchema {
    /// The key itself.
    KeyValue,
    /// A key and the start of a window, in time segments.
    Window(WindowKeySchema),
}

impl KeySchema {
    /// The key in the changelog of a row that is stored under `stored`.
    #[inline]
    pub(crate) fn changelog_key<'a>(&self, stored: &'a [u8]) -> &'a [u8] {
        match self {
            Self::KeyValue => stored,
            Self::Window(_) => window::changelog_key(stored),
        }
    }

    /// The key under which a changelog record is stored.
    pub(crate) fn stored_key(&self, changelog: &[u8], stored: &mut Vec<u8>) -> Result<(), StoreError> {
        stored.clear();
        match self {
            Self::KeyValue => stored.extend_from_slice(changelog),
            Self::Window(schema) => schema.stored_key(changelog, stored)?,
        }
        Ok(())
    }

    /// The ranges of a full scan; `segments` are those that hold anything.
    pub(crate) fn ranges(&self, segments: &[u64]) -> Vec<ByteRange> {
        match self {
            Self::KeyValue => vec![ByteRange::all()],
            Self::Window(_) => segments.iter().map(|segment| WindowKeySchema::segment_range(*segment)).collect(),
        }
    }

    /// Whether reads show the row at a stream time.
    pub(crate) fn shows(&self, stored: &[u8], stream_time: i64) -> bool {
        match self {
            Self::KeyValue => true,
            Self::Window(schema) => {
                window::parts(stored).is_some_and(|parts| parts.start >= schema.first_visible_start(stream_time).max(0))
            }
        }
    }

    /// The rows' time segments, for stores that forget.
    #[inline]
    pub(crate) fn segmented(&self) -> Option<&WindowKeySchema> {
        match self {
            Self::KeyValue => None,
            Self::Window(schema) => Some(schema),
        }
    }
}

/// Part of a store's identity on disk: rows of another schema cannot be read.
impl fmt::Display for KeySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyValue => f.write_str("key-value"),
            Self::Window(schema) => write!(f, "window, segments of {} ms", schema.segment_ms),
        }
    }
}
