//! [`KTable::join_foreign_key`] and [`KTable::left_join_foreign_key`] (KIP-213).
//!
//! ```text
//!   this table ──► send ──► subscription topic (by foreign key) ──► receive ──► join ──┐
//!                                                                      │ store         ├─► response topic (by key) ──► resolve ──► result
//!                                                        other table ──┴─► join ───────┘
//! ```

mod answer;
mod hash;
mod names;
mod receive;
mod resolve;
mod response;
mod send;
mod subscription;

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use answer::{ForeignTableJoin, SubscriptionJoin};
use names::Names;
use receive::SubscriptionReceive;
use resolve::{Joiner, ResponseJoin};
use response::{Response, ResponseSerde};
use send::{ForeignKey, SubscriptionSend, ValueHasher};
use stream_core::BoxError;
use stream_core::partition::{Partitions, StreamPartitioner};
use stream_core::serdes::{DefaultSerde, Nullable, SerdeRef};
use stream_core::store::StoreName;
use stream_core::topology::{Consumed, InternalTopic, Produced};
use stream_state::Stores;
use subscription::{CombinedKeySerde, ForeignKeyPrefix, PseudoTopic, Subscription, SubscriptionSerde};

use super::source::TableSpec;
use super::{KTable, store};
use crate::options::{Materialized, StoreType, TableJoined};
use crate::plan::{Slot, upstream};
use crate::stream::ToTable;

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Joins each row with the row of another table whose key `foreign_key` finds in it. Any number of rows may name one key. A change of
    /// either side changes the results; their timestamp is the larger one of both rows when this table's row changed, else that of the
    /// other one. A row without a foreign key (`None`) is dropped and counted; a result that it had is deleted. A joiner that gives `None`
    /// leaves the row out.
    ///
    /// The tables need not have equal partition counts: a row subscribes to its foreign key through one internal topic, and is answered
    /// through another one. So results come a little later, and a deletion may be told of a result that never was. The serde of this
    /// table's values must be deterministic: an answer is matched to its row by the bytes of the value. Both tables keep a store.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<String, String>, KTable<String, String>) = (builder.table("user-of-order"), builder.table("users"));
    /// orders.join_foreign_key(&users, |_, user| user.clone(), |_, name| name.clone()).to_stream().to("name-of-order");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Sink: KTABLE-SINK-0000000008 (topic: KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_foreign_key<KO, VO, VR, F, R>(
        &self,
        other: &KTable<KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        joiner: impl Fn(&V, &VO) -> R + Send + Sync + 'static,
    ) -> KTable<K, VR>
    where
        K: DefaultSerde,
        V: DefaultSerde,
        KO: DefaultSerde + Clone,
        VO: DefaultSerde + Clone,
        VR: Clone + 'static,
        F: Into<Option<KO>>,
        R: Into<Option<VR>>,
    {
        self.join_foreign_key_with(other, foreign_key, joiner, default_serdes(), Materialized::default())
    }

    /// As [`join_foreign_key`](Self::join_foreign_key), with a name, serdes and partitioners, and with a named or configured store.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<i64, String>, KTable<String, String>) = (builder.table("in"), builder.table("users"));
    /// let (joined, store) = (TableJoined::named("with-name"), Materialized::named("names").with_value_serde(Serdes::string()));
    /// let names = orders.join_foreign_key_with(&users, |_, user| user.clone(), |_, name| name.clone(), joined, store);
    /// names.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<i64, Option<String>>("in");
    /// # let output = driver.create_output_topic::<i64, Option<String>>("out");
    /// let mut users = driver.create_input_topic::<String, String>("users");
    /// users.pipe_input("u1".into(), "ada".into())?;
    /// input.pipe_key_values([(1, Some("u1".to_owned())), (2, Some("u1".to_owned()))])?;
    /// users.pipe_input("u1".into(), "lovelace".into())?; // changes the results of both orders
    /// input.pipe_input(1, None)?;
    /// let told: Vec<Option<String>> = output.read_values_to_list()?;
    /// let told: Vec<&str> = told.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
    /// assert_eq!(told, ["ada", "ada", "lovelace", "lovelace", "-"]);
    /// assert!(driver.produced_topic_names().contains("test-with-name-subscription-registration-topic"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_foreign_key_with<KO, VO, VR, F, R>(
        &self,
        other: &KTable<KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        joiner: impl Fn(&V, &VO) -> R + Send + Sync + 'static,
        joined: TableJoined<K, V, KO, VO>,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR>
    where
        KO: Clone + 'static,
        VO: Clone + 'static,
        VR: Clone + 'static,
        F: Into<Option<KO>>,
        R: Into<Option<VR>>,
    {
        let foreign_key: ForeignKey<K, V, KO> = Arc::new(move |key, value| foreign_key(key, value).into());
        let joiner: Joiner<V, VO, VR> = Arc::new(move |value, other| joiner(value, other?).into());
        self.joined_by_foreign_key(other, false, foreign_key, joiner, joined, materialized)
    }

    /// As [`join_foreign_key`](Self::join_foreign_key), with a result for every row of this table: where the other one has no row, or the
    /// row has no foreign key, the joiner takes `None`.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<String, String>, KTable<String, String>) = (builder.table("user-of-order"), builder.table("users"));
    /// let names = orders.left_join_foreign_key(&users, |_, user| user.clone(), |user, name| name.unwrap_or(user).clone());
    /// names.to_stream().to("name-of-order");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-FK-JOIN-OUTPUT-0000000018 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn left_join_foreign_key<KO, VO, VR, F, R>(
        &self,
        other: &KTable<KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        joiner: impl Fn(&V, Option<&VO>) -> R + Send + Sync + 'static,
    ) -> KTable<K, VR>
    where
        K: DefaultSerde,
        V: DefaultSerde,
        KO: DefaultSerde + Clone,
        VO: DefaultSerde + Clone,
        VR: Clone + 'static,
        F: Into<Option<KO>>,
        R: Into<Option<VR>>,
    {
        self.left_join_foreign_key_with(other, foreign_key, joiner, default_serdes(), Materialized::default())
    }

    /// As [`left_join_foreign_key`](Self::left_join_foreign_key), with a name, serdes and partitioners, and with a named or configured store.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<i64, String>, KTable<String, String>) = (builder.table("in"), builder.table("users"));
    /// // An order without a user has no foreign key.
    /// let user_of = |_: &i64, user: &String| (!user.is_empty()).then(|| user.clone());
    /// let name = |_: &String, name: Option<&String>| name.map_or_else(|| "unknown".to_owned(), String::clone);
    /// let (joined, store) = (TableJoined::named("with-name"), Materialized::named("names").with_value_serde(Serdes::string()));
    /// let names = orders.left_join_foreign_key_with(&users, user_of, name, joined, store);
    /// names.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<i64, String>("in");
    /// # let output = driver.create_output_topic::<i64, Option<String>>("out");
    /// input.pipe_input(1, String::new())?;
    /// assert_eq!(output.read_value()?, Some("unknown".to_owned()));
    /// assert!(driver.dropped_records().is_empty(), "the inner join would have dropped and counted it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_foreign_key_with<KO, VO, VR, F, R>(
        &self,
        other: &KTable<KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        joiner: impl Fn(&V, Option<&VO>) -> R + Send + Sync + 'static,
        joined: TableJoined<K, V, KO, VO>,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR>
    where
        KO: Clone + 'static,
        VO: Clone + 'static,
        VR: Clone + 'static,
        F: Into<Option<KO>>,
        R: Into<Option<VR>>,
    {
        let foreign_key: ForeignKey<K, V, KO> = Arc::new(move |key, value| foreign_key(key, value).into());
        let joiner: Joiner<V, VO, VR> = Arc::new(move |value, other| joiner(value, other).into());
        self.joined_by_foreign_key(other, true, foreign_key, joiner, joined, materialized)
    }

    fn joined_by_foreign_key<KO: Clone + 'static, VO: Clone + 'static, VR: Clone + 'static>(
        &self,
        other: &KTable<KO, VO>,
        keeps: bool,
        foreign_key: ForeignKey<K, V, KO>,
        joiner: Joiner<V, VO, VR>,
        joined: TableJoined<K, V, KO, VO>,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        let plan = &self.plan;
        other.node.send_old_values(true);
        // A change of a foreign key must reach both its old and its new partition.
        self.node.send_old_values(true);
        let names = Names::new(plan, joined.name.as_deref());
        let store_name = plan.resource_name_or(materialized.name.as_deref(), "KTABLE-FK-JOIN-OUTPUT-STATE-STORE-");
        let serdes = (
            self.keys.clone().or(joined.keys),
            self.values.clone().or(joined.values),
            other.keys.clone().or(joined.other_keys),
            other.values.clone().or(joined.other_values),
        );
        let (Some(keys), Some(values), Some(foreign_keys), Some(other_values)) = serdes else {
            let missing = match serdes {
                (None, ..) => store::missing_serde::<K>(&names.store, "primary keys", "TableJoined::with_key_serde"),
                (_, None, ..) => store::missing_serde::<V>(&names.store, "primary values", "TableJoined::with_value_serde"),
                (_, _, None, _) => store::missing_serde::<KO>(&names.store, "foreign keys", "TableJoined::with_other_key_serde"),
                _ => store::missing_serde::<VO>(&names.store, "foreign values", "TableJoined::with_other_value_serde"),
            };
            plan.refuse(missing);
            return KTable::refused(plan, names.result);
        };

        let results: Slot<K, Option<VR>> = Slot::new();
        let topics = vec![names.response_topic.clone()];
        let own_topics: Vec<String> = self.topics.iter().chain(&topics).cloned().collect();
        let result = names.result.clone();
        {
            let (this, that, slot) = (Rc::clone(&self.upstream), Rc::clone(&other.upstream), results.clone());
            let (this_stores, that_stores) = (self.node.stores(), other.node.stores());
            let (this_versioned, that_versioned) = (self.node.is_versioned(), other.node.is_versioned());
            let (open_this, open_that) = (self.node.opener(), other.node.opener());
            let other_topics: Vec<String> = other.topics.iter().chain([&names.subscription_topic]).cloned().collect();
            let keys = Arc::clone(&keys);
            let (store_type, is_placed) = (materialized.store_type.unwrap_or(StoreType::Persistent), materialized.store_type.is_some());
            plan.add(move |topology| {
                let names = &names;
                let subscriptions: SerdeRef<Subscription<K>> =
                    Arc::new(SubscriptionSerde { keys: Arc::clone(&keys), topic: names.pseudo(&names.subscription_topic, "-pk") });
                let nullable = Nullable::over(Arc::clone(&foreign_keys));
                topology.add_internal_topic(InternalTopic::repartition(names.subscription_topic.as_str()))?;
                topology.add_internal_topic(InternalTopic::repartition(names.response_topic.as_str()))?;

                let (values_of_send, topic, foreign) = (Arc::clone(&values), names.subscription_topic.clone(), Arc::clone(&foreign_keys));
                let sent = topology.add_processor(&names.send, &[&this()?], move || SubscriptionSend {
                    foreign_key: Arc::clone(&foreign_key),
                    keeps,
                    is_versioned: this_versioned,
                    hasher: ValueHasher::new(Arc::clone(&values_of_send), topic.clone()),
                    foreign_keys: Arc::clone(&foreign),
                })?;
                let mut produced = Produced::with(Arc::clone(&nullable), Arc::clone(&subscriptions));
                if let Some(partitioner) = joined.other_partitioner {
                    produced = produced.with_partitioner(ByForeignKey(partitioner));
                }
                topology.add_sink(&names.subscription_sink, names.subscription_topic.as_str(), produced, &[&sent])?;
                let received = topology.add_source(
                    &names.subscription_source,
                    names.subscription_topic.as_str(),
                    Consumed::with(nullable, subscriptions),
                )?;

                let store: StoreName<_> = StoreName::from_string(names.store.clone());
                let name = store.clone();
                let kept = topology
                    .add_processor(&names.receive, &[&received], move || SubscriptionReceive { name: name.clone(), store: None })?;
                let joined_row = topology.add_processor(&names.join_foreign, &[&kept], move || SubscriptionJoin {
                    open: Arc::clone(&open_that),
                    table: None,
                    keys: PhantomData::<fn(K)>,
                })?;
                let prefix = || ForeignKeyPrefix { keys: Arc::clone(&foreign_keys), topic: names.pseudo_of_store("-fk") };
                let (name, shared) = (store, Arc::new(prefix()));
                let told = topology.add_processor(&names.foreign_join, &[&that()?], move || ForeignTableJoin {
                    name: name.clone(),
                    prefix: Arc::clone(&shared),
                    store: None,
                    is_versioned: that_versioned,
                    values: PhantomData::<fn(VO)>,
                })?;
                let combined = CombinedKeySerde { foreign: prefix(), keys: Arc::clone(&keys), topic: names.pseudo_of_store("-pk") };
                let kept = SubscriptionSerde { keys: Arc::clone(&keys), topic: names.pseudo_of_store("-pk") };
                let supplier = store::key_value_supplier(&names.store, store_type);
                let factory =
                    Stores::timestamped_key_value_store_builder(supplier, Arc::new(combined), Arc::new(kept)).with_headers_logged();
                let factory = if is_placed { factory } else { factory.with_default_placement() };
                topology.add_state_store(Arc::new(factory), &[&names.receive, &names.foreign_join])?;
                topology.connect(&names.join_foreign, &that_stores.iter().map(String::as_str).collect::<Vec<_>>())?;

                let responses: SerdeRef<Response<VO>> = Arc::new(ResponseSerde(other_values));
                let produced = Produced::with(Arc::clone(&keys), Arc::clone(&responses)).with_partitioner(ToAsker(joined.partitioner));
                topology.add_sink(&names.response_sink, names.response_topic.as_str(), produced, &[&joined_row, &told])?;
                let answered =
                    topology.add_source(&names.response_source, names.response_topic.as_str(), Consumed::with(keys, responses))?;
                let topic = names.subscription_topic.clone();
                slot.set(topology.add_processor(&names.resolve, &[&answered], move || ResponseJoin {
                    joiner: Arc::clone(&joiner),
                    hasher: ValueHasher::new(Arc::clone(&values), topic.clone()),
                    open: Arc::clone(&open_this),
                    table: None,
                })?);
                topology.connect(&names.resolve, &this_stores.iter().map(String::as_str).collect::<Vec<_>>())?;
                topology.copartition(&other_topics.iter().map(String::as_str).collect::<Vec<_>>());
                topology.copartition(&own_topics.iter().map(String::as_str).collect::<Vec<_>>());
                Ok(())
            });
        }
        let keys = materialized.keys.clone().unwrap_or(keys);
        let values = materialized.values.clone();
        let spec = TableSpec { name: result, store_name, materialized, keys, values, topics, source_topic: None };
        spec.below(plan, &upstream(&results), ToTable::<K, Option<VR>, VR>::new)
    }
}

