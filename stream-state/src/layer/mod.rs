//! The layers of a store, in one table: an entry holds the uncommitted write and the committed value of its key, so that a read or
//! write costs one look-up, whatever the number of layers.
//!
//! ```text
//!   get, put ──►  entry: key │ pending (uncommitted) │ committed, unflushed or clean │
//!                        commit: pending → committed      flush: unflushed → clean      evict: clean → gone
//!                                                          │
//!                                                          ▼
//!                 bytes below: RocksDB (nothing for an in-memory store)
//! ```
//!
//! This module knows bytes, and no thread, owner or type. Cost rules: commit and discard go over dirty entries only, flush over
//! unflushed ones; only an eviction, and the expiry of a segment, go over all.

mod coverage;
mod dirty;
mod drain;
mod entry;
mod evict;
mod flush;
mod lru;
mod restore;
mod scan;
mod table;

use hashbrown::HashMap;
use stream_core::Headers;

use self::coverage::Coverage;
use self::dirty::DirtyList;
pub(crate) use self::drain::{ByteChange, Writer};
use self::entry::{DRAINED, Entry, LOGGED, NONE, REFERENCED, UNFLUSHED, UNTOLD, heap_bytes};
pub(crate) use self::scan::{OpenScan, Scan};
use self::table::Table;
use crate::bytes::{ByteStore, Checkpoint, RowBytes};
use crate::error::StoreError;
use crate::key::{KeySchema, WindowKeySchema};
use crate::value::ValueFormat;

/// The stream time of a store that has seen no row.
pub(crate) const NO_TIME: i64 = -1;

/// What a windowed store has seen, beside its rows; it rolls back with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The largest window start, ms.
    pub(crate) stream_time: i64,
    /// The last sequence number of a store that keeps duplicates.
    pub(crate) sequence: i32,
}

impl Observed {
    /// The sequence number of the next row's key: only rows that live side by side need one.
    pub(crate) fn sequence_of(&self, schema: &WindowKeySchema) -> i32 {
        if schema.retain_duplicates { self.sequence } else { 0 }
    }
}

pub(crate) struct Layers {
    pub(crate) schema: KeySchema,
    format: ValueFormat,
    caching: bool,
    logs_headers: bool,
    table: Table,
    coverage: Coverage,
    dirty: DirtyList,
    unflushed: Vec<u32>,
    unflushed_bytes: usize,
    below: Option<Box<dyn ByteStore>>,
    position: Option<i64>,
    changelog_id: Option<u128>,
    /// What is on disk.
    checkpoint: Option<Checkpoint>,
    pub(crate) pending: Observed,
    committed: Observed,
    bytes: usize,
    held_back: usize,
    scans: Vec<OpenScan>,
    next_scan: u64,
    drained: HashMap<u32, Option<RowBytes>>,
    /// The stream time of a cached store, by the rows that drains have taken, ms.
    drained_time: i64,
    hand: u32,
    /// Versions that were refused: the changelog has them all the same.
    refused: Vec<Refused>,
    /// Of a bounded store.
    used: Option<lru::LeastRecentlyUsed>,
}

/// A row that is logged and not kept: key and value as the changelog holds them, and the timestamp (ms).
type Refused = (Vec<u8>, Option<Vec<u8>>, i64);

