//! [`KStream::process`] and [`KStream::process_values`].

use stream_core::processor::{FixedKeyProcessor, FixedKeyStep, Processor};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Runs a processor of the program's own, connected to these stores. The key may change: a grouping or join below repartitions.
    ///
    /// Null reaches the processor where its types are `Option`. Its state is what it connects.
    ///
    /// ```
    /// use stream_core::{BoxError, Processor, ProcessorContext, Record};
    /// use stream_dsl::StreamsBuilder;
    ///
    /// /// Swaps key and value.
    /// struct Swap;
    ///
    /// impl Processor for Swap {
    ///     type KeyIn = String;
    ///     type ValueIn = String;
    ///     type KeyOut = String;
    ///     type ValueOut = String;
    ///
    ///     fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
    ///         let Record { key, value, timestamp, headers } = record;
    ///         Ok(cx.forward(Record { key: value, value: key, timestamp, headers })?)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in").process(|| Swap, &[]).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-PROCESSOR-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn process<P, S>(&self, supplier: S, stores: &[&str]) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.process_named(supplier, Named::default(), stores)
    }

    /// As [`process`](Self::process), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
    /// use stream_dsl::{Named, StreamsBuilder};
    /// use stream_state::{KeyValueStore, Stores};
    ///
    /// const SEEN: StoreName<KeyValueStore<String, i64>> = StoreName::new("seen");
    ///
    /// /// Forwards the first record of each key.
    /// #[derive(Default)]
    /// struct First(Option<KeyValueStore<String, i64>>);
    ///
    /// impl Processor for First {
    ///     type KeyIn = String;
    ///     type ValueIn = i64;
    ///     type KeyOut = String;
    ///     type ValueOut = i64;
    ///
    ///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
    ///         self.0 = Some(cx.store(&SEEN)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
    ///         let Some(seen) = &self.0 else { return Ok(()) };
    ///         if seen.put_if_absent(&record.key, &record.timestamp)?.is_none() {
    ///             cx.forward(record)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let seen = Stores::persistent_key_value_store("seen");
    /// builder.add_state_store(Stores::key_value_store_builder(seen, Serdes::string(), Serdes::long()));
    /// builder.stream::<String, i64>("in").process_named(First::default, Named::new("first"), &[SEEN.as_str()]).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), 1), ("ada".to_owned(), 2), ("bob".to_owned(), 3)])?;
    /// assert_eq!(output.read_values_to_list()?, [1, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_named<P, S>(&self, supplier: S, named: Named, stores: &[&str]) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = self.plan.given_name_or(named.get(), "KSTREAM-PROCESSOR-");
        KStream { needs_repartition: true, ..self.through_with(name, stores, supplier) }
    }

    /// Runs a processor that cannot change the key, by its type: nothing below repartitions because of it.
    ///
    /// Null reaches the processor where its types are `Option`. Its state is what it connects.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
    /// use stream_dsl::StreamsBuilder;
    ///
    /// /// Adds the time of the record.
    /// struct Stamp;
    ///
    /// impl FixedKeyProcessor for Stamp {
    ///     type Key = String;
    ///     type ValueIn = String;
    ///     type ValueOut = String;
    ///
    ///     fn process(
    ///         &mut self,
    ///         record: FixedKeyRecord<String, String>,
    ///         cx: &mut FixedKeyContext<'_, '_, String, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let value = format!("{} at {}", record.value(), record.timestamp());
    ///         Ok(cx.forward(record.with_value(value))?)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in").process_values(|| Stamp, &[]).group_by_key().count().to_stream().to("counts");
    /// assert!(!builder.build()?.describe().to_string().contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn process_values<P, S>(&self, supplier: S, stores: &[&str]) -> KStream<K, P::ValueOut>
    where
        P: FixedKeyProcessor<Key = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.process_values_named(supplier, Named::default(), stores)
    }

    /// As [`process_values`](Self::process_values), with a name.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
    /// use stream_dsl::{Named, StreamsBuilder};
    ///
    /// /// Adds the time of the record.
    /// struct Stamp;
    ///
    /// impl FixedKeyProcessor for Stamp {
    ///     type Key = String;
    ///     type ValueIn = String;
    ///     type ValueOut = String;
    ///
    ///     fn process(
    ///         &mut self,
    ///         record: FixedKeyRecord<String, String>,
    ///         cx: &mut FixedKeyContext<'_, '_, String, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let value = format!("{} at {}", record.value(), record.timestamp());
    ///         Ok(cx.forward(record.with_value(value))?)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in").process_values_named(|| Stamp, Named::new("stamp"), &[]).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input_at("ada".into(), "home".into(), 5)?;
    /// assert_eq!(output.read_value()?, "home at 5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_values_named<P, S>(&self, supplier: S, named: Named, stores: &[&str]) -> KStream<K, P::ValueOut>
    where
        P: FixedKeyProcessor<Key = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = self.plan.given_name_or(named.get(), "KSTREAM-PROCESSVALUES-");
        // Kafka Streams has a switch for this, off by default: without it, a topic merged above would hold values of another type.
        let processed = self.through_with(name, stores, move || FixedKeyStep(supplier())).with_changed_values();
        KStream { keys: self.keys.clone(), ..processed }
    }
}
