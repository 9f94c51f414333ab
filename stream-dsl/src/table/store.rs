//! The stores of tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use stream_core::serdes::SerdeRef;
use stream_core::store::{ChangelogConfig, OpenedStore, StoreFactory, StoreOpen};
use stream_core::{Error, TopologyError};
use stream_state::{BytesStoreSupplier, Envelope, KeyValueBytesStoreSupplier, StoreBuilder, Stores, TimestampedKeyValueStoreBuilder};

use crate::options::{Materialized, StoreSupplier, StoreType};
use crate::plan::Plan;

/// The value serde of a store; a missing one is told when the topology is built.
pub(crate) fn value_serde<K, V>(plan: &Plan, store: &str, materialized: &Materialized<K, V>) -> Option<SerdeRef<V>> {
    if materialized.values.is_none() {
        plan.refuse(missing_serde::<V>(store, "values", "with_value_serde"));
    }
    materialized.values.clone()
}

/// A store without a serde for its keys or values of type `T`.
pub(crate) fn missing_serde<T>(store: &str, what: &str, method: &str) -> TopologyError {
    let message = format!("store `{store}` has no serde for its {what} of type `{}`; give one with `{method}`", std::any::type_name::<T>());
    TopologyError::Invalid { message }
}

/// The store that the program named, and its name; a missing serde is told when the topology is built.
pub(crate) fn named<K: 'static, V: 'static>(
    plan: &Plan,
    materialized: &Materialized<K, V>,
    keys: Option<&SerdeRef<K>>,
    values: Option<&SerdeRef<V>>,
) -> Option<(Arc<dyn StoreFactory>, String)> {
    let name = plan.checked(materialized.name.as_deref()?);
    match (keys, values) {
        (Some(keys), Some(values)) => return Some((key_value(&name, materialized, keys, values), name)),
        (None, _) => plan.refuse(missing_serde::<K>(&name, "keys", "with_key_serde")),
        (_, None) => plan.refuse(missing_serde::<V>(&name, "values", "with_value_serde")),
    }
    None
}

/// The store of a table without windows: of values with timestamps, or of versions.
pub(crate) fn key_value<K: 'static, V: 'static>(
    name: &str,
    materialized: &Materialized<K, V>,
    keys: &SerdeRef<K>,
    values: &SerdeRef<V>,
) -> Arc<dyn StoreFactory> {
    let (keys, values) = (Arc::clone(keys), Arc::clone(values));
    match &materialized.supplier {
        Some(StoreSupplier::Versioned(supplier)) => {
            let builder = Stores::versioned_key_value_store_builder(supplier.clone(), keys, values);
            configured(builder, materialized)
        }
        Some(StoreSupplier::KeyValue(supplier)) if !materialized.keeps_timestamps => {
            configured(TimestampedKeyValueStoreBuilder::new_over_plain(supplier.clone(), keys, values), materialized)
        }
        Some(StoreSupplier::KeyValue(supplier)) => {
            configured(Stores::timestamped_key_value_store_builder(supplier.clone(), keys, values), materialized)
        }
        Some(StoreSupplier::Window(_) | StoreSupplier::Session(_)) => Arc::new(OfWindows(name.to_owned())),
        None => {
            let supplier = key_value_supplier(name, materialized.store_type.unwrap_or(StoreType::Persistent));
            configured(Stores::timestamped_key_value_store_builder(supplier, keys, values), materialized)
        }
    }
}

/// The builder with the options that a program gave.
fn configured<S, E, K, V>(builder: StoreBuilder<S, K, E>, materialized: &Materialized<K, V>) -> Arc<dyn StoreFactory>
where
    S: BytesStoreSupplier,
    E: Envelope + Clone + Send + Sync,
    K: 'static,
{
    let builder = match logging(materialized) {
        Some(configs) => builder.with_logging_enabled(configs),
        None => builder.with_logging_disabled(),
    };
    let builder = if materialized.is_placed() { builder } else { builder.with_default_placement() };
    Arc::new(if materialized.caching { builder.with_caching_enabled() } else { builder.with_caching_disabled() })
}

/// A store for windows where the table has none; told when the application starts.
struct OfWindows(String);

impl StoreFactory for OfWindows {
    fn name(&self) -> &str {
        &self.0
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        None
    }

    fn is_persistent(&self) -> bool {
        false
    }

    fn open(&self, _open: &StoreOpen) -> stream_core::Result<OpenedStore> {
        let name = &self.0;
        Err(Error::invalid(format!("store `{name}` is one of windows, but its table has none; give it a key-value or versioned supplier")))
    }
}

fn logging<K, V>(materialized: &Materialized<K, V>) -> Option<BTreeMap<String, String>> {
    materialized.logging.clone()
}

pub(crate) fn key_value_supplier(name: &str, store_type: StoreType) -> KeyValueBytesStoreSupplier {
    match store_type {
        #[cfg(feature = "rocksdb")]
        StoreType::Persistent => Stores::persistent_key_value_store(name),
        _ => Stores::in_memory_key_value_store(name),
    }
}
