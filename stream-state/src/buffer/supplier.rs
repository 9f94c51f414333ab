//! Where buffers keep their changes.

use stream_core::store::ChangelogConfig;

use super::TimeOrderedBuffer;
use crate::key::KeySchema;
use crate::store::{BytesStoreSupplier, sealed};
use crate::value::Envelope;

/// Where a buffer keeps its changes: in memory. Made by [`Stores`](crate::Stores).
#[derive(Clone, Debug)]
pub struct BufferBytesStoreSupplier {
    name: String,
}

impl BufferBytesStoreSupplier {
    pub(crate) fn new(name: String) -> Self {
        Self { name }
    }

    /// The store's name.
    ///
    /// A program meets this supplier through [`Stores::time_ordered_buffer_builder`](crate::Stores::time_ordered_buffer_builder).
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreFactory;
    /// use stream_state::Stores;
    ///
    /// assert_eq!(Stores::time_ordered_buffer_builder("waiting", Serdes::string(), Serdes::long()).name(), "waiting");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl BytesStoreSupplier for BufferBytesStoreSupplier {
    type Handle<K: 'static, E: Envelope + Clone> = TimeOrderedBuffer<K, E>;

    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> TimeOrderedBuffer<K, E> {
        TimeOrderedBuffer::new(store.0)
    }
}

impl sealed::Described for BufferBytesStoreSupplier {
    fn description(&self) -> sealed::Description<'_> {
        sealed::Description {
            name: &self.name,
            persistent: false,
            schema: KeySchema::KeyValue,
            changelog: ChangelogConfig::compact(),
            cacheable: false,
        }
    }
}
