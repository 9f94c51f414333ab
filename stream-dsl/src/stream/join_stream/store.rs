//! The window stores of both sides, and the operator that fills them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::SerdeRef;
use stream_core::store::{StoreFactory, StoreName};
use stream_core::{BoxError, Record, Result, TopologyError};
use stream_state::{Stores, TimestampedWindowStore, ValueAndTimestamp, WindowBytesStoreSupplier, WindowStore};

use crate::nullability::MaybeNull;
use crate::options::StoreType;
use crate::plan::Plan;
use crate::window::JoinWindows;

/// The store of one side. Those that the program supplies hold timestamps, as in Kafka Streams; the join does not need them.
pub(super) enum SideStore<K, V> {
    Plain(WindowStore<K, V>),
    Timestamped(TimestampedWindowStore<K, V>),
}

impl<K: 'static, V: 'static> SideStore<K, V> {
    fn put(&self, key: &K, value: Option<&V>, timestamp: i64) -> Result<()> {
        match self {
            Self::Plain(store) => store.put(key, value, timestamp),
            Self::Timestamped(store) => store.put(key, value.map(|value| ValueAndTimestamp::new(value, timestamp)), timestamp),
        }
    }

    /// The records from `from` to `to` (ms, both inclusive) with their timestamps: by time, and at one time in the order in which they came.
    pub(super) fn fetch(&self, key: &K, from: i64, to: i64) -> Result<Vec<(i64, V)>> {
        match self {
            Self::Plain(store) => store.fetch(key, from, to)?.collect(),
            Self::Timestamped(store) => store.fetch(key, from, to)?.map(|row| row.map(|(start, row)| (start, row.value))).collect(),
        }
    }
}

/// The name of a side's store, and how it is opened.
pub(super) struct SideStoreName {
    pub(super) name: String,
    is_timestamped: bool,
}

impl SideStoreName {
    pub(super) fn open<K: 'static, V: 'static>(&self, cx: &InitContext<'_>) -> Result<SideStore<K, V>> {
        Ok(if self.is_timestamped {
            SideStore::Timestamped(cx.store(&StoreName::from_string(self.name.clone()))?)
        } else {
            SideStore::Plain(cx.store(&StoreName::from_string(self.name.clone()))?)
        })
    }
}

/// How a side's store is made.
pub(super) struct SideStoreSpec<'a> {
    pub(super) supplier: Option<WindowBytesStoreSupplier>,
    /// The name where the program supplies no store.
    pub(super) generated: String,
    pub(super) windows: JoinWindows,
    pub(super) store_type: Option<StoreType>,
    pub(super) logging: &'a Option<BTreeMap<String, String>>,
}

impl SideStoreSpec<'_> {
    /// The store of one side; a supplied one that does not fit the join is told when the topology is built (trap T58).
    pub(super) fn build<K: 'static, V: 'static>(
        self,
        plan: &Plan,
        keys: &SerdeRef<K>,
        values: &SerdeRef<V>,
    ) -> (Arc<dyn StoreFactory>, Arc<SideStoreName>) {
        let (keys, values) = (Arc::clone(keys), Arc::clone(values));
        if let Some(supplier) = self.supplier {
            if let Some(message) = misfit(&supplier, self.windows) {
                plan.refuse(TopologyError::Invalid { message });
            }
            let name = SideStoreName { name: supplier.name().to_owned(), is_timestamped: true };
            let builder = Stores::timestamped_window_store_builder(supplier, keys, values);
            let builder = match self.logging {
                Some(configs) => builder.with_logging_enabled(configs.clone()),
                None => builder.with_logging_disabled(),
            };
            return (Arc::new(builder), Arc::new(name));
        }
        let name = SideStoreName { name: self.generated, is_timestamped: false };
        let supplier = supplier(&name.name, self.store_type.unwrap_or(StoreType::Persistent), self.windows);
        let builder = Stores::window_store_builder(supplier, keys, values);
        let builder = match self.logging {
            Some(configs) => builder.with_logging_enabled(configs.clone()),
            None => builder.with_logging_disabled(),
        };
        let builder = if self.store_type.is_some() { builder } else { builder.with_default_placement() };
        (Arc::new(builder), Arc::new(name))
    }
}

/// Windows are never longer than size and grace together, so the supplier cannot refuse.
fn supplier(name: &str, store_type: StoreType, windows: JoinWindows) -> WindowBytesStoreSupplier {
    let (retention, size) = (windows.retention(), windows.size());
    let supplier = match store_type {
        #[cfg(feature = "rocksdb")]
        StoreType::Persistent => Stores::persistent_window_store(name, retention, size, true),
        _ => Stores::in_memory_window_store(name, retention, size, true),
    };
    supplier.unwrap_or_else(|_| unreachable!("a join keeps its windows for their size at least"))
}

/// What keeps a supplied store from serving the join.
fn misfit(supplier: &WindowBytesStoreSupplier, windows: JoinWindows) -> Option<String> {
    let name = supplier.name();
    if !supplier.retain_duplicates() {
        return Some(format!(
            "store `{name}` of a join of streams keeps one row per key and time, but records of one key and time must lie side by side; \
             give a supplier that retains duplicates"
        ));
    }
    let wanted = (windows.size_ms().saturating_add(windows.grace_ms()), windows.size_ms());
    let found = (supplier.retention_ms(), supplier.window_size_ms());
    (wanted != found).then(|| {
        format!(
            "store `{name}` keeps windows of {} ms for {} ms, but the join's windows have {} ms and must be kept for {} ms (size and \
             grace); give a supplier with the same",
            found.1, found.0, wanted.1, wanted.0
        )
    })
}

/// Hands a record on to the join, and then keeps it for the other side (trap T47).
pub(super) struct Windowed<K, KT, V, VT> {
    name: Arc<SideStoreName>,
    store: Option<SideStore<KT, VT>>,
    types: PhantomData<fn(K, V)>,
}

impl<K, KT, V, VT> Windowed<K, KT, V, VT> {
    pub(super) fn new(name: Arc<SideStoreName>) -> Self {
        Self { name, store: None, types: PhantomData }
    }
}

impl<K: MaybeNull<KT>, KT: Clone + 'static, V: MaybeNull<VT>, VT: Clone + 'static> Processor for Windowed<K, KT, V, VT> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(self.name.open(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the join is not initialised")?;
        let (key, value, timestamp) = (record.key.clone(), record.value.clone(), record.timestamp);
        cx.forward(record)?;
        if let Some(key) = key.as_option() {
            store.put(key, value.as_option(), timestamp)?;
        }
        Ok(())
    }
}
