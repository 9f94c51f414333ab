//! [`StreamJoined`].

use std::collections::BTreeMap;

use stream_core::serdes::{DefaultSerde, SerdeRef};
use stream_state::WindowBytesStoreSupplier;

use super::StoreType;

/// How two streams are joined: serdes of the repartition topics and stores, names, and the stores of both sides. Mirrors Kafka Streams'
/// `StreamJoined`.
pub struct StreamJoined<K, V1, V2> {
    pub(crate) keys: SerdeRef<K>,
    pub(crate) this_values: SerdeRef<V1>,
    pub(crate) other_values: SerdeRef<V2>,
    pub(crate) name: Option<String>,
    pub(crate) store_name: Option<String>,
    pub(crate) this_store: Option<WindowBytesStoreSupplier>,
    pub(crate) other_store: Option<WindowBytesStoreSupplier>,
    /// `None`: as `dsl.store.suppliers.class` says.
    pub(crate) store_type: Option<StoreType>,
    pub(crate) logging: Option<BTreeMap<String, String>>,
}

impl<K, V1, V2> StreamJoined<K, V1, V2> {
    /// With these serdes of the keys and of both sides' values.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let hour = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(3_600));
    /// // The stores of both sides hold keys and values: their serdes are needed also where nothing is repartitioned.
    /// let joined = StreamJoined::with(Serdes::string(), Serdes::string(), Serdes::long());
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), hour, joined).to("paid");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn with(keys: SerdeRef<K>, this_values: SerdeRef<V1>, other_values: SerdeRef<V2>) -> Self {
        Self {
            keys,
            this_values,
            other_values,
            name: None,
            store_name: None,
            this_store: None,
            other_store: None,
            store_type: None,
            logging: Some(BTreeMap::new()),
        }
    }

    /// The prefix of the operators' names and of the repartition topics, which end in `-left-repartition` and `-right-repartition`. The
    /// stores keep generated names.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders").select_key(|id, _| id.clone());
    /// let payments = builder.stream::<String, i64>("payments");
    /// let hour = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(3_600));
    /// let joined = StreamJoined::default().with_name("paid");
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), hour, joined).to("paid");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: paid-this-join") && text.contains("(topic: paid-left-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The prefix of the stores' names, and so of their changelogs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let hour = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(3_600));
    /// let joined = StreamJoined::default().with_store_name("waiting");
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), hour, joined).to("paid");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("waiting-this-join-store") && text.contains("waiting-other-join-store"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_store_name(mut self, name: impl Into<String>) -> Self {
        self.store_name = Some(name.into());
        self
    }

    /// The store of this stream. It must keep duplicates, its windows must have the size of the join's, and its retention must be their
    /// size and grace; anything else is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let hour = Duration::from_secs(3_600);
    /// let windows = JoinWindows::of_time_difference_with_no_grace(hour);
    /// // A window reaches an hour to both sides, so its size is two; duplicates are kept: two orders may have one key and time.
    /// let store = |name| Stores::in_memory_window_store(name, 2 * hour, 2 * hour, true);
    /// let (this, other) = (store("orders-to-pay")?, store("paid-early")?);
    /// let joined = StreamJoined::default().with_this_store_supplier(this).with_other_store_supplier(other);
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), windows, joined).to("paid");
    /// assert!(builder.build()?.describe().to_string().contains("orders-to-pay"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_this_store_supplier(mut self, supplier: WindowBytesStoreSupplier) -> Self {
        self.this_store = Some(supplier);
        self
    }

    /// The store of the other stream; see [`with_this_store_supplier`](Self::with_this_store_supplier).
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let short = Stores::in_memory_window_store("paid-early", Duration::from_secs(5), Duration::from_secs(5), true)?;
    /// let joined = StreamJoined::default().with_other_store_supplier(short);
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), windows, joined).to("paid");
    /// // Records would be gone before their windows have passed.
    /// assert!(builder.build().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_other_store_supplier(mut self, supplier: WindowBytesStoreSupplier) -> Self {
        self.other_store = Some(supplier);
        self
    }

    /// In RocksDB or in memory: the stores without a supplier.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StoreType, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let minute = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// // Short windows fit into memory; what waits is restored from the changelogs.
    /// let joined = StreamJoined::default().with_store_type(StoreType::InMemory);
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), minute, joined).to("paid");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_store_type(mut self, store_type: StoreType) -> Self {
        self.store_type = Some(store_type);
        self
    }

    /// Topic configs of the stores' changelogs; they win over all others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let minute = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let joined = StreamJoined::default().with_logging_enabled([("compression.type".to_owned(), "zstd".to_owned())].into());
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), minute, joined).to("paid");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.logging = Some(topic_configs);
        self
    }

    /// No changelogs: records that wait for their match are lost with the machine.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("in"), builder.stream::<String, i64>("payments"));
    /// let minute = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let joined = StreamJoined::default().with_logging_disabled();
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), minute, joined).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("o1".into(), "tea".into())?;
    /// assert!(driver.produced_topic_names().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = None;
        self
    }
}

impl<K: DefaultSerde, V1: DefaultSerde, V2: DefaultSerde> Default for StreamJoined<K, V1, V2> {
    fn default() -> Self {
        Self::with(K::default_serde(), V1::default_serde(), V2::default_serde())
    }
}

impl<K, V1, V2> std::fmt::Debug for StreamJoined<K, V1, V2> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamJoined").field("name", &self.name).field("store_name", &self.store_name).finish_non_exhaustive()
    }
}
