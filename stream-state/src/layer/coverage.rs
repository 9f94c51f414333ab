//! What the table is known to hold in full, so that a key that it does not have needs no look below.

use std::collections::BTreeMap;

use crate::key::segments::segment_of;

/// Per time segment, or for the whole of a store without segments: whether all its rows are in the table.
pub(crate) enum Coverage {
    /// A store without segments.
    Whole { complete: bool },
    /// The segments that exist. One that is not listed holds nothing anywhere.
    Segments(BTreeMap<u64, bool>),
}

impl Coverage {
    /// Of a store that is empty.
    pub(crate) fn new(segmented: bool) -> Self {
        if segmented { Self::Segments(BTreeMap::new()) } else { Self::Whole { complete: true } }
    }

    /// Whether the table answers for a key that it does not hold.
    #[inline]
    pub(crate) fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Whole { complete } => *complete,
            Self::Segments(segments) => segments.get(&segment_of(key)).copied().unwrap_or(true),
        }
    }

    /// A row is written.
    #[inline]
    pub(crate) fn extend(&mut self, key: &[u8]) {
        if let Self::Segments(segments) = self {
            segments.entry(segment_of(key)).or_insert(true);
        }
    }

    /// A row of which the persistent layer may have more than the table.
    pub(crate) fn break_off(&mut self, key: &[u8]) {
        match self {
            Self::Whole { complete } => *complete = false,
            Self::Segments(segments) => {
                segments.insert(segment_of(key), false);
            }
        }
    }

    pub(crate) fn segments(&self) -> Option<&BTreeMap<u64, bool>> {
        match self {
            Self::Whole { .. } => None,
            Self::Segments(segments) => Some(segments),
        }
    }

    pub(crate) fn remove(&mut self, segment: u64) {
        if let Self::Segments(segments) = self {
            segments.remove(&segment);
        }
    }
}
