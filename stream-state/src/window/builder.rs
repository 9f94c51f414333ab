//! How windowed stores are declared.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::serdes::SerdeRef;
use stream_core::store::{ChangelogConfig, CleanupPolicy, OpenedStore, StoreFactory, StoreName, StoreOpen};
use stream_core::{Error, Result};

use super::Window;
use crate::key::{KeySchema, WindowKeySchema};
use crate::store::{self, HandleFactory, LayeredStore, StoreOptions};
use crate::value::{Envelope, Plain, Timestamped};

/// Where a windowed store keeps its rows, and for how long. Made by [`Stores`](crate::Stores).
#[derive(Clone, Debug)]
pub struct WindowBytesStoreSupplier {
    name: String,
    persistent: bool,
    window_size_ms: i64,
    schema: WindowKeySchema,
}

impl WindowBytesStoreSupplier {
    pub(crate) fn new(name: String, persistent: bool, retention: Duration, window_size: Duration, retain_duplicates: bool) -> Result<Self> {
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (retention_ms, window_size_ms) = (milliseconds(retention), milliseconds(window_size));
        if window_size_ms > retention_ms {
            return Err(Error::invalid(format!(
                "window store `{name}` keeps rows for {retention_ms} ms, less than the size of its windows ({window_size_ms} ms); a row would expire before its window ends: raise the retention"
            )));
        }
        Ok(Self { name, persistent, window_size_ms, schema: WindowKeySchema::new(retention_ms, retain_duplicates) })
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it keeps data on disk.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// How long rows are kept, ms.
    pub fn retention_ms(&self) -> i64 {
        self.schema.retention_ms
    }

    /// The size of the windows, ms.
    pub fn window_size_ms(&self) -> i64 {
        self.window_size_ms
    }

    /// How much time a segment covers, ms.
    pub fn segment_interval_ms(&self) -> i64 {
        self.schema.segment_ms
    }

    /// Whether several rows of one key and window live side by side.
    pub fn retain_duplicates(&self) -> bool {
        self.schema.retain_duplicates
    }

    /// Rows of windows are overwritten, so their changelog is compacted; where duplicates are kept no key repeats.
    fn changelog(&self) -> ChangelogConfig {
        let config = ChangelogConfig::windowed(self.schema.retention_ms);
        let policy = if self.schema.retain_duplicates { CleanupPolicy::Delete } else { config.cleanup_policy };
        ChangelogConfig { cleanup_policy: policy, ..config }
    }
}

/// Declares a [`WindowStore`](super::WindowStore).
pub type WindowStoreBuilder<K, V> = WindowBuilder<K, Plain<V>>;

/// Declares a [`TimestampedWindowStore`](super::TimestampedWindowStore).
pub type TimestampedWindowStoreBuilder<K, V> = WindowBuilder<K, Timestamped<V>>;

/// Declares a windowed store: give it to a topology. Logging is on and caching is off unless said otherwise.
pub struct WindowBuilder<K, E> {
    supplier: WindowBytesStoreSupplier,
    handles: Arc<Handles<K, E>>,
    changelog: Option<ChangelogConfig>,
    caching: bool,
}

struct Handles<K, E> {
    keys: SerdeRef<K>,
    envelope: E,
    schema: WindowKeySchema,
    exact: bool,
}

impl<K: 'static, V: 'static> WindowStoreBuilder<K, V> {
    /// A store of plain values.
    pub fn new(supplier: WindowBytesStoreSupplier, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Plain { serde: values })
    }
}

impl<K: 'static, V: 'static> TimestampedWindowStoreBuilder<K, V> {
    /// A store of values with timestamps.
    pub fn new(supplier: WindowBytesStoreSupplier, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Timestamped { serde: values })
    }
}

impl<K: 'static, E: Envelope> WindowBuilder<K, E> {
    fn over(supplier: WindowBytesStoreSupplier, keys: SerdeRef<K>, envelope: E) -> Self {
        let handles = Handles { keys, envelope, schema: supplier.schema.clone(), exact: !supplier.persistent };
        Self { changelog: Some(supplier.changelog()), supplier, handles: Arc::new(handles), caching: false }
    }

    /// Logs changes to a topic with these configs; they win over all others.
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.changelog = Some(ChangelogConfig { topic_configs, ..self.supplier.changelog() });
        self
    }

    /// Logs nothing: the store cannot be restored on another machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.changelog = None;
        self
    }

    /// A table holds its changes back until the commit, unless the application has `statestore.cache.max.bytes` = 0.
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Every update is forwarded at once.
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// The name to ask for the store with.
    pub fn store_name(&self) -> StoreName<Window<K, E>> {
        StoreName::from_string(self.supplier.name.clone())
    }
}

impl<K: 'static, E: Envelope + Clone + Send + Sync> HandleFactory for Handles<K, E> {
    type Handle = Window<K, E>;

    fn handle(&self, store: Rc<LayeredStore>) -> Self::Handle {
        Window::new(store, SerdeRef::clone(&self.keys), self.envelope.clone(), self.schema.clone(), self.exact)
    }
}

impl<K: 'static, E: Envelope + Clone + Send + Sync> StoreFactory for WindowBuilder<K, E> {
    fn name(&self) -> &str {
        &self.supplier.name
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        self.changelog.as_ref()
    }

    fn is_persistent(&self) -> bool {
        self.supplier.persistent
    }

    fn open(&self, open: &StoreOpen) -> Result<OpenedStore> {
        let options = StoreOptions {
            name: self.supplier.name.clone(),
            persistent: self.supplier.persistent,
            // Duplicates have no old value that a change could name.
            caching: self.caching && !self.supplier.schema.retain_duplicates,
            schema: KeySchema::Window(self.supplier.schema.clone()),
            format: E::FORMAT,
        };
        store::open(&options, open, Arc::clone(&self.handles))
    }
}
