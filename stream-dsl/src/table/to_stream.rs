//! [`KTable::to_stream`].

use std::marker::PhantomData;
use std::rc::Rc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::serdes::Nullable;
use stream_core::{BoxError, Record};

use super::{Change, KTable};
use crate::options::Named;
use crate::plan::{Slot, upstream};
use crate::stream::KStream;

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// The changes of the table as a stream: the new value of each, `None` for a deletion.
    ///
    /// The keys stay, so nothing below repartitions because of it. Nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let names = builder.table::<String, String>("names");
    /// names.to_stream().map_values(|name| name.clone().unwrap_or_else(|| "(deleted)".to_owned())).to("changes");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-TOSTREAM-0000000003"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        self.to_stream_named(Named::default())
    }

    /// As [`to_stream`](Self::to_stream), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// // Deletions are null values; a stream without them is narrowed.
    /// names.to_stream_named(Named::new("changes")).non_null_value().map_values(|name| name.to_uppercase()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_key_values([("1".to_owned(), Some("ada".to_owned())), ("1".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, ["ADA"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_stream_named(&self, named: Named) -> KStream<K, Option<V>> {
        let name = self.plan.name_or(named.get(), "KTABLE-TOSTREAM-");
        let slot = Slot::new();
        let (node, node_name, parent) = (slot.clone(), name.clone(), Rc::clone(&self.upstream));
        self.plan.add(move |topology| {
            node.set(topology.add_processor(&node_name, &[&parent()?], || ToStream(PhantomData))?);
            Ok(())
        });
        let stream = KStream::new(&self.plan, name, upstream(&slot), self.topics.clone());
        stream.with_serdes(self.keys.clone(), self.values.clone().map(Nullable::over))
    }
}

struct ToStream<K, V>(PhantomData<fn(K, V)>);

impl<K: Clone + 'static, V: Clone + 'static> Processor for ToStream<K, V> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Option<V>;

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Option<V>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        Ok(cx.forward(Record { key, value: value.new, timestamp, headers })?)
    }
}
