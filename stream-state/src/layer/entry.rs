//! One row of a store's table: what is committed, and what is not yet.

use crate::bytes::RowBytes;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// The committed value is newer than what is on disk.
pub(crate) const UNFLUSHED: u8 = 1;
/// Read or written since the clock's hand passed.
pub(crate) const REFERENCED: u8 = 1 << 1;
/// Its uncommitted write was given to a drain already.
pub(crate) const DRAINED: u8 = 1 << 2;
/// The slot holds no entry.
pub(crate) const VACANT: u8 = 1 << 3;
/// Its uncommitted deletion concerns a row that had expired: nobody is told, and the changelog is not, either.
pub(crate) const UNTOLD: u8 = 1 << 4;
/// A commit that is not through sent the key to the changelog.
pub(crate) const LOGGED: u8 = 1 << 5;

/// A key with both layers' values.
///
/// Invariant: an entry without `pending` knows its `committed`; only a write that was not preceded by a read leaves it unknown.
pub(crate) struct Entry {
    pub(crate) key: RowBytes,
    /// `None`: not known, the persistent layer has the answer; `Some(None)`: there is no row.
    pub(crate) committed: Option<Option<RowBytes>>,
    /// The uncommitted write; `Some(None)` deletes.
    pub(crate) pending: Option<Option<RowBytes>>,
    /// The timestamp of the record that wrote `pending`, ms.
    pub(crate) written_at: i64,
    /// Its place among the dirty entries, or [`NONE`].
    pub(crate) place: u32,
    pub(crate) hash: u32,
    pub(crate) flags: u8,
}

impl Entry {
    pub(crate) fn new(key: RowBytes, hash: u32, committed: Option<Option<RowBytes>>) -> Self {
        Self { key, committed, pending: None, written_at: 0, place: NONE, hash, flags: 0 }
    }

    #[inline]
    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Neither uncommitted nor unflushed: memory that can be had back.
    #[inline]
    pub(crate) fn is_clean(&self) -> bool {
        self.pending.is_none() && !self.is(UNFLUSHED | VACANT)
    }

    /// What the owner reads: `None` when only the persistent layer knows.
    #[inline]
    pub(crate) fn visible(&self) -> Option<Option<&RowBytes>> {
        self.pending.as_ref().or(self.committed.as_ref()).map(Option::as_ref)
    }

    /// Key and committed value, as they count for the unflushed bytes.
    #[inline]
    pub(crate) fn row_bytes(&self) -> usize {
        self.key.len() + self.committed.as_ref().and_then(Option::as_ref).map_or(0, RowBytes::len)
    }
}

/// Heap bytes of a value in one of the layers.
#[inline]
pub(crate) fn heap_bytes(value: Option<&Option<RowBytes>>) -> usize {
    value.and_then(Option::as_ref).map_or(0, RowBytes::heap_bytes)
}
