//! Handles: what a node forwards, as a type.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Parent;
use crate::node::{Data, EdgeAdapter, NarrowKey, NarrowValue};

/// A node of a topology together with the types of the records that it forwards.
pub struct NodeHandle<K, V> {
    node: Arc<str>,
    adapters: Vec<Arc<dyn EdgeAdapter>>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> NodeHandle<K, V> {
    pub(crate) fn new(node: &str) -> Self {
        Self { node: Arc::from(node), adapters: Vec::new(), types: PhantomData }
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.node
    }

    pub(crate) fn as_parent(&self) -> Parent {
        Parent { node: Arc::clone(&self.node), adapters: self.adapters.clone() }
    }

    fn narrowed<K2, V2>(&self, adapter: Arc<dyn EdgeAdapter>) -> NodeHandle<K2, V2> {
        let mut adapters = self.adapters.clone();
        adapters.push(adapter);
        NodeHandle { node: Arc::clone(&self.node), adapters, types: PhantomData }
    }
}

impl<K: Data, V: Data> NodeHandle<Option<K>, V> {
    /// The same node, seen through an edge that drops and counts records with a null key. Adds no node.
    pub fn non_null_key(&self) -> NodeHandle<K, V> {
        self.narrowed(Arc::new(NarrowKey::<K, V>::new()))
    }
}

impl<K: Data, V: Data> NodeHandle<K, Option<V>> {
    /// The same node, seen through an edge that drops and counts records with a null value. Adds no node.
    pub fn non_null_value(&self) -> NodeHandle<K, V> {
        self.narrowed(Arc::new(NarrowValue::<K, V>::new()))
    }
}

impl<K, V> Clone for NodeHandle<K, V> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), adapters: self.adapters.clone(), types: PhantomData }
    }
}

impl<K, V> fmt::Debug for NodeHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeHandle({})", self.node)
    }
}
