//! [`KStream::map_values`] and [`KStream::map_values_with_key`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Another value for each record. The key stays: nothing below repartitions because of it.
    ///
    /// A null value reaches the mapper where the type is an `Option`. Timestamp and headers stay; nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").map_values(|value| value.len() as i64).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-MAPVALUES-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map_values<V2: Clone + 'static>(&self, mapper: impl Fn(&V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_values_named(move |_, value| mapper(value), Named::default())
    }

    /// As [`map_values`](Self::map_values); the mapper sees the key.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").map_values_with_key(|account, amount| format!("{account}: {amount}")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input("ada".into(), 3)?;
    /// // The key can be read, not changed.
    /// assert_eq!(output.read_key_value()?, ("ada".to_owned(), "ada: 3".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Clone + 'static>(&self, mapper: impl Fn(&K, &V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_values_named(mapper, Named::default())
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, Option<i64>>("in");
    /// amounts.map_values_named(|_, cents| cents.map(|cents| cents / 100), Named::new("in-euro")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// // A null value is mapped like any other.
    /// input.pipe_key_values([("ada".to_owned(), Some(700)), ("bob".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some(7), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_named<V2: Clone + 'static>(
        &self,
        mapper: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
        named: Named,
    ) -> KStream<K, V2> {
        let name = self.plan.name_or(named.get(), "KSTREAM-MAPVALUES-");
        let mapper = Arc::new(mapper);
        let mapped = self.through(name, move || MapValues { mapper: Arc::clone(&mapper), types: PhantomData });
        KStream { keys: self.keys.clone(), ..mapped.with_changed_values() }
    }
}

struct MapValues<F, K, V, V2> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> V2>,
}

impl<F, K, V, V2> Processor for MapValues<F, K, V, V2>
where
    F: Fn(&K, &V) -> V2 + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    V2: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V2;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V2>) -> Result<(), BoxError> {
        let value = (self.mapper)(&record.key, &record.value);
        Ok(cx.forward(record.with_value(value))?)
    }
}
