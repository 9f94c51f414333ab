//! Keys of windowed rows.
//!
//! In the changelog, as in Java: `key ‖ window start (8) ‖ sequence (4)`, big-endian. In the layers the segment stands before it, so that
//! rows come by segment, then by key, then by start (the order of Java's persistent window store). The index by time has `start ‖ key`.

use super::segments::{Part, Segments};
use crate::bytes::ByteRange;
use crate::error::StoreError;

const START: usize = 8;
const SEQUENCE: usize = 4;

/// How windowed rows are keyed and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WindowKeySchema {
    /// By the starts of the windows.
    pub(crate) segments: Segments,
    /// Whether several rows of one key and start live side by side.
    pub(crate) retain_duplicates: bool,
}

/// The parts of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowParts<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) start: i64,
    pub(crate) sequence: i32,
}

impl WindowKeySchema {
    pub(crate) fn new(retention_ms: i64, retain_duplicates: bool) -> Self {
        Self { segments: Segments::new(retention_ms), retain_duplicates }
    }

    /// Writes the stored key of a row to `out`; `write_key` appends the key's bytes.
    #[inline]
    pub(crate) fn write<E>(
        &self,
        start: i64,
        sequence: i32,
        out: &mut Vec<u8>,
        write_key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        out.clear();
        self.segments.begin(start, out);
        write_key(out)?;
        out.extend_from_slice(&start.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        Ok(())
    }

    pub(crate) fn stored_key(&self, changelog: &[u8], stored: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some(parts) = changelog_parts(changelog) else {
            let reason = format!("its key has {} bytes, a windowed key has at least {}", changelog.len(), START + SEQUENCE);
            return Err(StoreError::ForeignRecord { reason });
        };
        self.segments.begin(parts.start, stored);
        stored.extend_from_slice(changelog);
        Ok(())
    }

    /// Takes a stored key apart; `None` when it is not that of a row.
    pub(crate) fn parts<'a>(&self, stored: &'a [u8]) -> Option<WindowParts<'a>> {
        changelog_parts(self.segments.row_key(stored)?)
    }

    /// Writes the index's key of a row to `out`; `None` when `stored` is not a row.
    pub(crate) fn write_index(&self, stored: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let parts = self.parts(stored)?;
        out.clear();
        self.segments.begin_part(self.segments.segment(parts.start), Part::Index, out);
        out.extend_from_slice(&parts.start.to_be_bytes());
        out.extend_from_slice(parts.key);
        Some(())
    }

    /// Writes the stored key of the row that a row of the index stands for.
    pub(crate) fn write_indexed(&self, index: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (start, key) = self.segments.index_key(index)?.split_first_chunk::<START>()?;
        let start = i64::from_be_bytes(*start);
        self.write(start, 0, out, |out| {
            out.extend_from_slice(key);
            Ok::<(), std::convert::Infallible>(())
        })
        .ok()
    }

    /// All rows of `key` in `segment` whose windows start from `from` to `to`, both inclusive. Rows of longer keys may lie between
    /// (trap T136): compare the key of each row.
    pub(crate) fn key_range(&self, segment: u64, key: &[u8], from: i64, to: i64) -> ByteRange {
        let prefix = self.segments.prefix(segment, Part::Row);
        let bound = |start: i64, sequence: &[u8]| [&prefix[..], key, &start.to_be_bytes(), sequence].concat();
        let mut end = bound(to, &[u8::MAX; SEQUENCE]);
        end.push(0);
        ByteRange { from: bound(from.max(0), &[]), to: Some(end) }
    }

    /// A range of `segment` that holds all rows of keys from `from` to `to`, both inclusive (`None`: no bound), whose windows start
    /// at `latest` or before; others too.
    pub(crate) fn keys_range(&self, segment: u64, from: Option<&[u8]>, to: Option<&[u8]>, latest: i64) -> ByteRange {
        self.segments.keys_range(segment, from, to, &[&latest.to_be_bytes()[..], &[u8::MAX; SEQUENCE]].concat())
    }
}

/// Takes the key of a changelog record apart; `None` when it is too short to be one.
pub(crate) fn changelog_parts(changelog: &[u8]) -> Option<WindowParts<'_>> {
    let (rest, sequence) = changelog.split_last_chunk::<SEQUENCE>()?;
    let (key, start) = rest.split_last_chunk::<START>()?;
    Some(WindowParts { key, start: i64::from_be_bytes(*start), sequence: i32::from_be_bytes(*sequence) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(schema: &WindowKeySchema, key: &[u8], start: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let written: Result<(), ()> = schema.write(start, 0, &mut out, |out| {
            out.extend_from_slice(key);
            Ok(())
        });
        written.map(|()| out).unwrap_or_default()
    }

    #[test]
    fn the_changelog_key_is_java_s() {
        let mut schema = WindowKeySchema::new(600_000, false);
        for time_index in [false, true] {
            schema.segments.time_index = time_index;
            let stored = stored(&schema, b"k", 0x0102);
            assert_eq!(schema.segments.row_key(&stored), Some(&[b'k', 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0][..]));
            assert_eq!(schema.parts(&stored), Some(WindowParts { key: b"k", start: 0x0102, sequence: 0 }));
        }
    }

    #[test]
    fn a_row_of_the_index_leads_back_to_its_row() {
        let mut schema = WindowKeySchema::new(600_000, false);
        schema.segments.time_index = true;
        let row = stored(&schema, b"key", 400_000);
        let (mut index, mut back) = (Vec::new(), Vec::new());
        assert!(schema.write_index(&row, &mut index).is_some() && schema.write_indexed(&index, &mut back).is_some());
        assert_eq!(back, row);
        assert_eq!(schema.parts(&index), None, "the index holds no rows");
    }

    #[test]
    fn the_range_up_to_a_key_holds_the_rows_of_its_prefixes() {
        let schema = WindowKeySchema::new(i64::MAX / 2, false);
        let range = schema.keys_range(0, Some(b"a"), Some(b"a\0b"), i64::from(u8::MAX) << 40);
        for key in [&b"a"[..], b"a\0", b"a\0b"] {
            let row = stored(&schema, key, 0x7f << 40);
            assert!(range.contains(&row), "{key:?}");
        }
    }
}
