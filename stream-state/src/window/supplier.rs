//! Where windowed stores keep their rows.

use std::time::Duration;

use stream_core::store::{ChangelogConfig, CleanupPolicy};
use stream_core::{Error, Result};

use super::Window;
use crate::key::{KeySchema, WindowKeySchema};
use crate::store::{BytesStoreSupplier, sealed};
use crate::value::Envelope;

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

    /// Rows of several keys come in the order of their starts, by an index that costs one more row per window: for aggregations that emit
    /// on window close. Mirrors Kafka Streams' time-ordered window stores.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// // For `EmitStrategy::OnWindowClose`: the windows that close now are found without a look at all keys.
    /// let minute = Duration::from_secs(60);
    /// let counts = Stores::persistent_window_store("counts", 2 * minute, minute, false)?.ordered_by_time();
    /// assert_eq!(counts.name(), "counts");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    #[must_use]
    pub fn ordered_by_time(mut self) -> Self {
        // Duplicates share a place in the index.
        self.schema.segments.time_index = !self.schema.retain_duplicates;
        self
    }

    /// The store's name.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let counts = Stores::persistent_window_store("counts", Duration::from_secs(60), Duration::from_secs(60), false)?;
    /// assert_eq!(counts.name(), "counts");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it keeps data on disk.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let counts = Stores::in_memory_window_store("counts", Duration::from_secs(60), Duration::from_secs(60), false)?;
    /// assert!(!counts.is_persistent());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// How long rows are kept, ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let counts = Stores::persistent_window_store("counts", Duration::from_secs(120), Duration::from_secs(60), false)?;
    /// assert_eq!(counts.retention_ms(), 120_000);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.schema.segments.retention_ms
    }

    /// The size of the windows, ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let counts = Stores::persistent_window_store("counts", Duration::from_secs(120), Duration::from_secs(60), false)?;
    /// assert_eq!(counts.window_size_ms(), 60_000);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn window_size_ms(&self) -> i64 {
        self.window_size_ms
    }

    /// How much time a segment covers, ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// // Half the retention, but not below a minute: what is older than the retention is dropped a segment at a time.
    /// let counts = Stores::persistent_window_store("counts", Duration::from_secs(3_600), Duration::from_secs(60), false)?;
    /// assert_eq!(counts.segment_interval_ms(), 1_800_000);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn segment_interval_ms(&self) -> i64 {
        self.schema.segments.segment_ms
    }

    /// Whether several rows of one key and window live side by side.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let waiting = Stores::persistent_window_store("waiting", Duration::from_secs(60), Duration::from_secs(60), true)?;
    /// assert!(waiting.retain_duplicates());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn retain_duplicates(&self) -> bool {
        self.schema.retain_duplicates
    }

    /// Rows of windows are overwritten, so their changelog is compacted; where duplicates are kept no key repeats.
    fn changelog(&self) -> ChangelogConfig {
        let config = ChangelogConfig::windowed(self.schema.segments.retention_ms);
        let policy = if self.schema.retain_duplicates { CleanupPolicy::Delete } else { config.cleanup_policy };
        ChangelogConfig { cleanup_policy: policy, ..config }
    }
}

impl BytesStoreSupplier for WindowBytesStoreSupplier {
    type Handle<K: 'static, E: Envelope + Clone> = Window<K, E>;

    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> Window<K, E> {
        Window::new(store.0, self.schema.clone(), !self.persistent)
    }
}

impl sealed::Described for WindowBytesStoreSupplier {
    fn in_memory(&self) -> Option<Self> {
        Some(Self { persistent: false, ..self.clone() })
    }

    fn description(&self) -> sealed::Description<'_> {
        sealed::Description {
            name: &self.name,
            persistent: self.persistent,
            schema: KeySchema::Window(self.schema.clone()),
            changelog: self.changelog(),
            // Duplicates have no old value that a change could name.
            cacheable: !self.schema.retain_duplicates,
        }
    }
}