impl Layers {
    /// Layers over `below` (an in-memory store has nothing there), which holds what `checkpoint` says.
    pub(crate) fn new(
        schema: KeySchema,
        format: ValueFormat,
        caching: bool,
        below: Option<Box<dyn ByteStore>>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, StoreError> {
        let segmented = schema.segments().is_some();
        let found = checkpoint.unwrap_or(Checkpoint { stream_time: NO_TIME, ..Checkpoint::default() });
        let observed = Observed { stream_time: found.stream_time, sequence: found.sequence };
        let mut layers = Self {
            // As in Java.
            logs_headers: format.has_headers() || matches!(schema, KeySchema::Window(_)) && format == ValueFormat::Plain,
            schema,
            format,
            caching,
            table: Table::new(),
            coverage: Coverage::new(segmented),
            dirty: DirtyList::new(),
            unflushed: Vec::new(),
            unflushed_bytes: 0,
            below,
            position: found.position,
            changelog_id: found.changelog_id,
            checkpoint,
            pending: observed,
            committed: observed,
            bytes: 0,
            held_back: 0,
            scans: Vec::new(),
            next_scan: 0,
            drained: HashMap::new(),
            drained_time: observed.stream_time,
            hand: 0,
            refused: Vec::new(),
            used: None,
        };
        layers.cover_what_is_below()?;
        Ok(layers)
    }

    /// Reads the value of `key` into `value`; false when there is no row.
    #[inline]
    pub(crate) fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool, StoreError> {
        let hash = self.table.hash(key);
        let slot = match self.table.find(hash, key) {
            Some(slot) => slot,
            None if self.coverage.covers(key) => return Ok(false),
            None => self.load(hash, key)?,
        };
        let entry = self.table.entry_mut(slot);
        entry.flags |= REFERENCED;
        Ok(match entry.visible() {
            Some(Some(found)) => {
                value.clear();
                value.extend_from_slice(found.as_slice());
                true
            }
            Some(None) | None => false,
        })
    }

    /// Writes to the uncommitted layer. `written_at` is the timestamp of the record that is being processed (ms).
    #[inline]
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>, written_at: i64) -> Result<u32, StoreError> {
        let hash = self.table.hash(key);
        let mut slot = self.table.find(hash, key);
        if !self.scans.is_empty() {
            self.keep_for_scans(slot, hash, key)?;
            slot = self.table.find(hash, key);
        }
        let slot = match slot {
            Some(slot) => slot,
            None => {
                let known = self.coverage.covers(key);
                self.coverage.extend(key);
                self.insert(Entry::new(RowBytes::new(key), hash, known.then_some(None)))
            }
        };
        let value = value.map(RowBytes::new);
        let (added, size) = (value.as_ref().map_or(0, RowBytes::heap_bytes), key.len() + value.as_ref().map_or(0, RowBytes::len));
        let entry = self.table.entry_mut(slot);
        let freed = heap_bytes(entry.pending.as_ref());
        if self.caching {
            self.held_back += size;
            if entry.pending.is_some() && !entry.is(DRAINED) {
                self.held_back -= entry.key.len() + entry.pending.as_ref().and_then(Option::as_ref).map_or(0, RowBytes::len);
            }
            if entry.is(DRAINED) {
                // What downstream knows of this key is the drained value, not the committed one.
                entry.flags &= !(DRAINED | UNTOLD);
                if let Some(drained) = entry.pending.take() {
                    self.drained.insert(slot, drained);
                }
            }
        }
        entry.pending = Some(value);
        entry.written_at = written_at;
        entry.flags = (entry.flags & !UNTOLD) | REFERENCED;
        self.bytes = self.bytes + added - freed;
        self.dirty.push(&mut self.table, slot);
        Ok(slot)
    }

    /// The uncommitted layer becomes part of the committed one.
    pub(crate) fn commit(&mut self, position: Option<i64>) {
        self.close_scans();
        for place in self.dirty.places() {
            let Some(slot) = self.dirty.at(&self.table, place) else { continue };
            let entry = self.table.entry_mut(slot);
            entry.place = NONE;
            entry.flags &= !(DRAINED | UNTOLD | LOGGED);
            if let Some(value) = entry.pending.take() {
                self.settle(slot, value);
            }
        }
        self.end_transaction();
        self.committed = self.pending;
        if position.is_some() {
            self.position = position;
        }
        if self.below.is_none() {
            self.expire_in_memory();
        }
    }

    /// Drops the uncommitted layer.
    pub(crate) fn discard(&mut self) {
        self.close_scans();
        for place in self.dirty.places() {
            let Some(slot) = self.dirty.at(&self.table, place) else { continue };
            let entry = self.table.entry_mut(slot);
            entry.place = NONE;
            entry.flags &= !(DRAINED | UNTOLD | LOGGED);
            self.bytes -= heap_bytes(entry.pending.take().as_ref());
            let entry = self.table.entry(slot);
            // Without a committed value there is nothing left to know about the key; a known absence is cheap to learn again.
            if !entry.is(UNFLUSHED) && !matches!(entry.committed, Some(Some(_))) {
                self.remove(slot);
            }
        }
        self.end_transaction();
        self.forget_use();
        self.pending = self.committed;
    }

    fn end_transaction(&mut self) {
        self.dirty.clear();
        self.drained.clear();
        self.refused.clear();
        self.held_back = 0;
        self.drained_time = NO_TIME;
    }

