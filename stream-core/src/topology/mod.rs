//! Definitions: what a program's processing consists of. `Send + Sync`; nothing here runs.

mod async_deadlines;
mod built;
mod definition;
mod describe;
mod error;
mod global;
mod groups;
mod handle;
mod internal_topics;
mod options;
mod partitions;
mod read_only_store;
mod reorder;
mod subtopology;
mod validate;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use crate::node::{SinkTopic, TopicContext, TopicNameExtractor};
pub use crate::offset::AutoOffsetReset;
pub use built::BuiltTopology;
pub(crate) use definition::{Forwards, NodeDefinition, Parent, StoreDefinition};
pub use definition::{InternalTopic, NodeKind, SourceTopics, TopicPattern};
pub use describe::{NodeDescription, NodeRole, SubtopologyDescription, TopologyDescription};
pub use error::TopologyError;
pub use handle::NodeHandle;
pub use internal_topics::{ExistingTopic, InternalTopicDefinition, InternalTopicSettings, InternalTopicSpec, check_existing};
pub use options::{Consumed, Produced};
pub use partitions::{PartitionPlan, PlanError, plan};
/// Patterns of topic names, of the crate version that this crate's API uses.
pub use regex::Regex;
pub use reorder::NodeGroup;
pub use subtopology::{Changelog, SinkSpec, SourceSpec, Subtopology};
pub use validate::validate_name;

use crate::node::{Data, NodeFactory, SinkFactory, SourceFactory};
use crate::processor::{AsyncOptions, AsyncProcessor, AsyncStep, Processor, ProcessorFactory};
use crate::store::StoreFactory;

/// A graph of sources, processors, sinks and stores, built node by node: parents before children.
///
/// Mirrors Kafka Streams' `Topology`. Edges are typed: a child that takes other records than its parent forwards does not compile.
///
/// ```
/// use stream_core::topology::{Consumed, Produced};
/// use stream_core::{BoxError, Processor, ProcessorContext, Record, Topology};
///
/// /// Forwards each line in capitals.
/// struct Shout;
///
/// impl Processor for Shout {
///     type KeyIn = String;
///     type ValueIn = String;
///     type KeyOut = String;
///     type ValueOut = String;
///
///     fn process(&mut self, line: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
///         let loud = line.value.to_uppercase();
///         cx.forward(line.with_value(loud))?;
///         Ok(())
///     }
/// }
///
/// let mut topology = Topology::new();
/// let lines = topology.add_source("lines", ["mail", "chat"], Consumed::default())?;
/// let shouted = topology.add_processor("shout", &[&lines], || Shout)?;
/// topology.add_sink("out", "loud", Produced::default(), &[&shouted])?;
/// assert_eq!(topology.describe().subtopologies[0].nodes[1].successors, ["out"]);
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
#[derive(Clone, Default)]
pub struct Topology {
    pub(crate) nodes: Vec<NodeDefinition>,
    pub(crate) by_name: HashMap<Arc<str>, usize>,
    pub(crate) stores: Vec<StoreDefinition>,
    pub(crate) internal_topics: BTreeMap<String, InternalTopic>,
    pub(crate) copartition_groups: Vec<Vec<String>>,
}

impl Topology {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source: records of these topics enter here.
    ///
    /// ```
    /// # use stream_core::Topology;
    /// use stream_core::topology::{AutoOffsetReset, Consumed, Regex};
    ///
    /// # let mut topology = Topology::new();
    /// let orders = Consumed::<String, i64>::default().with_offset_reset(AutoOffsetReset::Latest);
    /// topology.add_source("orders", Regex::new("orders-.*")?, orders)?;
    /// let again = topology.add_source("europe", "orders-europe", Consumed::<String, i64>::default());
    /// assert!(again.is_err(), "a topic has one reader");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the name is taken, there is no topic, or a topic is read by another source.
    pub fn add_source<K: Data, V: Data>(
        &mut self,
        name: &str,
        topics: impl Into<SourceTopics>,
        consumed: Consumed<K, V>,
    ) -> Result<NodeHandle<K, V>, TopologyError> {
        let topics = topics.into();
        self.check_source_topics(name, &topics)?;
        let (reset, extractor_name) = (consumed.reset, consumed.extractor_name);
        let factory =
            SourceFactory { key: consumed.key, value: consumed.value, extractor: extractor_name.is_some().then_some(consumed.extractor) };
        let kind = NodeKind::Source { topics, reset, extractor: extractor_name };
        self.add_node(name, Vec::new(), kind, Arc::new(factory), Some(Forwards::of::<K, V>()))?;
        Ok(NodeHandle::new(name))
    }

