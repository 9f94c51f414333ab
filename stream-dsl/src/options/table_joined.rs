//! [`TableJoined`].

use std::sync::Arc;

use stream_core::partition::StreamPartitioner;
use stream_core::serdes::SerdeRef;

/// How two tables are joined by a foreign key: the name, the serdes of both tables' values where the tables do not know theirs, and the
/// partitioners of topics that are not partitioned by Kafka's default. Mirrors Kafka Streams' `TableJoined`.
pub struct TableJoined<K, V, KO, VO> {
    pub(crate) name: Option<String>,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) other_keys: Option<SerdeRef<KO>>,
    pub(crate) other_values: Option<SerdeRef<VO>>,
    pub(crate) partitioner: Option<Arc<dyn StreamPartitioner<K, ()>>>,
    pub(crate) other_partitioner: Option<Arc<dyn StreamPartitioner<KO, ()>>>,
}

impl<K, V, KO, VO> TableJoined<K, V, KO, VO> {
    /// With this name: the beginning of the names of all nodes, of the subscription store and of both topics.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<i64, String>, KTable<String, String>) = (builder.table("orders"), builder.table("users"));
    /// let store = Materialized::named("names").with_value_serde(Serdes::string());
    /// orders.join_foreign_key_with(&users, |_, user| user.clone(), |_, name| name.clone(), TableJoined::named("with-name"), store);
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("(topic: with-name-subscription-registration-topic)"));
    /// assert!(text.contains("(topic: with-name-subscription-response-topic)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// The serde of this table's keys, where the table does not know one.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::TableJoined;
    ///
    /// let joined: TableJoined<i64, String, String, String> = TableJoined::named("with-name");
    /// // Orders are asked for by their keys: both internal topics carry them.
    /// let _joined = joined.with_key_serde(Serdes::long()).with_other_key_serde(Serdes::string());
    /// ```
    #[must_use]
    pub fn with_key_serde(mut self, keys: SerdeRef<K>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The serde of this table's values, where the table does not know one. It must be deterministic: rows are known again by the bytes
    /// of their values.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (lines, users): (KTable<i64, String>, KTable<String, String>) = (builder.table("orders"), builder.table("users"));
    /// // What a mapper makes has no serde that the table knows.
    /// let users_of_orders = lines.map_values(|line| line.trim().to_owned());
    /// let joined = TableJoined::named("with-name").with_value_serde(Serdes::string());
    /// let store = Materialized::named("names").with_value_serde(Serdes::string());
    /// users_of_orders.join_foreign_key_with(&users, |_, user| user.clone(), |_, name| name.clone(), joined, store);
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_value_serde(mut self, values: SerdeRef<V>) -> Self {
        self.values = Some(values);
        self
    }

    /// The serde of the other table's keys, where that table does not know one.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::TableJoined;
    ///
    /// let joined: TableJoined<i64, String, i32, String> = TableJoined::default();
    /// // Subscriptions are kept by these keys, and found again by their bytes.
    /// let _joined = joined.with_other_key_serde(Serdes::integer());
    /// ```
    #[must_use]
    pub fn with_other_key_serde(mut self, keys: SerdeRef<KO>) -> Self {
        self.other_keys = Some(keys);
        self
    }

    /// The serde of the other table's values, where that table does not know one.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (orders, users): (KTable<i64, String>, KTable<String, String>) = (builder.table("orders"), builder.table("users"));
    /// let names = users.map_values(|user| user.to_uppercase());
    /// // Answers carry the other table's values, here those of a mapper.
    /// let joined = TableJoined::named("with-name").with_other_value_serde(Serdes::string());
    /// let store = Materialized::named("names").with_value_serde(Serdes::string());
    /// orders.join_foreign_key_with(&names, |_, user| user.clone(), |_, name| name.clone(), joined, store);
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_other_value_serde(mut self, values: SerdeRef<VO>) -> Self {
        self.other_values = Some(values);
        self
    }

    /// How this table's topic is partitioned; without it, an answer goes to the partition that asked.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::partition::{Partitions, StreamPartitioner};
    /// use stream_dsl::TableJoined;
    ///
    /// /// The topic of orders was written so: by the last digits of the number.
    /// struct ByNumber;
    ///
    /// impl StreamPartitioner<i64, ()> for ByNumber {
    ///     fn partitions(&self, _topic: &str, order: &i64, _: &(), count: i32) -> Result<Partitions, BoxError> {
    ///         let partition = order.rem_euclid(i64::from(count));
    ///         Ok(Partitions::Only(vec![i32::try_from(partition)?]))
    ///     }
    /// }
    ///
    /// let _joined: TableJoined<i64, String, String, String> = TableJoined::named("with-name").with_partitioner(ByNumber);
    /// ```
    #[must_use]
    pub fn with_partitioner(mut self, partitioner: impl StreamPartitioner<K, ()>) -> Self {
        self.partitioner = Some(Arc::new(partitioner));
        self
    }

    /// How the other table's topic is partitioned.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::partition::{Partitions, StreamPartitioner};
    /// use stream_dsl::TableJoined;
    ///
    /// /// The topic of users was written so: by the first letter.
    /// struct ByLetter;
    ///
    /// impl StreamPartitioner<String, ()> for ByLetter {
    ///     fn partitions(&self, _topic: &str, user: &String, _: &(), count: i32) -> Result<Partitions, BoxError> {
    ///         Ok(Partitions::Only(vec![i32::from(user.bytes().next().unwrap_or(0)) % count]))
    ///     }
    /// }
    ///
    /// // Otherwise a subscription would go to a partition that does not have the user, and never be answered.
    /// let _joined: TableJoined<i64, String, String, String> = TableJoined::named("with-name").with_other_partitioner(ByLetter);
    /// ```
    #[must_use]
    pub fn with_other_partitioner(mut self, partitioner: impl StreamPartitioner<KO, ()>) -> Self {
        self.other_partitioner = Some(Arc::new(partitioner));
        self
    }
}

impl<K, V, KO, VO> Default for TableJoined<K, V, KO, VO> {
    fn default() -> Self {
        Self { name: None, keys: None, values: None, other_keys: None, other_values: None, partitioner: None, other_partitioner: None }
    }
}

impl<K, V, KO, VO> std::fmt::Debug for TableJoined<K, V, KO, VO> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableJoined").field("name", &self.name).finish_non_exhaustive()
    }
}
