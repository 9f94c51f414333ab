//! Keys of windowed rows.
//!
//! In the changelog, as in Java: `key ‖ window start (8) ‖ sequence (4)`, big-endian. In the layers a segment's number (8) stands
//! before it, so that rows come by segment, then by key, then by start (the order of Java's persistent window store), and a whole
//! segment is one range of keys.

use crate::bytes::ByteRange;
use crate::error::StoreError;

const SEGMENT: usize = 8;
const START: usize = 8;
const SEQUENCE: usize = 4;

/// How windowed rows are keyed and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WindowKeySchema {
    /// How long rows are kept after their window's start, by stream time, ms.
    pub(crate) retention_ms: i64,
    /// How much time a segment covers, ms.
    pub(crate) segment_ms: i64,
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
    /// Half of the retention is a segment, but never less than a minute: as in Java, so that whole segments can be dropped.
    pub(crate) fn new(retention_ms: i64, retain_duplicates: bool) -> Self {
        Self { retention_ms, segment_ms: (retention_ms / 2).max(60_000), retain_duplicates }
    }

    /// The segment of a time. Times before the epoch share the first one.
    #[inline]
    pub(crate) fn segment(&self, time: i64) -> u64 {
        u64::try_from(time / self.segment_ms).unwrap_or(0)
    }

    /// The first segment that is not expired at a stream time.
    pub(crate) fn first_live_segment(&self, stream_time: i64) -> u64 {
        self.segment(stream_time.saturating_sub(self.retention_ms).max(0))
    }

    /// The earliest window start that reads show at a stream time.
    #[inline]
    pub(crate) fn first_visible_start(&self, stream_time: i64) -> i64 {
        stream_time.saturating_sub(self.retention_ms).saturating_add(1)
    }

    /// Appends the stored key of a row to `out`; `write_key` appends the key's bytes.
    pub(crate) fn write<E>(
        &self,
        start: i64,
        sequence: i32,
        out: &mut Vec<u8>,
        write_key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        out.clear();
        out.extend_from_slice(&self.segment(start).to_be_bytes());
        write_key(out)?;
        out.extend_from_slice(&start.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        Ok(())
    }

    pub(crate) fn stored_key(&self, changelog: &[u8], stored: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some((_, tail)) = changelog.split_last_chunk::<{ START + SEQUENCE }>() else {
            let reason = format!("its key has {} bytes, a windowed key has at least {}", changelog.len(), START + SEQUENCE);
            return Err(StoreError::ForeignRecord { reason });
        };
        let mut start = [0; START];
        start.copy_from_slice(&tail[..START]);
        stored.extend_from_slice(&self.segment(i64::from_be_bytes(start)).to_be_bytes());
        stored.extend_from_slice(changelog);
        Ok(())
    }

    /// All rows of `key` in `segment` whose windows start from `from` to `to`, both inclusive. Rows of longer keys may lie between
    /// (trap T136): compare the key of each row.
    pub(crate) fn key_range(segment: u64, key: &[u8], from: i64, to: i64) -> ByteRange {
        let bound = |start: i64, sequence: &[u8]| [&segment.to_be_bytes()[..], key, &start.to_be_bytes(), sequence].concat();
        let mut end = bound(to, &[u8::MAX; SEQUENCE]);
        end.push(0);
        ByteRange { from: bound(from.max(0), &[]), to: Some(end) }
    }

    /// A range of `segment` that holds all rows of keys from `from` to `to`, both inclusive (`None`: no bound), whose windows start
    /// at `latest` or before; others too.
    pub(crate) fn keys_range(segment: u64, from: Option<&[u8]>, to: Option<&[u8]>, latest: i64) -> ByteRange {
        let all = Self::segment_range(segment);
        // A key that is a prefix of `to` is smaller than `to`, but its row may be larger: the bound is the largest of their rows.
        let end = to.and_then(|to| {
            (0..=to.len())
                .map(|length| [&segment.to_be_bytes()[..], &to[..length], &latest.to_be_bytes(), &[u8::MAX; SEQUENCE], &[0]].concat())
                .max()
        });
        ByteRange { from: from.map_or_else(|| all.from.clone(), |from| [&segment.to_be_bytes()[..], from].concat()), to: end.or(all.to) }
    }

    /// All rows of a segment.
    pub(crate) fn segment_range(segment: u64) -> ByteRange {
        ByteRange { from: segment.to_be_bytes().to_vec(), to: segment.checked_add(1).map(|next| next.to_be_bytes().to_vec()) }
    }
}

/// The segment of a stored row.
#[inline]
pub(crate) fn segment_of(stored: &[u8]) -> u64 {
    stored.first_chunk::<SEGMENT>().map_or(0, |segment| u64::from_be_bytes(*segment))
}

#[inline]
pub(crate) fn changelog_key(stored: &[u8]) -> &[u8] {
    stored.get(SEGMENT..).unwrap_or_default()
}

/// Takes a stored key apart; `None` when it is too short to be one.
pub(crate) fn parts(stored: &[u8]) -> Option<WindowParts<'_>> {
    let (_, rest) = stored.split_first_chunk::<SEGMENT>()?;
    let (rest, sequence) = rest.split_last_chunk::<SEQUENCE>()?;
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
        let schema = WindowKeySchema::new(600_000, false);
        let stored = stored(&schema, b"k", 0x0102);
        assert_eq!(changelog_key(&stored), [b'k', 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0]);
        assert_eq!(parts(&stored), Some(WindowParts { key: b"k", start: 0x0102, sequence: 0 }));
    }

    #[test]
    fn a_segment_is_never_shorter_than_a_minute() {
        assert_eq!(WindowKeySchema::new(10, false).segment_ms, 60_000);
        assert_eq!(WindowKeySchema::new(600_000, false).segment_ms, 300_000);
    }

    #[test]
    fn the_range_up_to_a_key_holds_the_rows_of_its_prefixes() {
        let schema = WindowKeySchema::new(i64::MAX / 2, false);
        let range = WindowKeySchema::keys_range(0, Some(b"a"), Some(b"a\0b"), i64::from(u8::MAX) << 40);
        for key in [&b"a"[..], b"a\0", b"a\0b"] {
            let row = stored(&schema, key, 0x7f << 40);
            assert!(row >= range.from && range.to.as_ref().is_none_or(|to| row < *to), "{key:?}");
        }
    }
}
