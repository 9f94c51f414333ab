//! The stores of windowed tables.

use std::sync::Arc;
use std::time::Duration;

use stream_core::TopologyError;
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreFactory;
use stream_state::{SessionBytesStoreSupplier, SessionStoreBuilder, Stores, TimestampedWindowStoreBuilder, WindowBytesStoreSupplier};

use crate::grouped::TimeWindowing;
use crate::options::{Materialized, StoreSupplier, StoreType};
use crate::plan::Plan;
use crate::window::{EmitStrategy, SessionWindows};

/// What a store of windows of time must be able to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowStoreSpec {
    size_ms: i64,
    least_retention_ms: i64,
    /// Results come from the store, in the order of their times.
    by_time: bool,
    cacheable: bool,
}

impl WindowStoreSpec {
    pub(crate) fn new(windows: &TimeWindowing, emit: EmitStrategy) -> Self {
        let by_time = emit == EmitStrategy::OnWindowClose;
        Self {
            size_ms: windows.size_ms(),
            least_retention_ms: windows.least_retention_ms(),
            by_time,
            // Trap T44.
            cacheable: !(by_time && windows.is_sliding()),
        }
    }

    /// The store; a mistake is told when the topology is built.
    pub(crate) fn factory<K: 'static, V: 'static>(
        self,
        plan: &Plan,
        name: &str,
        materialized: &Materialized<K, V>,
        keys: &SerdeRef<K>,
        values: &SerdeRef<V>,
    ) -> Option<Arc<dyn StoreFactory>> {
        let retention_ms = retention(plan, name, materialized, self.least_retention_ms, "size and grace")?;
        let supplier = match &materialized.supplier {
            Some(StoreSupplier::Window(supplier)) => supplier.clone(),
            Some(other) => return refuse_supplier(plan, name, other, "windows"),
            None => {
                let supplier = match window_supplier(
                    name,
                    materialized.store_type.unwrap_or(StoreType::Persistent),
                    millis(retention_ms),
                    millis(self.size_ms),
                ) {
                    Ok(supplier) => supplier,
                    Err(error) => {
                        plan.refuse(TopologyError::Invalid { message: error.to_string() });
                        return None;
                    }
                };
                if self.by_time { supplier.ordered_by_time() } else { supplier }
            }
        };
        let (keys, values) = (Arc::clone(keys), Arc::clone(values));
        let builder = if materialized.keeps_timestamps {
            TimestampedWindowStoreBuilder::new(supplier, keys, values)
        } else {
            TimestampedWindowStoreBuilder::new_over_plain(supplier, keys, values)
        };
        let builder = match materialized.logging.clone() {
            Some(configs) => builder.with_logging_enabled(configs).with_changelog_retention(retention_ms),
            None => builder.with_logging_disabled(),
        };
        let builder = if materialized.is_placed() { builder } else { builder.with_default_placement() };
        Some(Arc::new(if materialized.caching && self.cacheable {
            builder.with_caching_enabled()
        } else {
            builder.with_caching_disabled()
        }))
    }
}

/// The store of a table of sessions; a mistake is told when the topology is built.
pub(crate) fn session_store<K: 'static, V: 'static>(
    plan: &Plan,
    name: &str,
    materialized: &Materialized<K, V>,
    windows: SessionWindows,
    emit: EmitStrategy,
    keys: &SerdeRef<K>,
    values: &SerdeRef<V>,
) -> Option<Arc<dyn StoreFactory>> {
    let retention_ms = retention(plan, name, materialized, windows.open_ms(), "gap and grace")?;
    let supplier = match &materialized.supplier {
        Some(StoreSupplier::Session(supplier)) => supplier.clone(),
        Some(other) => return refuse_supplier(plan, name, other, "sessions"),
        None => session_supplier(name, materialized.store_type.unwrap_or(StoreType::Persistent), millis(retention_ms)),
    };
    let by_time = emit == EmitStrategy::OnWindowClose;
    let supplier = if by_time { supplier.ordered_by_time() } else { supplier };
    let builder = SessionStoreBuilder::new(supplier, Arc::clone(keys), Arc::clone(values));
    let builder = match materialized.logging.clone() {
        Some(configs) => builder.with_logging_enabled(configs).with_changelog_retention(retention_ms),
        None => builder.with_logging_disabled(),
    };
    let builder = if materialized.is_placed() { builder } else { builder.with_default_placement() };
    // Trap T44.
    Some(Arc::new(if materialized.caching && !by_time { builder.with_caching_enabled() } else { builder.with_caching_disabled() }))
}

/// How long the store keeps rows, ms. Less than the windows need is a mistake (trap T28), except where the program gives a supplier: its
/// retention is its own, and this one is the changelog's, as in Kafka Streams.
fn retention<K, V>(plan: &Plan, name: &str, materialized: &Materialized<K, V>, least_ms: i64, what: &str) -> Option<i64> {
    let wanted = materialized.retention.map(|retention| i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
    let retention_ms = wanted.unwrap_or(least_ms);
    if retention_ms < least_ms && materialized.supplier.is_none() {
        plan.refuse(TopologyError::Invalid {
            message: format!(
                "store `{name}` keeps windows for {retention_ms} ms, but their {what} together are {least_ms} ms; keep them at least that long"
            ),
        });
        return None;
    }
    Some(retention_ms)
}

fn refuse_supplier<T>(plan: &Plan, name: &str, supplier: &StoreSupplier, what: &str) -> Option<T> {
    let message = format!("store `{name}` shall hold {what}, but its supplier is {supplier:?}; give it one for {what}");
    plan.refuse(TopologyError::Invalid { message });
    None
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn window_supplier(
    name: &str,
    store_type: StoreType,
    retention: Duration,
    size: Duration,
) -> stream_core::Result<WindowBytesStoreSupplier> {
    match store_type {
        #[cfg(feature = "rocksdb")]
        StoreType::Persistent => Stores::persistent_window_store(name, retention, size, false),
        _ => Stores::in_memory_window_store(name, retention, size, false),
    }
}

fn session_supplier(name: &str, store_type: StoreType, retention: Duration) -> SessionBytesStoreSupplier {
    match store_type {
        #[cfg(feature = "rocksdb")]
        StoreType::Persistent => Stores::persistent_session_store(name, retention),
        _ => Stores::in_memory_session_store(name, retention),
    }
}
