//! [`KStream::flat_map`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Any number of records for each one. The key changes: a grouping or join below repartitions.
    ///
    /// Null keys and values reach the mapper where the types are `Option`. Nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").flat_map(|key, value| [(value.clone(), key.clone()), (key, value)]).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-FLATMAP-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn flat_map<K2, V2, I>(&self, mapper: impl Fn(K, V) -> I + Send + Sync + 'static) -> KStream<K2, V2>
    where
        K2: Clone + 'static,
        V2: Clone + 'static,
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        self.flat_map_named(mapper, Named::default())
    }

    /// As [`flat_map`](Self::flat_map), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let follows = builder.stream::<String, String>("in");
    /// let both_ways = |one: String, two: String| [(one.clone(), two.clone()), (two, one)];
    /// follows.flat_map_named(both_ways, Named::new("both-ways")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input_at("ada".into(), "bob".into(), 7)?;
    /// // The results come in the order of the iterator, each with the time and headers of the record.
    /// let times: Vec<i64> = output.read_records_to_list()?.iter().map(|record| record.timestamp).collect();
    /// assert_eq!(times, [7, 7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_named<K2, V2, I>(&self, mapper: impl Fn(K, V) -> I + Send + Sync + 'static, named: Named) -> KStream<K2, V2>
    where
        K2: Clone + 'static,
        V2: Clone + 'static,
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-FLATMAP-");
        let mapper = Arc::new(mapper);
        let mapped = self.through(name, move || FlatMap { mapper: Arc::clone(&mapper), types: PhantomData });
        mapped.with_changed_keys()
    }
}

struct FlatMap<F, K, V, I> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> I>,
}

impl<F, K, V, K2, V2, I> Processor for FlatMap<F, K, V, I>
where
    F: Fn(K, V) -> I + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    K2: Clone + 'static,
    V2: Clone + 'static,
    I: IntoIterator<Item = (K2, V2)> + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K2;
    type ValueOut = V2;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K2, V2>) -> Result<(), BoxError> {
        for (key, value) in (self.mapper)(record.key, record.value) {
            cx.forward(Record { key, value, timestamp: record.timestamp, headers: record.headers.clone() })?;
        }
        Ok(())
    }
}
