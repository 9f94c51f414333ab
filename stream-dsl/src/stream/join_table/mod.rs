//! [`KStream::join`] and [`KStream::left_join`] with a table, at once or after a time in which late rows are waited for.

mod buffer;
mod grace;

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;
use stream_core::{BoxError, Record, Topology, TopologyError};

use self::grace::{GraceJoin, GraceSpec};
use super::KStream;
use super::repartition::{RepartitionNames, RepartitionSpec};
use crate::nullability::MaybeNull;
use crate::options::Joined;
use crate::plan::{Slot, upstream};
use crate::table::{KTable, OpenView, TableView};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Looks each record's key up in a table; records without a match are left out. Only the stream triggers results; they have the
    /// stream record's timestamp. When the key may have changed, the stream goes through a repartition topic first. The topics of both
    /// sides must have equal partition counts. A table with a versioned store gives the row as of the record's timestamp (KIP-914).
    ///
    /// A null value reaches the joiner where the type is an `Option`; keys that may be null are narrowed before. No record is late. The
    /// rows are the table's store; the join has none of its own.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// builder.stream::<String, i64>("orders").join(&owners, |amount, owner| format!("{owner}: {amount}")).to("bills");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-JOIN-0000000004 (stores: [owners-STATE-STORE-0000000000])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join<VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<K, VT>,
        joiner: impl Fn(&V, &VT) -> VR + Send + Sync + 'static,
    ) -> KStream<K, VR>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let (keys, values) = self.serdes();
        self.join_with(table, joiner, Joined::with(keys, values))
    }

    /// As [`join`](Self::join), with serdes for the repartition topic, and a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<String, i64>("orders").select_key(|order, _| order[..1].to_owned());
    /// let joined = Joined::with(Serdes::string(), Serdes::long()).with_name("with-owner");
    /// orders.join_with(&owners, |amount, owner| format!("{owner}: {amount}"), joined).to("bills");
    /// // The key was changed: the name is also that of the topic through which the stream comes to the table's partition.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: with-owner (stores: [owners-STATE-STORE-0000000000])"));
    /// assert!(text.contains("(topic: with-owner-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_with<VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<K, VT>,
        joiner: impl Fn(&V, &VT) -> VR + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, VR> {
        self.join_with_key(table, move |_, value, other| joiner(value, other), joined)
    }

    /// As [`join_with`](Self::join_with); the joiner sees the key.
    ///
    /// ```
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<String, i64>("in");
    /// orders.join_with_key(&owners, |dog, amount, owner| format!("{dog} of {owner}: {amount}"), Joined::default()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// let mut owners = driver.create_input_topic::<String, String>("owners");
    /// input.pipe_input("rex".into(), 1)?;
    /// owners.pipe_input("rex".into(), "ada".into())?;
    /// input.pipe_input("rex".into(), 2)?;
    /// // The first order came before its owner was known; the table's change tells nothing by itself.
    /// assert_eq!(output.read_values_to_list()?, ["rex of ada: 2"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with_key<VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<K, VT>,
        joiner: impl Fn(&K, &V, &VT) -> VR + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, VR> {
        self.joined("KSTREAM-JOIN-", table, move |key, value, other| other.map(|other| joiner(key, value, other)), joined)
    }

    /// As [`join`](Self::join); a record without a match is joined with `None`. A record whose key is null has no match (KIP-962): a
    /// stream of `Option` keys is joined as it is, and its null keys pass a repartition topic.
    ///
    /// A null value reaches the joiner where the type is an `Option`. No record is late, and the join has no store of its own.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<Option<String>, i64>("orders");
    /// orders.left_join(&owners, |amount, owner| format!("{owner:?}: {amount}")).to("bills");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-LEFTJOIN-0000000004 (stores: [owners-STATE-STORE-0000000000])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn left_join<KT: Clone + 'static, VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<KT, VT>,
        joiner: impl Fn(&V, Option<&VT>) -> VR + Send + Sync + 'static,
    ) -> KStream<K, VR>
    where
        K: DefaultSerde + MaybeNull<KT>,
        V: DefaultSerde,
    {
        let (keys, values) = self.serdes();
        self.left_join_with(table, joiner, Joined::with(keys, values))
    }

    /// As [`left_join`](Self::left_join), with serdes for the repartition topic, and a name.
    ///
    /// ```
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<String, i64>("in");
    /// let tell = |amount: &i64, owner: Option<&String>| format!("{}: {amount}", owner.map_or("nobody", String::as_str));
    /// orders.left_join_with(&owners, tell, Joined::default().with_name("with-owner")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// let mut owners = driver.create_input_topic::<String, Option<String>>("owners");
    /// owners.pipe_input("rex".into(), Some("ada".into()))?;
    /// input.pipe_input("rex".into(), 1)?;
    /// owners.pipe_input("rex".into(), None)?;
    /// input.pipe_input("rex".into(), 2)?;
    /// assert_eq!(output.read_values_to_list()?, ["ada: 1", "nobody: 2"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with<KT: Clone + 'static, VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<KT, VT>,
        joiner: impl Fn(&V, Option<&VT>) -> VR + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
    {
        self.left_join_with_key(table, move |_, value, other| joiner(value, other), joined)
    }

    /// As [`left_join_with`](Self::left_join_with); the joiner sees the key.
    ///
    /// ```
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<Option<String>, i64>("in");
    /// let tell = |dog: &Option<String>, amount: &i64, owner: Option<&String>| format!("{dog:?} of {owner:?}: {amount}");
    /// orders.left_join_with_key(&owners, tell, Joined::default()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, i64>("in");
    /// # let output = driver.create_output_topic::<Option<String>, String>("out");
    /// input.pipe_input(None, 1)?;
    /// assert_eq!(output.read_value()?, "None of None: 1");
    /// assert!(driver.dropped_records().is_empty(), "an inner join would have dropped and counted it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with_key<KT: Clone + 'static, VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &KTable<KT, VT>,
        joiner: impl Fn(&K, &V, Option<&VT>) -> VR + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
    {
        self.null_keys.keep();
        self.joined(LEFT, table, move |key, value, other| Some(joiner(key, value, other)), joined)
    }

    fn joined<KT: Clone + 'static, VT: Clone + 'static, VR: Clone + 'static>(
        &self,
        prefix: &str,
        table: &KTable<KT, VT>,
        joiner: impl Fn(&K, &V, Option<&VT>) -> Option<VR> + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
    {
        let buffered_values = Arc::clone(&joined.values);
        let input = if self.needs_repartition {
            let names = RepartitionNames::new(&self.plan, joined.name.as_deref().unwrap_or(&self.name));
            let (keys, values) = (Arc::clone(&joined.keys), joined.values);
            let behind = self.repartitioned(RepartitionSpec { names, is_of_join: true, partitions: None, keys, values, partitioner: None });
            if prefix == LEFT {
                behind.null_keys.keep();
            }
            behind
        } else {
            self.clone()
        };
        let name = self.plan.name_or(joined.name.as_deref(), prefix);
        let slot = Slot::new();
        let topics: Vec<String> = input.topics.iter().chain(&table.topics).cloned().collect();
        {
            let (stores, open) = (table.node.stores(), table.node.opener());
            let (node, node_name, parent, topics) = (slot.clone(), name.clone(), Rc::clone(&input.upstream), topics.clone());
            let joiner = Arc::new(joiner);
            let grace = joined.grace.map(|grace| (grace, table.node.is_versioned(), Arc::clone(&joined.keys), buffered_values));
            self.plan.add(move |topology| {
                if let Some((grace, is_versioned, keys, values)) = grace {
                    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
                    if !is_versioned {
                        return Err(not_versioned(&node_name));
                    }
                    require_history(topology, &node_name, &stores, grace)?;
                    let name = format!("{node_name}-Buffer");
                    let spec = GraceSpec { joiner, open, buffer: StoreName::from_string(name.clone()), grace_ms };
                    node.set(topology.add_processor(&node_name, &[&parent()?], move || GraceJoin::new(spec.clone()))?);
                    topology.add_state_store(buffer::store(&name, &keys, &values), &[&node_name])?;
                } else {
                    node.set(topology.add_processor(&node_name, &[&parent()?], move || TableJoin {
                        joiner: Arc::clone(&joiner),
                        open: Arc::clone(&open),
                        table: None,
                        types: PhantomData,
                    })?);
                }
                topology.connect(&node_name, &stores.iter().map(String::as_str).collect::<Vec<_>>())?;
                topology.copartition(&topics.iter().map(String::as_str).collect::<Vec<_>>());
                Ok(())
            });
        }
        let stream = KStream::new(&self.plan, name, upstream(&slot), topics).with_serdes(Some(joined.keys), None);
        KStream { null_keys: input.null_keys, ..stream }
    }
}

