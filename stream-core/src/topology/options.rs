//! How sources and sinks read and write.

use std::fmt;
use std::sync::Arc;

use crate::error::BoxError;
use crate::offset::AutoOffsetReset;
use crate::partition::StreamPartitioner;
use crate::serdes::{DefaultSerde, Nullable, SerdeRef};
use crate::time::{ConsumedRecord, FailOnInvalidTimestamp, TimestampExtractor};

/// How a source reads its topics. Mirrors Kafka Streams' `Consumed`.
pub struct Consumed<K, V> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) extractor: Arc<dyn TimestampExtractor<K, V>>,
    pub(crate) extractor_name: Option<&'static str>,
    pub(crate) reset: Option<AutoOffsetReset>,
    pub(crate) name: Option<String>,
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// With these serdes, the record's own timestamp and the configured reset policy.
    pub fn with(key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Self { key, value, extractor: Arc::new(FailOnInvalidTimestamp), extractor_name: None, reset: None, name: None }
    }

    /// With another timestamp extractor; it wins over `default.timestamp.extractor`.
    #[must_use]
    pub fn with_timestamp_extractor<E: TimestampExtractor<K, V>>(mut self, extractor: E) -> Self {
        self.extractor = Arc::new(extractor);
        self.extractor_name = Some(std::any::type_name::<E>());
        self
    }

    /// Where to begin without a committed offset; wins over `auto.offset.reset`.
    #[must_use]
    pub fn with_offset_reset(mut self, reset: AutoOffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// The name of the source node.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The name of the source node, when the program gave one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The key serde.
    pub fn key_serde(&self) -> &SerdeRef<K> {
        &self.key
    }

    /// The value serde.
    pub fn value_serde(&self) -> &SerdeRef<V> {
        &self.value
    }

    /// The extractor.
    pub fn timestamp_extractor(&self) -> &Arc<dyn TimestampExtractor<K, V>> {
        &self.extractor
    }

    /// Where to begin, when the program said.
    pub fn offset_reset(&self) -> Option<AutoOffsetReset> {
        self.reset
    }

    /// The same for keys and values that may be null: how tables read their topics. The extractor is asked for records without null;
    /// others have the timestamp that is in the record.
    pub fn nullable(self) -> Consumed<Option<K>, Option<V>> {
        Consumed {
            key: Nullable::over(self.key),
            value: Nullable::over(self.value),
            extractor: Arc::new(OfPresent(self.extractor)),
            extractor_name: self.extractor_name,
            reset: self.reset,
            name: self.name,
        }
    }
}

/// Asks an extractor of non-null types about records without null.
struct OfPresent<K, V>(Arc<dyn TimestampExtractor<K, V>>);

impl<K: 'static, V: 'static> TimestampExtractor<Option<K>, Option<V>> for OfPresent<K, V> {
    fn extract(&self, record: &ConsumedRecord<'_, Option<K>, Option<V>>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        match (record.key, record.value) {
            (Some(key), Some(value)) => {
                let present = ConsumedRecord {
                    key,
                    value,
                    timestamp: record.timestamp,
                    topic: record.topic,
                    partition: record.partition,
                    offset: record.offset,
                    headers: record.headers,
                };
                self.0.extract(&present, partition_time, now_ms)
            }
            _ => {
                let absent = ConsumedRecord {
                    key: &(),
                    value: &(),
                    timestamp: record.timestamp,
                    topic: record.topic,
                    partition: record.partition,
                    offset: record.offset,
                    headers: record.headers,
                };
                self.0.extract_null(&absent, partition_time, now_ms)
            }
        }
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Default for Consumed<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

impl<K, V> Clone for Consumed<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            extractor: Arc::clone(&self.extractor),
            extractor_name: self.extractor_name,
            reset: self.reset,
            name: self.name.clone(),
        }
    }
}

impl<K, V> fmt::Debug for Consumed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumed").field("name", &self.name).field("reset", &self.reset).finish_non_exhaustive()
    }
}

/// How a sink writes. Mirrors Kafka Streams' `Produced`.
pub struct Produced<K, V> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) partitioner: Option<Arc<dyn StreamPartitioner<K, V>>>,
    pub(crate) name: Option<String>,
}

impl<K, V> Produced<K, V> {
    /// With these serdes and the default partitioner.
    pub fn with(key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Self { key, value, partitioner: None, name: None }
    }

    /// With another partitioner.
    #[must_use]
    pub fn with_partitioner(mut self, partitioner: impl StreamPartitioner<K, V>) -> Self {
        self.partitioner = Some(Arc::new(partitioner));
        self
    }

    /// As [`with_partitioner`](Self::with_partitioner), with one that others use too.
    #[must_use]
    pub fn with_shared_partitioner(mut self, partitioner: Arc<dyn StreamPartitioner<K, V>>) -> Self {
        self.partitioner = Some(partitioner);
        self
    }

    /// The name of the sink node.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The name of the sink node, when the program gave one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Default for Produced<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

impl<K, V> Clone for Produced<K, V> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), value: Arc::clone(&self.value), partitioner: self.partitioner.clone(), name: self.name.clone() }
    }
}

impl<K, V> fmt::Debug for Produced<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Produced").field("name", &self.name).finish_non_exhaustive()
    }
}
