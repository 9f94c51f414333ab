//! [`KStream::non_null_key`] and [`KStream::non_null_value`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::BoxError;
use stream_core::partition::{Partitions, StreamPartitioner};
use stream_core::serdes::Nullable;

use super::KStream;
use super::repartition::RepartitionSpec;

impl<K: Clone + 'static, V: Clone + 'static> KStream<Option<K>, V> {
    /// The records whose key is not null. Adds no node: at the operator below, what is left out counts in `dropped-records`; before a
    /// repartition topic it is left out by the topic's own filter and counts nothing, as in Kafka Streams (trap T97).
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<Option<String>, String>("in").non_null_key().map_values(|value| value.len() as i64).to("out");
    /// assert!(!builder.build()?.describe().to_string().contains("FILTER"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn non_null_key(&self) -> KStream<K, V> {
        let (wide, through) = (Rc::clone(&self.upstream), Rc::clone(&self.repartition));
        let narrowed = KStream::new(&self.plan, self.name.clone(), Rc::new(move || Ok(wide()?.non_null_key())), self.topics.clone());
        KStream {
            repartition: Rc::new(move |topology, spec, _| {
                let wide = RepartitionSpec {
                    names: spec.names.clone(),
                    is_of_join: spec.is_of_join,
                    partitions: spec.partitions,
                    keys: Nullable::over(Arc::clone(&spec.keys)),
                    values: Arc::clone(&spec.values),
                    partitioner: spec.partitioner.clone().map(|partitioner| Arc::new(ByPresent(partitioner)) as _),
                };
                Ok(through(topology, &wide, false)?.non_null_key())
            }),
            needs_repartition: self.needs_repartition,
            node: self.node,
            lineage: self.lineage.non_null_key(),
            join_filters: Rc::clone(&self.join_filters),
            values: self.values.clone(),
            ..narrowed
        }
    }
}

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, Option<V>> {
    /// The records whose value is not null. Adds no node; what is left out counts in `dropped-records` at the operator below, or, when
    /// there is a repartition topic between, at the operator behind it.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let answers = builder.stream::<String, Option<String>>("in").non_null_value();
    /// answers.map_values(|answer| answer.len() as i64).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), Some("yes".to_owned())), ("bob".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [3]);
    /// assert_eq!(driver.dropped_records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn non_null_value(&self) -> KStream<K, V> {
        let (wide, through) = (Rc::clone(&self.upstream), Rc::clone(&self.repartition));
        let narrowed = KStream::new(&self.plan, self.name.clone(), Rc::new(move || Ok(wide()?.non_null_value())), self.topics.clone());
        KStream {
            repartition: Rc::new(move |topology, spec, keeps_null_keys| {
                let wide = RepartitionSpec {
                    names: spec.names.clone(),
                    is_of_join: spec.is_of_join,
                    partitions: spec.partitions,
                    keys: Arc::clone(&spec.keys),
                    values: Nullable::over(Arc::clone(&spec.values)),
                    partitioner: spec.partitioner.clone().map(|partitioner| Arc::new(ByPresentValue(partitioner)) as _),
                };
                Ok(through(topology, &wide, keeps_null_keys)?.non_null_value())
            }),
            needs_repartition: self.needs_repartition,
            join_filters: Rc::clone(&self.join_filters),
            null_keys: self.null_keys.clone(),
            node: self.node,
            lineage: self.lineage.non_null_value(),
            keys: self.keys.clone(),
            ..narrowed
        }
    }
}

/// Asks a partitioner of non-null types; where there is null the default decides.
struct ByPresent<K, V>(Arc<dyn StreamPartitioner<K, V>>);

impl<K: 'static, V: 'static> StreamPartitioner<Option<K>, V> for ByPresent<K, V> {
    fn partitions(&self, topic: &str, key: &Option<K>, value: &V, count: i32) -> Result<Partitions, BoxError> {
        key.as_ref().map_or(Ok(Partitions::ByKey), |key| self.0.partitions(topic, key, value, count))
    }
}

/// As above, for values.
struct ByPresentValue<K, V>(Arc<dyn StreamPartitioner<K, V>>);

impl<K: 'static, V: 'static> StreamPartitioner<K, Option<V>> for ByPresentValue<K, V> {
    fn partitions(&self, topic: &str, key: &K, value: &Option<V>, count: i32) -> Result<Partitions, BoxError> {
        value.as_ref().map_or(Ok(Partitions::ByKey), |value| self.0.partitions(topic, key, value, count))
    }
}
