//! [`Branched`].

use crate::stream::KStream;

/// What becomes of a branch: its name (without one it is numbered), and what is done with it at once. Mirrors Kafka Streams' `Branched`.
pub struct Branched<K, V> {
    pub(crate) name: Option<String>,
    pub(crate) chain: Option<Chain<K, V>>,
}

/// Takes the stream of a branch; what it gives back is found under the branch's name.
pub(crate) type Chain<K, V> = Box<dyn FnOnce(KStream<K, V>) -> Option<KStream<K, V>>>;

impl<K, V> Branched<K, V> {
    /// This name behind the prefix of the split.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), chain: None }
    }

    /// The branch goes through `function`; what that gives back stands for the branch.
    #[must_use]
    pub fn with_function(mut self, function: impl FnOnce(KStream<K, V>) -> KStream<K, V> + 'static) -> Self {
        self.chain = Some(Box::new(move |stream| Some(function(stream))));
        self
    }

    /// The branch ends in `consumer`; it is not among the streams that the split gives.
    #[must_use]
    pub fn with_consumer(mut self, consumer: impl FnOnce(KStream<K, V>) + 'static) -> Self {
        self.chain = Some(Box::new(move |stream| {
            consumer(stream);
            None
        }));
        self
    }
}

impl<K, V> Default for Branched<K, V> {
    fn default() -> Self {
        Self { name: None, chain: None }
    }
}

impl<K, V> std::fmt::Debug for Branched<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branched").field("name", &self.name).finish_non_exhaustive()
    }
}