    /// Adds a processor below `parents`. The supplier makes a new one for each task.
    ///
    /// # Errors
    /// When the name is taken, or a parent is missing or a sink.
    pub fn add_processor<P, S>(
        &mut self,
        name: &str,
        parents: &[&NodeHandle<P::KeyIn, P::ValueIn>],
        supplier: S,
    ) -> Result<NodeHandle<P::KeyOut, P::ValueOut>, TopologyError>
    where
        P: Processor,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let parents = parents.iter().map(|parent| parent.as_parent()).collect();
        let forwards = Forwards::of::<P::KeyOut, P::ValueOut>();
        let kind = NodeKind::Processor { stores: Vec::new() };
        self.add_node(name, parents, kind, Arc::new(ProcessorFactory { supplier }), Some(forwards))?;
        Ok(NodeHandle::new(name))
    }

    /// Adds a processor below `parents` that answers with futures, of which many run at a time. The supplier makes a new one for each task.
    ///
    /// # Errors
    /// As [`add_processor`](Self::add_processor), and when no future may run, or none has time.
    pub fn add_async_processor<P, S>(
        &mut self,
        name: &str,
        parents: &[&NodeHandle<P::KeyIn, P::ValueIn>],
        options: AsyncOptions,
        supplier: S,
    ) -> Result<NodeHandle<P::KeyOut, P::ValueOut>, TopologyError>
    where
        P: AsyncProcessor,
        S: Fn() -> P + Send + Sync + 'static,
    {
        if options.in_flight() == 0 || options.deadline() == Some(Duration::ZERO) {
            return Err(TopologyError::Invalid {
                message: format!("async processor `{name}` has {options:?}; allow at least one future at a time, and give it some time"),
            });
        }
        let handle = self.add_processor(name, parents, move || AsyncStep::new(supplier(), options))?;
        if let Some(node) = self.nodes.last_mut() {
            node.asynchronous = Some(options);
        }
        Ok(handle)
    }

    /// Adds a sink: records leave here for a topic.
    ///
    /// # Errors
    /// When the name is taken, or a parent is missing or a sink.
    pub fn add_sink<K: Data, V: Data>(
        &mut self,
        name: &str,
        topic: impl Into<SinkTopic<K, V>>,
        produced: Produced<K, V>,
        parents: &[&NodeHandle<K, V>],
    ) -> Result<(), TopologyError> {
        let topic = topic.into();
        let kind = match &topic {
            SinkTopic::Named(topic) => NodeKind::Sink { topic: Some(Arc::clone(topic)), extractor: None },
            SinkTopic::Extracted(extractor) => NodeKind::Sink { topic: None, extractor: Some(extractor.name()) },
        };
        let parents = parents.iter().map(|parent| parent.as_parent()).collect();
        let factory = SinkFactory { topic, key: produced.key, value: produced.value, partitioner: produced.partitioner };
        self.add_node(name, parents, kind, Arc::new(factory), None)
    }

    /// A node that exists already, for example one that the DSL made, to add children below it.
    ///
    /// ```
    /// use stream_core::Topology;
    /// use stream_core::topology::{Consumed, Produced};
    ///
    /// let mut topology = Topology::new();
    /// topology.add_source("orders", "orders", Consumed::<String, i64>::default())?;
    /// let orders = topology.node::<String, i64>("orders")?;
    /// topology.add_sink("archive", "archive", Produced::default(), &[&orders])?;
    /// assert!(topology.node::<String, String>("orders").is_err(), "it forwards other values");
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such node, it is a sink, or it forwards other types.
    pub fn node<K: Data, V: Data>(&self, name: &str) -> Result<NodeHandle<K, V>, TopologyError> {
        let index = self.by_name.get(name).ok_or_else(|| TopologyError::UnknownNode { node: name.to_owned() })?;
        let asked = Forwards::of::<K, V>();
        match &self.nodes[*index].forwards {
            Some(forwards) if forwards.matches(&asked) => Ok(NodeHandle::new(name)),
            Some(forwards) => Err(TopologyError::Invalid {
                message: format!(
                    "node `{name}` forwards records of {forwards}, but is asked for as one of {asked}; ask for what it forwards"
                ),
            }),
            None => {
                Err(TopologyError::Invalid { message: format!("node `{name}` is a sink; a sink forwards nothing and has no children") })
            }
        }
    }

    /// Adds a store and connects it to processors, which may be added before or later (see [`connect`](Self::connect)).
    ///
    /// # Errors
    /// When a store of that name exists already, or a processor is missing.
    pub fn add_state_store(&mut self, factory: Arc<dyn StoreFactory>, processors: &[&str]) -> Result<(), TopologyError> {
        let name = factory.name().to_owned();
        if self.stores.iter().any(|store| store.factory.name() == name) {
            return Err(TopologyError::DuplicateStore { store: name });
        }
        self.stores.push(StoreDefinition { factory, source_changelog: None, is_global: false });
        for processor in processors {
            self.connect(processor, &[&name])?;
        }
        Ok(())
    }

    /// How far back a store knows the rows of its keys; `None` for one that keeps the latest row only, and for a store that is missing.
    #[must_use]
    pub fn history_retention(&self, store: &str) -> Option<Duration> {
        self.stores.iter().find(|definition| definition.factory.name() == store)?.factory.history_retention()
    }

    /// Keeps the stores in memory whose program does not say where they are: what `dsl.store.suppliers.class` = `in-memory` means.
    pub fn keep_default_stores_in_memory(&mut self) {
        for store in &mut self.stores {
            if let Some(in_memory) = store.factory.default_in_memory() {
                store.factory = in_memory;
            }
        }
    }

    /// Lets a store use a source topic as its changelog: it sends nothing, and is restored from the topic up to the committed offset.
    ///
    /// # Errors
    /// When the store or a source of that topic is missing.
    pub fn use_source_as_changelog(&mut self, store: &str, topic: &str) -> Result<(), TopologyError> {
        if !self.reads_topic(topic) {
            return Err(TopologyError::UnknownTopic { topic: topic.to_owned() });
        }
        match self.stores.iter_mut().find(|definition| definition.factory.name() == store) {
            Some(definition) => {
                definition.source_changelog = Some(topic.to_owned());
                Ok(())
            }
            None => Err(TopologyError::UnknownStore { store: store.to_owned(), processor: None }),
        }
    }

    /// Connects a processor to stores. Processors that share a store run in the same task.
    ///
    /// # Errors
    /// When the processor or a store is missing.
    pub fn connect(&mut self, processor: &str, stores: &[&str]) -> Result<(), TopologyError> {
        for store in stores {
            match self.stores.iter().find(|definition| definition.factory.name() == *store) {
                None => return Err(TopologyError::UnknownStore { store: (*store).to_owned(), processor: Some(processor.to_owned()) }),
                Some(definition) if definition.is_global => {
                    return Err(TopologyError::GlobalStoreConnected { store: (*store).to_owned(), processor: processor.to_owned() });
                }
                Some(_) => {}
            }
        }
        let index = *self.by_name.get(processor).ok_or_else(|| TopologyError::UnknownNode { node: processor.to_owned() })?;
        match &mut self.nodes[index].kind {
            NodeKind::Processor { stores: connected } => {
                for store in stores {
                    if !connected.iter().any(|name| name == store) {
                        connected.push((*store).to_owned());
                    }
                }
                Ok(())
            }
            NodeKind::Source { .. } | NodeKind::Sink { .. } => Err(TopologyError::NotAProcessor { node: processor.to_owned() }),
        }
    }

    /// Declares a topic that the application creates for itself; its full name begins with the application id. Sources and sinks name
    /// it without that.
    ///
    /// # Errors
    /// When another one of that name was declared differently.
    pub fn add_internal_topic(&mut self, topic: InternalTopic) -> Result<(), TopologyError> {
        match self.internal_topics.get(&topic.name) {
            Some(declared) if *declared != topic => Err(TopologyError::DuplicateInternalTopic { topic: topic.name }),
            _ => {
                self.internal_topics.insert(topic.name.clone(), topic);
                Ok(())
            }
        }
    }

    /// Demands that these source topics have equal partition counts; internal ones among them get the count of the others.
    ///
    /// ```
    /// # use stream_core::Topology;
    /// use stream_core::topology::{Consumed, plan};
    ///
    /// # let mut topology = Topology::new();
    /// topology.add_source("orders", "orders", Consumed::<String, i64>::default())?;
    /// topology.add_source("users", "users", Consumed::<String, String>::default())?;
    /// topology.copartition(&["orders", "users"]);
    /// let counts = [("orders".into(), 6), ("users".into(), 4)].into();
    /// assert!(plan(&topology.build("shop")?, &counts).is_err());
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn copartition(&mut self, topics: &[&str]) {
        self.copartition_groups.push(topics.iter().map(|topic| (*topic).to_owned()).collect());
    }

    /// A topic of co-partition groups is now another one: its records are read there.
    pub fn rename_copartitioned(&mut self, topic: &str, now: &str) {
        for group in &mut self.copartition_groups {
            for name in group.iter_mut().filter(|name| *name == topic) {
                now.clone_into(name);
            }
        }
    }

    /// Whether a store of this name was added.
    pub fn has_store(&self, name: &str) -> bool {
        self.stores.iter().any(|store| store.factory.name() == name)
    }

    /// Whether an internal topic of this name (without the application id) was added.
    pub fn has_internal_topic(&self, name: &str) -> bool {
        self.internal_topics.contains_key(name)
    }

    fn add_node(
        &mut self,
        name: &str,
        parents: Vec<Parent>,
        kind: NodeKind,
        factory: Arc<dyn NodeFactory>,
        forwards: Option<Forwards>,
    ) -> Result<(), TopologyError> {
        if self.by_name.contains_key(name) {
            return Err(TopologyError::DuplicateNode { node: name.to_owned() });
        }
        if parents.is_empty() && !matches!(kind, NodeKind::Source { .. }) {
            return Err(TopologyError::NoParent { node: name.to_owned() });
        }
        for parent in &parents {
            match self.by_name.get(&parent.node).map(|index| &self.nodes[*index].kind) {
                None => return Err(TopologyError::UnknownParent { node: name.to_owned(), parent: parent.node.to_string() }),
                Some(NodeKind::Sink { .. }) => {
                    return Err(TopologyError::SinkAsParent { node: name.to_owned(), parent: parent.node.to_string() });
                }
                Some(NodeKind::Source { .. } | NodeKind::Processor { .. }) => {}
            }
        }
        let name: Arc<str> = Arc::from(name);
        self.by_name.insert(Arc::clone(&name), self.nodes.len());
        self.nodes.push(NodeDefinition { name, parents, kind, factory, forwards, asynchronous: None });
        Ok(())
    }

    fn reads_topic(&self, topic: &str) -> bool {
        self.nodes.iter().any(|node| matches!(&node.kind, NodeKind::Source { topics, .. } if topics.matches(topic)))
    }

    fn check_source_topics(&self, node: &str, topics: &SourceTopics) -> Result<(), TopologyError> {
        if topics.is_empty() {
            return Err(TopologyError::NoTopic { node: node.to_owned() });
        }
        if let SourceTopics::Named(names) = topics {
            if let Some(topic) = (1..names.len()).find(|index| names[..*index].contains(&names[*index])).map(|index| &names[index]) {
                return Err(TopologyError::TopicNamedTwice { topic: topic.clone(), node: node.to_owned() });
            }
        }
        for other in &self.nodes {
            if let NodeKind::Source { topics: taken, .. } = &other.kind {
                if let Some(topic) = taken.overlap(topics) {
                    return Err(TopologyError::TopicReadTwice { topic, node: node.to_owned(), other: other.name.to_string() });
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.nodes.iter().map(|node| &*node.name).collect();
        f.debug_struct("Topology").field("nodes", &names).finish_non_exhaustive()
    }
}
