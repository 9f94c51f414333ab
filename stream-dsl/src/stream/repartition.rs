//! [`KStream::repartition`], and the repartition topics of groupings and joins.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::partition::StreamPartitioner;
use stream_core::processor::{Processor, ProcessorContext};
use stream_core::serdes::{DefaultSerde, SerdeRef};
use stream_core::topology::{Consumed, InternalTopic, NodeHandle, Produced};
use stream_core::{BoxError, Record, Topology, TopologyError};

use super::KStream;
use crate::options::Repartitioned;
use crate::plan::{GraphNode, OptimizableRepartition, Plan, Slot, Upstream, upstream};

/// Writes records to a repartition topic and reads them in the task of their new partition; the flag says whether null keys pass.
pub(crate) type Through<K, V> = Rc<dyn Fn(&mut Topology, &RepartitionSpec<K, V>, bool) -> Result<NodeHandle<K, V>, TopologyError>>;

/// The names of a repartition topic and its nodes.
#[derive(Clone, Debug)]
pub(crate) struct RepartitionNames {
    pub(crate) topic: String,
    filter: String,
    sink: String,
    source: String,
}

impl RepartitionNames {
    /// Names after `prefix`. Three numbers are taken, also where names do not show them (trap T91).
    pub(crate) fn new(plan: &Plan, prefix: &str) -> Self {
        let topic = if prefix.ends_with("-repartition") { prefix.to_owned() } else { format!("{prefix}-repartition") };
        let (sink, filter, source) = (plan.name("KSTREAM-SINK-"), plan.name("KSTREAM-FILTER-"), plan.name("KSTREAM-SOURCE-"));
        if is_generated(prefix) {
            plan.generated_topic(&topic);
            Self { topic, filter, sink, source }
        } else {
            Self { filter: format!("{topic}-filter"), sink: format!("{topic}-sink"), source: format!("{topic}-source"), topic }
        }
    }
}

/// Whether a name is one of ours, as in `KSTREAM-AGGREGATE-STATE-STORE-0000000003`.
fn is_generated(name: &str) -> bool {
    let digits = name.rsplit('-').next().unwrap_or_default();
    name.starts_with("KSTREAM") && digits.len() == 10 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The filters of null keys that a stream passed on its way. They let null keys through once a left join lies beneath: it joins a
/// record without a key with nothing (KIP-962, trap T97).
#[derive(Clone, Debug, Default)]
pub(crate) struct NullKeys(Vec<Rc<Cell<bool>>>);

impl NullKeys {
    pub(crate) fn keep(&self) {
        self.0.iter().for_each(|filter| filter.set(true));
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }
}

/// The repartition topics that joins of a stream share.
#[derive(Default)]
pub(crate) struct JoinTopics {
    /// Whether null keys pass.
    filters: BTreeMap<String, Rc<Cell<bool>>>,
    /// The one that was added last: a join without a name goes through it, whatever its name is, as in Kafka Streams.
    last: Option<RepartitionNames>,
}

impl JoinTopics {
    /// The names of the topic that a join of the stream `stream` goes through, and its filter.
    fn of_join(&mut self, stream: &str, names: RepartitionNames) -> (RepartitionNames, Rc<Cell<bool>>) {
        let is_unnamed = names.topic == format!("{stream}-repartition");
        let names = self.last.clone().filter(|_| is_unnamed).unwrap_or(names);
        self.last = Some(names.clone());
        let filter = Rc::clone(self.filters.entry(names.topic.clone()).or_default());
        (names, filter)
    }
}

pub(crate) type JoinFilters = Rc<RefCell<JoinTopics>>;

/// A repartition topic.
pub(crate) struct RepartitionSpec<K, V> {
    pub(crate) names: RepartitionNames,
    /// Joins of one stream that name their topic alike go through one; any other use of a name twice is a mistake.
    pub(crate) is_of_join: bool,
    pub(crate) partitions: Option<i32>,
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) partitioner: Option<Arc<dyn StreamPartitioner<K, V>>>,
}

