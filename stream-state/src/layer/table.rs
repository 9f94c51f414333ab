//! The table: entries in a slab, found by hash; and, from the first range that somebody asked for, by order: what is only
//! read and written key by key pays for no order.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::entry::{Entry, VACANT};
use crate::bytes::{ByteRange, RowBytes};

/// Entries per chunk of the slab. The slab grows by chunks, so no growth ever copies entries.
const CHUNK: usize = 1024;

/// What an entry costs beside its heap bytes: its slot, and its place in the hash table at a usual load.
const ENTRY_BYTES: usize = size_of::<Entry>() + 10;

/// What an entry costs in the ordered index, which shares a long key with the entry.
const INDEX_BYTES: usize = size_of::<RowBytes>() + 12;

pub(crate) struct Table {
    chunks: Vec<Vec<Entry>>,
    vacant: Vec<u32>,
    by_hash: HashTable<(u32, u32)>,
    by_key: Option<BTreeMap<RowBytes, u32>>,
    hasher: DefaultHashBuilder,
}

/// The table's hash of a stored 32-bit one. Its high bits are needed as well as its low ones.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), vacant: Vec::new(), by_hash: HashTable::new(), by_key: None, hasher: DefaultHashBuilder::default() }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }

    #[inline]
    pub(crate) fn entry(&self, slot: u32) -> &Entry {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, slot: u32) -> &mut Entry {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        self.by_hash.find(spread(hash), |(other, slot)| *other == hash && self.entry(*slot).key.as_slice() == key).map(|(_, slot)| *slot)
    }

    /// Adds an entry whose key is not in the table.
    pub(crate) fn insert(&mut self, entry: Entry) -> u32 {
        let hash = entry.hash;
        let key = self.by_key.is_some().then(|| entry.key.clone());
        let slot = if let Some(slot) = self.vacant.pop() {
            *self.entry_mut(slot) = entry;
            slot
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            let chunk = self.chunks.len() - 1;
            self.chunks[chunk].push(entry);
            #[expect(clippy::cast_possible_truncation, reason = "four billion entries of 100 bytes do not fit into memory")]
            let slot = (chunk * CHUNK + self.chunks[chunk].len() - 1) as u32;
            slot
        };
        self.by_hash.insert_unique(spread(hash), (hash, slot), |(hash, _)| spread(*hash));
        if let (Some(index), Some(key)) = (&mut self.by_key, key) {
            index.insert(key, slot);
        }
        slot
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, slot: u32) -> Entry {
        let mut vacated = Entry::new(RowBytes::new(&[]), 0, None);
        vacated.flags = VACANT;
        let entry = std::mem::replace(self.entry_mut(slot), vacated);
        if let Ok(found) = self.by_hash.find_entry(spread(entry.hash), |(_, other)| *other == slot) {
            found.remove();
        }
        if let Some(index) = &mut self.by_key {
            index.remove(entry.key.as_slice());
        }
        self.vacant.push(slot);
        entry
    }

    /// Slots, vacant ones included: what a clock's hand goes over.
    pub(crate) fn slots(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "as in `insert`")]
        let slots = self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len()) as u32;
        slots
    }

    /// Bytes of an entry that do not change while it lives.
    #[inline]
    pub(crate) fn fixed_bytes(&self, key: &RowBytes) -> usize {
        match self.by_key {
            None => ENTRY_BYTES + key.heap_bytes(),
            Some(_) => ENTRY_BYTES + INDEX_BYTES + key.heap_bytes(),
        }
    }

    /// Builds the ordered index, if there is none; returns the bytes that it takes.
    pub(crate) fn order(&mut self) -> usize {
        if self.by_key.is_some() {
            return 0;
        }
        let mut keys: Vec<_> = self.by_hash.iter().map(|(_, slot)| (self.entry(*slot).key.clone(), *slot)).collect();
        keys.sort_unstable();
        let bytes = keys.len() * INDEX_BYTES;
        self.by_key = Some(keys.into_iter().collect());
        bytes
    }

    /// The slots of a range, in order. Empty before [`order`](Self::order).
    pub(crate) fn range(&self, range: &ByteRange) -> impl DoubleEndedIterator<Item = u32> + '_ {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let to = range.to.as_deref().map_or(Unbounded, Excluded);
        let index = if range.is_empty() { None } else { self.by_key.as_ref() };
        let rows = index.map(|index| index.range::<[u8], _>((Included(range.from.as_slice()), to)));
        rows.into_iter().flatten().map(|(_, slot)| *slot)
    }

    /// The slots of a range, in no order: without the index this goes over all.
    pub(crate) fn unordered(&self, range: &ByteRange) -> Vec<u32> {
        if self.by_key.is_some() {
            return self.range(range).collect();
        }
        self.occupied().filter(|slot| range.contains(self.entry(*slot).key.as_slice())).collect()
    }

    /// All slots that hold an entry, in no order.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_hash.iter().map(|(_, slot)| *slot)
    }
}
