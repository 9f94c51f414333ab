//! Key schemas: how the rows of a kind of store are keyed, in the changelog (as Java does) and in the layers.
//!
//! A further kind of store is one more variant here and one more file beside this one.

pub(crate) mod segments;
pub(crate) mod session;
pub(crate) mod versioned;
pub(crate) mod window;

use std::fmt;

pub(crate) use segments::Segments;
pub(crate) use session::SessionKeySchema;
pub(crate) use versioned::VersionedKeySchema;
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
    /// A key, the end and the start of a session, in time segments.
    Session(SessionKeySchema),
    /// A key and when a version of its value begins.
    Versioned(VersionedKeySchema),
}

impl KeySchema {
    /// The key in the changelog of a row that is stored under `stored`; `None` for what is not logged.
    #[inline]
    pub(crate) fn changelog_key<'a>(&self, stored: &'a [u8]) -> Option<&'a [u8]> {
        match (self, self.segments()) {
            (Self::Versioned(_), _) => VersionedKeySchema::parts(stored).map(|parts| parts.key),
            (_, None) => Some(stored),
            (_, Some(segments)) => segments.row_key(stored),
        }
    }

    /// The key under which a changelog record is stored.
    pub(crate) fn stored_key(&self, changelog: &[u8], timestamp: i64, stored: &mut Vec<u8>) -> Result<(), StoreError> {
        stored.clear();
        match self {
            Self::KeyValue => stored.extend_from_slice(changelog),
            Self::Window(schema) => schema.stored_key(changelog, stored)?,
            Self::Session(schema) => schema.stored_key(changelog, stored)?,
            Self::Versioned(_) => VersionedKeySchema::write(changelog, timestamp, stored),
        }
        Ok(())
    }

    /// The ranges of a full scan; `segments` are those that hold anything.
    pub(crate) fn ranges(&self, segments: &[u64]) -> Vec<ByteRange> {
        match self.segments() {
            None => vec![ByteRange::all()],
            Some(_) => segments.iter().map(|segment| Segments::range(*segment)).collect(),
        }
    }

    /// Whether reads show the row where they show rows from `first` on.
    pub(crate) fn shows(&self, stored: &[u8], first: i64) -> bool {
        self.segments().is_none() || self.time(stored).is_some_and(|time| time >= first)
    }

    /// The rows' time segments, for stores that forget.
    #[inline]
    pub(crate) fn segments(&self) -> Option<&Segments> {
        match self {
            Self::KeyValue | Self::Versioned(_) => None,
            Self::Window(schema) => Some(&schema.segments),
            Self::Session(schema) => Some(&schema.segments),
        }
    }

    /// The time by which a row expires; `None` for one that does not.
    pub(crate) fn time(&self, stored: &[u8]) -> Option<i64> {
        match self {
            Self::KeyValue | Self::Versioned(_) => None,
            Self::Window(schema) => schema.parts(stored).map(|parts| parts.start),
            Self::Session(schema) => schema.parts(stored).map(|parts| parts.end),
        }
    }

    /// The sequence number of a row of a store that keeps duplicates; otherwise 0.
    pub(crate) fn sequence(&self, stored: &[u8]) -> i32 {
        match self {
            Self::Window(schema) if schema.retain_duplicates => schema.parts(stored).map_or(0, |parts| parts.sequence),
            _ => 0,
        }
    }

    /// Writes the key under which the index by time has a row; `None` without an index.
    pub(crate) fn write_index(&self, stored: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if !self.segments()?.time_index {
            return None;
        }
        match self {
            Self::KeyValue | Self::Versioned(_) => None,
            Self::Window(schema) => schema.write_index(stored, out),
            Self::Session(schema) => schema.write_index(stored, out),
        }
    }

    /// Writes the stored key of the row that a row of the index stands for.
    pub(crate) fn write_indexed(&self, index: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::KeyValue | Self::Versioned(_) => None,
            Self::Window(schema) => schema.write_indexed(index, out),
            Self::Session(schema) => schema.write_indexed(index, out),
        }
    }
}

/// Part of a store's identity on disk: rows of another schema cannot be read.
impl fmt::Display for KeySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyValue => f.write_str("key-value")?,
            Self::Versioned(schema) => write!(f, "versions, segments of {} ms", schema.segment_ms)?,
            Self::Window(schema) => write!(f, "window, segments of {} ms", schema.segments.segment_ms)?,
            Self::Session(schema) => write!(f, "session, segments of {} ms", schema.segments.segment_ms)?,
        }
        if self.segments().is_some_and(|segments| segments.time_index) { f.write_str(", by time") } else { Ok(()) }
    }
}