fn default_serdes<K: DefaultSerde, V: DefaultSerde, KO: DefaultSerde, VO: DefaultSerde>() -> TableJoined<K, V, KO, VO> {
    TableJoined::default()
        .with_key_serde(K::default_serde())
        .with_value_serde(V::default_serde())
        .with_other_key_serde(KO::default_serde())
        .with_other_value_serde(VO::default_serde())
}

/// Asks the partitioner of the other table's topic; a row without a foreign key goes anywhere.
struct ByForeignKey<KO>(Arc<dyn StreamPartitioner<KO, ()>>);

impl<KO: 'static, K: 'static> StreamPartitioner<Option<KO>, Subscription<K>> for ByForeignKey<KO> {
    fn partitions(&self, topic: &str, key: &Option<KO>, _value: &Subscription<K>, count: i32) -> Result<Partitions, BoxError> {
        key.as_ref().map_or(Ok(Partitions::ByKey), |key| self.0.partitions(topic, key, &(), count))
    }
}

/// An answer goes to the partition that asked, whatever partitioned that (trap T86).
struct ToAsker<K>(Option<Arc<dyn StreamPartitioner<K, ()>>>);

impl<K: 'static, V: 'static> StreamPartitioner<K, Response<V>> for ToAsker<K> {
    fn partitions(&self, topic: &str, key: &K, response: &Response<V>, count: i32) -> Result<Partitions, BoxError> {
        match (&self.0, response.partition) {
            (Some(partitioner), _) => partitioner.partitions(topic, key, &(), count),
            (None, Some(partition)) => Ok(Partitions::Only(vec![partition])),
            (None, None) => Ok(Partitions::ByKey),
        }
    }
}
