//! Rows of a range, for typed iterators.

use std::rc::Rc;

use stream_core::Result;

use super::{LayeredStore, ScannedRow};
use crate::bytes::{Row, RowBytes};
use crate::error::StoreError;
use crate::layer::Scan;

/// An open scan; closed when it is dropped. After an error it ends.
pub(crate) struct RowScan {
    store: Rc<LayeredStore>,
    source: Source,
    failed: bool,
}

enum Source {
    /// Chunk by chunk, from the layers.
    Layers(Scan),
    /// Read already.
    Read(std::vec::IntoIter<std::result::Result<Row, StoreError>>),
}

impl RowScan {
    pub(super) fn new(store: Rc<LayeredStore>, scan: Scan) -> Self {
        Self { store, source: Source::Layers(scan), failed: false }
    }

    pub(super) fn read(store: Rc<LayeredStore>, rows: Vec<std::result::Result<Row, StoreError>>) -> Self {
        Self { store, source: Source::Read(rows.into_iter()), failed: false }
    }

    /// The row that a row of the index stands for; `None` when it was deleted since.
    fn indexed(&self, index: &[u8]) -> Result<Option<Row>> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let is_index = self.store.with(|layers| layers.schema.write_indexed(index, &mut key)).is_some();
        let found = is_index && self.store.get(&key, &mut value)?;
        Ok(found.then(|| (RowBytes::from(key), RowBytes::from(value))))
    }
}

impl Iterator for RowScan {
    type Item = ScannedRow;

    fn next(&mut self) -> Option<ScannedRow> {
        if self.failed {
            return None;
        }
        let row = match &mut self.source {
            Source::Layers(scan) => self.store.with(|layers| layers.advance(scan)),
            Source::Read(rows) => rows.next().transpose(),
        };
        self.failed = row.is_err();
        row.map_err(|error| self.store.error(error)).transpose()
    }
}

impl Drop for RowScan {
    fn drop(&mut self) {
        if let Source::Layers(scan) = &self.source {
            self.store.with(|layers| layers.close_scan(scan));
        }
    }
}

/// Rows of a store that is scanned by its keys, by its index, or in an order of its own.
pub(crate) enum Rows {
    /// In the order of the stored keys.
    Scan(RowScan),
    /// In the order of the index by time.
    Indexed(RowScan),
    /// In another order, read already.
    Sorted(std::vec::IntoIter<Row>),
}

impl Rows {
    /// The rows for which `order` gives something, in that order: what stands for the order of Java's in-memory stores, which the layers
    /// do not have.
    pub(crate) fn sorted_by<O: Ord>(self, reverse: bool, order: impl Fn(&[u8]) -> Option<O>) -> Result<Self> {
        let mut rows = Vec::new();
        for row in self {
            let row = row?;
            if let Some(order) = order(row.0.as_slice()) {
                rows.push((order, row));
            }
        }
        rows.sort_by(|(one, _), (two, _)| one.cmp(two));
        if reverse {
            rows.reverse();
        }
        Ok(Self::Sorted(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>().into_iter()))
    }
}

impl Iterator for Rows {
    type Item = ScannedRow;

    fn next(&mut self) -> Option<ScannedRow> {
        match self {
            Self::Scan(scan) => scan.next(),
            Self::Sorted(rows) => rows.next().map(Ok),
            Self::Indexed(scan) => loop {
                let row = scan.next()?.and_then(|(index, _)| scan.indexed(index.as_slice()));
                if let Some(row) = row.transpose() {
                    return Some(row);
                }
            },
        }
    }
}
