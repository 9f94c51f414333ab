//! [`KTable::group_by`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::{BoxError, Record};

use super::{Change, KTable};
use crate::grouped_table::KGroupedTable;
use crate::options::Grouped;
use crate::plan::{Slot, upstream};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Groups the rows by another key and value, to be aggregated. When a row changes, its old group loses the old value and its new
    /// group gains the new one: this table sends old values, and therefore has a store. A row for which `mapper` gives `None` belongs to
    /// no group, and is not counted as dropped. The groups always go through a repartition topic.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("city-of-person");
    /// let inhabitants = cities.group_by(|person, city| (city.clone(), person.clone())).count();
    /// inhabitants.to_stream().to("inhabitants");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-SELECT-0000000003"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn group_by<K2, V2, R>(&self, mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static) -> KGroupedTable<K2, V2>
    where
        K2: DefaultSerde + Clone + PartialEq,
        V2: DefaultSerde + Clone,
        R: Into<Option<(K2, V2)>>,
    {
        self.group_by_with(mapper, Grouped::default())
    }

    /// As [`group_by`](Self::group_by), with serdes and a name for the operator and its repartition topic.
    ///
    /// ```
    /// use stream_dsl::{Grouped, KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("in");
    /// let by_city = cities.group_by_with(|person, city| (city.clone(), person.clone()), Grouped::named("by-city"));
    /// by_city.count().to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), "Bern".to_owned()), ("bob".to_owned(), "Bern".to_owned())])?;
    /// input.pipe_input("ada".into(), "Rome".into())?;
    /// // She leaves one group and comes to the other.
    /// assert_eq!(output.read_key_values_to_map()?, [("Bern".to_owned(), 1), ("Rome".to_owned(), 1)].into());
    /// assert!(driver.produced_topic_names().contains("test-by-city-repartition"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by_with<K2, V2, R>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        grouped: Grouped<K2, V2>,
    ) -> KGroupedTable<K2, V2>
    where
        K2: Clone + PartialEq + 'static,
        V2: Clone + 'static,
        R: Into<Option<(K2, V2)>>,
    {
        let name = self.plan.name_or(grouped.name.as_deref(), "KTABLE-SELECT-");
        self.node.send_old_values(true);
        let mapper: Mapper<K, V, K2, V2> = Arc::new(move |key, value| mapper(key, value).into());
        let is_versioned = self.node.is_versioned();
        let slot = Slot::new();
        let (node, parent) = (slot.clone(), Rc::clone(&self.upstream));
        self.plan.add(move |topology| {
            node.set(topology.add_processor(&name, &[&parent()?], move || Select { mapper: Arc::clone(&mapper), is_versioned })?);
            Ok(())
        });
        KGroupedTable::new(&self.plan, upstream(&slot), grouped)
    }
}

type Mapper<K, V, K2, V2> = Arc<dyn Fn(&K, &V) -> Option<(K2, V2)> + Send + Sync>;

struct Select<K, V, K2, V2> {
    mapper: Mapper<K, V, K2, V2>,
    /// Whether rows come out of order.
    is_versioned: bool,
}

impl<K, V, K2, V2> Processor for Select<K, V, K2, V2>
where
    K: Clone + 'static,
    V: Clone + 'static,
    K2: Clone + PartialEq + 'static,
    V2: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K2;
    type ValueOut = Change<V2>;

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K2, Change<V2>>) -> Result<(), BoxError> {
        let Record { key, value: Change { old, new, is_latest }, timestamp, headers } = record;
        // Trap T75: the group has the later version, and shall keep it.
        if self.is_versioned && !is_latest {
            return Ok(());
        }
        let select = |value: Option<V>| value.and_then(|value| (self.mapper)(&key, &value));
        let (new, old) = (select(new), select(old));
        // Within one group one message carries both, so that no reader sees the group without the row (KIP-904, trap T72).
        let (old, new) = match (old, new) {
            (Some((old_key, old)), Some((key, new))) if old_key == key => {
                return Ok(cx.forward(Record { key, value: Change::latest(Some(old), Some(new)), timestamp, headers })?);
            }
            other => other,
        };
        if let Some((key, old)) = old {
            cx.forward(Record { key, value: Change::latest(Some(old), None), timestamp, headers: headers.clone() })?;
        }
        if let Some((key, new)) = new {
            cx.forward(Record { key, value: Change::latest(None, Some(new)), timestamp, headers })?;
        }
        Ok(())
    }
}
