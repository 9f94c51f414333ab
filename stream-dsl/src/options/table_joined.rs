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
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// The serde of this table's keys, where the table does not know one.
    #[must_use]
    pub fn with_key_serde(mut self, keys: SerdeRef<K>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The serde of this table's values, where the table does not know one. It must be deterministic: rows are known again by the bytes
    /// of their values.
    #[must_use]
    pub fn with_value_serde(mut self, values: SerdeRef<V>) -> Self {
        self.values = Some(values);
        self
    }

    /// The serde of the other table's keys, where that table does not know one.
    #[must_use]
    pub fn with_other_key_serde(mut self, keys: SerdeRef<KO>) -> Self {
        self.other_keys = Some(keys);
        self
    }

    /// The serde of the other table's values, where that table does not know one.
    #[must_use]
    pub fn with_other_value_serde(mut self, values: SerdeRef<VO>) -> Self {
        self.other_values = Some(values);
        self
    }

    /// How this table's topic is partitioned; without it, an answer goes to the partition that asked.
    #[must_use]
    pub fn with_partitioner(mut self, partitioner: impl StreamPartitioner<K, ()>) -> Self {
        self.partitioner = Some(Arc::new(partitioner));
        self
    }

    /// How the other table's topic is partitioned.
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
