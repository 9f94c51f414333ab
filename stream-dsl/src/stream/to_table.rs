//! [`KStream::to_table`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::{BoxError, Record};

use super::KStream;
use super::repartition::{RepartitionNames, RepartitionSpec};
use crate::nullability::MaybeNull;
use crate::options::{Materialized, Named};
use crate::table::source::{TableRows, TableSource, TableSpec};
use crate::table::{Change, KTable, store};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// The stream read as the changes of a table: each record is the new value of its key.
    ///
    /// In a stream of `Option<VT>` a null value deletes the row; the table's type must then be named. A stream with null keys is narrowed
    /// before: [`non_null_key`](Self::non_null_key). When the key may have changed, the stream goes through a repartition topic first.
    /// A store is only made when it has a name or something reads it.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let latest: KTable<String, String> = builder.stream::<String, Option<String>>("profiles").to_table();
    /// latest.to_stream().to("profile-changes");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-TOTABLE-0000000001 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to_table<VT>(&self) -> KTable<K, VT>
    where
        K: DefaultSerde,
        V: MaybeNull<VT>,
        VT: DefaultSerde + Clone,
    {
        let keys = self.keys.clone().unwrap_or_else(K::default_serde);
        self.to_table_with(Materialized::default().with_key_serde(keys).with_value_serde(VT::default_serde()))
    }

    /// As [`to_table`](Self::to_table), with a named or configured store. `materialized` must name the value serde, and the key serde
    /// unless the stream has one.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const PROFILES: StoreName<TimestampedKeyValueStore<String, String>> = StoreName::new("profiles");
    ///
    /// let builder = StreamsBuilder::new();
    /// let profiles = builder.stream::<String, Option<String>>("in");
    /// let store = Materialized::named(PROFILES.as_str()).with_key_serde(Serdes::string()).with_value_serde(Serdes::string());
    /// profiles.to_table_with::<String>(store);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// input.pipe_key_values([("ada".to_owned(), Some("short".to_owned())), ("bob".to_owned(), Some("tall".to_owned()))])?;
    /// input.pipe_input("ada".into(), None)?;
    /// let profiles = driver.state_store(&PROFILES)?;
    /// assert!(profiles.get(&"ada".into())?.is_none(), "a null value deletes the row");
    /// assert_eq!(profiles.get(&"bob".into())?.map(|row| row.value), Some("tall".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table_with<VT>(&self, materialized: Materialized<K, VT>) -> KTable<K, VT>
    where
        V: MaybeNull<VT>,
        VT: Clone + 'static,
    {
        self.to_table_named_with(Named::default(), materialized)
    }

    /// As [`to_table_with`](Self::to_table_with), with a name for the operator and its repartition topic.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders").select_key(|_, customer| customer.clone());
    /// let store = Materialized::named("last-orders").with_key_serde(Serdes::string()).with_value_serde(Serdes::string());
    /// let _last: KTable<String, String> = orders.to_table_named_with(Named::new("last-order"), store);
    /// // The key was changed: the name is also that of the topic that the stream goes through.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: last-order (stores: [last-orders])"));
    /// assert!(text.contains("(topic: last-order-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to_table_named_with<VT>(&self, named: Named, materialized: Materialized<K, VT>) -> KTable<K, VT>
    where
        V: MaybeNull<VT>,
        VT: Clone + 'static,
    {
        const PREFIX: &str = "KSTREAM-TOTABLE-";
        let name = self.plan.name_or(named.get(), PREFIX);
        let store_name = self.plan.resource_name_or(materialized.name.as_deref(), &format!("{PREFIX}STATE-STORE-"));
        let Some(keys) = materialized.keys.clone().or_else(|| self.keys.clone()) else {
            self.plan.refuse(store::missing_serde::<K>(&store_name, "keys", "with_key_serde"));
            return KTable::refused(&self.plan, name);
        };
        let Some(values) = store::value_serde(&self.plan, &store_name, &materialized) else {
            return KTable::refused(&self.plan, name);
        };
        let input = if self.needs_repartition {
            let names = RepartitionNames::new(&self.plan, &name);
            let written = self.values.clone().unwrap_or_else(|| V::serde_over(Arc::clone(&values)));
            self.repartitioned(RepartitionSpec {
                names,
                is_of_join: false,
                partitions: None,
                keys: Arc::clone(&keys),
                values: written,
                partitioner: None,
            })
        } else {
            self.clone()
        };
        let spec = TableSpec { name, store_name, materialized, keys, values: Some(values), topics: input.topics, source_topic: None };
        spec.below(&self.plan, &input.upstream, ToTable::<K, V, VT>::new)
    }
}

/// Reads the records of a stream as changes of a table.
pub(crate) struct ToTable<K, V, VT> {
    table: TableSource<K, VT>,
    types: PhantomData<fn(V)>,
}

impl<K: Clone + 'static, V, VT: Clone + 'static> ToTable<K, V, VT> {
    pub(crate) fn new(rows: TableRows<K, VT>) -> Self {
        Self { table: TableSource::new(rows), types: PhantomData }
    }
}

impl<K: Clone + 'static, V: MaybeNull<VT>, VT: Clone + 'static> Processor for ToTable<K, V, VT> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = Change<VT>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.table.open(cx)
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, Change<VT>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        self.table.upsert(Record { key, value: value.into_option(), timestamp, headers }, cx)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<VT>>) -> Result<(), BoxError> {
        self.table.forward_held_back(cx)
    }
}
