//! Where a sink writes to.

use std::sync::Arc;

use crate::error::BoxError;
use crate::record::{Record, RecordMetadata};

/// What a topic-name extractor is told beside the record.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TopicContext<'a> {
    /// Where the source record came from; `None` in a punctuation.
    pub metadata: Option<&'a RecordMetadata>,
}

/// Chooses the topic of each record. The topic must exist. Mirrors Kafka Streams' `TopicNameExtractor`.
pub trait TopicNameExtractor<K, V>: Send + Sync + 'static {
    /// The topic.
    ///
    /// # Errors
    /// The processing handler decides.
    fn topic(&self, record: &Record<K, V>, context: &TopicContext<'_>) -> Result<Arc<str>, BoxError>;

    /// What `describe()` calls it.
    fn name(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }
}

/// Where a sink writes to.
pub enum SinkTopic<K, V> {
    /// One topic.
    Named(Arc<str>),
    /// A topic per record.
    Extracted(Arc<dyn TopicNameExtractor<K, V>>),
}

impl<K, V> SinkTopic<K, V> {
    /// A topic per record.
    pub fn extracted(extractor: impl TopicNameExtractor<K, V>) -> Self {
        Self::Extracted(Arc::new(extractor))
    }
}

impl<K, V> Clone for SinkTopic<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Named(name) => Self::Named(Arc::clone(name)),
            Self::Extracted(extractor) => Self::Extracted(Arc::clone(extractor)),
        }
    }
}

impl<K, V> From<&str> for SinkTopic<K, V> {
    fn from(topic: &str) -> Self {
        Self::Named(Arc::from(topic))
    }
}

impl<K, V> From<String> for SinkTopic<K, V> {
    fn from(topic: String) -> Self {
        Self::Named(Arc::from(topic))
    }
}
