//! [`RowBytes`]: owned bytes that are short most of the time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Longest bytes that are kept in place. An 8-byte count with its timestamp, or a word, costs no allocation.
const INLINE: usize = 22;

/// The bytes of a key or value. 24 bytes in place, so that an entry of a table needs no second look into memory; longer ones are
/// shared by whoever holds a copy (table, index, open scans).
#[derive(Clone)]
pub(crate) enum RowBytes {
    Inline(u8, [u8; INLINE]),
    Heap(Arc<[u8]>),
}

// An entry holds three of these in optional form; the niche in the tag must keep them at 24 bytes.
const _: () = assert!(size_of::<Option<Option<RowBytes>>>() == 24);

impl RowBytes {
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE {
            let mut inline = [0; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            #[expect(clippy::cast_possible_truncation, reason = "at most INLINE, checked above")]
            Self::Inline(bytes.len() as u8, inline)
        } else {
            Self::Heap(bytes.into())
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Self::Heap(bytes) => bytes,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Inline(length, _) => usize::from(*length),
            Self::Heap(bytes) => bytes.len(),
        }
    }

    /// Bytes beyond those in place, with the counters and what an allocator adds.
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline(..) => 0,
            Self::Heap(bytes) => bytes.len() + 24,
        }
    }
}

impl From<Vec<u8>> for RowBytes {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= INLINE { Self::new(&bytes) } else { Self::Heap(bytes.into()) }
    }
}

impl Borrow<[u8]> for RowBytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for RowBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for RowBytes {}

impl PartialOrd for RowBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Debug for RowBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_slice(), f)
    }
}
