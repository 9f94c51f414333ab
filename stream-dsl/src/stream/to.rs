//! [`KStream::to`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::DefaultSerde;
use stream_core::topology::{Produced, SinkTopic};

use super::KStream;
use crate::plan::GraphNode;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Writes the stream to a topic, which must exist, or to a topic per record ([`SinkTopic::extracted`]). A null key goes to any
    /// partition, a null value is written as null.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stream_core::topology::{SinkTopic, TopicContext, TopicNameExtractor};
    /// use stream_core::{BoxError, Record};
    /// use stream_dsl::StreamsBuilder;
    ///
    /// /// A topic for each tenant.
    /// struct ByTenant;
    ///
    /// impl TopicNameExtractor<String, String> for ByTenant {
    ///     fn topic(&self, record: &Record<String, String>, _cx: &TopicContext<'_>) -> Result<Arc<str>, BoxError> {
    ///         Ok(Arc::from(format!("orders-{}", record.key)))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders");
    /// orders.to("all-orders");
    /// orders.to(SinkTopic::extracted(ByTenant));
    /// assert!(builder.build()?.describe().to_string().contains("Sink: KSTREAM-SINK-0000000001 (topic: all-orders)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to(&self, topic: impl Into<SinkTopic<K, V>>)
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let keys = self.keys.clone().unwrap_or_else(K::default_serde);
        let values = self.values.clone().unwrap_or_else(V::default_serde);
        self.to_with(topic, Produced::with(keys, values));
    }

    /// As [`to`](Self::to), with serdes, partitioner and name.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::partition::{Partitions, StreamPartitioner};
    /// use stream_core::topology::Produced;
    /// use stream_dsl::StreamsBuilder;
    ///
    /// /// Large orders have the first partition for themselves.
    /// struct LargeFirst;
    ///
    /// impl StreamPartitioner<String, i64> for LargeFirst {
    ///     fn partitions(&self, _topic: &str, _key: &String, amount: &i64, count: i32) -> Result<Partitions, BoxError> {
    ///         Ok(Partitions::Only(vec![if *amount > 1_000 { 0 } else { 1 % count }]))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.to_with("sorted-orders", Produced::default().with_partitioner(LargeFirst).with_name("sorted"));
    /// assert!(builder.build()?.describe().to_string().contains("Sink: sorted (topic: sorted-orders)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to_with(&self, topic: impl Into<SinkTopic<K, V>>, produced: Produced<K, V>) {
        let (topic, parent) = (topic.into(), Rc::clone(&self.upstream));
        let name = self.plan.name_or(produced.name(), "KSTREAM-SINK-");
        self.plan.add_node(GraphNode::below(self.node), move |topology| topology.add_sink(&name, topic, produced, &[&parent()?]));
    }

    /// The serdes that the stream has, or the types' own.
    pub(crate) fn serdes(&self) -> (stream_core::SerdeRef<K>, stream_core::SerdeRef<V>)
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        (self.keys.as_ref().map_or_else(K::default_serde, Arc::clone), self.values.as_ref().map_or_else(V::default_serde, Arc::clone))
    }
}
