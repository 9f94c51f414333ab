//! The runtime's view of a store.

use std::any::{Any, type_name};
use std::rc::Rc;
use std::sync::Arc;

use stream_core::Result;
use stream_core::store::{ChangelogRecord, ChangelogSink, DetachedStore, StateStore, Unflushed};
use stream_core::time::UNKNOWN_TIME;

use super::{Detached, LayeredStore, NO_HEADERS};
use crate::bytes::ByteRange;
use crate::key::{KeySchema, VersionedKeySchema};
use crate::layer::Layers;
use crate::value::ValueFormat;

/// Makes the typed handle of a store.
pub(crate) trait HandleFactory: Send + Sync + 'static {
    /// What processors get.
    type Handle: 'static;

    fn handle(&self, store: Rc<LayeredStore>) -> Self::Handle;
}

/// A store with what makes its handles.
pub(crate) struct AttachedStore<F> {
    store: Rc<LayeredStore>,
    handles: Arc<F>,
}

impl<F: HandleFactory> AttachedStore<F> {
    pub(super) fn new(store: LayeredStore, handles: Arc<F>) -> Self {
        Self { store: Rc::new(store), handles }
    }
}

impl<F: HandleFactory> AttachedStore<F> {
    /// The versions of each key, oldest first; one that ended before the history is as good as gone.
    fn versions(&self, schema: &VersionedKeySchema, stream_time: i64, sink: &mut dyn ChangelogSink) -> Result<()> {
        let mut rows = self.store.scan([ByteRange::all()], false).peekable();
        while let Some(row) = rows.next() {
            let (stored, value) = row?;
            let Some(parts) = VersionedKeySchema::parts(stored.as_slice()) else { continue };
            let next = rows.peek().and_then(|next| next.as_ref().ok());
            let next = next.and_then(|(stored, _)| VersionedKeySchema::parts(stored.as_slice())).filter(|next| next.key == parts.key);
            if next.is_none_or(|next| schema.keeps(next.from, stream_time)) {
                let (value, timestamp) = ValueFormat::Versioned.changelog_value(Some(value.as_slice()), parts.from);
                sink.log(&ChangelogRecord { key: parts.key, value, timestamp, headers: &NO_HEADERS })?;
            }
        }
        Ok(())
    }
}

impl<F: HandleFactory> StateStore for AttachedStore<F> {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn handle(self: Rc<Self>) -> Box<dyn Any> {
        Box::new(self.handles.handle(Rc::clone(&self.store)))
    }

    fn handle_type(&self) -> &'static str {
        type_name::<F::Handle>()
    }

    fn is_persistent(&self) -> bool {
        self.store.layers.with(|layers| layers.is_persistent())
    }

    fn changelog_position(&self) -> Option<i64> {
        self.store.layers.with(|layers| layers.position())
    }

    fn changelog_id(&self) -> Option<u128> {
        self.store.layers.with(|layers| layers.changelog_id())
    }

    fn set_changelog_id(&self, id: Option<u128>) {
        self.store.layers.with(|layers| layers.set_changelog_id(id));
    }

    fn restore(&self, records: &mut dyn Iterator<Item = ChangelogRecord<'_>>, position: i64) -> Result<()> {
        self.store.with(|layers| layers.restore(records, position)).map_err(|error| self.store.error(error))
    }

    fn log_changes(&self, sink: &mut dyn ChangelogSink) -> Result<()> {
        self.store.layers.with(|layers| {
            layers.log_changes(|key, value, timestamp, headers| sink.log(&ChangelogRecord { key, value, timestamp, headers }))
        })
    }

    fn rows(self: Rc<Self>, sink: &mut dyn ChangelogSink) -> Result<()> {
        let (schema, format, first, segments) = self.store.with(|layers| {
            let segments = layers.segments(0, u64::MAX);
            (layers.schema.clone(), layers.format(), layers.first_visible_time(), segments)
        });
        if let KeySchema::Versioned(schema) = &schema {
            let stream_time = self.store.with(|layers| layers.pending.stream_time);
            return self.versions(schema, stream_time, sink);
        }
        for row in self.store.scan(schema.ranges(&segments), false) {
            let (key, value) = row?;
            if let Some(logged) = schema.changelog_key(key.as_slice()).filter(|_| schema.shows(key.as_slice(), first)) {
                let headers = format.changelog_headers(Some(value.as_slice()));
                let (value, timestamp) = format.changelog_value(Some(value.as_slice()), UNKNOWN_TIME);
                sink.log(&ChangelogRecord { key: logged, value, timestamp, headers: &headers })?;
            }
        }
        Ok(())
    }

    fn is_dirty(&self) -> bool {
        self.store.layers.with(|layers| layers.is_dirty())
    }

    fn commit(&self, changelog_position: Option<i64>) -> Result<()> {
        self.store.with(|layers| layers.commit(changelog_position));
        #[cfg(feature = "fault-injection")]
        if super::fault::is_seeded(super::fault::POSITION_APART_FROM_ROWS) {
            return self.store.with(Layers::flush_position_alone).map_err(|error| self.store.error(error));
        }
        Ok(())
    }

    fn discard(&self) {
        self.store.with(Layers::discard);
    }

    fn unflushed(&self) -> Unflushed {
        let (entries, bytes) = self.store.layers.with(|layers| layers.unflushed());
        Unflushed { entries, bytes }
    }

    fn flush(&self, now_ms: i64) -> Result<()> {
        self.store.with(|layers| layers.flush(now_ms)).map_err(|error| self.store.error(error))
    }

    fn evict(&self, bytes: usize) -> usize {
        self.store.with(|layers| layers.evict(bytes))
    }

    fn memory_bytes(&self) -> usize {
        self.store.layers.with(|layers| layers.bytes())
    }

    fn reset(&self, reason: &str, now_ms: i64) -> Result<()> {
        self.store.with(|layers| layers.reset(reason, now_ms)).map_err(|error| self.store.error(error))
    }

    fn detach(self: Rc<Self>) -> Option<Box<dyn DetachedStore>> {
        let Self { store, handles } = Rc::into_inner(self)?;
        // The handles share the store: while one is left, its writes must go on to reach these layers.
        let LayeredStore { description, layers, .. } = Rc::into_inner(store)?;
        Some(Box::new(Detached::new(description, layers.into_own()?, handles)))
    }
}
