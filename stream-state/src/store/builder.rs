//! [`StoreBuilder`]: how stores of all kinds are declared.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::Result;
use stream_core::serdes::SerdeRef;
use stream_core::store::{ChangelogConfig, CleanupPolicy, OpenedStore, StoreFactory, StoreName, StoreOpen};

use super::{HandleFactory, LayeredStore, StoreOptions, Typed, open};
use crate::key::KeySchema;
use crate::value::{BufferedValue, Envelope, Listed, Plain, SessionWithHeaders, Timestamped, ValueFormat, WithHeaders};

/// Says where a store keeps its rows, how they are keyed, and which handle reads them.
///
/// Sealed: the formats on disk belong to this crate.
pub trait BytesStoreSupplier: sealed::Described + Clone + Send + Sync + 'static {
    /// What processors get.
    type Handle<K: 'static, E: Envelope + Clone>: 'static;

    #[doc(hidden)]
    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> Self::Handle<K, E>;
}

pub(crate) mod sealed {
    use super::{ChangelogConfig, KeySchema, Typed};

    /// What the builder asks of a supplier.
    pub trait Described {
        fn description(&self) -> Description<'_>;

        /// The same in memory; `None` for a kind that is nowhere else.
        fn in_memory(&self) -> Option<Self>
        where
            Self: Sized,
        {
            None
        }

        /// How many rows the store keeps; `None`: all.
        fn max_entries(&self) -> Option<usize> {
            None
        }
    }

    /// A store, as its supplier says it.
    pub struct Description<'a> {
        pub(crate) name: &'a str,
        pub(crate) persistent: bool,
        pub(crate) schema: KeySchema,
        pub(crate) changelog: ChangelogConfig,
        /// Whether the store can hold changes back.
        pub(crate) cacheable: bool,
    }

    /// An open store with its serdes.
    pub struct OpenStore<K, E>(pub(crate) Typed<K, E>);
}

/// Declares a store: give it to a topology. Logging is on and caching is off unless said otherwise.
pub struct StoreBuilder<S, K, E> {
    supplier: S,
    handles: Arc<Handles<S, K, E>>,
    changelog: Option<ChangelogConfig>,
    caching: bool,
    logs_headers: bool,
    is_default: bool,
}

struct Handles<S, K, E> {
    supplier: S,
    keys: SerdeRef<K>,
    envelope: E,
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, Plain<V>> {
    /// A store of plain values.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{KeyValueStoreBuilder, Stores};
    ///
    /// let builder = KeyValueStoreBuilder::new(Stores::in_memory_key_value_store("seen"), Serdes::string(), Serdes::long());
    /// assert_eq!(builder.store_name().as_str(), "seen");
    /// ```
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Plain { serde: values })
    }
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, Timestamped<V>> {
    /// A store of values with timestamps.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, TimestampedKeyValueStoreBuilder};
    ///
    /// let rows = Stores::in_memory_key_value_store("balances");
    /// let _balances = TimestampedKeyValueStoreBuilder::new(rows, Serdes::string(), Serdes::long());
    /// ```
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Timestamped::new(values))
    }

    /// A store that takes values with timestamps but keeps the values alone: they are read with the timestamp -1. This is what Kafka Streams
    /// makes of a plain supplier that a program gives to a table.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, TimestampedKeyValueStoreBuilder, ValueAndTimestamp};
    ///
    /// let rows = Stores::in_memory_key_value_store("balances");
    /// let builder = TimestampedKeyValueStoreBuilder::new_over_plain(rows, Serdes::long(), Serdes::long());
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// store.put(&1, ValueAndTimestamp::new(&10, 100))?;
    /// assert_eq!(store.get(&1)?.map(|row| row.timestamp), Some(-1));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn new_over_plain(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Timestamped::over_plain(values))
    }
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, WithHeaders<V>> {
    /// A store of values with timestamps and headers.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{Stores, TimestampedKeyValueStoreWithHeadersBuilder};
    ///
    /// let rows = Stores::in_memory_key_value_store("last");
    /// let _last = TimestampedKeyValueStoreWithHeadersBuilder::new(rows, Serdes::string(), Serdes::long());
    /// ```
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, WithHeaders { serde: values })
    }
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, SessionWithHeaders<V>> {
    /// A store of sessions with headers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::{SessionStoreWithHeadersBuilder, Stores};
    ///
    /// let visits = Stores::in_memory_session_store("visits", Duration::from_millis(100));
    /// let _visits = SessionStoreWithHeadersBuilder::new(visits, Serdes::string(), Serdes::long());
    /// ```
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, SessionWithHeaders { serde: values })
    }
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, Listed<V>> {
    /// A store of lists of values.
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Listed::new(values))
    }
}

