//! [`KStream::select_key`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Another key for each record. The key changes: a grouping or join below repartitions.
    ///
    /// Null keys and values reach the mapper where the types are `Option`. Nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<Option<String>, String>("in").select_key(|_, value| value.clone()).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-KEY-SELECT-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn select_key<K2: Clone + 'static>(&self, mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<K2, V> {
        self.select_key_named(mapper, Named::default())
    }

    /// As [`select_key`](Self::select_key), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<Option<String>, i64>("in");
    /// orders.select_key_named(|_, amount| *amount > 100, Named::new("by-size")).map_values(|amount| amount * 2).to("out");
    /// // A changed key alone makes no topic: only a grouping, a join or a table below needs one.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: by-size (stores: [])") && !text.contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn select_key_named<K2: Clone + 'static>(
        &self,
        mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        named: Named,
    ) -> KStream<K2, V> {
        let name = self.plan.name_or(named.get(), "KSTREAM-KEY-SELECT-");
        let mapper = Arc::new(mapper);
        let selected = self.through(name, move || SelectKey { mapper: Arc::clone(&mapper), types: PhantomData });
        KStream { values: self.values.clone(), ..selected.with_changed_keys() }
    }
}

struct SelectKey<F, K, V, K2> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> K2>,
}

impl<F, K, V, K2> Processor for SelectKey<F, K, V, K2>
where
    F: Fn(&K, &V) -> K2 + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    K2: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K2;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K2, V>) -> Result<(), BoxError> {
        let key = (self.mapper)(&record.key, &record.value);
        Ok(cx.forward(record.with_key(key))?)
    }
}
