//! Which rows of a bounded store were used last.

use std::collections::BTreeMap;

use super::Layers;
use super::entry::UNTOLD;
use crate::bytes::RowBytes;
use crate::error::StoreError;

/// The keys of a store that keeps so many rows, in the order of their last use.
pub(super) struct LeastRecentlyUsed {
    max_entries: usize,
    /// Behind a record cache no row goes while the store takes no more bytes than this: the cache of Kafka Streams shows a row also after
    /// the bounded store has given it up.
    cache_bytes: usize,
    /// False until the order was taken from the rows: after a restore or a roll-back.
    known: bool,
    used_at: BTreeMap<RowBytes, u64>,
    order: BTreeMap<u64, RowBytes>,
    next: u64,
}

impl LeastRecentlyUsed {
    pub(super) fn new(max_entries: usize, cache_bytes: usize) -> Self {
        Self { max_entries, cache_bytes, known: false, used_at: BTreeMap::new(), order: BTreeMap::new(), next: 0 }
    }

    fn touch(&mut self, key: &[u8]) {
        let key = RowBytes::new(key);
        if let Some(before) = self.used_at.insert(key.clone(), self.next) {
            self.order.remove(&before);
        }
        self.order.insert(self.next, key);
        self.next += 1;
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(before) = self.used_at.remove(&RowBytes::new(key)) {
            self.order.remove(&before);
        }
    }

    /// The key that has to make room for another one.
    fn eldest(&self) -> Option<RowBytes> {
        if self.order.len() < self.max_entries { None } else { self.order.first_key_value().map(|(_, key)| key.clone()) }
    }
}

impl Layers {
    /// Bounds the store. Only for stores in memory.
    pub(crate) fn keep_at_most(&mut self, max_entries: usize, cache_bytes: usize) {
        self.used = Some(LeastRecentlyUsed::new(max_entries.max(1), cache_bytes));
    }

    /// The order of use is not known any more.
    pub(super) fn forget_use(&mut self) {
        if let Some(used) = &mut self.used {
            *used = LeastRecentlyUsed::new(used.max_entries, used.cache_bytes);
        }
    }

    /// A row was read.
    #[inline]
    pub(crate) fn used(&mut self, key: &[u8]) {
        if self.used.is_some() {
            self.know_use();
            if let Some(used) = &mut self.used {
                used.touch(key);
            }
        }
    }

    /// Makes room for a row that is going to be written, or forgets one that is going to be deleted. What goes is deleted before
    /// the new row; also in the changelog, unless it is a table's.
    #[inline]
    pub(crate) fn make_room(&mut self, key: &[u8], is_deletion: bool, written_at: i64) -> Result<(), StoreError> {
        if self.used.is_none() {
            return Ok(());
        }
        self.know_use();
        let Some(used) = &mut self.used else { return Ok(()) };
        if is_deletion {
            used.forget(key);
            return Ok(());
        }
        let is_new = !used.used_at.contains_key(&RowBytes::new(key));
        let is_cached = self.bytes < used.cache_bytes;
        if let Some(eldest) = used.eldest().filter(|_| is_new && !is_cached) {
            used.forget(eldest.as_slice());
            let slot = self.put(eldest.as_slice(), None, written_at)?;
            if self.format.is_timestamped() {
                // What a table's store forgets nobody hears of, as in Kafka Streams, whose tables see no eviction.
                self.table.entry_mut(slot).flags |= UNTOLD;
            }
        }
        if let Some(used) = &mut self.used {
            used.touch(key);
        }
        Ok(())
    }

    #[cold]
    fn take_order(&mut self) {
        let mut rows = Vec::new();
        for slot in self.table.occupied() {
            let entry = self.table.entry(slot);
            if matches!(entry.visible(), Some(Some(_))) {
                rows.push(entry.key.clone());
            }
        }
        rows.sort_unstable();
        if let Some(used) = &mut self.used {
            rows.iter().for_each(|key| used.touch(key.as_slice()));
            used.known = true;
        }
    }

    fn know_use(&mut self) {
        if self.used.as_ref().is_some_and(|used| !used.known) {
            self.take_order();
        }
    }
}
