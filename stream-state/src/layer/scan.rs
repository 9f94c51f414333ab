//! Ranges: the table's rows and those below, merged, as they were when the scan was opened.
//!
//! The owner may write while a scan is open: the first write of a key keeps what the scan shall still show. Commit, discard, flush,
//! restore and eviction close all scans; they happen between records, when no processor can hold one.

use std::collections::{BTreeMap, VecDeque};

use super::{Entry, Layers};
use crate::bytes::{ByteRange, Row, RowBytes};
use crate::error::StoreError;

/// Rows that a scan reads at first; each further step reads four times as many, up to the most.
const FIRST_CHUNK: usize = 16;
const MOST_CHUNK: usize = 1024;

/// What the layers keep for a scan that is open.
pub(crate) struct OpenScan {
    id: u64,
    /// What keys held, that were written since.
    before: BTreeMap<RowBytes, Option<RowBytes>>,
}

/// One range of a scan.
struct Piece {
    above: ByteRange,
    below: Option<ByteRange>,
}

/// A scan's place. It holds no borrow of the layers.
pub(crate) struct Scan {
    id: u64,
    reverse: bool,
    pieces: VecDeque<Piece>,
    /// Rows of the table; without a value the key is deleted, and hides a row below.
    above: VecDeque<(RowBytes, Option<RowBytes>)>,
    above_done: bool,
    below: VecDeque<Row>,
    below_done: bool,
    chunk: usize,
}

impl Layers {
    /// Opens a scan over ranges that follow one another in the direction of reading.
    pub(crate) fn open_scan(&mut self, ranges: impl IntoIterator<Item = ByteRange>, reverse: bool) -> Scan {
        self.bytes += self.table.order();
        let id = self.next_scan;
        self.next_scan += 1;
        self.scans.push(OpenScan { id, before: BTreeMap::new() });
        let pieces = ranges.into_iter().filter(|range| !range.is_empty()).map(|range| {
            // A segment is one range; a store without segments is covered as a whole.
            let below = (!self.coverage.covers(&range.from)).then(|| range.clone());
            Piece { above: range, below }
        });
        let pieces = pieces.collect();
        Scan {
            id,
            reverse,
            pieces,
            above: VecDeque::new(),
            above_done: false,
            below: VecDeque::new(),
            below_done: false,
            chunk: FIRST_CHUNK,
        }
    }

    /// The next row.
    pub(crate) fn advance(&mut self, scan: &mut Scan) -> Result<Option<Row>, StoreError> {
        if !self.scans.iter().any(|open| open.id == scan.id) {
            return Err(StoreError::StaleIterator);
        }
        loop {
            if scan.above.is_empty() && !scan.above_done {
                self.fill_above(scan);
            }
            if scan.below.is_empty() && !scan.below_done {
                self.fill_below(scan)?;
            }
            match scan.take() {
                Some((key, Some(value))) => return Ok(Some((key, value))),
                Some((_, None)) => {}
                None => {
                    scan.pieces.pop_front();
                    if scan.pieces.is_empty() {
                        return Ok(None);
                    }
                    (scan.above_done, scan.below_done) = (false, false);
                }
            }
        }
    }

    pub(crate) fn close_scan(&mut self, scan: &Scan) {
        self.scans.retain(|open| open.id != scan.id);
    }

    pub(super) fn close_scans(&mut self) {
        self.scans.clear();
    }

    /// Before a write: open scans keep what the key holds now.
    #[cold]
    pub(super) fn keep_for_scans(&mut self, slot: Option<u32>, hash: u32, key: &[u8]) -> Result<(), StoreError> {
        let slot = match slot {
            Some(slot) => Some(slot),
            None if self.coverage.covers(key) => None,
            None => Some(self.load(hash, key)?),
        };
        let visible = slot.and_then(|slot| self.table.entry(slot).visible().flatten().cloned());
        for scan in &mut self.scans {
            if !scan.before.contains_key(key) {
                scan.before.insert(RowBytes::new(key), visible.clone());
            }
        }
        Ok(())
    }

    fn fill_above(&self, scan: &mut Scan) {
        let Some(piece) = scan.pieces.front_mut() else {
            scan.above_done = true;
            return;
        };
        let before = self.scans.iter().find(|open| open.id == scan.id).map(|open| &open.before);
        let row = |entry: &Entry| {
            let value = match before.and_then(|before| before.get(entry.key.as_slice())) {
                Some(before) => before.clone(),
                None => entry.visible().flatten().cloned(),
            };
            (entry.key.clone(), value)
        };
        let slots = self.table.range(&piece.above);
        if scan.reverse {
            scan.above.extend(slots.rev().take(scan.chunk).map(|slot| row(self.table.entry(slot))));
        } else {
            scan.above.extend(slots.take(scan.chunk).map(|slot| row(self.table.entry(slot))));
        }
        scan.above_done = scan.above.len() < scan.chunk;
        if let Some((last, _)) = scan.above.back() {
            piece.above.advance(last.as_slice(), scan.reverse);
        }
        scan.chunk = (scan.chunk * 4).min(MOST_CHUNK);
    }

    fn fill_below(&self, scan: &mut Scan) -> Result<(), StoreError> {
        let range = scan.pieces.front_mut().and_then(|piece| piece.below.as_mut());
        let (Some(range), Some(below)) = (range, &self.below) else {
            scan.below_done = true;
            return Ok(());
        };
        scan.below_done = below.scan(range, scan.reverse, scan.chunk, &mut scan.below)?;
        if let Some((last, _)) = scan.below.back() {
            range.advance(last.as_slice(), scan.reverse);
        }
        scan.chunk = (scan.chunk * 4).min(MOST_CHUNK);
        Ok(())
    }
}

impl Scan {
    /// The next of the rows that are at hand; the table's row hides the one below.
    fn take(&mut self) -> Option<(RowBytes, Option<RowBytes>)> {
        let order = match (self.above.front(), self.below.front()) {
            (None, None) => return None,
            (Some(_), None) => return self.above.pop_front(),
            (None, Some(_)) => return self.below.pop_front().map(|(key, value)| (key, Some(value))),
            (Some((above, _)), Some((below, _))) => above.cmp(below),
        };
        match if self.reverse { order.reverse() } else { order } {
            std::cmp::Ordering::Less => self.above.pop_front(),
            std::cmp::Ordering::Equal => {
                self.below.pop_front();
                self.above.pop_front()
            }
            std::cmp::Ordering::Greater => self.below.pop_front().map(|(key, value)| (key, Some(value))),
        }
    }
}
