//! Where the layers of a store lie: with their owner, or behind a lock that several threads take.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use crate::layer::Layers;

#[expect(clippy::large_enum_variant, reason = "a box would cost every read of every store one step more; there is one cell per store")]
pub(crate) enum LayersCell {
    /// One thread has them.
    Own(RefCell<Layers>),
    /// A global store: one thread writes, others read. The lock is held for one read or write, or for a scan.
    Shared(Arc<Mutex<Layers>>),
}

impl LayersCell {
    /// Runs `f` on the layers. It must not come back here.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Layers) -> T) -> T {
        match self {
            Self::Own(layers) => f(&mut layers.borrow_mut()),
            Self::Shared(layers) => f(&mut layers.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// The layers, when one thread has them.
    pub(crate) fn into_own(self) -> Option<Layers> {
        match self {
            Self::Own(layers) => Some(layers.into_inner()),
            Self::Shared(_) => None,
        }
    }
}
