//! Time segments: rows that expire lie in segments of time, so that a whole segment can be dropped, as one range of keys.

use crate::bytes::ByteRange;

const SEGMENT: usize = 8;

/// How long rows with a time are kept, and how they lie in the layers.
///
/// A stored key begins with the segment's number (8 bytes). Where an *index by time* stands beside the rows, one more byte says which of
/// both a stored key is. The index is never logged: it follows from the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// How long rows are kept after their time, by stream time, ms.
    pub(crate) retention_ms: i64,
    /// How much time a segment covers, ms.
    pub(crate) segment_ms: i64,
    /// Whether the rows can be read in the order of their times.
    pub(crate) time_index: bool,
}

/// What a stored key is, in a store with an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Row = 0,
    Index = 1,
}

impl Segments {
    /// Half of the retention is a segment, but never less than a minute: as in Java, so that whole segments can be dropped.
    pub(crate) fn new(retention_ms: i64) -> Self {
        Self { retention_ms, segment_ms: (retention_ms / 2).max(60_000), time_index: false }
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

    /// The earliest time that reads show at a stream time.
    #[inline]
    pub(crate) fn first_visible_time(&self, stream_time: i64) -> i64 {
        stream_time.saturating_sub(self.retention_ms).saturating_add(1)
    }

    /// Begins the stored key of a row with this time.
    #[inline]
    pub(crate) fn begin(&self, time: i64, out: &mut Vec<u8>) {
        self.begin_part(self.segment(time), Part::Row, out);
    }

    #[inline]
    pub(crate) fn begin_part(&self, segment: u64, part: Part, out: &mut Vec<u8>) {
        out.extend_from_slice(&segment.to_be_bytes());
        if self.time_index {
            out.push(part as u8);
        }
    }

    /// What all stored keys of a part of a segment begin with.
    pub(crate) fn prefix(&self, segment: u64, part: Part) -> Vec<u8> {
        let mut prefix = Vec::with_capacity(SEGMENT + 1);
        self.begin_part(segment, part, &mut prefix);
        prefix
    }

    /// The stored key without its beginning, which is the key in the changelog; `None` for a row of the index.
    #[inline]
    pub(crate) fn row_key<'a>(&self, stored: &'a [u8]) -> Option<&'a [u8]> {
        let rest = stored.get(SEGMENT..)?;
        if !self.time_index {
            return Some(rest);
        }
        rest.split_first().filter(|(part, _)| **part == Part::Row as u8).map(|(_, key)| key)
    }

    /// The key of a row of the index without its beginning; `None` for anything else.
    pub(crate) fn index_key<'a>(&self, stored: &'a [u8]) -> Option<&'a [u8]> {
        let (part, key) = stored.get(SEGMENT..)?.split_first()?;
        (self.time_index && *part == Part::Index as u8).then_some(key)
    }

    /// A range of `segment` that holds all rows of keys from `from` to `to`, both inclusive (`None`: no bound), others too. `last` is
    /// the largest that can follow a key.
    pub(crate) fn keys_range(&self, segment: u64, from: Option<&[u8]>, to: Option<&[u8]>, last: &[u8]) -> ByteRange {
        let prefix = self.prefix(segment, Part::Row);
        let all = if self.time_index { ByteRange::prefix(&prefix) } else { Self::range(segment) };
        // A key that is a prefix of `to` is smaller than `to`, but its row may be larger: the bound is the largest of their rows.
        let end = to.and_then(|to| (0..=to.len()).map(|length| [&prefix[..], &to[..length], last, &[0]].concat()).max());
        ByteRange { from: from.map_or_else(|| all.from.clone(), |from| [&prefix[..], from].concat()), to: end.or(all.to) }
    }

    /// All rows of a segment.
    pub(crate) fn range(segment: u64) -> ByteRange {
        ByteRange { from: segment.to_be_bytes().to_vec(), to: segment.checked_add(1).map(|next| next.to_be_bytes().to_vec()) }
    }

    /// The rows of the index of a segment with times from `from` to `to`, both inclusive.
    pub(crate) fn index_range(&self, segment: u64, from: i64, to: i64) -> ByteRange {
        let bound = |time: i64| [self.prefix(segment, Part::Index), time.to_be_bytes().to_vec()].concat();
        let to = match to.checked_add(1) {
            Some(behind) => Some(bound(behind)),
            None => Self::range(segment).to,
        };
        ByteRange { from: bound(from.max(0)), to }
    }
}

/// The segment of a stored row.
#[inline]
pub(crate) fn segment_of(stored: &[u8]) -> u64 {
    stored.first_chunk::<SEGMENT>().map_or(0, |segment| u64::from_be_bytes(*segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_never_shorter_than_a_minute() {
        assert_eq!(Segments::new(10).segment_ms, 60_000);
        assert_eq!(Segments::new(600_000).segment_ms, 300_000);
    }

    #[test]
    fn the_index_of_a_time_lies_in_its_range_only() {
        let segments = Segments { time_index: true, ..Segments::new(120_000) };
        let stored = [segments.prefix(1, Part::Index), 70_000_i64.to_be_bytes().to_vec(), b"key".to_vec()].concat();
        assert!(segments.index_range(1, 70_000, 70_000).contains(&stored));
        assert!(!segments.index_range(1, 70_001, i64::MAX).contains(&stored));
        assert!(!segments.index_range(1, 60_000, 69_999).contains(&stored));
        assert_eq!(segments.row_key(&stored), None);
        assert!(Segments::range(1).contains(&stored));
    }
}
