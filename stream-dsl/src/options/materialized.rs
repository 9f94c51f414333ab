//! [`Materialized`].

use std::collections::BTreeMap;
use std::time::Duration;

use stream_core::serdes::SerdeRef;

use super::StoreSupplier;

/// Where a store keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreType {
    /// RocksDB; without the cargo feature `rocksdb`, memory.
    Persistent,
    /// Memory, restored from the changelog at every start.
    InMemory,
}

/// The store of a table: its name, serdes, changelog and caching. Mirrors Kafka Streams' `Materialized`.
///
/// By default a store is persistent, logged and cached, and its name is generated. Serdes that are not named are the types' own, or
/// those that the table already has.
pub struct Materialized<K, V> {
    pub(crate) name: Option<String>,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) logging: Option<BTreeMap<String, String>>,
    pub(crate) caching: bool,
    pub(crate) retention: Option<Duration>,
    /// `None`: as `dsl.store.suppliers.class` says.
    pub(crate) store_type: Option<StoreType>,
    pub(crate) supplier: Option<StoreSupplier>,
    pub(crate) keeps_timestamps: bool,
}

impl<K, V> Materialized<K, V> {
    /// A store of this name.
    ///
    /// ```
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// // The name finds the store in queries and processors; its changelog topic is `<application id>-clicks-changelog`.
    /// const CLICKS: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("clicks");
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("in").group_by_key().count_with(Materialized::named(CLICKS.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("ada".into(), "home".into())?;
    /// assert_eq!(driver.state_store(&CLICKS)?.get(&"ada".into())?.map(|row| row.value), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Whether the store keeps versions.
    pub(crate) fn is_versioned(&self) -> bool {
        matches!(self.supplier, Some(StoreSupplier::Versioned(_)))
    }

    /// Whether the program says where the store is.
    pub(crate) fn is_placed(&self) -> bool {
        self.store_type.is_some() || self.supplier.is_some()
    }

    /// The store of this supplier, under its name. Its retention is not compared with the windows'.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let day = Duration::from_secs(86_400);
    /// let counts = Stores::in_memory_window_store("counts-of-a-day", day, Duration::from_secs(60), false)?;
    /// builder.stream::<String, String>("in").group_by_key().windowed_by(minutes).count_with(Materialized::supplied(counts));
    /// assert!(builder.build()?.describe().to_string().contains("(stores: [counts-of-a-day])"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn supplied(supplier: impl Into<StoreSupplier>) -> Self {
        let supplier = supplier.into();
        Self { name: Some(supplier.name().to_owned()), supplier: Some(supplier), ..Self::default() }
    }

    /// Rows are kept without their timestamps; an update then has the timestamp of its record, not the largest. This is what Kafka Streams
    /// does when a program gives it a plain persistent supplier. A key-value store must be [`supplied`](Self::supplied) for that.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// // A cached row would have its timestamp as long as it is in the cache.
    /// let supplier = Stores::persistent_key_value_store("clicks");
    /// let plain = Materialized::supplied(supplier).without_timestamps().with_caching_disabled();
    /// clicks.count_with(plain).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// for time in [100, 90] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // With timestamps the second count would have the time 100.
    /// let times: Vec<i64> = output.read_records_to_list()?.iter().map(|count| count.timestamp).collect();
    /// assert_eq!(times, [100, 90]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_timestamps(mut self) -> Self {
        self.keeps_timestamps = false;
        self
    }

    /// Another key serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// // A stream whose key was changed has forgotten its serde.
    /// let orders = builder.stream::<String, String>("orders").select_key(|_, customer| customer.clone());
    /// let store = Materialized::named("last-orders").with_key_serde(Serdes::string()).with_value_serde(Serdes::string());
    /// let _last: KTable<String, String> = orders.to_table_with(store);
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_key_serde(mut self, keys: SerdeRef<K>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Another value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let with_serde = |materialized: Materialized<String, i64>| {
    ///     let builder = StreamsBuilder::new();
    ///     let names: KTable<String, String> = builder.table("names");
    ///     names.map_values_with(|_, name| name.len() as i64, materialized);
    ///     builder.build()
    /// };
    /// // The mapper makes values of another type: what the table knows of the old one does not help.
    /// assert!(with_serde(Materialized::named("lengths").with_value_serde(Serdes::long())).is_ok());
    /// let error = with_serde(Materialized::named("lengths")).err().map(|error| error.to_string()).unwrap_or_default();
    /// assert!(error.contains("store `lengths` has no serde for its values"));
    /// ```
    #[must_use]
    pub fn with_value_serde(mut self, values: SerdeRef<V>) -> Self {
        self.values = Some(values);
        self
    }

    /// Topic configs of the changelog; they win over all others.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key();
    /// let configs = [("min.insync.replicas".to_owned(), "2".to_owned())].into();
    /// clicks.count_with(Materialized::named("clicks-per-user").with_logging_enabled(configs));
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.logging = Some(topic_configs);
        self
    }

    /// No changelog: the state is lost with the machine.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// clicks.count_with(Materialized::named("clicks-per-user").with_logging_disabled());
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("ada".into(), "home".into())?;
    /// assert!(driver.produced_topic_names().is_empty(), "there is no changelog to restore the counts from");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = None;
        self
    }

    /// Updates are held back until a commit, one per key.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key();
    /// // The default: of the updates of a key between two commits (`commit.interval.ms`) the last is told below and logged.
    /// clicks.count_with(Materialized::named("clicks-per-user").with_caching_enabled());
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Every update goes on at once.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("in");
    /// // One change of a row changes two groups' counts; a cache may join what one record, or one commit, causes.
    /// let by_city = cities.group_by(|person, city| (city.clone(), person.clone()));
    /// by_city.count_with(Materialized::named("inhabitants").with_caching_disabled()).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), "Bern".to_owned()), ("ada".to_owned(), "Rome".to_owned())])?;
    /// assert_eq!(output.read_values_to_list()?, [1, 0, 1], "every update is told at once");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// How long windows are kept; at least their size and grace, which is the default.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// let keep = |retention_s: u64| {
    ///     let builder = StreamsBuilder::new();
    ///     let hours = TimeWindows::of_size_and_grace(Duration::from_secs(3_600), Duration::from_secs(600));
    ///     let clicks = builder.stream::<String, String>("clicks").group_by_key().windowed_by(hours);
    ///     clicks.count_with(Materialized::named("clicks-per-hour").with_retention(Duration::from_secs(retention_s)));
    ///     builder.build()
    /// };
    /// assert!(keep(7 * 86_400).is_ok(), "a week of closed windows can be read");
    /// assert!(keep(3_600).is_err(), "shorter than size and grace: windows would be lost before they close");
    /// ```
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// In RocksDB or in memory, whatever `dsl.store.suppliers.class` says.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StoreType, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key();
    /// // Small state, restored whole from its changelog at every start.
    /// clicks.count_with(Materialized::named("clicks-per-user").with_store_type(StoreType::InMemory));
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_store_type(mut self, store_type: StoreType) -> Self {
        self.store_type = Some(store_type);
        self
    }
}

impl<K, V> Default for Materialized<K, V> {
    fn default() -> Self {
        Self {
            name: None,
            keys: None,
            values: None,
            logging: Some(BTreeMap::new()),
            caching: true,
            retention: None,
            store_type: None,
            supplier: None,
            keeps_timestamps: true,
        }
    }
}

impl<K, V> std::fmt::Debug for Materialized<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Materialized").field("name", &self.name).field("caching", &self.caching).finish_non_exhaustive()
    }
}