impl<S: BytesStoreSupplier, K: 'static, V: 'static> StoreBuilder<S, K, BufferedValue<V>> {
    /// A store of changes that wait to be told.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// // Made by `Stores`, since its supplier has nothing to choose.
    /// let _waiting = Stores::time_ordered_buffer_builder("waiting", Serdes::string(), Serdes::long());
    /// ```
    pub fn new(supplier: S, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, BufferedValue { serde: values })
    }
}

/// Kafka Streams compacts the changelog of windows with timestamps also where they keep duplicates.
fn changelog_of(supplier: &impl BytesStoreSupplier, format: ValueFormat) -> ChangelogConfig {
    let changelog = supplier.description().changelog;
    let compacts = format.is_timestamped() && changelog.cleanup_policy == CleanupPolicy::Delete;
    ChangelogConfig { cleanup_policy: if compacts { CleanupPolicy::CompactDelete } else { changelog.cleanup_policy }, ..changelog }
}

impl<S: BytesStoreSupplier, K: 'static, E: Envelope + Clone> StoreBuilder<S, K, E> {
    pub(crate) fn over(supplier: S, keys: SerdeRef<K>, envelope: E) -> Self {
        let changelog = Some(changelog_of(&supplier, envelope.format()));
        Self {
            handles: Arc::new(Handles { supplier: supplier.clone(), keys, envelope }),
            supplier,
            changelog,
            caching: false,
            logs_headers: false,
            is_default: false,
        }
    }

    /// Logs changes to a topic with these configs; they win over all others.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::persistent_key_value_store("seen");
    /// let seen = Stores::key_value_store_builder(rows, Serdes::string(), Serdes::long());
    /// // Wins over `topic.segment.bytes` of the application and over what the store would choose.
    /// let _seen = seen.with_logging_enabled([("segment.bytes".to_owned(), "1048576".to_owned())].into());
    /// ```
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        let changelog = self.changelog.take().unwrap_or_else(|| changelog_of(&self.supplier, self.handles.envelope.format()));
        self.changelog = Some(ChangelogConfig { topic_configs, ..changelog });
        self
    }

    /// Logs nothing: the store cannot be restored on another machine.
    ///
    /// ```
    /// use stream_core::store::StoreFactory;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::persistent_key_value_store("seen");
    /// let seen = Stores::key_value_store_builder(rows, Serdes::string(), Serdes::long()).with_logging_disabled();
    /// assert!(seen.changelog().is_none());
    /// ```
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.changelog = None;
        self
    }

    /// How long the changelog keeps records of windows and sessions, ms, when that is not the store's own retention.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::persistent_window_store("counts", Duration::from_secs(3_600), Duration::from_secs(60), false)?;
    /// let counts = Stores::window_store_builder(rows, Serdes::string(), Serdes::long());
    /// // A day, so that an application that stood still for hours finds its windows.
    /// let _counts = counts.with_changelog_retention(86_400_000);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_changelog_retention(mut self, retention_ms: i64) -> Self {
        if let Some(changelog) = self.changelog.as_mut().filter(|changelog| changelog.retention_ms.is_some()) {
            changelog.retention_ms = Some(retention_ms);
        }
        self
    }

    /// Records of the changelog have the headers of those that wrote the rows. (Those of plain windows have them always, as in Java.)
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::persistent_key_value_store("seen");
    /// let _seen = Stores::key_value_store_builder(rows, Serdes::string(), Serdes::long()).with_headers_logged();
    /// ```
    #[must_use]
    pub fn with_headers_logged(mut self) -> Self {
        self.logs_headers = true;
        self
    }

    /// The program does not say where the store is: `dsl.store.suppliers.class` decides.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// // What the DSL says of a store for which the program chose nothing.
    /// let rows = Stores::persistent_key_value_store("counts");
    /// let _counts = Stores::timestamped_key_value_store_builder(rows, Serdes::string(), Serdes::long()).with_default_placement();
    /// ```
    #[must_use]
    pub fn with_default_placement(mut self) -> Self {
        self.is_default = true;
        self
    }

    /// A table holds its changes back until the commit, unless the application has `statestore.cache.max.bytes` = 0.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::in_memory_key_value_store("balances");
    /// let builder = Stores::timestamped_key_value_store_builder(rows, Serdes::string(), Serdes::long()).with_caching_enabled();
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), true);
    /// # let store = bench.handle(&name);
    /// // Its writer drains it before the commit.
    /// assert!(store.is_caching());
    /// ```
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Every update is forwarded at once.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::in_memory_key_value_store("balances");
    /// let builder = Stores::timestamped_key_value_store_builder(rows, Serdes::string(), Serdes::long()).with_caching_disabled();
    /// # let name = builder.store_name();
    /// # let bench = stream_state::conformance::Bench::new(std::sync::Arc::new(builder), false);
    /// # let store = bench.handle(&name);
    /// assert!(!store.is_caching());
    /// ```
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// The name to ask for the store with.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_state::Stores;
    ///
    /// let rows = Stores::in_memory_key_value_store("seen");
    /// let seen = Stores::key_value_store_builder(rows, Serdes::string(), Serdes::long());
    /// // The name with the type of the handle: `cx.store(&name)` in a processor's `init` needs no other.
    /// let name = seen.store_name();
    /// assert_eq!(name.as_str(), "seen");
    /// ```
    pub fn store_name(&self) -> StoreName<S::Handle<K, E>> {
        StoreName::from_string(self.supplier.description().name)
    }
}

