//! Where versioned stores keep their rows.

use std::time::Duration;

use stream_core::store::ChangelogConfig;
use stream_core::{Error, Result};

use super::Versions;
use crate::key::{KeySchema, VersionedKeySchema};
use crate::store::{BytesStoreSupplier, sealed};
use crate::value::Envelope;

/// Where a versioned store keeps its rows, and for how long. Made by [`Stores`](crate::Stores).
#[derive(Clone, Debug)]
pub struct VersionedBytesStoreSupplier {
    name: String,
    persistent: bool,
    schema: VersionedKeySchema,
}

/// How much longer than the history the changelog keeps versions uncompacted, ms: a restore needs all of them.
const ADDITIONAL_LAG_MS: i64 = 86_400_000;

impl VersionedBytesStoreSupplier {
    pub(crate) fn new(name: String, persistent: bool, history: Duration) -> Self {
        let history_ms = i64::try_from(history.as_millis()).unwrap_or(i64::MAX);
        Self { name, persistent, schema: VersionedKeySchema { history_ms, segment_ms: segment_ms(history_ms) } }
    }

    /// Versions go in steps of `segment`: smaller ones free memory sooner, larger ones less often.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_state::Stores;
    ///
    /// let prices = Stores::persistent_versioned_key_value_store("prices", Duration::from_secs(86_400));
    /// let prices = prices.with_segment_interval(Duration::from_secs(3_600))?;
    /// assert!(prices.with_segment_interval(Duration::ZERO).is_err());
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is below one millisecond.
    pub fn with_segment_interval(mut self, segment: Duration) -> Result<Self> {
        self.schema.segment_ms = i64::try_from(segment.as_millis()).unwrap_or(i64::MAX);
        if self.schema.segment_ms < 1 {
            let name = &self.name;
            return Err(Error::invalid(format!("versioned store `{name}` is to have segments of 0 ms; give at least 1 ms")));
        }
        Ok(self)
    }

    /// The store's name.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// assert_eq!(Stores::persistent_versioned_key_value_store("prices", Duration::from_secs(60)).name(), "prices");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far behind the stream time versions can be read and written.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use stream_state::Stores;
    /// let prices = Stores::persistent_versioned_key_value_store("prices", Duration::from_secs(60));
    /// assert_eq!(prices.history_retention(), Duration::from_secs(60));
    /// ```
    pub fn history_retention(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.schema.history_ms).unwrap_or(0))
    }
}

/// Short histories go in few steps, long ones in more: a step costs look-ups, and what is not yet dropped costs memory.
fn segment_ms(history_ms: i64) -> i64 {
    const MINUTE: i64 = 60_000;
    if history_ms <= MINUTE {
        (history_ms / 3).max(2_000)
    } else if history_ms <= 5 * MINUTE {
        (history_ms / 5).max(20_000)
    } else if history_ms <= 60 * MINUTE {
        (history_ms / 12).max(MINUTE)
    } else {
        (history_ms / 24).max(5 * MINUTE)
    }
}

impl BytesStoreSupplier for VersionedBytesStoreSupplier {
    type Handle<K: 'static, E: Envelope + Clone> = Versions<K, E>;

    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> Versions<K, E> {
        Versions::new(store.0, self.schema.clone())
    }
}

impl sealed::Described for VersionedBytesStoreSupplier {
    fn in_memory(&self) -> Option<Self> {
        Some(Self { persistent: false, ..self.clone() })
    }

    fn description(&self) -> sealed::Description<'_> {
        let lag = self.schema.history_ms.saturating_add(ADDITIONAL_LAG_MS);
        sealed::Description {
            name: &self.name,
            persistent: self.persistent,
            schema: KeySchema::Versioned(self.schema.clone()),
            changelog: ChangelogConfig { min_compaction_lag_ms: Some(lag), ..ChangelogConfig::compact() },
            // Trap T44: a change that is held back would lose the versions between.
            cacheable: false,
        }
    }
}
