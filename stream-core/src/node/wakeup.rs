//! [`Wakeup`]: how another thread gets a processor's attention.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets the worker look at its tasks, from any thread.
pub(crate) type TaskWaker = Arc<dyn Fn() + Send + Sync>;

/// Asks for a call of [`woken`](crate::Processor::woken). Cheap to clone; any thread may have one, and keep it: when the task is closed,
/// it does nothing.
#[derive(Clone)]
pub struct Wakeup {
    /// Of this processor.
    woken: Arc<AtomicBool>,
    /// Of the task.
    pending: Arc<AtomicBool>,
    waker: TaskWaker,
}

impl Wakeup {
    /// Asks for the call, soon, on the task's own thread. What was written before is visible to it. Several requests may end in one call.
    pub fn wake(&self) {
        // Who finds a flag set leaves the rest to the one that set it.
        if !self.woken.swap(true, Ordering::AcqRel) && !self.pending.swap(true, Ordering::AcqRel) {
            (self.waker)();
        }
    }
}

impl std::fmt::Debug for Wakeup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wakeup")
    }
}

/// The wakeups of one task's processors.
pub(crate) struct Wakeups {
    pending: Arc<AtomicBool>,
    waker: TaskWaker,
    nodes: Vec<(usize, Arc<AtomicBool>)>,
}

impl Wakeups {
    pub(crate) fn new(waker: TaskWaker) -> Self {
        Self { pending: Arc::default(), waker, nodes: Vec::new() }
    }

    /// One for a node; a node may have several.
    pub(crate) fn of(&mut self, node: usize) -> Wakeup {
        let woken = match self.nodes.iter().find(|(known, _)| *known == node) {
            Some((_, woken)) => Arc::clone(woken),
            None => {
                let woken = Arc::<AtomicBool>::default();
                self.nodes.push((node, Arc::clone(&woken)));
                woken
            }
        };
        Wakeup { woken, pending: Arc::clone(&self.pending), waker: Arc::clone(&self.waker) }
    }

    /// Whether some node was woken since the last call. To be asked before [`take`](Self::take), or a request in between would be lost.
    #[inline]
    pub(crate) fn take_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) && self.pending.swap(false, Ordering::AcqRel)
    }

    /// How many nodes can be woken, in the order of their initialisation: parents first.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node at that place, if it was woken; it is not afterwards.
    pub(crate) fn take(&self, place: usize) -> Option<usize> {
        let (node, woken) = self.nodes.get(place)?;
        woken.swap(false, Ordering::AcqRel).then_some(*node)
    }
}

impl Default for Wakeups {
    fn default() -> Self {
        Self::new(Arc::new(|| {}))
    }
}
