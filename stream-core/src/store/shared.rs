//! Stores that several threads have: global ones, which one thread writes and all workers read.

use std::rc::Rc;
use std::sync::Arc;

use super::{DetachedStore, StateStore, StoreOwner};

/// What a thread may do with a shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAccess {
    /// Everything; one thread only.
    Write,
    /// Reads; a write is an error.
    Read,
}

/// A store that several threads have. Reads show the newest write of the one that writes; an iterator shows the store as it was when it
/// was opened.
pub trait SharedStore: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// A view of the store for the current thread.
    fn attach(&self, owner: &StoreOwner, access: StoreAccess) -> Rc<dyn StateStore>;
}

/// The writer's view, for a task that takes its stores as they come.
pub(crate) struct WriterOf(pub(crate) Arc<dyn SharedStore>);

impl DetachedStore for WriterOf {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn attach(self: Box<Self>, owner: &StoreOwner) -> Rc<dyn StateStore> {
        self.0.attach(owner, StoreAccess::Write)
    }
}
