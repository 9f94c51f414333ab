//! The sparse indexes of a segment: from an offset to a position, and from a time to an offset, with one entry for every few
//! kilobytes of the log (`index.interval.bytes`). Both are arrays of fixed entries, on disk as in memory, so a look-up is a
//! binary search.

/// `.index`: relative offset and position, four bytes each.
#[derive(Debug, Default)]
pub(crate) struct OffsetIndex {
    /// In rising order. The offset is that of the last record of the batch at the position, relative to the segment.
    entries: Vec<(u32, u32)>,
}

impl OffsetIndex {
    pub(crate) const ENTRY_BYTES: usize = 8;

    /// Reads a file; `None` if its entries cannot belong to a segment of `size` bytes.
    pub(crate) fn decode(bytes: &[u8], size: u64) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<{ Self::ENTRY_BYTES }>();
        let entries: Vec<(u32, u32)> =
            chunks.iter().map(|&[a, b, c, d, e, f, g, h]| (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))).collect();
        let rising = entries.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
        let inside = entries.last().is_none_or(|&(_, position)| u64::from(position) < size);
        (rest.is_empty() && rising && inside).then_some(OffsetIndex { entries })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|(offset, position)| [offset.to_be_bytes(), position.to_be_bytes()]).flatten().collect()
    }

    pub(crate) fn push(&mut self, relative_offset: u32, position: u32) {
        self.entries.push((relative_offset, position));
    }

    /// A position at or before the batch that holds the offset.
    pub(crate) fn position_for(&self, relative_offset: u32) -> u64 {
        let after = self.entries.partition_point(|&(offset, _)| offset <= relative_offset);
        after.checked_sub(1).map_or(0, |index| self.entries[index].1.into())
    }

    /// The last position that has an entry.
    pub(crate) fn last_position(&self) -> u64 {
        self.entries.last().map_or(0, |&(_, position)| position.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// `.timeindex`: a timestamp of eight bytes, a relative offset of four.
#[derive(Debug, Default)]
pub(crate) struct TimeIndex {
    /// In rising order of both. The timestamp is the greatest up to that place in the log; the offset is where it is first met.
    entries: Vec<(i64, u32)>,
}

impl TimeIndex {
    pub(crate) const ENTRY_BYTES: usize = 12;

    /// Reads a file; `None` if it holds no index.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<{ Self::ENTRY_BYTES }>();
        let entries: Vec<(i64, u32)> = chunks
            .iter()
            .map(|&[a, b, c, d, e, f, g, h, i, j, k, l]| (i64::from_be_bytes([a, b, c, d, e, f, g, h]), u32::from_be_bytes([i, j, k, l])))
            .collect();
        let rising = entries.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (rest.is_empty() && rising).then_some(TimeIndex { entries })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|(timestamp, offset)| timestamp.to_be_bytes().into_iter().chain(offset.to_be_bytes())).collect()
    }

    /// Adds an entry, unless the greatest timestamp is still the one of the last entry.
    pub(crate) fn push(&mut self, timestamp: i64, relative_offset: u32) {
        if self.entries.last().is_none_or(|&(last, _)| last < timestamp) {
            self.entries.push((timestamp, relative_offset));
        }
    }

    /// An offset at or before the first record of this time or a later one.
    pub(crate) fn offset_for(&self, timestamp: i64) -> u32 {
        let after = self.entries.partition_point(|&(entry, _)| entry <= timestamp);
        after.checked_sub(1).map_or(0, |index| self.entries[index].1)
    }

    /// The greatest timestamp that has an entry, and its relative offset.
    pub(crate) fn last(&self) -> Option<(i64, u32)> {
        self.entries.last().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_never_lands_behind_what_is_sought() {
        let mut index = OffsetIndex::default();
        for (offset, position) in [(9, 4_100), (19, 8_300), (29, 12_500)] {
            index.push(offset, position);
        }
        let found = |offset| index.position_for(offset);
        assert_eq!([found(0), found(8), found(9), found(18), found(19), found(500)], [0, 0, 4_100, 4_100, 8_300, 12_500]);

        let mut times = TimeIndex::default();
        for (timestamp, offset) in [(100, 5), (100, 9), (90, 12), (200, 20)] {
            times.push(timestamp, offset);
        }
        assert_eq!(times.len(), 2);
        assert_eq!([times.offset_for(99), times.offset_for(100), times.offset_for(199), times.offset_for(300)], [0, 5, 5, 20]);
    }

    #[test]
    fn entries_that_fall_back_or_point_outside_are_no_index() {
        let mut index = OffsetIndex::default();
        index.push(9, 4_100);
        index.push(19, 8_300);
        let bytes = index.encode();
        assert_eq!(OffsetIndex::decode(&bytes, 9_000).map(|i| i.len()), Some(2));
        assert!(OffsetIndex::decode(&bytes, 8_300).is_none());
        assert!(OffsetIndex::decode(&bytes[..12], 9_000).is_none());
        let mut swapped = bytes[8..].to_vec();
        swapped.extend_from_slice(&bytes[..8]);
        assert!(OffsetIndex::decode(&swapped, 9_000).is_none());

        let mut times = TimeIndex::default();
        times.push(1, 0);
        times.push(5, 3);
        assert_eq!(TimeIndex::decode(&times.encode()).map(|i| i.last()), Some(Some((5, 3))));
        assert!(TimeIndex::decode(&times.encode()[..20]).is_none());
    }
}
