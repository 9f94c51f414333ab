//! Wiring: from definitions to running nodes, children first. The only downcasts of the graph are here, one per edge and task.

use std::any::{Any, type_name};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::{Data, Inlet, LifecycleRef, NonNullKey, NonNullValue, Outlet, SourceInlet};
use crate::error::{Error, Result};

/// An [`Inlet<K, V>`] whose types are known to the nodes at both ends only.
pub(crate) type AnyInlet = Rc<dyn Any>;

/// Builds one node of a task.
pub(crate) trait NodeFactory: Send + Sync {
    fn wire(&self, wiring: &mut Wiring<'_>) -> Result<WiredNode>;
}

/// A node that was just built.
pub(crate) struct WiredNode {
    /// For its parents; a source has none.
    pub(crate) inlet: Option<AnyInlet>,
    /// For the task.
    pub(crate) lifecycle: LifecycleRef,
    /// For the task's record queues.
    pub(crate) source: Option<Rc<RefCell<dyn SourceInlet>>>,
}

/// Narrows the type of an edge.
pub(crate) trait EdgeAdapter: Send + Sync {
    /// `inlet` is the child's; `child` its name.
    fn adapt(&self, inlet: &AnyInlet, child: &Arc<str>) -> Result<AnyInlet>;
}

/// What the factory of one node is given.
pub(crate) struct Wiring<'a> {
    /// The node that is being built.
    pub(crate) node: &'a Arc<str>,
    /// Its position in the task's graph; punctuations are addressed by it.
    pub(crate) index: usize,
    /// The node's children, in the order in which they were added, behind their edges' adapters.
    pub(crate) children: Vec<(Arc<str>, AnyInlet)>,
    /// The full name of a topic: internal ones begin with the application id.
    pub(crate) topic_name: &'a dyn Fn(&str) -> Arc<str>,
    /// The full names of the topics that the application creates for itself.
    pub(crate) internal_topics: &'a Arc<BTreeSet<Arc<str>>>,
}

impl Wiring<'_> {
    /// The children, typed.
    pub(crate) fn outlet<K: Data, V: Data>(&mut self) -> Result<Outlet<K, V>> {
        let mut inlets = Vec::with_capacity(self.children.len());
        for (name, inlet) in self.children.drain(..) {
            let typed = downcast::<K, V>(&inlet, self.node, &name)?;
            inlets.push((name, typed));
        }
        Ok(match inlets.len() {
            0 => Outlet::Nowhere,
            1 => inlets.pop().map_or(Outlet::Nowhere, |(name, inlet)| Outlet::One(name, inlet)),
            _ => Outlet::Many(inlets.into_boxed_slice()),
        })
    }
}

fn downcast<K: 'static, V: 'static>(inlet: &AnyInlet, parent: &str, child: &str) -> Result<Inlet<K, V>> {
    inlet.downcast_ref::<Inlet<K, V>>().cloned().ok_or_else(|| {
        Error::internal(format!(
            "node `{parent}` forwards records of key `{}` and value `{}`, but node `{child}` takes another type",
            type_name::<K>(),
            type_name::<V>()
        ))
    })
}

/// `Option<K>` to `K`.
pub(crate) struct NarrowKey<K, V>(PhantomData<fn() -> (K, V)>);

/// `Option<V>` to `V`.
pub(crate) struct NarrowValue<K, V>(PhantomData<fn() -> (K, V)>);

impl<K, V> NarrowKey<K, V> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K, V> NarrowValue<K, V> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K: Data, V: Data> EdgeAdapter for NarrowKey<K, V> {
    fn adapt(&self, inlet: &AnyInlet, child: &Arc<str>) -> Result<AnyInlet> {
        let inner = downcast::<K, V>(inlet, "non_null_key", child)?;
        let adapted: Inlet<Option<K>, V> = Rc::new(RefCell::new(NonNullKey { child: inner, name: Arc::clone(child) }));
        Ok(Rc::new(adapted))
    }
}

impl<K: Data, V: Data> EdgeAdapter for NarrowValue<K, V> {
    fn adapt(&self, inlet: &AnyInlet, child: &Arc<str>) -> Result<AnyInlet> {
        let inner = downcast::<K, V>(inlet, "non_null_value", child)?;
        let adapted: Inlet<K, Option<V>> = Rc::new(RefCell::new(NonNullValue { child: inner, name: Arc::clone(child) }));
        Ok(Rc::new(adapted))
    }
}
