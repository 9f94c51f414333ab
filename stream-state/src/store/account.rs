//! What a store has told its owner's memory.

use std::cell::Cell;
use std::rc::Rc;

use stream_core::store::WorkerMemory;

/// A store's part of its worker's memory; given back when the store goes.
pub(super) struct Account {
    memory: Rc<WorkerMemory>,
    bytes: Cell<usize>,
    held_back: Cell<usize>,
}

impl Account {
    pub(super) fn new(memory: Rc<WorkerMemory>) -> Self {
        Self { memory, bytes: Cell::new(0), held_back: Cell::new(0) }
    }

    /// The store now takes `bytes`, of which `held_back` are changes that no drain has taken.
    #[inline]
    pub(super) fn set(&self, bytes: usize, held_back: usize) {
        let before = self.bytes.replace(bytes);
        if bytes >= before {
            self.memory.grow(bytes - before);
        } else {
            self.memory.shrink(before - bytes);
        }
        let before = self.held_back.replace(held_back);
        if before != held_back {
            self.memory.hold_back(before, held_back);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}
