//! Opening a store for a task.

use std::sync::Arc;

use stream_core::Result;
use stream_core::store::{OpenedStore, StoreOpen};

use super::Detached;
use super::attached::HandleFactory;
use crate::bytes::{ByteStore, Checkpoint};
use crate::error::StoreError;
use crate::key::KeySchema;
use crate::layer::Layers;
use crate::value::ValueFormat;

/// What all typed stores of one name have in common.
#[derive(Debug)]
pub(crate) struct StoreDescription {
    pub(crate) name: String,
    pub(crate) changelog_topic: Arc<str>,
}

/// How a builder wants its store.
#[derive(Clone, Debug)]
pub(crate) struct StoreOptions {
    pub(crate) name: String,
    pub(crate) persistent: bool,
    pub(crate) caching: bool,
    pub(crate) schema: KeySchema,
    pub(crate) format: ValueFormat,
    /// How many rows a store in memory keeps; `None`: all.
    pub(crate) max_entries: Option<usize>,
    pub(crate) logs_headers: bool,
}

/// Opens the store; `handles` makes what processors get.
pub(crate) fn open<F: HandleFactory>(options: &StoreOptions, open: &StoreOpen, handles: Arc<F>) -> Result<OpenedStore> {
    let failed = |error: StoreError| error.of(&options.name);
    let below = if options.persistent { open_below(options, open).map_err(failed)? } else { Below::default() };
    let caching = options.caching && open.cache_max_bytes > 0;
    let mut layers = Layers::new(options.schema.clone(), options.format, caching, below.store, below.checkpoint).map_err(failed)?;
    if let Some(max_entries) = options.max_entries {
        layers.keep_at_most(max_entries, if caching { open.cache_max_bytes } else { 0 });
    }
    if options.logs_headers {
        layers.log_headers();
    }
    let description = Arc::new(StoreDescription { name: options.name.clone(), changelog_topic: Arc::clone(&open.changelog_topic) });
    Ok(OpenedStore {
        position: layers.position(),
        flushed_at_ms: layers.checkpoint().map(|checkpoint| checkpoint.flushed_at_ms),
        store: Box::new(Detached::new(description, layers, handles)),
        quarantined: below.quarantined,
    })
}

/// The persistent layer and what it said when it was opened.
#[derive(Default)]
struct Below {
    store: Option<Box<dyn ByteStore>>,
    checkpoint: Option<Checkpoint>,
    quarantined: Option<String>,
}

#[cfg(feature = "rocksdb")]
fn open_below(options: &StoreOptions, open: &StoreOpen) -> Result<Below, StoreError> {
    // Rows of another store, changelog, key schema or value format must not be read as ours.
    let identity = format!("{}, {}, {}, {}", options.name, open.changelog_topic, options.schema, options.format);
    let opened = crate::bytes::rocks::RocksStore::open(&open.directory, identity, open.persistent_memory_bytes, open.clock.now_ms())?;
    Ok(Below { store: Some(Box::new(opened.store)), checkpoint: opened.checkpoint, quarantined: opened.quarantined })
}

#[cfg(not(feature = "rocksdb"))]
fn open_below(_: &StoreOptions, _: &StoreOpen) -> Result<Below, StoreError> {
    Ok(Below::default())
}
