//! Where session stores keep their rows.

use std::time::Duration;

use stream_core::store::ChangelogConfig;

use super::Session;
use crate::key::{KeySchema, Segments, SessionKeySchema};
use crate::store::{BytesStoreSupplier, sealed};
use crate::value::Envelope;

/// Where a session store keeps its rows, and for how long. Made by [`Stores`](crate::Stores).
#[derive(Clone, Debug)]
pub struct SessionBytesStoreSupplier {
    name: String,
    persistent: bool,
    schema: SessionKeySchema,
}

impl SessionBytesStoreSupplier {
    pub(crate) fn new(name: String, persistent: bool, retention: Duration) -> Self {
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        Self { name, persistent, schema: SessionKeySchema { segments: Segments::new(retention_ms) } }
    }

    /// Sessions can be found by their ends alone, by an index that costs one more row per session: for aggregations that emit on window
    /// close. Mirrors Kafka Streams' time-ordered session stores.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// // For `EmitStrategy::OnWindowClose`: the sessions that close now are found without a look at all keys.
    /// let visits = Stores::persistent_session_store("visits", Duration::from_secs(3_600)).ordered_by_time();
    /// assert_eq!(visits.name(), "visits");
    /// ```
    #[must_use]
    pub fn ordered_by_time(mut self) -> Self {
        self.schema.segments.time_index = true;
        self
    }

    /// The store's name.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// assert_eq!(Stores::persistent_session_store("visits", Duration::from_secs(3_600)).name(), "visits");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it keeps data on disk.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// assert!(Stores::persistent_session_store("visits", Duration::from_secs(3_600)).is_persistent());
    /// ```
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// How long sessions are kept after their end, ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// assert_eq!(Stores::persistent_session_store("visits", Duration::from_secs(3_600)).retention_ms(), 3_600_000);
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.schema.segments.retention_ms
    }

    /// How much time a segment covers, ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// assert_eq!(Stores::persistent_session_store("visits", Duration::from_secs(3_600)).segment_interval_ms(), 1_800_000);
    /// ```
    pub fn segment_interval_ms(&self) -> i64 {
        self.schema.segments.segment_ms
    }
}

impl BytesStoreSupplier for SessionBytesStoreSupplier {
    type Handle<K: 'static, E: Envelope + Clone> = Session<K, E>;

    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> Session<K, E> {
        Session::new(store.0, self.schema.clone(), !self.persistent)
    }
}

impl sealed::Described for SessionBytesStoreSupplier {
    fn in_memory(&self) -> Option<Self> {
        Some(Self { persistent: false, ..self.clone() })
    }

    fn description(&self) -> sealed::Description<'_> {
        sealed::Description {
            name: &self.name,
            persistent: self.persistent,
            schema: KeySchema::Session(self.schema.clone()),
            changelog: ChangelogConfig::windowed(self.schema.segments.retention_ms),
            cacheable: true,
        }
    }
}
