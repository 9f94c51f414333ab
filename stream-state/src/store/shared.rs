//! A global store: its layers, and views of them for several threads.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use stream_core::store::{SharedStore, StateStore, StoreAccess, StoreOwner};

use super::attached::HandleFactory;
use super::{AttachedStore, LayeredStore, StoreDescription};
use crate::layer::Layers;

pub(crate) struct Shared<F> {
    description: Arc<StoreDescription>,
    layers: Arc<Mutex<Layers>>,
    handles: Arc<F>,
}

impl<F> Shared<F> {
    pub(super) fn new(description: Arc<StoreDescription>, layers: Layers, handles: Arc<F>) -> Self {
        Self { description, layers: Arc::new(Mutex::new(layers)), handles }
    }
}

impl<F: HandleFactory> SharedStore for Shared<F> {
    fn name(&self) -> &str {
        &self.description.name
    }

    fn attach(&self, owner: &StoreOwner, access: StoreAccess) -> Rc<dyn StateStore> {
        let store = LayeredStore::shared(Arc::clone(&self.description), Arc::clone(&self.layers), owner, access);
        Rc::new(AttachedStore::new(store, Arc::clone(&self.handles)))
    }
}
