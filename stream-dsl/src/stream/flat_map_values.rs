//! [`KStream::flat_map_values`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Any number of values for each record, under its key: nothing below repartitions because of it.
    ///
    /// A null value reaches the mapper where the type is an `Option`. Nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").flat_map_values(|line| line.lines().map(str::to_owned).collect::<Vec<_>>()).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-FLATMAPVALUES-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn flat_map_values<V2, I>(&self, mapper: impl Fn(&V) -> I + Send + Sync + 'static) -> KStream<K, V2>
    where
        V2: Clone + 'static,
        I: IntoIterator<Item = V2> + 'static,
    {
        self.flat_map_values_named(move |_, value| mapper(value), Named::default())
    }

    /// As [`flat_map_values`](Self::flat_map_values); the mapper sees the key.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let carts = builder.stream::<String, String>("in");
    /// let items = |user: &String, cart: &String| cart.split_whitespace().map(|item| format!("{user} {item}")).collect::<Vec<_>>();
    /// carts.flat_map_values_with_key(items).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_key_values([("ada".to_owned(), "tea milk".to_owned()), ("bob".to_owned(), String::new())])?;
    /// // No values: no record.
    /// assert_eq!(output.read_values_to_list()?, ["ada tea", "ada milk"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_values_with_key<V2, I>(&self, mapper: impl Fn(&K, &V) -> I + Send + Sync + 'static) -> KStream<K, V2>
    where
        V2: Clone + 'static,
        I: IntoIterator<Item = V2> + 'static,
    {
        self.flat_map_values_named(mapper, Named::default())
    }

    /// As [`flat_map_values_with_key`](Self::flat_map_values_with_key), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let lines = builder.stream::<String, String>("in");
    /// let words = lines.flat_map_values_named(|_, line| line.split(' ').map(str::to_owned).collect::<Vec<_>>(), Named::new("words"));
    /// words.group_by_key().count();
    /// // The key is the same: the count needs no repartition topic.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: words (stores: [])") && !text.contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn flat_map_values_named<V2, I>(&self, mapper: impl Fn(&K, &V) -> I + Send + Sync + 'static, named: Named) -> KStream<K, V2>
    where
        V2: Clone + 'static,
        I: IntoIterator<Item = V2> + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-FLATMAPVALUES-");
        let mapper = Arc::new(mapper);
        let mapped = self.through(name, move || FlatMapValues { mapper: Arc::clone(&mapper), types: PhantomData });
        KStream { keys: self.keys.clone(), ..mapped.with_changed_values() }
    }
}

struct FlatMapValues<F, K, V, I> {
    mapper: Arc<F>,
    types: PhantomData<fn(K, V) -> I>,
}

impl<F, K, V, V2, I> Processor for FlatMapValues<F, K, V, I>
where
    F: Fn(&K, &V) -> I + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    V2: Clone + 'static,
    I: IntoIterator<Item = V2> + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V2;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V2>) -> Result<(), BoxError> {
        for value in (self.mapper)(&record.key, &record.value) {
            cx.forward(Record { key: record.key.clone(), value, timestamp: record.timestamp, headers: record.headers.clone() })?;
        }
        Ok(())
    }
}
