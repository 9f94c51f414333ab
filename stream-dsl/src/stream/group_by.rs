//! [`KStream::group_by_key`] and [`KStream::group_by`].

use stream_core::serdes::DefaultSerde;

use super::KStream;
use crate::grouped::KGroupedStream;
use crate::options::{Grouped, Named};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Groups records by their key. When the key may have changed, the stream goes through a repartition topic first.
    ///
    /// A stream whose keys or values may be null is narrowed before: [`non_null_key`](Self::non_null_key),
    /// [`non_null_value`](Self::non_null_value).
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let clicks = builder.stream::<Option<String>, Option<String>>("clicks");
    /// clicks.non_null_key().non_null_value().group_by_key().count().to_stream().to("clicks-by-user");
    /// assert!(!builder.build()?.describe().to_string().contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn group_by_key(&self) -> KGroupedStream<K, V>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let (keys, values) = self.serdes();
        self.group_by_key_with(Grouped::with(keys, values))
    }

    /// As [`group_by_key`](Self::group_by_key), with serdes and the name of the repartition topic.
    pub fn group_by_key_with(&self, grouped: Grouped<K, V>) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone(), grouped)
    }

    /// Groups records by another key; the stream goes through a repartition topic.
    pub fn group_by<K2: DefaultSerde + Clone>(&self, mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KGroupedStream<K2, V>
    where
        V: DefaultSerde,
    {
        let values = self.values.clone().unwrap_or_else(V::default_serde);
        self.group_by_with(mapper, Grouped::with(K2::default_serde(), values))
    }

    /// As [`group_by`](Self::group_by), with serdes and a name for the operator and its repartition topic.
    pub fn group_by_with<K2: Clone + 'static>(
        &self,
        mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        let named = grouped.name.as_deref().map_or_else(Named::default, Named::new);
        KGroupedStream::new(self.select_key_named(mapper, named), grouped)
    }
}
