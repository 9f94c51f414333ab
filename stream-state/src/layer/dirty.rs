//! The dirty entries, in the order of each key's last write: a log of writes, in which an entry knows its last place.
//!
//! A key that is written again leaves its earlier place behind, and nobody touches it: neighbours of a list lie anywhere in memory, and each
//! that is touched costs a cache miss. The log is packed when half of it is left behind. A walk over it reads entries that do not depend
//! on each other, so that the processor fetches many at once.

use super::drain::Writer;
use super::entry::NONE;
use super::table::Table;

/// Below this many writes the log is not packed.
const PACKED_FROM: usize = 1024;

struct Write {
    slot: u32,
    writer: Option<Writer>,
}

pub(crate) struct DirtyList {
    writes: Vec<Write>,
    /// How many entries are in the list.
    len: usize,
    /// The place from which on nothing was drained.
    undrained: usize,
}

impl DirtyList {
    pub(crate) const fn new() -> Self {
        Self { writes: Vec::new(), len: 0, undrained: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts an entry, which may be in the list already, at the end.
    #[inline]
    pub(crate) fn push(&mut self, table: &mut Table, slot: u32) {
        let entry = table.entry_mut(slot);
        if entry.place == NONE {
            self.len += 1;
        } else if entry.place as usize + 1 == self.writes.len() {
            self.undrained = self.undrained.min(entry.place as usize);
            return;
        }
        entry.place = NONE;
        if self.writes.len() >= PACKED_FROM.max(2 * self.len) {
            self.pack(table);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the log has at most twice as many places as the table has slots")]
        let place = self.writes.len() as u32;
        table.entry_mut(slot).place = place;
        self.writes.push(Write { slot, writer: None });
    }

    /// Takes out what was left behind.
    fn pack(&mut self, table: &mut Table) {
        let (mut kept, mut undrained) = (0, None);
        for place in 0..self.writes.len() {
            if place == self.undrained {
                undrained = Some(kept);
            }
            if let Some(slot) = self.at(table, place) {
                #[expect(clippy::cast_possible_truncation, reason = "as in `push`")]
                let packed = kept as u32;
                table.entry_mut(slot).place = packed;
                self.writes.swap(kept, place);
                kept += 1;
            }
        }
        self.undrained = undrained.unwrap_or(kept);
        self.writes.truncate(kept);
    }

    /// Notes who made the last write.
    #[inline]
    pub(crate) fn written_by(&mut self, writer: Writer) {
        if let Some(last) = self.writes.last_mut() {
            last.writer = Some(writer);
        }
    }

    /// Who wrote what lies at a place.
    pub(crate) fn writer(&self, place: usize) -> Option<&Writer> {
        self.writes[place].writer.as_ref()
    }

    /// Takes it out.
    pub(crate) fn take_writer(&mut self, place: usize) -> Option<Writer> {
        self.writes[place].writer.take()
    }

    /// The places of the log, those left behind included.
    pub(crate) fn places(&self) -> std::ops::Range<usize> {
        0..self.writes.len()
    }

    /// The entry at a place; `None` when the place was left behind.
    #[inline]
    pub(crate) fn at(&self, table: &Table, place: usize) -> Option<u32> {
        let slot = self.writes[place].slot;
        (table.entry(slot).place as usize == place).then_some(slot)
    }

    /// The next entry that no drain has taken, and its place.
    pub(crate) fn take_undrained(&mut self, table: &Table) -> Option<(u32, usize)> {
        while self.undrained < self.writes.len() {
            let place = self.undrained;
            self.undrained += 1;
            if let Some(slot) = self.at(table, place) {
                return Some((slot, place));
            }
        }
        None
    }

    /// Forgets all writes; the entries forget their places themselves.
    pub(crate) fn clear(&mut self) {
        self.writes.clear();
        // A transaction that was much larger than others is no reason to keep its memory.
        self.writes.shrink_to(PACKED_FROM.max(2 * self.len));
        (self.len, self.undrained) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::*;
    use crate::bytes::RowBytes;

    fn order(list: &DirtyList, table: &Table) -> Vec<u32> {
        list.places().filter_map(|place| list.at(table, place)).collect()
    }

    #[test]
    fn entries_are_in_the_order_of_their_last_writes_however_often_they_are_written() {
        let (mut table, mut list) = (Table::new(), DirtyList::new());
        let slots: Vec<u32> = (0..300_u32)
            .map(|number| {
                let key = number.to_be_bytes();
                let hash = table.hash(&key);
                table.insert(Entry::new(RowBytes::new(&key), hash, None))
            })
            .collect();
        let (mut truth, mut drained): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut number = 7_u64;
        for step in 0..20_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = slots[(number >> 33) as usize % slots.len()];
            list.push(&mut table, slot);
            truth.retain(|other| *other != slot);
            drained.retain(|other| *other != slot);
            truth.push(slot);
            if step % 7 == 0 {
                let wanted = truth.iter().copied().find(|slot| !drained.contains(slot));
                assert_eq!(list.take_undrained(&table).map(|(slot, _)| slot), wanted, "step {step}");
                drained.extend(wanted);
            }
        }
        assert_eq!(order(&list, &table), truth);
        assert_eq!(list.len(), truth.len());
        assert!(list.places().len() <= PACKED_FROM.max(2 * truth.len()) + 1, "what was left behind is given up");
    }
}
