//! The dirty entries, in the order of each key's last write: a list through the table, so that a write costs no allocation.

use super::entry::NONE;
use super::table::Table;

pub(crate) struct DirtyList {
    head: u32,
    tail: u32,
    len: usize,
    /// The first entry that was written since the last drain. All that follow were, too, since a write moves its entry to the end.
    undrained: u32,
}

impl DirtyList {
    pub(crate) const fn new() -> Self {
        Self { head: NONE, tail: NONE, len: 0, undrained: NONE }
    }

    pub(crate) fn head(&self) -> u32 {
        self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts an entry, which may be in the list already, at the end.
    #[inline]
    pub(crate) fn push(&mut self, table: &mut Table, slot: u32, listed: bool) {
        if listed {
            if self.tail == slot {
                if self.undrained == NONE {
                    self.undrained = slot;
                }
                return;
            }
            self.unlink(table, slot);
        }
        let entry = table.entry_mut(slot);
        (entry.previous, entry.next) = (self.tail, NONE);
        match self.tail {
            NONE => self.head = slot,
            tail => table.entry_mut(tail).next = slot,
        }
        self.tail = slot;
        self.len += 1;
        if self.undrained == NONE {
            self.undrained = slot;
        }
    }

    fn unlink(&mut self, table: &mut Table, slot: u32) {
        let entry = table.entry(slot);
        let (previous, next) = (entry.previous, entry.next);
        match previous {
            NONE => self.head = next,
            previous => table.entry_mut(previous).next = next,
        }
        match next {
            NONE => self.tail = previous,
            next => table.entry_mut(next).previous = previous,
        }
        if self.undrained == slot {
            self.undrained = next;
        }
        self.len -= 1;
    }

    /// The next entry that no drain has taken.
    pub(crate) fn take_undrained(&mut self, table: &Table) -> Option<u32> {
        let slot = self.undrained;
        (slot != NONE).then(|| {
            self.undrained = table.entry(slot).next;
            slot
        })
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}
