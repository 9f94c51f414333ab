//! The plan: what the program said, in its order, with the names that Kafka Streams gives it.

use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use stream_core::topology::{AutoOffsetReset, NodeHandle, validate_name};
use stream_core::{Topology, TopologyError};

type Step = Box<dyn FnOnce(&mut Topology) -> Result<(), TopologyError>>;

/// One counter numbers processors and stores (trap T90); the steps are lowered in the order in which they were recorded.
#[derive(Clone, Default)]
pub(crate) struct Plan(Rc<Recorded>);

#[derive(Default)]
struct Recorded {
    next: Cell<u32>,
    steps: RefCell<Vec<Step>>,
    /// Sources by their topics, so that a topic that is consumed twice has one source node.
    sources: RefCell<BTreeMap<Vec<String>, KnownSource>>,
    errors: RefCell<Vec<TopologyError>>,
}

/// The slot of a source, whose types only its readers know, and its reset policy.
type KnownSource = (Box<dyn Any>, Option<AutoOffsetReset>);

impl Plan {
    /// The next generated name with this prefix, as in `KSTREAM-FILTER-0000000001`.
    pub(crate) fn name(&self, prefix: &str) -> String {
        let index = self.0.next.get();
        self.0.next.set(index + 1);
        format!("{prefix}{index:010}")
    }

    /// The name that was given, or a generated one. A number is taken in both cases.
    pub(crate) fn name_or(&self, named: Option<&str>, prefix: &str) -> String {
        let generated = self.name(prefix);
        named.map_or(generated, |named| self.checked(named))
    }

    /// The name of a store or topic that was given, or a generated one. A given name takes no number.
    pub(crate) fn resource_name_or(&self, named: Option<&str>, prefix: &str) -> String {
        named.map_or_else(|| self.name(prefix), |named| self.checked(named))
    }

    /// A name that the program gave; one that Kafka would not accept is told when the topology is built.
    pub(crate) fn checked(&self, name: &str) -> String {
        if let Err(error) = validate_name(name) {
            self.refuse(error);
        }
        name.to_owned()
    }

    /// The next generated store name, as in `KSTREAM-AGGREGATE-STATE-STORE-0000000002`.
    pub(crate) fn store_name(&self, prefix: &str) -> String {
        self.name(&format!("{prefix}STATE-STORE-"))
    }

    pub(crate) fn add(&self, step: impl FnOnce(&mut Topology) -> Result<(), TopologyError> + 'static) {
        self.0.steps.borrow_mut().push(Box::new(step));
    }

    /// A mistake that is told when the topology is built.
    pub(crate) fn refuse(&self, error: TopologyError) {
        self.0.errors.borrow_mut().push(error);
    }

    /// The source that reads the same topics already, or `None`: then this one is remembered.
    pub(crate) fn source<K: 'static, V: 'static>(
        &self,
        topics: &[String],
        reset: Option<AutoOffsetReset>,
        node: &Slot<K, V>,
    ) -> Option<Slot<K, V>> {
        let mut key = topics.to_vec();
        key.sort();
        let mut sources = self.0.sources.borrow_mut();
        if let Some((known, known_reset)) = sources.get(&key) {
            if *known_reset != reset {
                self.refuse(TopologyError::Invalid {
                    message: format!(
                        "topic {} is read twice, with the reset policies {known_reset:?} and {reset:?}; give both the same",
                        topics.join(", ")
                    ),
                });
            }
            let same = known.downcast_ref::<Slot<K, V>>().cloned();
            if same.is_none() {
                self.refuse(TopologyError::Invalid {
                    message: format!(
                        "topic {} is read twice, once as key `{}` and value `{}`; read it once, or with the same types and serdes",
                        topics.join(", "),
                        type_name::<K>(),
                        type_name::<V>()
                    ),
                });
            }
            return same;
        }
        sources.insert(key, (Box::new(node.clone()), reset));
        None
    }

    pub(crate) fn lower(self) -> Result<Topology, TopologyError> {
        if let Some(error) = self.0.errors.borrow_mut().drain(..).next() {
            return Err(error);
        }
        let steps = std::mem::take(&mut *self.0.steps.borrow_mut());
        let mut topology = Topology::new();
        for step in steps {
            step(&mut topology)?;
        }
        Ok(topology)
    }
}

/// A node of the plan: its handle is known once it is lowered, which is before any of its children is.
pub(crate) struct Slot<K, V>(Rc<RefCell<Option<NodeHandle<K, V>>>>);

impl<K, V> Slot<K, V> {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }

    pub(crate) fn set(&self, handle: NodeHandle<K, V>) {
        *self.0.borrow_mut() = Some(handle);
    }

    pub(crate) fn get(&self) -> Result<NodeHandle<K, V>, TopologyError> {
        let handle = self.0.borrow().clone();
        handle.ok_or_else(|| TopologyError::Invalid { message: "an operator was lowered before its input; please report it".to_owned() })
    }
}

impl<K, V> Clone for Slot<K, V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// Where records come from, when it is lowered.
pub(crate) type Upstream<K, V> = Rc<dyn Fn() -> Result<NodeHandle<K, V>, TopologyError>>;

pub(crate) fn upstream<K: 'static, V: 'static>(slot: &Slot<K, V>) -> Upstream<K, V> {
    let slot = slot.clone();
    Rc::new(move || slot.get())
}
