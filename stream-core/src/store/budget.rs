//! Memory: one budget per application, a share per worker.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that the stores of one or several applications may hold in memory (`state.memory.max.bytes`).
#[derive(Debug)]
pub struct MemoryBudget {
    max_bytes: usize,
    workers: AtomicUsize,
    used: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of `max_bytes`; 0 is no bound.
    pub fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, workers: AtomicUsize::new(0), used: AtomicUsize::new(0) })
    }

    /// The bound, bytes; 0 is none.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The bytes in use, as last reported by the workers.
    pub fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What one worker may hold: an equal part.
    pub fn share(&self) -> usize {
        match self.max_bytes {
            0 => usize::MAX,
            max => max / self.workers.load(Ordering::Relaxed).max(1),
        }
    }
}

/// What the stores of one worker hold in memory. Stores add and subtract; the worker looks between records.
#[derive(Debug)]
pub struct WorkerMemory {
    budget: Arc<MemoryBudget>,
    layers: Cell<usize>,
    held_back: Cell<usize>,
    reported: Cell<usize>,
}

impl WorkerMemory {
    /// A new worker's share of the budget.
    pub fn new(budget: Arc<MemoryBudget>) -> Self {
        budget.workers.fetch_add(1, Ordering::Relaxed);
        Self { budget, layers: Cell::new(0), held_back: Cell::new(0), reported: Cell::new(0) }
    }

    /// A store's layers grew by `bytes`.
    #[inline]
    pub fn grow(&self, bytes: usize) {
        self.layers.set(self.layers.get() + bytes);
    }

    /// A store's layers shrank by `bytes`.
    #[inline]
    pub fn shrink(&self, bytes: usize) {
        self.layers.set(self.layers.get().saturating_sub(bytes));
    }

    /// The bytes of changes that cached tables hold back changed from `before` to `after`.
    #[inline]
    pub fn hold_back(&self, before: usize, after: usize) {
        self.held_back.set((self.held_back.get() + after).saturating_sub(before));
    }

    /// Bytes in the layers of this worker's stores.
    #[inline]
    pub fn layer_bytes(&self) -> usize {
        self.layers.get()
    }

    /// Bytes of changes that cached tables hold back.
    #[inline]
    pub fn held_back_bytes(&self) -> usize {
        self.held_back.get()
    }

    /// By how much this worker exceeds its share.
    #[inline]
    pub fn excess(&self) -> usize {
        self.layers.get().saturating_sub(self.budget.share())
    }

    /// Tells the budget what is in use; called once per loop, not per record.
    pub fn report(&self) {
        let now = self.layers.get();
        let before = self.reported.replace(now);
        if now >= before {
            self.budget.used.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}

impl Drop for WorkerMemory {
    fn drop(&mut self) {
        self.layers.set(0);
        self.report();
        self.budget.workers.fetch_sub(1, Ordering::Relaxed);
    }
}