/// The way of a stream through a repartition topic: a filter of null keys, a sink, a source.
pub(crate) fn through<K: Clone + 'static, V: Clone + 'static>(parent: &Upstream<K, V>) -> Through<K, V> {
    let parent = Rc::clone(parent);
    let of_joins: RefCell<BTreeMap<String, NodeHandle<K, V>>> = RefCell::default();
    Rc::new(move |topology, spec, keeps_null_keys| {
        let RepartitionNames { topic, filter, sink, source } = &spec.names;
        if let Some(known) = of_joins.borrow().get(topic).filter(|_| spec.is_of_join) {
            return Ok(known.clone());
        }
        let internal = InternalTopic::repartition(topic.as_str());
        topology.add_internal_topic(match spec.partitions {
            Some(partitions) => internal.with_partitions(partitions),
            None => internal,
        })?;
        let (keys, values) = (Arc::clone(&spec.keys), Arc::clone(&spec.values));
        let filtered = topology.add_processor(filter, &[&parent()?], move || NullKeyFilter {
            keys: Arc::clone(&keys),
            keeps_null_keys,
            values: std::marker::PhantomData,
        })?;
        let mut produced = Produced::with(Arc::clone(&spec.keys), Arc::clone(&values));
        if let Some(partitioner) = &spec.partitioner {
            produced = produced.with_shared_partitioner(Arc::clone(partitioner));
        }
        topology.add_sink(sink, topic.as_str(), produced, &[&filtered])?;
        let records = topology.add_source(source, topic.as_str(), Consumed::with(Arc::clone(&spec.keys), values))?;
        if spec.is_of_join {
            of_joins.borrow_mut().insert(topic.clone(), records.clone());
        }
        Ok(records)
    })
}

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Writes the stream to a topic of the application's own, and reads it again, partitioned by its keys. Records with a null key are
    /// left out, and not counted, unless a left join lies beneath.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").select_key(|_, value| value.clone()).repartition().to("out");
    /// assert!(builder.build()?.describe().to_string().contains("topics: [KSTREAM-REPARTITION-0000000002-repartition]"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn repartition(&self) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let mut repartitioned = Repartitioned::default();
        if let Some(keys) = &self.keys {
            repartitioned.keys = Arc::clone(keys);
        }
        if let Some(values) = &self.values {
            repartitioned.values = Arc::clone(values);
        }
        self.repartition_with(repartitioned)
    }

    /// As [`repartition`](Self::repartition), with serdes, name, partition count and partitioner.
    ///
    /// ```
    /// use stream_dsl::{Repartitioned, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let readings = builder.stream::<String, i64>("readings");
    /// // More tasks for heavy work than the topic has partitions. The number stays with the topic: a change of it needs a reset.
    /// let spread = readings.repartition_with(Repartitioned::default().with_name("by-sensor").with_number_of_partitions(32));
    /// spread.group_by_key().count();
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("(topic: by-sensor-repartition)"));
    /// assert_eq!(text.matches("-repartition)").count(), 1, "the grouping takes the stream as it is");
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn repartition_with(&self, repartitioned: Repartitioned<K, V>) -> Self {
        let Repartitioned { keys, values, name, partitions, partitioner } = repartitioned;
        let prefix = self.plan.resource_name_or(name.as_deref(), "KSTREAM-REPARTITION-");
        let names = RepartitionNames::new(&self.plan, &prefix);
        self.behind(RepartitionSpec { names, is_of_join: false, partitions, keys, values, partitioner }, false)
    }

    /// The stream behind a repartition topic that a grouping or join needs; a rewrite may merge it with others.
    pub(crate) fn repartitioned(&self, spec: RepartitionSpec<K, V>) -> Self {
        self.behind(spec, true)
    }

    fn behind(&self, mut spec: RepartitionSpec<K, V>, is_optimizable: bool) -> Self {
        let slot = Slot::new();
        let (node, through) = (slot.clone(), Rc::clone(&self.repartition));
        let (keys, values) = (Arc::clone(&spec.keys), Arc::clone(&spec.values));
        let mut filter = Rc::default();
        if spec.is_of_join {
            (spec.names, filter) = self.join_filters.borrow_mut().of_join(&self.name, spec.names);
        }
        let (source, topic) = (spec.names.source.clone(), spec.names.topic.clone());
        let (keeps, null_keys) = (Rc::clone(&filter), self.null_keys.and(&NullKeys(vec![filter])));
        let is_left_out = Rc::new(Cell::new(false));
        let mut above = GraphNode::below(self.node);
        if is_optimizable {
            above = above.with_repartition(OptimizableRepartition {
                topic: topic.clone(),
                is_left_out: Rc::clone(&is_left_out),
                keeps_null_keys: Rc::clone(&keeps),
                serdes: self.lineage.serdes(&keys, &values),
            });
        }
        let records = Rc::clone(&self.upstream);
        self.plan.add_node(above, move |topology| {
            node.set(if is_left_out.get() { records()? } else { through(topology, &spec, keeps.get())? });
            Ok(())
        });
        let stream = KStream::new(&self.plan, source, upstream(&slot), vec![topic]).with_serdes(Some(keys), Some(values));
        KStream { null_keys, ..stream }
    }
}

/// Lets records go on whose key is not null. What it leaves out is not counted (trap T97).
struct NullKeyFilter<K, V> {
    keys: SerdeRef<K>,
    keeps_null_keys: bool,
    values: std::marker::PhantomData<fn(V)>,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for NullKeyFilter<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        if self.keeps_null_keys || !self.keys.is_null(&record.key) {
            cx.forward(record)?;
        }
        Ok(())
    }
}
