//! [`KGroupedStream::non_null_value`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};

use super::KGroupedStream;
use crate::options::Grouped;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, Option<V>> {
    /// The same grouping, for aggregations that take no null values: they drop them and count them as dropped. A repartition topic carries
    /// the null values, and is shared with aggregations of this grouping that take them, if it has a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, Option<String>>("visits").group_by_key();
    /// // Windowed counts take null values, the others do not.
    /// visits.windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60))).count().to_stream().to("visits-per-minute");
    /// visits.non_null_value().count().to_stream().to("visits-with-a-page");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn non_null_value(&self) -> KGroupedStream<K, V> {
        let behind = Rc::clone(&self.behind);
        let values: SerdeRef<V> = Arc::new(Present(Arc::clone(&self.grouped.values)));
        KGroupedStream {
            stream: self.stream.non_null_value(),
            grouped: Grouped { keys: Arc::clone(&self.grouped.keys), values, name: self.grouped.name.clone() },
            behind: Rc::new(move |store, is_shared| behind(store, is_shared).non_null_value()),
            identity: Rc::clone(&self.identity),
        }
    }
}

/// The serde of values that are present, over one of values that may be null.
struct Present<V>(SerdeRef<Option<V>>);

impl<V: Clone + 'static> Serde<V> for Present<V> {
    fn serialize(&self, value: &V, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        self.0.serialize(&Some(value.clone()), out, cx)
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<V, SerdeError> {
        self.0.deserialize(bytes, cx)?.ok_or_else(|| SerdeError::bad("the serde read null from bytes that are not null"))
    }

    fn is_null(&self, value: &V) -> bool {
        self.0.is_null(&Some(value.clone()))
    }
}
