//! Keys of sessions.
//!
//! In the changelog, as in Java: `key ‖ session end (8) ‖ session start (8)`, big-endian. In the layers the segment, which is that of
//! the end, stands before it. The index by time has `end ‖ start ‖ key`, the order of Java's time-ordered
//! session store.

use super::segments::{Part, Segments};
use crate::bytes::ByteRange;
use crate::error::StoreError;

const TIME: usize = 8;

/// How sessions are keyed and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionKeySchema {
    /// By the ends of the sessions.
    pub(crate) segments: Segments,
}

/// The parts of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionParts<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl SessionKeySchema {
    /// Writes the stored key of a row to `out`; `write_key` appends the key's bytes.
    pub(crate) fn write<E>(
        &self,
        start: i64,
        end: i64,
        out: &mut Vec<u8>,
        write_key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        out.clear();
        self.segments.begin(end, out);
        write_key(out)?;
        out.extend_from_slice(&end.to_be_bytes());
        out.extend_from_slice(&start.to_be_bytes());
        Ok(())
    }

    pub(crate) fn stored_key(&self, changelog: &[u8], stored: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some(parts) = changelog_parts(changelog) else {
            let reason = format!("its key has {} bytes, that of a session has at least {}", changelog.len(), 2 * TIME);
            return Err(StoreError::ForeignRecord { reason });
        };
        self.segments.begin(parts.end, stored);
        stored.extend_from_slice(changelog);
        Ok(())
    }

    /// Takes a stored key apart; `None` when it is not that of a row.
    pub(crate) fn parts<'a>(&self, stored: &'a [u8]) -> Option<SessionParts<'a>> {
        changelog_parts(self.segments.row_key(stored)?)
    }

    /// Writes the index's key of a row to `out`; `None` when `stored` is not a row.
    pub(crate) fn write_index(&self, stored: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let SessionParts { key, start, end } = self.parts(stored)?;
        out.clear();
        self.segments.begin_part(self.segments.segment(end), Part::Index, out);
        out.extend_from_slice(&end.to_be_bytes());
        out.extend_from_slice(&start.to_be_bytes());
        out.extend_from_slice(key);
        Some(())
    }

    /// Writes the stored key of the row that a row of the index stands for.
    pub(crate) fn write_indexed(&self, index: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (end, rest) = self.segments.index_key(index)?.split_first_chunk::<TIME>()?;
        let (start, key) = rest.split_first_chunk::<TIME>()?;
        let (start, end) = (i64::from_be_bytes(*start), i64::from_be_bytes(*end));
        self.write(start, end, out, |out| {
            out.extend_from_slice(key);
            Ok::<(), std::convert::Infallible>(())
        })
        .ok()
    }

    /// All rows of `key` in `segment` that end from `from` to `to`, both inclusive; rows of longer keys may lie between (trap T136).
    pub(crate) fn key_range(&self, segment: u64, key: &[u8], from: i64, to: i64) -> ByteRange {
        let prefix = self.segments.prefix(segment, Part::Row);
        let bound = |end: i64, start: &[u8]| [&prefix[..], key, &end.to_be_bytes(), start].concat();
        let mut end = bound(to, &[u8::MAX; TIME]);
        end.push(0);
        ByteRange { from: bound(from.max(0), &[]), to: Some(end) }
    }

    /// A range of `segment` that holds all rows of keys from `from` to `to`, both inclusive (`None`: no bound); others too.
    pub(crate) fn keys_range(&self, segment: u64, from: Option<&[u8]>, to: Option<&[u8]>) -> ByteRange {
        self.segments.keys_range(segment, from, to, &[u8::MAX; 2 * TIME])
    }
}

/// Takes the key of a changelog record apart; `None` when it is too short to be one.
pub(crate) fn changelog_parts(changelog: &[u8]) -> Option<SessionParts<'_>> {
    let (rest, start) = changelog.split_last_chunk::<TIME>()?;
    let (key, end) = rest.split_last_chunk::<TIME>()?;
    Some(SessionParts { key, start: i64::from_be_bytes(*start), end: i64::from_be_bytes(*end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_key_is_java_s_and_the_index_leads_back() {
        for time_index in [false, true] {
            let schema = SessionKeySchema { segments: Segments { time_index, ..Segments::new(10) } };
            let mut row = Vec::new();
            let written: Result<(), ()> = schema.write(1, 2, &mut row, |out| {
                out.push(b'k');
                Ok(())
            });
            assert_eq!(written, Ok(()));
            let changelog = [b'k', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
            assert_eq!(schema.segments.row_key(&row), Some(&changelog[..]));
            assert_eq!(schema.parts(&row), Some(SessionParts { key: b"k", start: 1, end: 2 }));
            if time_index {
                let (mut index, mut back) = (Vec::new(), Vec::new());
                assert!(schema.write_index(&row, &mut index).is_some() && schema.write_indexed(&index, &mut back).is_some());
                assert_eq!(back, row);
            }
        }
    }
}
