//! Rows of a range, for typed iterators.

use std::rc::Rc;

use super::{LayeredStore, ScannedRow};
use crate::layer::Scan;

/// An open scan; closed when it is dropped. After an error it ends.
pub(crate) struct RowScan {
    store: Rc<LayeredStore>,
    scan: Scan,
    failed: bool,
}

impl RowScan {
    pub(super) fn new(store: Rc<LayeredStore>, scan: Scan) -> Self {
        Self { store, scan, failed: false }
    }
}

impl Iterator for RowScan {
    type Item = ScannedRow;

    fn next(&mut self) -> Option<ScannedRow> {
        if self.failed {
            return None;
        }
        let row = self.store.with(|layers| layers.advance(&mut self.scan));
        self.failed = row.is_err();
        row.map_err(|error| self.store.error(error)).transpose()
    }
}

impl Drop for RowScan {
    fn drop(&mut self) {
        self.store.with(|layers| layers.close_scan(&self.scan));
    }
}
