//! A store on its way between threads.

use std::rc::Rc;
use std::sync::Arc;

use stream_core::Result;
use stream_core::store::{DetachedStore, SharedStore, StateStore, StoreOwner};

use super::attached::HandleFactory;
use super::shared::Shared;
use super::{AttachedStore, LayeredStore, StoreDescription};
use crate::layer::Layers;

/// The open store with its layers, without an owner.
pub(crate) struct Detached<F> {
    description: Arc<StoreDescription>,
    layers: Layers,
    handles: Arc<F>,
}

impl<F> Detached<F> {
    pub(crate) fn new(description: Arc<StoreDescription>, layers: Layers, handles: Arc<F>) -> Self {
        Self { description, layers, handles }
    }
}

impl<F: HandleFactory> DetachedStore for Detached<F> {
    fn name(&self) -> &str {
        &self.description.name
    }

    fn attach(self: Box<Self>, owner: &StoreOwner) -> Rc<dyn StateStore> {
        Rc::new(AttachedStore::new(LayeredStore::new(self.description, self.layers, owner), self.handles))
    }

    fn share(self: Box<Self>) -> Result<Arc<dyn SharedStore>> {
        Ok(Arc::new(Shared::new(self.description, self.layers, self.handles)))
    }
}