const LEFT: &str = "KSTREAM-LEFTJOIN-";

fn not_versioned(join: &str) -> TopologyError {
    let message = format!(
        "`{join}` waits for late rows (`Joined::with_grace_period`), but its table keeps only the latest row of a key; \
         give the table a versioned store (`Stores::persistent_versioned_key_value_store`)"
    );
    TopologyError::Invalid { message }
}

/// A record that has waited must still find the row of its time.
fn require_history(topology: &Topology, join: &str, stores: &[String], grace: Duration) -> Result<(), TopologyError> {
    let histories = stores.iter().filter_map(|store| Some((store, topology.history_retention(store)?)));
    match histories.min_by_key(|(_, history)| *history) {
        Some((store, history)) if history < grace => Err(TopologyError::Invalid {
            message: format!(
                "`{join}` waits {} ms for late rows, but the table's store `{store}` keeps a history of {} ms; lengthen it, or wait less",
                grace.as_millis(),
                history.as_millis()
            ),
        }),
        _ => Ok(()),
    }
}

struct TableJoin<F, K, KT, V, VT, VR> {
    joiner: Arc<F>,
    open: OpenView<KT, VT>,
    table: Option<Box<dyn TableView<KT, VT>>>,
    types: PhantomData<fn(K, V) -> VR>,
}

impl<F, K, KT, V, VT, VR> Processor for TableJoin<F, K, KT, V, VT, VR>
where
    F: Fn(&K, &V, Option<&VT>) -> Option<VR> + 'static,
    K: MaybeNull<KT>,
    KT: Clone + 'static,
    V: Clone + 'static,
    VT: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = VR;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.table = Some((self.open)(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, VR>) -> Result<(), BoxError> {
        let table = self.table.as_ref().ok_or("the join is not initialised")?;
        let other = record.key.as_option().map_or(Ok(None), |key| table.get_as_of(key, record.timestamp))?;
        match (self.joiner)(&record.key, &record.value, other.as_ref().map(|row| &row.value)) {
            Some(joined) => Ok(cx.forward(record.with_value(joined))?),
            None => Ok(()),
        }
    }
}