impl<S: BytesStoreSupplier, K: 'static, E: Envelope + Clone + Send + Sync> HandleFactory for Handles<S, K, E> {
    type Handle = S::Handle<K, E>;

    fn handle(&self, store: Rc<LayeredStore>) -> Self::Handle {
        let envelope = self.envelope.settled(store.is_caching());
        let typed = Typed { store, keys: SerdeRef::clone(&self.keys), envelope };
        self.supplier.handle(sealed::OpenStore(typed))
    }
}

impl<S: BytesStoreSupplier, K: 'static, E: Envelope + Clone + Send + Sync> StoreFactory for StoreBuilder<S, K, E> {
    fn name(&self) -> &str {
        self.supplier.description().name
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        self.changelog.as_ref()
    }

    fn is_persistent(&self) -> bool {
        self.supplier.description().persistent
    }

    fn history_retention(&self) -> Option<Duration> {
        match self.supplier.description().schema {
            KeySchema::Versioned(schema) => Some(Duration::from_millis(u64::try_from(schema.history_ms).unwrap_or(0))),
            _ => None,
        }
    }

    fn default_in_memory(&self) -> Option<Arc<dyn StoreFactory>> {
        let supplier = self.supplier.in_memory().filter(|_| self.is_default)?;
        let (keys, envelope) = (SerdeRef::clone(&self.handles.keys), self.handles.envelope.clone());
        let handles = Arc::new(Handles { supplier: supplier.clone(), keys, envelope });
        Some(Arc::new(Self { supplier, handles, changelog: self.changelog.clone(), ..*self }))
    }

    fn open(&self, to_open: &StoreOpen) -> Result<OpenedStore> {
        let description = self.supplier.description();
        let caching = self.caching && description.cacheable;
        let options = StoreOptions {
            name: description.name.to_owned(),
            persistent: description.persistent,
            caching,
            schema: description.schema,
            format: self.handles.envelope.settled(caching && to_open.cache_max_bytes > 0).format(),
            max_entries: self.supplier.max_entries(),
            logs_headers: self.logs_headers,
        };
        open(&options, to_open, Arc::clone(&self.handles))
    }
}

impl<S: BytesStoreSupplier, K, E> std::fmt::Debug for StoreBuilder<S, K, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreBuilder").field("name", &self.supplier.description().name).finish_non_exhaustive()
    }
}