    /// Makes `value` the committed value of an entry that has no place in the dirty list.
    fn settle(&mut self, slot: u32, value: Option<RowBytes>) {
        let persistent = self.below.is_some();
        let entry = self.table.entry_mut(slot);
        let freed = heap_bytes(entry.committed.as_ref());
        let was_unflushed = entry.is(UNFLUSHED);
        let before = if was_unflushed { entry.row_bytes() } else { 0 };
        // A row that is neither in memory nor below, and shall not be: nothing to remember.
        let nothing = value.is_none() && (!persistent || (!was_unflushed && entry.committed == Some(None)));
        if nothing && entry.pending.is_none() {
            self.remove(slot);
            return;
        }
        entry.committed = Some(value);
        self.bytes -= freed;
        if persistent && !nothing {
            if !was_unflushed {
                entry.flags |= UNFLUSHED;
                self.unflushed.push(slot);
            }
            self.unflushed_bytes = self.unflushed_bytes + entry.row_bytes() - before;
        }
    }

    /// Brings a key from the persistent layer into the table, as a clean entry; also that there is none.
    #[cold]
    fn load(&mut self, hash: u32, key: &[u8]) -> Result<u32, StoreError> {
        let value = self.read_below(key)?;
        Ok(self.insert(Entry::new(RowBytes::new(key), hash, Some(value))))
    }

    /// Makes sure that the committed value of an entry is known.
    fn learn(&mut self, slot: u32) -> Result<(), StoreError> {
        if self.table.entry(slot).committed.is_none() {
            let value = self.read_below(self.table.entry(slot).key.as_slice())?;
            self.bytes += heap_bytes(Some(&value));
            self.table.entry_mut(slot).committed = Some(value);
        }
        Ok(())
    }

    fn read_below(&self, key: &[u8]) -> Result<Option<RowBytes>, StoreError> {
        self.below.as_ref().map_or(Ok(None), |below| below.get(key))
    }

    fn insert(&mut self, entry: Entry) -> u32 {
        self.bytes += self.table.fixed_bytes(&entry.key) + heap_bytes(entry.committed.as_ref()) + heap_bytes(entry.pending.as_ref());
        self.table.insert(entry)
    }

    fn remove(&mut self, slot: u32) -> usize {
        let entry = self.table.remove(slot);
        let freed = self.table.fixed_bytes(&entry.key) + heap_bytes(entry.committed.as_ref()) + heap_bytes(entry.pending.as_ref());
        self.bytes -= freed;
        freed
    }

    /// Gives each dirty row to `log`: key and value as the changelog holds them, the timestamp (ms) and the headers.
    pub(crate) fn log_changes<E>(&mut self, mut log: impl FnMut(&[u8], Option<&[u8]>, i64, &Headers) -> Result<(), E>) -> Result<(), E> {
        for place in self.dirty.places() {
            let Some(slot) = self.dirty.at(&self.table, place) else { continue };
            let entry = self.table.entry_mut(slot);
            // A row of a cached table that came and went between two commits leaves no trace (trap T39); the drain has looked what was
            // there. A store that nothing drains logs its deletions, as in Kafka Streams. But at least once, a commit that failed and is
            // made again may have sent the row already: then its deletion must follow.
            let came_and_went = entry.is(DRAINED) && matches!((&entry.pending, &entry.committed), (Some(None), Some(None)));
            let untold = entry.is(UNTOLD) && (entry.is(DRAINED) || !self.caching);
            let unchanged = (untold || (self.caching && came_and_went)) && !entry.is(LOGGED);
            if !unchanged {
                // Set before it is sent: of a record whose sending failed nobody knows whether it comes into the log.
                entry.flags |= LOGGED;
            }
            if let Some(key) = self.schema.changelog_key(entry.key.as_slice()).filter(|_| !unchanged) {
                let stored = entry.pending.as_ref().and_then(Option::as_ref).map(RowBytes::as_slice);
                let (value, timestamp) = self.format.changelog_value(stored, entry.written_at);
                if stored.is_none() && self.format == ValueFormat::Versioned {
                    // A version that left the history, not a deletion.
                    continue;
                }
                // Where rows have headers of their own, only a deletion has those of its writer.
                let has_own = self.format.has_headers() && stored.is_some();
                let writer = if self.logs_headers && !has_own { self.dirty.writer(place) } else { None };
                match writer {
                    Some(writer) => log(key, value, timestamp, &writer.headers)?,
                    None => log(key, value, timestamp, &self.format.changelog_headers(stored))?,
                }
            }
        }
        for (key, value, timestamp) in &self.refused {
            log(key, value.as_deref(), *timestamp, &self.format.changelog_headers(None))?;
        }
        Ok(())
    }

