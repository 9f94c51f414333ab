//! [`KStream::map`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Another key and value for each record. The key changes: a grouping or join below repartitions.
    ///
    /// Null keys and values reach the mapper where the types are `Option`. Timestamp and headers stay; nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").map(|key, value| (value, key)).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-MAP-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map<K2: Clone + 'static, V2: Clone + 'static>(
        &self,
        mapper: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.map_named(mapper, Named::default())
    }

    /// As [`map`](Self::map), with a name.
    ///
    /// ```
    /// use stream_dsl::{Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let by_page = builder.stream::<String, String>("visits").map_named(|user, page| (page, user), Named::new("by-page"));
    /// by_page.group_by_key().count_with(Materialized::named("visits-per-page"));
    /// // The name is the node's alone: the repartition topic that the new key needs is named after the store.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: by-page (stores: [])"));
    /// assert!(text.contains("(topic: visits-per-page-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map_named<K2: Clone + 'static, V2: Clone + 'static>(
        &self,
        mapper: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static,
        named: Named,
    ) -> KStream<K2, V2> {
        let name = self.plan.name_or(named.get(), "KSTREAM-MAP-");
        let mapper = Arc::new(mapper);
        let mapped = self.through(name, move || Map { mapper: Arc::clone(&mapper), types: PhantomData });
        mapped.with_changed_keys()
    }
}

struct Map<F, K, V, K2, V2> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> (K2, V2)>,
}

impl<F, K, V, K2, V2> Processor for Map<F, K, V, K2, V2>
where
    F: Fn(K, V) -> (K2, V2) + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    K2: Clone + 'static,
    V2: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K2;
    type ValueOut = V2;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K2, V2>) -> Result<(), BoxError> {
        let (key, value) = (self.mapper)(record.key, record.value);
        Ok(cx.forward(Record { key, value, timestamp: record.timestamp, headers: record.headers })?)
    }
}
