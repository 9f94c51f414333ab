//! [`KStream::split`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::filter::Predicate;
use super::merge::PassThrough;
use super::{KStream, Lineage};
use crate::options::{Branched, Named};
use crate::plan::{GraphNode, NodeId, Slot, Upstream, upstream};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Begins a split into branches: a record goes to the first branch whose predicate holds.
    ///
    /// The predicates see null where the types are `Option`. The key stays, nothing is stored.
    ///
    /// ```
    /// use stream_dsl::{Branched, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let branches = builder
    ///     .stream::<String, i64>("amounts")
    ///     .split_named(Named::new("sign-"))
    ///     .branch(|_, amount| *amount < 0, Branched::named("debits"))
    ///     .default_branch(Branched::default());
    /// branches["sign-debits"].to("debits");
    /// branches["sign-0"].to("credits");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn split(&self) -> BranchedKStream<K, V> {
        self.split_named(Named::default())
    }

    /// As [`split`](Self::split); the name is the prefix of the branches' names.
    ///
    /// ```
    /// use stream_dsl::{Branched, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split_named(Named::new("size-"));
    /// let branches = amounts.branch(|_, amount| *amount > 100, Branched::named("large")).default_branch(Branched::named("small"));
    /// // The name is a prefix, taken as it stands; a branch without a name has its number behind it.
    /// assert_eq!(branches.keys().collect::<Vec<_>>(), ["size-large", "size-small"]);
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn split_named(&self, named: Named) -> BranchedKStream<K, V> {
        let name = self.plan.name_or(named.get(), "KSTREAM-BRANCH-");
        let (slot, branches) = (Slot::new(), Branches::default());
        let (node, node_name, parent, chosen) = (slot.clone(), name.clone(), Rc::clone(&self.upstream), Rc::clone(&branches));
        let id = self.plan.add_node(GraphNode::below(self.node), move |topology| {
            let branches = Arc::new(chosen.take());
            node.set(topology.add_processor(&node_name, &[&parent()?], move || Split { branches: Arc::clone(&branches) })?);
            Ok(())
        });
        BranchedKStream { stream: self.clone(), name, id, splitter: upstream(&slot), branches, streams: BTreeMap::new() }
    }
}

type Branches<K, V> = Rc<RefCell<Vec<(Option<Predicate<K, V>>, String)>>>;

/// A split under construction. Mirrors Kafka Streams' `BranchedKStream`.
pub struct BranchedKStream<K, V> {
    stream: KStream<K, V>,
    name: String,
    id: NodeId,
    splitter: Upstream<K, V>,
    branches: Branches<K, V>,
    streams: BTreeMap<String, KStream<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> BranchedKStream<K, V> {
    /// Adds a branch for records that no branch before took. Unnamed ones are numbered from 1.
    ///
    /// ```
    /// use stream_dsl::{Branched, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split_named(Named::new("a-"));
    /// let branches = amounts
    ///     .branch(|_, amount| *amount > 100, Branched::default())
    ///     .branch(|_, amount| *amount > 10, Branched::default())
    ///     .no_default_branch();
    /// branches["a-2"].to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// // 200 is above 10, too, but went to the first branch that took it.
    /// input.pipe_key_values([("ada".to_owned(), 200), ("ada".to_owned(), 20)])?;
    /// assert_eq!(output.read_values_to_list()?, [20]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn branch(mut self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, branched: Branched<K, V>) -> Self {
        let index = self.branches.borrow().len() + 1;
        self.add(Some(Arc::new(predicate)), branched, index);
        self
    }

    /// Ends the split with a branch for all other records. The streams are found by prefix and branch name; an unnamed default is `0`.
    ///
    /// ```
    /// use stream_dsl::{Branched, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let answers = builder.stream::<String, Option<String>>("in").split();
    /// // The predicates of a stream of `Option` values see null, which this one leaves to the others.
    /// let yes = Branched::default().with_consumer(|yes| yes.to("yes"));
    /// let answers = answers.branch(|_, answer| answer.as_deref() == Some("yes"), yes);
    /// let others = answers.default_branch(Branched::default());
    /// assert_eq!(others.len(), 1, "a branch that ended in its consumer is not among them");
    /// for (_, rest) in others {
    ///     rest.to("out");
    /// }
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// input.pipe_key_values([("ada".to_owned(), Some("yes".to_owned())), ("bob".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn default_branch(mut self, branched: Branched<K, V>) -> BTreeMap<String, KStream<K, V>> {
        self.add(None, branched, 0);
        self.streams
    }

    /// Ends the split; other records go nowhere, and are not counted as dropped.
    ///
    /// ```
    /// use stream_dsl::{Branched, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split();
    /// amounts.branch(|_, amount| *amount < 0, Branched::default().with_consumer(|refunds| refunds.to("out"))).no_default_branch();
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), -5), ("bob".to_owned(), 5)])?;
    /// assert_eq!(output.read_values_to_list()?, [-5]);
    /// assert!(driver.dropped_records().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn no_default_branch(self) -> BTreeMap<String, KStream<K, V>> {
        self.streams
    }

    fn add(&mut self, predicate: Option<Predicate<K, V>>, branched: Branched<K, V>, index: usize) {
        // Kafka Streams takes a number for each branch, although its name does not show it.
        self.stream.plan.name("KSTREAM-BRANCHCHILD-");
        let name =
            format!("{}{}", self.name, branched.name.as_deref().map_or_else(|| index.to_string(), |name| self.stream.plan.checked(name)));
        self.branches.borrow_mut().push((predicate, name.clone()));
        let slot = Slot::new();
        let (node, node_name, splitter) = (slot.clone(), name.clone(), Rc::clone(&self.splitter));
        let id = self.stream.plan.add_node(GraphNode::below([self.id]), move |topology| {
            node.set(topology.add_processor(&node_name, &[&splitter()?], PassThrough::new)?);
            Ok(())
        });
        let stream = KStream::new(&self.stream.plan, name.clone(), upstream(&slot), self.stream.topics.clone())
            .with_serdes(self.stream.keys.clone(), self.stream.values.clone());
        let stream = KStream {
            needs_repartition: self.stream.needs_repartition,
            null_keys: self.stream.null_keys.clone(),
            node: Some(id),
            lineage: Lineage::at(&slot).after(&self.stream.lineage),
            ..stream
        };
        let stream = match branched.chain {
            Some(chain) => chain(stream),
            None => Some(stream),
        };
        if let Some(stream) = stream {
            self.streams.insert(name, stream);
        }
    }
}

impl<K, V> std::fmt::Debug for BranchedKStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BranchedKStream").field("name", &self.name).finish_non_exhaustive()
    }
}

struct Split<K, V> {
    branches: Arc<Vec<(Option<Predicate<K, V>>, String)>>,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for Split<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        let taken = self.branches.iter().find(|(predicate, _)| predicate.as_ref().is_none_or(|holds| holds(&record.key, &record.value)));
        match taken {
            Some((_, child)) => Ok(cx.forward_to(child, record)?),
            None => Ok(()),
        }
    }
}