    /// Logs a version that is not kept; `row` is what would be stored.
    pub(crate) fn log_refused(&mut self, key: &[u8], row: Option<&[u8]>, timestamp: i64) {
        let (value, timestamp) = self.format.changelog_value(row, timestamp);
        self.refused.push((key.to_vec(), value.map(<[u8]>::to_vec), timestamp));
    }

    /// Whether it is kept which record wrote a row last: for the drain of a cached store, or for the changelog.
    pub(crate) fn keeps_writers(&self) -> bool {
        self.caching || self.logs_headers
    }

    /// Lets the changelog have the headers of the records that wrote the rows; that of plain windows has them always.
    pub(crate) fn log_headers(&mut self) {
        self.logs_headers = true;
    }

    /// Whether a row was written since the last commit.
    pub(crate) fn is_written(&self, key: &[u8]) -> bool {
        let slot = self.table.find(self.table.hash(key), key);
        slot.is_some_and(|slot| self.table.entry(slot).pending.is_some())
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.refused.is_empty()
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.below.is_some()
    }

    /// The earliest time of rows that reads show. A cached store shows every row that it still has, as Java's cache does.
    pub(crate) fn first_visible_time(&self) -> i64 {
        match self.schema.segments() {
            Some(segments) if !self.caching => {
                let first = segments.first_visible_time(self.pending.stream_time);
                // Java's window stores that are ordered by time show one millisecond more, so that a window that closes now can still be
                // emitted.
                let is_late = segments.time_index && self.below.is_some() && matches!(self.schema, KeySchema::Window(_));
                (first - i64::from(is_late)).max(0)
            }
            _ => 0,
        }
    }

    pub(crate) fn format(&self) -> ValueFormat {
        self.format
    }

    pub(crate) fn caching(&self) -> bool {
        self.caching
    }

    pub(crate) fn position(&self) -> Option<i64> {
        self.position
    }

    pub(crate) fn changelog_id(&self) -> Option<u128> {
        self.changelog_id
    }

    pub(crate) fn set_changelog_id(&mut self, id: Option<u128>) {
        self.changelog_id = id;
    }

    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of changes since the last drain.
    pub(crate) fn held_back(&self) -> usize {
        self.held_back
    }

    /// Entries and bytes that a restart would have to replay.
    pub(crate) fn unflushed(&self) -> (usize, usize) {
        (self.unflushed.len(), self.unflushed_bytes)
    }

    /// The segments from `first` to `last` that hold anything.
    pub(crate) fn segments(&self, first: u64, last: u64) -> Vec<u64> {
        let segments = self.coverage.segments();
        segments.into_iter().flat_map(|segments| segments.range(first..=last).map(|(segment, _)| *segment)).collect()
    }

    /// How many rows the owner sees: exact while the table holds all of them, else an estimate.
    pub(crate) fn approximate_rows(&self) -> u64 {
        let complete = match &self.coverage {
            Coverage::Whole { complete } => *complete,
            Coverage::Segments(segments) => segments.values().all(|complete| *complete),
        };
        if complete {
            return self.table.occupied().filter(|slot| matches!(self.table.entry(*slot).visible(), Some(Some(_)))).count() as u64;
        }
        let fresh = self.unflushed.len() + self.dirty.len();
        self.below.as_ref().map_or(0, |below| below.approximate_rows()) + fresh as u64
    }

    /// Drops everything; the persistent layer sets its files aside.
    pub(crate) fn reset(&mut self, reason: &str, now_ms: i64) -> Result<(), StoreError> {
        if let Some(below) = &mut self.below {
            below.reset(reason, now_ms)?;
        }
        let segmented = self.schema.segments().is_some();
        self.close_scans();
        self.table = Table::new();
        self.coverage = Coverage::new(segmented);
        self.unflushed.clear();
        self.unflushed_bytes = 0;
        self.end_transaction();
        self.position = None;
        self.changelog_id = None;
        self.checkpoint = None;
        self.committed = Observed { stream_time: NO_TIME, sequence: 0 };
        self.pending = self.committed;
        self.bytes = 0;
        self.hand = 0;
        Ok(())
    }
}
