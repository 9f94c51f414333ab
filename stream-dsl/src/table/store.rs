//! The stores of tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use stream_core::TopologyError;
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreFactory;
use stream_state::{KeyValueBytesStoreSupplier, Stores};

use crate::options::{Materialized, StoreType};
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

/// A key-value store with timestamps.
pub(crate) fn key_value<K: 'static, V: 'static>(
    name: &str,
    materialized: &Materialized<K, V>,
    keys: &SerdeRef<K>,
    values: &SerdeRef<V>,
) -> Arc<dyn StoreFactory> {
    let builder = Stores::timestamped_key_value_store_builder(
        key_value_supplier(name, materialized.store_type),
        Arc::clone(keys),
        Arc::clone(values),
    );
    let builder = match logging(materialized) {
        Some(configs) => builder.with_logging_enabled(configs),
        None => builder.with_logging_disabled(),
    };
    Arc::new(if materialized.caching { builder.with_caching_enabled() } else { builder.with_caching_disabled() })
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
