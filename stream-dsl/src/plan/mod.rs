//! The plan: what the program said, in its order, with the names that Kafka Streams gives it.

mod explicit_naming;
mod graph;
mod merge_repartition_topics;

use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(crate) use graph::{Graph, GraphNode, MergePoint, NodeId, NodeKind, OptimizableRepartition};
use stream_core::config::{StoreSuppliers, StreamsConfig};
use stream_core::topology::{AutoOffsetReset, NodeGroup, NodeHandle, validate_name};
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
    /// How the nodes of streams hang together: what rewrites look at.
    graph: RefCell<Graph>,
    /// The step that is being lowered.
    current: Rc<Cell<NodeId>>,
    /// Whether the sources of tables serve as their changelogs; known when the plan is lowered.
    reuses_source_topics: Rc<Cell<bool>>,
    /// Whether a stream that is joined with itself is stored once; known when the plan is lowered.
    stores_self_joins_once: Rc<Cell<bool>>,
    /// Steps that were asked for again, and how many steps there were then: they are lowered as if they came then.
    asked_again: RefCell<BTreeMap<NodeId, usize>>,
    /// The stores and internal topics whose names were generated.
    generated: RefCell<explicit_naming::Generated>,
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

    /// As [`name_or`](Self::name_or), but a given name takes no number.
    pub(crate) fn given_name_or(&self, named: Option<&str>, prefix: &str) -> String {
        named.map_or_else(|| self.name(prefix), |named| self.checked(named))
    }

    /// The name of a store or topic that was given, or a generated one. A given name takes no number.
    pub(crate) fn resource_name_or(&self, named: Option<&str>, prefix: &str) -> String {
        named.map_or_else(
            || {
                let name = self.name(prefix);
                self.generated_store(&name);
                name
            },
            |named| self.checked(named),
        )
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

    pub(crate) fn add(&self, step: impl FnOnce(&mut Topology) -> Result<(), TopologyError> + 'static) -> NodeId {
        let mut steps = self.0.steps.borrow_mut();
        steps.push(Box::new(step));
        NodeId::of_step(steps.len() - 1)
    }

    /// Adds what a rewrite may look at: a node of a stream.
    pub(crate) fn add_node(&self, node: GraphNode, step: impl FnOnce(&mut Topology) -> Result<(), TopologyError> + 'static) -> NodeId {
        let id = self.add(step);
        self.0.graph.borrow_mut().add(id, node);
        id
    }

    /// The step that was added last.
    pub(crate) fn last_step(&self) -> NodeId {
        NodeId::of_step(self.0.steps.borrow().len().saturating_sub(1))
    }

    /// A step is used once more. Kafka Streams then orders its nodes as if they were added now, which shows in the numbers of
    /// sub-topologies.
    pub(crate) fn ask_again(&self, step: NodeId) {
        self.0.asked_again.borrow_mut().insert(step, self.0.steps.borrow().len());
    }

    /// Whether a rewrite may put a repartition topic below a node, and how.
    pub(crate) fn set_merge_point(&self, node: NodeId, kind: NodeKind, point: MergePoint) {
        self.0.graph.borrow_mut().set_merge_point(node, kind, point);
    }

    pub(crate) fn set_kind(&self, node: NodeId, kind: NodeKind) {
        self.0.graph.borrow_mut().set_kind(node, kind);
    }

    /// The step that is being lowered.
    pub(crate) fn current(&self) -> Rc<Cell<NodeId>> {
        Rc::clone(&self.0.current)
    }

    /// Whether the source topics of tables serve as their changelogs; ask when the table is lowered.
    pub(crate) fn reuses_source_topics(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.0.reuses_source_topics)
    }

    /// Whether a stream that is joined with itself is stored once; ask when the join is lowered.
    pub(crate) fn stores_self_joins_once(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.0.stores_self_joins_once)
    }

    /// Notes a store of a generated name.
    pub(crate) fn generated_store(&self, name: &str) {
        self.0.generated.borrow_mut().stores.insert(name.to_owned());
    }

    /// Notes a repartition topic of a generated name.
    pub(crate) fn generated_topic(&self, name: &str) {
        self.0.generated.borrow_mut().repartition_topics.insert(name.to_owned());
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

    /// The topology; `config`, when there is one, decides about rewrites and checks.
    pub(crate) fn lower(self, config: Option<&StreamsConfig>) -> Result<Topology, TopologyError> {
        if let Some(error) = self.0.errors.borrow_mut().drain(..).next() {
            return Err(error);
        }
        let optimization = config.map_or_else(Default::default, StreamsConfig::topology_optimization);
        self.0.reuses_source_topics.set(optimization.reuse_ktable_source_topics);
        self.0.stores_self_joins_once.set(optimization.single_store_self_join);
        let merged = if optimization.merge_repartition_topics {
            merge_repartition_topics::rewrite(&self, &self.0.graph.borrow())
        } else {
            BTreeMap::new()
        };
        let steps = std::mem::take(&mut *self.0.steps.borrow_mut());
        let mut topology = Topology::new();
        let mut groups = Vec::new();
        let asked_again = self.0.asked_again.borrow();
        for (index, step) in steps.into_iter().enumerate() {
            let node = NodeId::of_step(index);
            self.0.current.set(node);
            let first = topology.node_count();
            step(&mut topology)?;
            if let Some(merged) = merged.get(&node) {
                merged.add_to(&mut topology)?;
            }
            let priority = asked_again.get(&node).map_or(2 * index + 1, |later| 2 * later);
            groups.push(NodeGroup { nodes: first..topology.node_count(), priority });
        }
        if !asked_again.is_empty() {
            topology.reorder(&groups);
        }
        for merged in merged.values() {
            merged.rename_topics(&mut topology);
        }
        if config.is_some_and(|config| config.dsl_store_suppliers() == StoreSuppliers::InMemory) {
            topology.keep_default_stores_in_memory();
        }
        if config.is_some_and(StreamsConfig::ensures_explicit_naming) {
            self.0.generated.borrow().check(&topology)?;
        }
        Ok(topology)
    }
}

/// A node of the plan: its handle is known once it is lowered, which is before any of its children is.
pub(crate) struct Slot<K, V>(Rc<SlotState<K, V>>);

struct SlotState<K, V> {
    handle: RefCell<Option<NodeHandle<K, V>>>,
    moved: RefCell<Option<MovedChildren<K, V>>>,
}

/// Children that a rewrite has put below another node, which forwards the same.
struct MovedChildren<K, V> {
    children: BTreeSet<NodeId>,
    handle: NodeHandle<K, V>,
    current: Rc<Cell<NodeId>>,
}

impl<K, V> Slot<K, V> {
    pub(crate) fn new() -> Self {
        Self(Rc::new(SlotState { handle: RefCell::default(), moved: RefCell::default() }))
    }

    pub(crate) fn set(&self, handle: NodeHandle<K, V>) {
        *self.0.handle.borrow_mut() = Some(handle);
    }

    /// From now on these steps get another handle.
    pub(crate) fn move_children(&self, children: BTreeSet<NodeId>, handle: NodeHandle<K, V>, current: Rc<Cell<NodeId>>) {
        *self.0.moved.borrow_mut() = Some(MovedChildren { children, handle, current });
    }

    pub(crate) fn get(&self) -> Result<NodeHandle<K, V>, TopologyError> {
        if let Some(moved) = self.0.moved.borrow().as_ref().filter(|moved| moved.children.contains(&moved.current.get())) {
            return Ok(moved.handle.clone());
        }
        let handle = self.0.handle.borrow().clone();
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
